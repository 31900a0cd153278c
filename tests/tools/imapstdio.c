/*
 * IMAP sessions over one Maildir, without login: for dialogues, benchmarks and profiles.
 *
 *	imapstdio -m MAILDIR -s SOCKET [-i INDEXDIR] [-b NAME=USE[,subscribe]]... [-o SETTING=VALUE]...
 *
 * Listens on a unix socket; each connection is a session of the one user, greeted with PREAUTH. Ends with SIGTERM
 * or when its standard input ends, and then prints the processor time it used. Not installed.
 */
#include "box/acct.h"
#include "imap/session.h"
#include "io/listen.h"
#include "io/stream.h"
#include "io/watch.h"
#include "base/mem.h"
#include "base/must.h"
#include "wire/imap_name.h"

#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAILBOXES_MAX = 32 };

struct tool {
	const char *driver; /* of the store */
	struct loop *loop;
	struct acct *acct;
	struct watch_set *watches;
	struct acct_mailbox mailbox[MAILBOXES_MAX];
	struct acct_ns ns;
	struct acct_config config;
	struct imap_settings settings;
	struct loop_timer work;
	struct loop_io *in;
	struct conn *conns; /* those that live */
	bool verbose, ending, blind;
};

struct conn {
	struct conn *next, **link;
	struct tool *tool;
	struct imap_session *session;
};

/* ---- the account's own work ---- */

static void on_work(void *ctx)
{
	struct tool *t = ctx;

	if (acct_work(t->acct) == STEP_SLICE)
		loop_timer_set(t->loop, &t->work, 0, on_work, t);
	else if (acct_busy(t->acct))
		loop_timer_set(t->loop, &t->work, 100, on_work, t);
}

static void busy(struct tool *t)
{
	if (acct_busy(t->acct) && !loop_timer_armed(&t->work))
		loop_timer_set(t->loop, &t->work, 100, on_work, t);
}

static void on_busy(void *ctx)
{
	struct conn *c = ctx;

	busy(c->tool);
}

/* ---- sessions ---- */

static void on_end(void *ctx, enum imap_end why, const char *text)
{
	struct conn *c = ctx;
	struct tool *t = c->tool;

	if (t->verbose)
		fprintf(stderr, "session ended: %s\n", text);
	busy(t);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	free(c);
	if (t->ending && !t->conns)
		loop_stop(t->loop);
}

static void on_accept(void *ctx, int fd_take)
{
	static const struct stream_handler none = { 0 };
	struct tool *t = ctx;
	struct conn *c = mem_alloc(sizeof(*c));
	struct imap_config cfg = {
		.acct = t->acct,
		.loop = t->loop,
		.stream = stream_new(t->loop, fd_take, NULL, &none, NULL),
		.settings = t->settings,
		.user = "user",
		.on_end = on_end,
		.on_busy = on_busy,
		.ctx = c,
	};

	c->tool = t;
	if (imap_session_new(&cfg, &c->session)) {
		fprintf(stderr, "no session: out of memory\n");
		free(c);
		return;
	}
	c->next = t->conns;
	c->link = &t->conns;
	if (c->next)
		c->next->link = &c->next;
	t->conns = c;
}

/* ---- the command line ---- */

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: imapstdio -m MAILDIR -s SOCKET [-i INDEX] [-b NAME=USE[,subscribe]] [-o NAME=VALUE]\n");
	exit(2);
}

static void add_mailbox(struct tool *t, char *text)
{
	struct acct_mailbox *m = &t->mailbox[t->ns.mailboxes];
	char *use = strchr(text, '='), *comma = strchr(text, ',');

	if (t->ns.mailboxes == MAILBOXES_MAX)
		usage();
	if (comma)
		*comma = '\0';
	if (use)
		*use++ = '\0';
	*m = (struct acct_mailbox){ .name = text, .special_use = use && *use ? use : NULL };
	m->create = comma != NULL;
	m->subscribe = comma != NULL;
	t->ns.mailboxes++;
}

static void set_option(struct tool *t, char *text)
{
	char *value = strchr(text, '=');
	uint64_t n = 0;

	if (!value)
		usage();
	*value++ = '\0';
	span_u64(span_str(value), &n);
	if (!strcmp(text, "imap_client_workarounds"))
		t->settings.delay_newmail = !strcmp(value, "delay-newmail");
	else if (!strcmp(text, "imap_fetch_failure"))
		t->settings.fetch_failure = !strcmp(value, "disconnect-after") ? IMAP_FETCH_END_AFTER : IMAP_FETCH_END_NOW;
	else if (!strcmp(text, "imap_capability"))
		t->settings.capability = value;
	else if (!strcmp(text, "imap_id_send"))
		t->settings.id_send = value;
	else if (!strcmp(text, "imap_idle_notify_ms"))
		t->settings.idle_notify_ms = n;
	else if (!strcmp(text, "mailbox_idle_check_ms"))
		t->settings.idle_check_ms = n;
	else if (!strcmp(text, "inactivity_ms"))
		t->settings.inactivity_ms = n;
	else if (!strcmp(text, "append_max"))
		t->settings.append_max = n;
	else if (!strcmp(text, "mail_max_keyword_length"))
		t->settings.keyword_max = (unsigned)n;
	else if (!strcmp(text, "inotify"))
		t->blind = n == 0;
	else if (!strcmp(text, "mbox_dotlock_change_timeout"))
		t->ns.store.mbox.dotlock_change_timeout = (int)n;
	else if (!strcmp(text, "separator"))
		t->ns.separator = value[0];
	else if (!strcmp(text, "prefix"))
		t->ns.prefix = value;
	else
		usage();
}

/* Sends all clients away; the loop stops when the last has gone. */
static void on_signal(void *ctx)
{
	struct tool *t = ctx;

	t->ending = true;
	for (struct conn *c = t->conns; c; c = c->next)
		imap_session_kick(c->session, "Server is shutting down.");
	if (!t->conns)
		loop_stop(t->loop);
}

static void on_stdin(void *ctx, unsigned events)
{
	struct tool *t = ctx;
	char c[256];

	if (t->ending || read(STDIN_FILENO, c, sizeof(c)) > 0)
		return;
	loop_remove(&t->in);
	on_signal(t);
}

static void print_usage(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("user %ld.%06ld system %ld.%06ld maxrss %ld\n", u.ru_utime.tv_sec, u.ru_utime.tv_usec,
	       u.ru_stime.tv_sec, u.ru_stime.tv_usec, u.ru_maxrss);
}

static void *watcher_add(void *ctx, const char *dir, bool (*cares)(const char *name, bool dir), void (*changed)(void *arg),
			 void *arg)
{
	struct watch *w;

	return watch_add(ctx, dir, cares, changed, arg, &w) ? NULL : w;
}

static void watcher_remove(void *ctx, void *handle)
{
	struct watch *w = handle;

	watch_remove(&w);
}

static uint64_t watcher_count(void *ctx, void *handle)
{
	return watch_count(handle);
}

/* "mbox:ROOT", or a Maildir. */
static void set_mail(struct tool *t, const char *text)
{
	t->driver = strncmp(text, "mbox:", 5) == 0 ? "mbox" : "maildir";
	t->ns.store.root = *t->driver == 'm' && t->driver[1] == 'b' ? text + 5 : text;
}

static void open_account(struct tool *t)
{
	struct errtext why = { "" };

	t->ns.inbox = true;
	t->ns.subscriptions = true;
	t->ns.list = ACCT_LIST_YES;
	t->ns.ops = store_driver(t->driver);
	t->ns.store.hostname = "test.example";
	t->ns.store.sync = STORE_SYNC_OPTIMIZED;
	t->ns.mailbox = t->mailbox;
	t->config.user = "user";
	t->config.ns = &t->ns;
	t->config.namespaces = 1;
	if (t->watches)
		t->config.watcher = (struct acct_watcher){ watcher_add, watcher_remove, watcher_count, t->watches };
	t->config.max_keyword_length = t->settings.keyword_max;
	if (acct_open(&t->config, &t->acct, &why)) {
		fprintf(stderr, "account: %s\n", why.text);
		exit(1);
	}
}

static void serve(struct tool *t, const char *path)
{
	struct errtext why = { "" };
	struct acceptor *acceptor;
	struct loop_signal *term;
	int fd;

	t->loop = loop_new();
	if (listen_unix(path, 0600, (uid_t)-1, (gid_t)-1, &fd, &why)) {
		fprintf(stderr, "%s: %s\n", path, why.text);
		exit(1);
	}
	if (!t->blind && watch_set_new(t->loop, &t->watches))
		t->watches = NULL;
	open_account(t);
	acceptor = acceptor_new(t->loop, fd, on_accept, t);
	term = loop_signal_add(t->loop, SIGTERM, on_signal, t);
	t->in = loop_add(t->loop, STDIN_FILENO, LOOP_READ, on_stdin, t);
	puts("ready");
	fflush(stdout);
	loop_run(t->loop);
	acceptor_free(&acceptor);
	loop_remove(&t->in);
	loop_signal_remove(&term);
	close(fd);
	loop_timer_stop(t->loop, &t->work);
	acct_close(&t->acct);
	watch_set_free(&t->watches);
	loop_free(&t->loop);
}

int main(int argc, char **argv)
{
	struct tool t = { .ns.prefix = "" };
	const char *socket_path = NULL;
	char *index_dir = NULL;
	int opt;

	imap_settings_default(&t.settings);
	while ((opt = getopt(argc, argv, "m:s:i:b:o:v")) != -1) {
		if (opt == 'm')
			set_mail(&t, optarg);
		else if (opt == 's')
			socket_path = optarg;
		else if (opt == 'i')
			t.config.index_dir = optarg;
		else if (opt == 'b')
			add_mailbox(&t, optarg);
		else if (opt == 'o')
			set_option(&t, optarg);
		else if (opt == 'v')
			t.verbose = true;
		else
			usage();
	}
	if (!t.ns.store.root || !socket_path)
		usage();
	if (!t.config.index_dir)
		t.config.index_dir = index_dir = mem_printf("%s/roost.index", t.ns.store.root);
	serve(&t, socket_path);
	print_usage();
	free(index_dir);
	return 0;
}
