/* roost-worker: a spare until it is assigned; then the owner's process until the master says QUIT.
 */
#include "worker.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "conf/export.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ROOTS_MAX = 64,
	GROUPS_MAX = 64,
	PATH_LEN = 4096,
	TICK_MS = 60000,
	REST_MS = 500, /* several accounts that go quiet together */
	FILES_MAX = 20000,
	CALLS = CALLS_BASE | CALLS_SOCKET | CALLS_FILE_READ | CALLS_FILE_WRITE | CALLS_WATCH,
};

static void stop(struct worker *w)
{
	w->quitting = true;
	jobs_quit(w);
	if (w->jobs == NULL)
		loop_stop(w->h.loop);
}

static enum err on_quit(void *ctx, struct chan *c, struct msg_in *m)
{
	struct helper *h = ctx;
	if (!msg_end(m))
		return ERR_PROTO;
	stop(h->ctx);
	return ERR_OK;
}

/*
 * What opening a mailbox or a long answer took stays with the allocator; thousands of idle processes
 * cannot afford that.
 */
static void rest(void *ctx)
{
	struct worker *w = ctx;
	loop_rest(w->h.loop);
	mem_rest();
}

void worker_rest(struct worker *w)
{
	if (!loop_timer_armed(&w->rest))
		loop_timer_set(w->h.loop, &w->rest, REST_MS, rest, w);
}

/* The minute's house-keeping: caches and stale readers of the open accounts. */
static void tick(void *ctx)
{
	struct worker *w = ctx;
	struct account *a, *next;
	HASH_ITER (hh, w->accounts, a, next) {
		account_busy(a);
		account_stir(a);
	}
	loop_timer_set(w->h.loop, &w->tick, TICK_MS, tick, w);
}

/* --- the sudden end -------------------------------------------------------------------------- */

/*
 * An index that somebody writes over or cuts while it is mapped is found out by one of these; whatever else goes wrong, too,
 * if not by SIGKILL. Those connected hear of it, then the signal does what it would have done.
 */
static const int crashes[] = { SIGBUS, SIGSEGV, SIGABRT, SIGILL, SIGFPE };

static struct {
	struct worker *w;
	struct sigaction before[ARRAY_LEN(crashes)];
} dying;

static void on_crash(int signo, siginfo_t *info, void *context)
{
	for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
		sigaction(crashes[i], &dying.before[i], NULL);
	jobs_last_words(dying.w);
	if (signo == SIGBUS || signo == SIGSEGV)
		idx_blame(&dying.w->indexes);
	if (info->si_code <= 0) /* it was sent, and does not come again by itself */
		raise(signo);
}

static void watch_crashes(struct worker *w)
{
	struct sigaction sa = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO };
	sigemptyset(&sa.sa_mask);
	dying.w = w;
	for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
		sigaction(crashes[i], &sa, &dying.before[i]);
}

/* --- assignment ----------------------------------------------------------------------------- */

struct assignment {
	gid_t groups[GROUPS_MAX];
	char *root[ROOTS_MAX]; /* own */
	struct confine_path path[ROOTS_MAX + 8];
	struct confine confine;
	enum worker_kind kind;
	char title[256];
};

/* Everything below path, in the owner's own name: a home that is not there yet is made, as Dovecot does. */
static void make_dirs(const char *path)
{
	char *p = mem_str(path);
	for (char *slash = strchr(p + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(p, 0700);
		*slash = '/';
	}
	mkdir(p, 0700);
	free(p);
}

static void make_roots(void *ctx)
{
	const struct assignment *a = ctx;
	for (size_t i = 0; i < ROOTS_MAX && a->root[i] != NULL; i++)
		make_dirs(a->root[i]);
}

static enum err read_assignment(struct msg_in *m, struct assignment *a)
{
	struct confine *c = &a->confine;
	c->uid = msg_get_u32(m);
	c->gid = msg_get_u32(m);
	c->ngroups = msg_get_u32(m);
	if (c->ngroups > GROUPS_MAX)
		return ERR_PROTO;
	for (size_t i = 0; i < c->ngroups; i++)
		a->groups[i] = msg_get_u32(m);
	c->groups = a->groups;
	a->kind = msg_get_u8(m);
	msg_get_cstr(m, a->title, sizeof(a->title));
	uint32_t roots = msg_get_u32(m);
	if (roots > ROOTS_MAX || (a->kind != WORKER_SINGLE && a->kind != WORKER_POOLED))
		return ERR_PROTO;
	for (size_t i = 0; i < roots; i++) {
		a->root[i] = span_dup(msg_get_str(m, PATH_LEN));
		a->path[c->npaths++] = (struct confine_path){ a->root[i], true };
	}
	return msg_end(m) ? ERR_OK : ERR_PROTO;
}

/*
 * What the libraries still read after confinement: character sets, zones, the boot id of the
 * index's mark, our own descriptors.
 */
static void add_system_paths(struct assignment *a)
{
	static const char *const readable[] = {
		"/usr/share/zoneinfo",
		"/usr/lib/x86_64-linux-gnu/gconv",
		"/usr/lib/aarch64-linux-gnu/gconv",
		"/usr/lib64/gconv",
		"/proc/sys/kernel/random/boot_id",
		"/etc/localtime",
	};
	for (size_t i = 0; i < ARRAY_LEN(readable); i++)
		a->path[a->confine.npaths++] = (struct confine_path){ readable[i], false };
}

static enum err on_assign(void *ctx, struct chan *c, struct msg_in *m)
{
	struct helper *h = ctx;
	struct worker *w = h->ctx;
	struct assignment *a = mem_alloc(sizeof(*a));
	if (w->kind != 0 || read_assignment(m, a) != ERR_OK)
		return ERR_PROTO;
	add_system_paths(a);
	a->confine.landlock = true;
	a->confine.paths = a->path;
	a->confine.calls = CALLS;
	a->confine.filter = w->filter;
	a->confine.files_max = FILES_MAX;
	a->confine.memory_max = 0;
	a->confine.prepare = make_roots;
	a->confine.prepare_ctx = a;
	helper_become(h, &a->confine);
	w->kind = a->kind;
	watch_crashes(w);
	if (w->kind == WORKER_SINGLE)
		proc_title(&h->self, a->title);
	else
		proc_title(&h->self, "pool");
	for (size_t i = 0; i < ROOTS_MAX; i++)
		free(a->root[i]);
	free(a);
	/* Only now: inotify instances are counted by uid. */
	if (watch_set_new(h->loop, &w->watches) != ERR_OK)
		log_debug("no inotify instance: folders are looked at from time to time");
	tick(w);
	return ERR_OK;
}

static const struct chan_row rows[] = {
	HELPER_ROWS,
	{ MSG_QUIT, on_quit },
	{ MSG_ASSIGN, on_assign },
	{ MSG_ATTACH, attach },
	{ MSG_KICK, kick },
	{ MSG_LOCK_DOOR, door_came },
};

/* What every worker would do for itself a template does for all. */
static void prepare(struct worker *w)
{
	struct errtext why;
	if (!helper_is_template(&w->h))
		return;
	if (confine_compile(CALLS, &w->filter, &why) != ERR_OK)
		log_fatal(EXIT_INTERNAL, "cannot prepare the confinement: %s", why.text);
	confine_preload();
	helper_copies(&w->h, "worker");
}

int main(int argc, char **argv)
{
	struct worker w = { 0 };
	umask(0); /* modes are given with each file: those of the directory that it is in */
	mem_thrifty();
	helper_init(&w.h, argc, argv);
	if (conf_import(w.h.conf, CONF_WORKER, &w.conf) != ERR_OK)
		log_fatal(1, "the configuration handed over cannot be read");
	helper_hostname(conf_str(w.conf, CONF_HOSTNAME), w.hostname, sizeof(w.hostname));
	log_debug_enable(conf_bool(w.conf, CONF_MAIL_DEBUG));
	prepare(&w);
	helper_start(&w.h, ROLE_WORKER, rows, ARRAY_LEN(rows), conf_log_form(w.conf),
		     &w);
	chan_send_empty(w.h.master, MSG_READY, 0);
	loop_run(w.h.loop);
	accounts_close(&w);
	doors_close(&w);
	watch_set_free(&w.watches);
	confine_filter_free(&w.filter);
	conf_free(&w.conf);
	helper_free(&w.h);
	return 0;
}
