/*
 * The mail commands: a connection a user, several at once. The first one's rows are printed as they come; the others'
 * wait, in a bounded buffer and then in their workers.
 */
#include "talk.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 64 << 10 };

/* Of all users. */
struct queue {
	struct talk *talk; /* own */
	size_t first;      /* the one that is printed */
	size_t next;       /* not begun */
};

/* Prints what is the first one's turn; begins others in the places of those that are done. */
static void advance(struct run *r, struct queue *q)
{
	while (q->first < r->users.n) {
		while (q->next < r->users.n && q->next < q->first + TALKS_MAX && !adm_stopped) {
			talk_begin(r, &q->talk[q->next], r->users.name[q->next], &r->ask);
			q->next++;
		}
		if (q->first == q->next)
			return;
		talk_read(r, &q->talk[q->first]);
		if (!q->talk[q->first].over && !q->talk[q->first].eof)
			return;
		talk_end(r, &q->talk[q->first++]);
		r->progress.users_done++;
	}
}

static void talk_all(struct run *r)
{
	struct queue q = { .talk = mem_array(r->users.n, sizeof(*q.talk)) };
	struct talk *now[TALKS_MAX];

	advance(r, &q);
	while (q.first < r->users.n && !adm_stopped) {
		for (size_t i = q.first; i < q.next; i++)
			now[i - q.first] = &q.talk[i];
		talks_wait(r, now, q.next - q.first);
		advance(r, &q);
	}
	while (q.first < q.next)
		talk_end(r, &q.talk[q.first++]);
	free(q.talk);
}

/* One after the other: the one whose messages they are is the same. */
static void relay_all(struct run *r)
{
	for (size_t i = 0; i < r->users.n && !adm_stopped; i++) {
		relay_run(r, r->users.name[i]);
		r->progress.users_done++;
	}
}

/* --- the request -------------------------------------------------------------------------------- */

struct given {
	bool all, subscribe;
	const char *file, *user, *source;
};

static int usage(const struct run *r)
{
	fprintf(stderr, "%s %s [-u <user>|-A|-F <file>] [-S <socket_path>]%s %s\n", r->a->program, r->cmd->name,
		r->cmd->flags & MAILCMD_CHANGES ? " [--dry-run]" : "", r->cmd->arguments);
	return STATUS_USAGE;
}

/* Ours are taken, the command's go into the request. -1: usage. */
static int read_options(struct run *r, struct adm *a, int argc, char **argv, struct given *g)
{
	static const struct option longs[] = { { "dry-run", no_argument, NULL, 1 },
					       { "check", no_argument, NULL, 'c' },
					       { "min-highest-modseq", required_argument, NULL, 'M' },
					       { "uid-validity", required_argument, NULL, 'V' },
					       { "min-next-uid", required_argument, NULL, 'N' },
					       { "mailbox-guid", required_argument, NULL, 'G' },
					       { 0 } };
	char *letters = mem_printf("+AF:u:S:%s", r->cmd->options);
	int opt;

	optind = 0;
	while ((opt = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (opt == '?' || (opt == 1 && !(r->cmd->flags & MAILCMD_CHANGES)) ||
		    (strchr("cMVNG", opt) && !strchr(r->cmd->options, opt)))
			break;
		if (opt == 'A')
			g->all = true;
		else if (opt == 'F')
			g->file = optarg;
		else if (opt == 'u')
			g->user = optarg;
		else if (opt == 'S')
			a->socket = optarg;
		else if (opt == 1)
			r->dry = true;
		else
			ask_add(&r->ask, (const char[]){ '-', (char)opt, '\0' });
		if (opt == 'U')
			g->source = optarg;
		g->subscribe |= opt == 's';
		if (optarg && opt > 1 && !strchr("FuS", opt))
			ask_add(&r->ask, optarg);
	}
	free(letters);
	return opt == -1 ? optind : -1;
}

/* A file as it is; standard input as a file without a name, for each user reads it from the start. */
static int open_data(struct run *r, const char *path)
{
	char piece[PIECE];
	FILE *copy = NULL;
	ssize_t n = 0;

	r->data_fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (r->data_fd >= 0 && lseek(r->data_fd, 0, SEEK_CUR) < 0) {
		copy = tmpfile();
		while (copy && (n = read(r->data_fd, piece, sizeof(piece))) > 0)
			if (fwrite(piece, 1, (size_t)n, copy) != (size_t)n)
				n = -1;
		if (!copy || n < 0 || fflush(copy) != 0)
			r->data_fd = -1;
		else
			r->data_fd = fileno(copy);
	}
	if (r->data_fd >= 0 && pread(r->data_fd, piece, 1, 0) >= 0)
		return STATUS_OK;
	fprintf(stderr, "%s: %s: %s\n", r->a->program, path ? path : "standard input", strerror(errno));
	return STATUS_TEMP;
}

static int prepare(struct run *r, struct adm *a, int argc, char **argv, struct given *g)
{
	int at;

	r->ask.command = r->cmd->name;
	buf_init(&r->ask.words, ASK_MAX);
	at = read_options(r, a, argc, argv, g);
	if (at < 0 || argc - at < r->cmd->least || (r->cmd->most >= 0 && argc - at > r->cmd->most))
		return usage(r);
	ask_add(&r->ask, "--");
	for (int i = at; i < argc; i++)
		ask_add(&r->ask, argv[i]);
	buf_add_char(&r->ask.words, '\n');
	relay_prepare(r, argc - at, argv + at, g->source, g->subscribe);
	if (r->ask.words.failed || r->give.words.failed || r->take.words.failed) {
		fprintf(stderr, "%s: the arguments are too long\n", a->program);
		return STATUS_USAGE;
	}
	r->printer = printer_new(a->format ? a->format : r->cmd->flags & MAILCMD_PAGER ? "pager" : "flow", stdout);
	if (!r->printer) {
		fprintf(stderr, "%s: Unknown print formatter: %s\n", a->program, a->format);
		return STATUS_TEMP;
	}
	return r->cmd->flags & MAILCMD_DATA ? open_data(r, at < argc ? argv[at] : NULL) : STATUS_OK;
}

int mail_run(const struct adm *given, const struct mailcmd *cmd, int argc, char **argv)
{
	struct adm a = *given;
	struct run r = { .a = &a, .cmd = cmd, .data_fd = -1, .server.dir_fd = -1 };
	struct given g = { .all = false };
	bool early = false;

	r.status = prepare(&r, &a, argc, argv, &g);
	if (r.status == STATUS_OK)
		r.status = users_find(&a, g.all, g.file, g.user, &r.users);
	adm_catch_signals();
	if (r.status == STATUS_OK)
		r.status = server_find(&a, &r.server);
	if (r.status == STATUS_OK && (cmd->flags & MAILCMD_STOPPED) && !r.server.pid && !r.dry) {
		fprintf(stderr, "%s: the server is running, and clients go on learning: stop it and ask again\n", a.program);
		r.dry = early = true;
	}
	if (r.status == STATUS_OK) {
		progress_init(&r.progress, r.users.n);
		if (r.source || r.outside)
			relay_all(&r);
		else
			talk_all(&r);
		progress_clear(&r.progress);
	}
	if (early && r.status == STATUS_OK)
		r.status = STATUS_TEMP; /* what was asked for is not done */
	server_end(&r.server);
	if (r.printer && !printer_end(&r.printer) && r.status == STATUS_OK)
		r.status = STATUS_TEMP;
	users_free(&r.users);
	buf_free(&r.ask.words);
	buf_free(&r.give.words);
	buf_free(&r.take.words);
	if (adm_stopped)
		fprintf(stderr, "%s: stopped; the same command again does the rest\n", a.program);
	return adm_stopped ? STATUS_STOPPED : r.status;
}
