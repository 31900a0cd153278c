/* What comes of a conversation, and what goes. */
#include "talk.h"

#include "base/must.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	AHEAD = 1 << 20,          /* bytes that wait: for their turn to be printed, or to be sent to another */
	LINE_MAX_BYTES = 1 << 20, /* of records that are no rows */
	PIECE = 64 << 10,
};

void run_fail(struct run *r, const char *user, int status, struct span text)
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
	run_fail(r, t->user, STATUS_OK, buf_span(&text));
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
		run_fail(r, t->user,
		     span_eq_str(s, "no such user")           ? STATUS_NOUSER
		     : span_eq_str(s, "permission denied") ? STATUS_DENIED
							      : STATUS_TEMP,
		     s);
	} else if (!span_u32(s, &status)) {
		run_fail(r, t->user, STATUS_FAILED, SPAN("the server's answer makes no sense"));
	} else if (r->status == STATUS_OK) {
		r->status = (int)status;
	}
}

/* For another user's worker. */
static void hand_on(struct run *r, struct talk *t)
{
	struct span line = buf_span(&t->line);
	struct buf *out = t->other ? &t->other->out : NULL;

	if (!out)
		return;
	buf_add_char(out, t->type);
	if (line.n && t->type != '=')
		buf_add_char(out, '\t');
	buf_add_span(out, line);
	buf_add_char(out, '\n');
	if (t->type == '=' && !span_u64(line, &t->raw))
		t->raw = 0;
}

static const struct {
	char type;
	void (*read)(struct run *r, struct talk *t);
} kinds[] = {
	{ 'C', read_columns }, { 'P', read_progress }, { 'W', read_warning }, { 'E', read_end },
	{ 'F', hand_on },      { 'M', hand_on },       { '=', hand_on },      { 'B', hand_on },
	{ 'X', hand_on },      { 'A', hand_on },
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

/* Bytes of a message on its way to another user. */
static size_t read_raw(struct talk *t, struct span in)
{
	struct span piece = span_cut(in, 0, t->raw < SIZE_MAX ? (size_t)t->raw : SIZE_MAX);

	buf_add_span(&t->other->out, piece);
	t->raw -= piece.n;
	return piece.n;
}

static bool waits_for_other(const struct talk *t)
{
	return t->other && t->other->out.n >= AHEAD;
}

void talk_read(struct run *r, struct talk *t)
{
	size_t at = 0;

	while (at < t->in.n && !t->over && !waits_for_other(t)) {
		struct span rest = span_from(buf_span(&t->in), at);

		if (t->raw) {
			at += read_raw(t, rest);
		} else if (t->type == 0) {
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
		run_fail(r, t->user, STATUS_TEMP, span_str(strerror(errno)));
	if (n < 0)
		t->data_done = t->eof = t->over = true; /* without its end nothing is saved */
	if (n < 0)
		return;
	buf_printf(&t->out, "=%zd\n", n);
	buf_add(&t->out, piece, (size_t)n);
	t->data_at += n;
	t->data_done = n == 0;
}

/* What has been sent makes room. */
static void tidy(struct talk *t)
{
	buf_consume(&t->out, t->sent);
	t->sent = 0;
}

static void send_some(struct run *r, struct talk *t)
{
	fill_data(r, t);
	while (t->sent < t->out.n) {
		ssize_t n = send(t->fd, t->out.p + t->sent, t->out.n - t->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EPIPE)
			t->sent = t->out.n, t->data_done = true;
		if (n <= 0)
			break;
		t->sent += (size_t)n;
		fill_data(r, t);
	}
	tidy(t);
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

/* --- the whole --------------------------------------------------------------------------------- */

void ask_add(struct ask *a, const char *word)
{
	buf_add_char(&a->words, '\t');
	record_add(&a->words, span_str(word));
}

void talk_begin(struct run *r, struct talk *t, const char *user, const struct ask *ask)
{
	*t = (struct talk){ .user = user };
	buf_init(&t->out, ASK_MAX + AHEAD + LINE_MAX_BYTES);
	buf_init(&t->in, AHEAD + PIECE);
	buf_init(&t->line, LINE_MAX_BYTES);
	t->fd = server_connect(ask->path ? ask->path : r->server.path);
	if (t->fd < 0) {
		run_fail(r, user, STATUS_DOWN, span_str(strerror(errno)));
		t->over = t->eof = true;
		return;
	}
	buf_printf(&t->out, "mail\t%s\n%s%s", user, ask->command, r->dry ? "\t--dry-run" : "");
	buf_add_span(&t->out, buf_span(&ask->words));
	t->data_done = r->data_fd < 0;
}

void talk_end(struct run *r, struct talk *t)
{
	if (!t->over && !adm_stopped)
		run_fail(r, t->user, STATUS_TEMP, SPAN("the server ended the conversation before it was done"));
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	buf_free(&t->out);
	buf_free(&t->in);
	buf_free(&t->line);
}

void talks_wait(struct run *r, struct talk *const *talk, size_t n)
{
	struct pollfd p[TALKS_MAX];

	must(n <= TALKS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct talk *t = talk[i];

		p[i] = (struct pollfd){ .fd = t->eof ? -1 : t->fd };
		if (t->in.n < AHEAD)
			p[i].events |= POLLIN;
		if (t->sent < t->out.n || !t->data_done)
			p[i].events |= POLLOUT;
	}
	if (poll(p, n, -1) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (p[i].revents & POLLOUT)
			send_some(r, talk[i]);
		if (p[i].revents & (POLLIN | POLLHUP | POLLERR))
			receive_some(talk[i]);
	}
}
