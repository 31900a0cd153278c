/* One command on one connection: reading the request, running it in slices, writing records. */
#include "room.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdarg.h>
#include <stdlib.h>

enum {
	REQUEST_MAX = 256 << 10,
	OUT_HIGH = 256 << 10,
	OUT_MAX = 64 << 20,
	WAIT_MS = 50,
	PROGRESS_MS = 500,
	SENTENCE = 1024,
};

static const struct job_row *const row_lists[] = {
	job_rows_mailbox, job_rows_fetch, job_rows_change, job_rows_save, job_rows_import, job_rows_relay, job_rows_index,
	job_rows_dump,
};

/* --- records ------------------------------------------------------------------------------- */

static void field(struct jobs *j, struct span text)
{
	struct buf *out = stream_out(j->io);

	buf_add_char(out, '\t');
	record_add(out, text);
}

void job_columns(struct jobs *j, const char *const *name, const unsigned *flags, size_t n)
{
	struct buf *out = stream_out(j->io);

	buf_add_char(out, 'C');
	for (size_t i = 0; i < n; i++) {
		buf_add_char(out, '\t');
		buf_add_u64(out, flags ? flags[i] : 0);
		record_add(out, span_str(name[i]));
	}
	job_row_end(j);
}

void job_row_begin(struct jobs *j)
{
	buf_add_char(stream_out(j->io), 'R');
}

void job_cell(struct jobs *j, struct span text)
{
	field(j, text);
}

void job_cell_str(struct jobs *j, const char *text)
{
	field(j, span_str(text));
}

void job_cell_u64(struct jobs *j, uint64_t n)
{
	struct buf *out = stream_out(j->io);

	buf_add_char(out, '\t');
	buf_add_u64(out, n);
}

void job_cell_begin(struct jobs *j)
{
	buf_add_char(stream_out(j->io), '\t');
}

void job_cell_add(struct jobs *j, struct span piece)
{
	record_add(stream_out(j->io), piece);
	stream_push(j->io);
}

void job_row_end(struct jobs *j)
{
	buf_add_char(stream_out(j->io), '\n');
	stream_push(j->io);
}

static void sentence(struct jobs *j, int status, const char *text)
{
	if (j->status == STATUS_OK)
		j->status = status;
	buf_add_char(stream_out(j->io), 'W');
	field(j, span_str(text));
	job_row_end(j);
}

void job_warn(struct jobs *j, int status, const char *fmt, ...)
{
	char text[SENTENCE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	sentence(j, status, text);
}

int job_status(enum err e)
{
	switch (e) {
	case ERR_OK:
		return STATUS_OK;
	case ERR_SYNTAX:
		return STATUS_USAGE;
	case ERR_CANNOT:
	case ERR_EXISTS:
	case ERR_CORRUPT:
		return STATUS_DATA;
	case ERR_OVERQUOTA:
		return STATUS_QUOTA;
	case ERR_NOTFOUND:
		return STATUS_NOTFOUND;
	case ERR_PERM:
	case ERR_READONLY:
		return STATUS_DENIED;
	default:
		return STATUS_TEMP;
	}
}

void job_fail(struct jobs *j, enum err e, const struct errtext *t, const char *fmt, ...)
{
	char text[SENTENCE];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s", t && t->text[0] ? t->text : err_name(e));
	sentence(j, job_status(e), text);
}

void job_progress(struct jobs *j, uint64_t done, uint64_t goal, const char *what)
{
	uint64_t now = clock_ms();

	if (now < j->told_ms + PROGRESS_MS)
		return;
	j->told_ms = now;
	buf_add_char(stream_out(j->io), 'P');
	job_cell_u64(j, done);
	job_cell_u64(j, goal);
	field(j, span_str(what));
	job_row_end(j);
}

bool job_slice_over(const struct jobs *j)
{
	return clock_us() >= j->end_us || stream_full(j->io);
}

enum step job_yield(const struct jobs *j)
{
	return stream_full(j->io) ? STEP_OUTPUT_FULL : STEP_SLICE;
}

enum step job_want_input(struct jobs *j)
{
	j->heard = stream_bytes_in(j->io);
	stream_resume(j->io);
	return STEP_INPUT;
}

/* --- life ------------------------------------------------------------------------------------ */

static void *state_in(struct arena *a, size_t size, void (*drop)(void *state))
{
	void *state = arena_alloc(a, size);

	return state && (!drop || arena_cleanup(a, drop, state)) ? state : NULL;
}

void *job_state(struct jobs *j, size_t size, void (*drop)(void *state))
{
	j->state = state_in(j->arena, size, drop);
	return j->state;
}

void *job_box_state(struct jobs *j, size_t size, void (*drop)(void *state))
{
	j->box_state = state_in(j->box_arena, size, drop);
	return j->box_state;
}

enum step job_short(struct jobs *j)
{
	job_fail(j, ERR_MEMORY, NULL, "Mailbox %s", j->name);
	return STEP_DONE;
}

void jobs_free(struct jobs **jp)
{
	struct jobs *j = *jp;

	*jp = NULL;
	if (!j)
		return;
	loop_timer_stop(j->cfg.loop, &j->timer);
	job_box_close(j);
	set_free(&j->uids);
	arena_free(&j->box_arena);
	arena_free(&j->arena);
	stream_free(&j->io);
	free(j);
}

static void on_closed(void *ctx, enum err why)
{
	struct jobs *j = ctx;
	struct jobs_config cfg = j->cfg;
	char line[256];

	if (!j->over && j->cmd) {
		snprintf(line, sizeof(line), "%s: given up by roostadm", j->cmd->name);
		cfg.on_note(cfg.ctx, line);
	}
	jobs_free(&j);
	cfg.on_end(cfg.ctx);
}

static void finish(struct jobs *j)
{
	char line[256];

	j->over = true;
	job_box_close(j);
	stream_printf(j->io, "E\t%d\n", j->status);
	if (j->cmd && (j->cmd->flags & MAILCMD_CHANGES)) {
		snprintf(line, sizeof(line), "%s%s: status %d", j->cmd->name, j->dry ? " (dry run)" : "", j->status);
		j->cfg.on_note(j->cfg.ctx, line);
	}
	stream_finish(j->io);
}

static void run(void *ctx)
{
	struct jobs *j = ctx;
	enum step step;

	j->end_us = clock_us() + JOB_SLICE_US;
	acct_passive(j->cfg.acct, j->dry || j->row->looks);
	do {
		step = stream_full(j->io) ? STEP_OUTPUT_FULL : j->row->step ? j->row->step(j) : job_mailboxes(j);
	} while (step == STEP_SLICE && !job_slice_over(j));
	acct_passive(j->cfg.acct, false);
	j->cfg.on_busy(j->cfg.ctx);
	if (step == STEP_DONE)
		finish(j);
	else if (step == STEP_SLICE || step == STEP_WAITING)
		loop_timer_set(j->cfg.loop, &j->timer, step == STEP_SLICE ? 0 : WAIT_MS, run, j);
}

/* --- the request -------------------------------------------------------------------------- */

static const struct job_row *find_row(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(row_lists); i++)
		for (const struct job_row *r = row_lists[i]; r->name; r++)
			if (span_eq_str(name, r->name))
				return r;
	return NULL;
}

static struct span read_field(struct jobs *j, struct span raw, struct buf *tmp, bool *ok)
{
	char *copy;

	buf_clear(tmp);
	record_read(raw, tmp);
	copy = arena_span(j->arena, buf_span(tmp));
	*ok &= copy && !tmp->failed && !memchr(copy, 0, tmp->n);
	return span_of(copy, copy ? tmp->n : 0);
}

/* "-x", or "-y" with its value behind it; --dry-run; "--" ends them. False: not as the table has it. */
static bool read_options(struct jobs *j, const struct span *w, size_t n, size_t *at)
{
	for (; *at < n; ++*at) {
		char letter = w[*at].n == 2 && w[*at].p[0] == '-' ? w[*at].p[1] : ':';
		const char *known = letter != ':' && letter > 0 ? strchr(j->cmd->options, letter) : NULL;

		if (span_eq_str(w[*at], "--"))
			return ++*at, true;
		if (span_eq_str(w[*at], "--dry-run") && (j->cmd->flags & MAILCMD_CHANGES)) {
			j->dry = true;
			continue;
		}
		if (!known)
			return false;
		j->option[(unsigned char)letter] = "";
		if (known[1] != ':')
			continue;
		if (++*at == n)
			return false;
		j->option[(unsigned char)letter] = w[*at].p;
	}
	return false;
}

static bool read_request(struct jobs *j, struct span line)
{
	size_t n = 1, at = 1, i = 0;
	struct span *w, raw;
	struct buf tmp;
	bool ok = true;

	for (size_t k = 0; k < line.n; k++)
		n += line.p[k] == '\t';
	w = arena_array(j->arena, n + 1, sizeof(*w));
	buf_init(&tmp, REQUEST_MAX);
	while (w && i < n) {
		size_t tab = span_find(line, '\t');

		raw = span_cut(line, 0, tab);
		line = tab == SIZE_MAX ? span_from(line, line.n) : span_from(line, tab + 1);
		w[i++] = read_field(j, raw, &tmp, &ok);
	}
	buf_free(&tmp);
	if (!w || !ok)
		return false;
	j->cmd = mailcmd_find(w[0]);
	j->row = find_row(w[0]);
	if (!j->cmd || !j->row || !read_options(j, w, n, &at))
		return false;
	j->arg = w + at;
	j->args = n - at;
	return (int)j->args >= j->cmd->least && (j->cmd->most < 0 || (int)j->args <= j->cmd->most);
}

static void begin(struct jobs *j, struct span line)
{
	struct errtext t = { "" };
	enum err e;

	if (!read_request(j, line)) {
		job_warn(j, STATUS_USAGE, "the server does not understand this command (is it of another version?)");
		j->cmd = NULL;
		finish(j);
		return;
	}
	acct_passive(j->cfg.acct, j->dry || j->row->looks);
	e = j->row->start(j, &t);
	acct_passive(j->cfg.acct, false);
	if (e) {
		job_warn(j, e == ERR_SYNTAX ? STATUS_TEMP : job_status(e), "%s", t.text[0] ? t.text : err_name(e));
		finish(j);
		return;
	}
	loop_timer_set(j->cfg.loop, &j->timer, 0, run, j);
}

static void on_input(void *ctx)
{
	struct jobs *j = ctx;
	struct span in = stream_input(j->io), line;
	size_t eol;
	bool ok;

	if (j->row && !j->over && (j->cmd->flags & MAILCMD_DATA)) {
		if (stream_bytes_in(j->io) == j->heard)
			return; /* nothing new: it is to be read first */
		loop_timer_set(j->cfg.loop, &j->timer, 0, run, j);
		stream_pause(j->io); /* the command takes it */
		return;
	}
	eol = j->row || j->over ? SIZE_MAX : span_find(in, '\n');
	if (eol == SIZE_MAX && (j->row || j->over || in.n >= REQUEST_MAX)) {
		stream_consume(j->io, in.n);
		return;
	}
	if (eol == SIZE_MAX)
		return;
	line = arena_copy(j->arena, span_cut(in, 0, eol), &ok);
	stream_consume(j->io, eol + 1);
	begin(j, line);
}

static void on_drained(void *ctx)
{
	struct jobs *j = ctx;

	if (j->row && !j->over)
		loop_timer_set(j->cfg.loop, &j->timer, 0, run, j);
}

struct jobs *jobs_new(const struct jobs_config *config)
{
	static const struct stream_handler handler = { .input = on_input, .drained = on_drained, .closed = on_closed };
	static const struct stream_limits limits = { .in_max = REQUEST_MAX, .out_high = OUT_HIGH, .out_max = OUT_MAX };
	struct jobs *j = mem_alloc(sizeof(*j));

	j->cfg = *config;
	j->acct = config->acct;
	j->heard = UINT64_MAX;
	j->cfg.input = (struct span){ NULL, 0 };
	j->arena = arena_new(JOB_ARENA);
	j->io = stream_new(config->loop, config->fd_take, &limits, &handler, j);
	if (stream_preload(j->io, config->input) == ERR_OK)
		stream_resume(j->io);
	return j;
}
