/*
 * The mail commands: a connection a user, several at once. The first one's rows are printed as they come; the others'
 * wait, in a bounded buffer and then in their workers.
 */
#include "adm.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	AT_ONCE = 8,              /* users */
	ASK_MAX = 300 << 10,
	AHEAD = 1 << 20,          /* bytes that wait for their turn to be printed */
	LINE_MAX_BYTES = 1 << 20, /* of records that are no rows */
	PIECE = 64 << 10,
	STATUS_STOPPED = 130,
};

/* One user's connection. */
struct talk {
	const char *user; /* borrowed */
	int fd;           /* own; -1: not connected, or over */
	struct buf out;   /* own: to be sent */
	size_t sent;
	off_t data_at;    /* of the message to be saved */
	bool data_done;
	struct buf in;    /* own: not looked at yet */
	bool eof, over;   /* nothing more comes; the status came */
	/* Where the reader is in the record under way. */
	char type;        /* 0: at its beginning */
	bool escaped;     /* a backslash stood last */
	struct buf line;  /* own: a record that is no row */
};

struct run {
	const struct adm *a;
	const struct mailcmd *cmd;
	struct server server;
	struct users users;
	struct talk *talk; /* own: of all users */
	size_t first;      /* the one that is printed */
	size_t next;       /* not begun */
	struct buf request; /* own: what follows the command's name */
	int data_fd;       /* -1: none */
	struct printer *printer;
	struct progress progress;
	int status;
	bool dry;
};

static volatile sig_atomic_t stopped;

static void on_signal(int signo)
{
	stopped = signo;
}

static void fail(struct run *r, const char *user, int status, struct span text)
{
	progress_clear(&r->progress);
	fflush(stdout);
	fprintf(stderr, "%s(%s): Error: %.*s\n", r->a->program, user, (int)text.n, text.p);
	if (r->status == STATUS_OK)
		r->status = status;
}

/* --- what comes -------------------------------------------------------------------------------- */

static void read_columns(struct run *r, struct talk *t)
{
	printer_columns(r->printer, buf_span(&t->line), r->users.many ? t->user : NULL);
}

static void read_progress(struct run *r, struct talk *t)
{
	struct span rest = buf_span(&t->line), done, goal;
	uint64_t d, g;

	if (span_split(&rest, '\t', &done) && span_split(&rest, '\t', &goal) && span_u64(done, &d) && span_u64(goal, &g))
		progress_show(&r->progress, t->user, d, g, rest);
}

static void read_warning(struct run *r, struct talk *t)
{
	struct buf text;

	buf_init(&text, LINE_MAX_BYTES);
	record_read(buf_span(&t->line), &text);
	fail(r, t->user, STATUS_OK, buf_span(&text));
	buf_free(&text);
}

/* Also "ERR sentence", when control itself refuses. */
static void read_end(struct run *r, struct talk *t)
{
	struct span s = buf_span(&t->line);
	uint32_t status = STATUS_FAILED;

	t->over = true;
	if (t->type == 'E' && span_starts(s, SPAN("RR "))) {
		s = span_from(s, 3);
		fail(r, t->user,
		     span_eq_str(s, "no such user")           ? STATUS_NOUSER
		     : span_eq_str(s, "permission denied") ? STATUS_DENIED
							      : STATUS_TEMP,
		     s);
	} else if (!span_u32(s, &status)) {
		fail(r, t->user, STATUS_FAILED, SPAN("the server's answer makes no sense"));
	} else if (r->status == STATUS_OK) {
		r->status = (int)status;
	}
}

static const struct {
	char type;
	void (*read)(struct run *r, struct talk *t);
} kinds[] = {
	{ 'C', read_columns }, { 'P', read_progress }, { 'W', read_warning }, { 'E', read_end },
};

static void end_line(struct run *r, struct talk *t)
{
	struct buf *b = &t->line;

	/* The TAB behind the type. */
	if (b->n && b->p[0] == '\t')
		buf_consume(b, 1);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].type == t->type)
			kinds[i].read(r, t);
	buf_clear(b);
}

/* Bytes of a row: TABs begin cells, pieces go to the printer unescaped. */
static size_t read_row(struct run *r, struct talk *t, struct span in)
{
	static const char letters[] = "\\tn", meant[] = "\\\t\n";
	size_t i = 0, from = 0;

	if (t->escaped) {
		const char *l = strchr(letters, in.p[0]);

		printer_add(r->printer, l && *l ? span_of(&meant[l - letters], 1) : span_cut(in, 0, 1));
		t->escaped = false;
		from = i = 1;
	}
	while (i < in.n && in.p[i] != '\n' && in.p[i] != '\t' && in.p[i] != '\\')
		i++;
	if (i > from)
		printer_add(r->printer, span_cut(in, from, i - from));
	if (i == in.n)
		return i;
	if (in.p[i] == '\\')
		t->escaped = true;
	else if (in.p[i] == '\t')
		printer_cell(r->printer);
	else
		printer_row(r->printer);
	if (in.p[i] == '\n')
		t->type = 0;
	return i + 1;
}

static size_t read_line(struct run *r, struct talk *t, struct span in)
{
	size_t eol = span_find(in, '\n'), n = eol == SIZE_MAX ? in.n : eol;

	if (t->line.n + n <= LINE_MAX_BYTES)
		buf_add_span(&t->line, span_cut(in, 0, n));
	if (eol == SIZE_MAX)
		return n;
	end_line(r, t);
	t->type = 0;
	return n + 1;
}

static void read_records(struct run *r, struct talk *t)
{
	size_t at = 0;

	while (at < t->in.n && !t->over) {
		struct span rest = span_from(buf_span(&t->in), at);

		if (t->type == 0) {
			t->type = rest.p[0];
			at++;
			if (t->type == 'R')
				progress_clear(&r->progress);
			if (t->type == '\n')
				t->type = 0;
		} else {
			at += t->type == 'R' ? read_row(r, t, rest) : read_line(r, t, rest);
		}
	}
	buf_consume(&t->in, at);
}

/* --- what goes --------------------------------------------------------------------------------- */

static void fill_data(struct run *r, struct talk *t)
{
	char piece[PIECE];
	ssize_t n;

	if (r->data_fd < 0 || t->data_done || t->out.n > t->sent)
		return;
	buf_clear(&t->out);
	t->sent = 0;
	n = pread(r->data_fd, piece, sizeof(piece), t->data_at);
	if (n < 0)
		fail(r, t->user, STATUS_NOINPUT, span_str(strerror(errno)));
	if (n < 0)
		t->data_done = t->eof = t->over = true; /* without its end nothing is saved */
	if (n < 0)
		return;
	buf_printf(&t->out, "=%zd\n", n);
	buf_add(&t->out, piece, (size_t)n);
	t->data_at += n;
	t->data_done = n == 0;
}

static void send_some(struct run *r, struct talk *t)
{
	fill_data(r, t);
	while (t->sent < t->out.n) {
		ssize_t n = send(t->fd, t->out.p + t->sent, t->out.n - t->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EPIPE)
			t->sent = t->out.n, t->data_done = true;
		if (n <= 0)
			return;
		t->sent += (size_t)n;
		fill_data(r, t);
	}
}

static void receive_some(struct talk *t)
{
	ssize_t n;

	if (t->in.n >= AHEAD || !buf_reserve(&t->in, PIECE))
		return;
	n = recv(t->fd, t->in.p + t->in.n, PIECE, MSG_DONTWAIT);
	if (n > 0)
		t->in.n += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		t->eof = true;
}

/* --- all of them ------------------------------------------------------------------------------- */

static void talk_begin(struct run *r, struct talk *t, const char *user)
{
	t->user = user;
	buf_init(&t->out, ASK_MAX + PIECE);
	buf_init(&t->in, AHEAD + PIECE);
	buf_init(&t->line, LINE_MAX_BYTES);
	t->fd = server_connect(r->server.path);
	if (t->fd < 0) {
		fail(r, user, STATUS_DOWN, span_str(strerror(errno)));
		t->over = t->eof = true;
		return;
	}
	buf_printf(&t->out, "mail\t%s\n%s%s", user, r->cmd->name, r->dry ? "\t--dry-run" : "");
	buf_add_span(&t->out, buf_span(&r->request));
	t->data_done = r->data_fd < 0;
}

static void talk_end(struct run *r, struct talk *t)
{
	if (!t->over && !stopped)
		fail(r, t->user, STATUS_TEMP, SPAN("the server ended the conversation before it was done"));
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	buf_free(&t->out);
	buf_free(&t->in);
	buf_free(&t->line);
	r->progress.users_done++;
}

/* Prints what is the first one's turn; begins others in the places of those that are done. */
static void advance(struct run *r)
{
	while (r->first < r->users.n) {
		while (r->next < r->users.n && r->next < r->first + AT_ONCE && !stopped) {
			talk_begin(r, &r->talk[r->next], r->users.name[r->next]);
			r->next++;
		}
		if (r->first == r->next)
			return;
		read_records(r, &r->talk[r->first]);
		if (!r->talk[r->first].over && !r->talk[r->first].eof)
			return;
		talk_end(r, &r->talk[r->first++]);
	}
}

static void wait_for_some(struct run *r)
{
	struct pollfd p[AT_ONCE];
	size_t n = r->next - r->first;

	for (size_t i = 0; i < n; i++) {
		const struct talk *t = &r->talk[r->first + i];

		p[i] = (struct pollfd){ .fd = t->eof ? -1 : t->fd };
		if (t->in.n < AHEAD)
			p[i].events |= POLLIN;
		if (t->sent < t->out.n || !t->data_done)
			p[i].events |= POLLOUT;
	}
	if (poll(p, n, -1) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		struct talk *t = &r->talk[r->first + i];

		if (p[i].revents & POLLOUT)
			send_some(r, t);
		if (p[i].revents & (POLLIN | POLLHUP | POLLERR))
			receive_some(t);
	}
}

static void talk_all(struct run *r)
{
	r->talk = mem_array(r->users.n, sizeof(*r->talk));
	advance(r);
	while (r->first < r->users.n && !stopped) {
		wait_for_some(r);
		advance(r);
	}
	while (r->first < r->next)
		talk_end(r, &r->talk[r->first++]);
	free(r->talk);
}

/* --- the request -------------------------------------------------------------------------------- */

static void add_word(struct run *r, const char *word)
{
	buf_add_char(&r->request, '\t');
	record_add(&r->request, span_str(word));
}

struct given {
	bool all;
	const char *file, *user;
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
	static const struct option longs[] = { { "dry-run", no_argument, NULL, 1 }, { "check", no_argument, NULL, 'c' }, { 0 } };
	char *letters = mem_printf("+AF:u:S:%s", r->cmd->options);
	int opt;

	optind = 0;
	while ((opt = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (opt == '?' || (opt == 1 && !(r->cmd->flags & MAILCMD_CHANGES)) ||
		    (opt == 'c' && !strchr(r->cmd->options, 'c')))
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
			add_word(r, (const char[]){ '-', (char)opt, '\0' });
		if (optarg && opt > 1 && !strchr("FuS", opt))
			add_word(r, optarg);
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
	return STATUS_NOINPUT;
}

static int prepare(struct run *r, struct adm *a, int argc, char **argv, struct given *g)
{
	int at;

	buf_init(&r->request, ASK_MAX);
	at = read_options(r, a, argc, argv, g);
	if (at < 0 || argc - at < r->cmd->least || (r->cmd->most >= 0 && argc - at > r->cmd->most))
		return usage(r);
	add_word(r, "--");
	for (int i = at; i < argc; i++)
		add_word(r, argv[i]);
	buf_add_char(&r->request, '\n');
	if (r->request.failed) {
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
	struct run r = { .a = &a, .cmd = cmd, .data_fd = -1 };
	struct given g = { .all = false };
	struct sigaction sa = { .sa_handler = on_signal };

	r.status = prepare(&r, &a, argc, argv, &g);
	if (r.status == STATUS_OK)
		r.status = users_find(&a, g.all, g.file, g.user, &r.users);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (r.status == STATUS_OK)
		r.status = server_find(&a, &r.server);
	if (r.status == STATUS_OK && (cmd->flags & MAILCMD_STOPPED) && !r.server.pid && !r.dry) {
		fprintf(stderr, "%s: the server is running, and clients go on learning: stop it and ask again\n", a.program);
		r.dry = true;
	}
	if (r.status == STATUS_OK) {
		progress_init(&r.progress, r.users.n);
		talk_all(&r);
		progress_clear(&r.progress);
	}
	server_end(&r.server);
	if (r.printer && !printer_end(&r.printer) && r.status == STATUS_OK)
		r.status = STATUS_TEMP;
	users_free(&r.users);
	buf_free(&r.request);
	if (stopped)
		fprintf(stderr, "%s: stopped; the same command again does the rest\n", a.program);
	return stopped ? STATUS_STOPPED : r.status;
}
