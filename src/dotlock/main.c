/*
 * roost-dotlock: makes and removes the lock files of INBOX mboxes in a directory where their owners may not write
 * (/var/mail, mail_privileged_group). It alone has that group; the directory is its root, and it has no other power.
 *
 * A worker cannot name a file: the master says which inbox a socket is for, and what comes over it can only be
 * "lock" and "unlock". When the socket closes, the lock goes. The lock file names the worker's pid, so that it is not
 * taken for a dead one's when we are killed while he writes.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "conf/conf.h"
#include "conf/export.h"
#include "proc/helper.h"
#include "store/dotlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

enum { FILES_MAX = 200000, PATH_LEN = 4096 };

struct locker {
	struct helper h;
	struct conf *conf; /* own */
	char host[256];
	int root_fd; /* own */
	struct grant *grants;
	bool quitting;
};

/* The right to one lock. */
struct grant {
	struct locker *k;
	struct chan *chan;   /* own; to the worker */
	pid_t pid;           /* of the worker */
	int dir_fd;          /* own when not root_fd */
	char *base, *name;   /* own; of the mbox, of its lock */
	struct dotlock lock;
	struct grant *prev, *next;
};

static void grant_free(struct grant *g)
{
	struct locker *k = g->k;

	dotlock_drop(&g->lock);
	DL_DELETE(k->grants, g);
	chan_free(&g->chan);
	if (g->dir_fd >= 0 && g->dir_fd != k->root_fd)
		close(g->dir_fd);
	free(g->base);
	free(g->name);
	free(g);
	if (k->quitting && !k->grants)
		loop_stop(k->h.loop);
}

static void worker_gone(void *ctx, struct chan *c, enum err why)
{
	grant_free(ctx);
}

static enum err on_take(void *ctx, struct chan *c, struct msg_in *in)
{
	struct grant *g = ctx;
	int most = (int)(conf_u64(g->k->conf, CONF_MBOX_DOTLOCK_CHANGE_TIMEOUT) / 1000);
	struct stat st;
	bool found = fstatat(g->dir_fd, g->base, &st, 0) == 0;
	struct dotlock_want want = { .name = g->name,
				     .host = g->k->host,
				     .pid = g->pid,
				     .stale = dotlock_stale_after(most, found ? &st : NULL),
				     .mode = 0644,
				     .mbox = true };
	struct errtext t = { "" };
	struct msg m;

	if (!msg_end(in) || g->lock.fd >= 0)
		return ERR_PROTO;
	enum err e = dotlock_take(&g->lock, g->dir_fd, &want, &t);
	msg_init(&m, MSG_LOCK_ANSWER, in->id);
	msg_put_u8(&m, (uint8_t)e);
	msg_put_str(&m, t.text);
	chan_send(c, &m);
	return ERR_OK;
}

static enum err on_drop(void *ctx, struct chan *c, struct msg_in *in)
{
	struct grant *g = ctx;

	dotlock_drop(&g->lock);
	return msg_end(in) ? ERR_OK : ERR_PROTO;
}

/* --- what the master says --------------------------------------------------------------------- */

/* No level is empty or begins with a dot. */
static bool path_usable(const char *path)
{
	struct span rest = span_str(path), level;
	bool ok = *path != '\0' && path[strlen(path) - 1] != '/';

	while (ok && span_split(&rest, '/', &level))
		ok = level.n > 0 && level.p[0] != '.';
	return ok;
}

static int dir_open(const struct locker *k, const char *path)
{
	const char *slash = strrchr(path, '/');
	int fd = k->root_fd;

	if (slash) {
		char *dir = span_dup(span_of(path, (size_t)(slash - path)));

		fd = openat(k->root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		free(dir);
	}
	return fd;
}

static enum err on_grant(void *ctx, struct chan *c, struct msg_in *in)
{
	static const struct chan_row rows[] = { { MSG_LOCK_TAKE, on_take }, { MSG_LOCK_DROP, on_drop } };
	struct helper *h = ctx;
	struct locker *k = h->ctx;
	char path[PATH_LEN];
	pid_t pid = (pid_t)msg_get_u32(in);

	msg_get_cstr(in, path, sizeof(path));
	if (!msg_end(in) || !path_usable(path) || k->root_fd < 0)
		return ERR_PROTO;
	struct grant *g = mem_alloc(sizeof(*g));
	const char *slash = strrchr(path, '/');

	g->k = k;
	g->pid = pid;
	g->lock = (struct dotlock)DOTLOCK_NONE;
	g->dir_fd = dir_open(k, path);
	g->base = mem_str(slash ? slash + 1 : path);
	g->name = mem_printf("%s.lock", g->base);
	DL_APPEND(k->grants, g);
	g->chan = chan_new(h->loop, msg_take_fd(in), ROLE_DOTLOCK, ROLE_WORKER, rows, ARRAY_LEN(rows), worker_gone, g);
	return ERR_OK;
}

static enum err on_begin(void *ctx, struct chan *c, struct msg_in *in)
{
	static const struct confine_path all[] = { { "/", true } };
	struct helper *h = ctx;
	struct locker *k = h->ctx;
	struct confine want = { .landlock = true,
				.paths = all,
				.npaths = ARRAY_LEN(all),
				.calls = CALLS_BASE | CALLS_FILE_READ | CALLS_FILE_WRITE,
				.files_max = FILES_MAX };
	enum err e = helper_confine(h, in, &want);

	if (!e)
		k->root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return e;
}

/* Workers that are about to go may still have something to write: who holds a door is waited for. */
static enum err on_quit(void *ctx, struct chan *c, struct msg_in *in)
{
	struct helper *h = ctx;
	struct locker *k = h->ctx;

	k->quitting = true;
	if (!k->grants)
		loop_stop(h->loop);
	return msg_end(in) ? ERR_OK : ERR_PROTO;
}

static const struct chan_row rows[] = {
	HELPER_ROWS,
	{ MSG_BEGIN, on_begin },
	{ MSG_QUIT, on_quit },
	{ MSG_LOCK_GRANT, on_grant },
};

int main(int argc, char **argv)
{
	struct locker k = { .root_fd = -1 };

	helper_init(&k.h, argc, argv);
	if (conf_import(k.h.conf, CONF_DOTLOCK, &k.conf) != ERR_OK)
		log_fatal(EXIT_INTERNAL, "the configuration handed over cannot be read");
	helper_hostname(conf_str(k.conf, CONF_HOSTNAME), k.host, sizeof(k.host));
	helper_start(&k.h, ROLE_DOTLOCK, rows, ARRAY_LEN(rows), conf_log_form(k.conf), &k);
	loop_run(k.h.loop);
	if (k.root_fd >= 0)
		close(k.root_fd);
	conf_free(&k.conf);
	helper_free(&k.h);
	return 0;
}
