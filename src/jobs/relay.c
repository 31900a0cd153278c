/*
 * copy, move and import from another user: no worker may touch the mail of two. So one gives the messages, another takes
 * them, and roostadm stands in between (the records: ipc/mailcmd.h). What is moved is removed here when the other has
 * said that it is saved: stopped in between it is there twice, never not at all.
 */
#include "room.h"

#include "base/mem.h"
#include "base/must.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PIECE = 64 << 10, RECORD_ARENA = 1 << 20 };

static void record_end(struct jobs *j, const char *type)
{
	buf_add_str(stream_out(j->io), type);
	job_row_end(j);
}

/* The line that has come; false: not wholly. *n_r: to be consumed. */
static bool next_line(struct jobs *j, struct span *line_r, size_t *n_r)
{
	struct span in = stream_input(j->io);
	size_t eol = span_find(in, '\n');

	if (eol == SIZE_MAX)
		return false;
	*line_r = span_cut(in, 0, eol);
	*n_r = eol + 1;
	return true;
}

/* --- giving -------------------------------------------------------------------------------------- */

/* One mailbox. */
struct giving {
	enum { GIVE_NEXT, GIVE_SENDING, GIVE_ASKING, GIVE_REMOVING } phase;
	struct set left, now, sent; /* own; of this batch: now, and what of that was there to be sent */
	bool named;
	uint64_t goal;
	struct view_walk *walk;     /* own */
	struct message *opening;    /* own: the next one, while it is being unpacked */
	struct message *msg;        /* own: the one under way; NULL: none */
	struct message_bytes bytes;
	uint64_t at;
	struct buf piece;           /* own */
	struct view_expunge expunge;
};

static void giving_drop(void *state)
{
	struct giving *g = state;

	view_expunge_free(&g->expunge);
	set_free(&g->expunge.expunged);
	message_close(&g->opening);
	message_close(&g->msg);
	view_walk_end(&g->walk);
	buf_free(&g->piece);
	set_free(&g->left);
	set_free(&g->now);
	set_free(&g->sent);
}

static struct giving *giving_get(struct jobs *j)
{
	struct giving *g = j->box_state;

	if (g)
		return g;
	g = job_box_state(j, sizeof(*g), giving_drop);
	if (!g)
		return NULL;
	buf_init(&g->piece, PIECE + 1);
	set_copy(&g->left, &j->uids);
	g->goal = set_count(&g->left);
	return g;
}

static enum err give_start(struct jobs *j, struct errtext *t)
{
	enum err e = j->option['l'] ? job_location(j, j->option['l'], t) : ERR_OK;

	if (j->option['m'])
		j->writes = true;
	if (j->dry)
		job_found_columns(j);
	return e ? e : job_choose_query(j, j->arg, j->args, j->option['m'], t);
}

/* A copy of one mailbox is one batch, for nobody could tell what is copied already. STEP_DONE: nothing is left. */
static enum step next_batch(struct jobs *j, struct giving *g, enum err *e, struct errtext *t)
{
	const char separator[] = { j->folder[j->at].separator, '\0' };

	set_copy(&g->now, &g->left);
	set_slice(&g->now, 0, j->option['m'] ? JOB_BATCH : UINT32_MAX);
	if (!g->now.n)
		return STEP_DONE;
	if (!g->named) {
		buf_add_char(stream_out(j->io), 'F');
		job_cell_str(j, j->folder[j->at].name);
		job_cell_str(j, separator);
		job_row_end(j);
	}
	g->named = true;
	set_clear(&g->sent);
	*e = view_walk_begin(j->v, &g->now, WANT_DATES, &g->walk, t);
	g->phase = GIVE_SENDING;
	return STEP_SLICE;
}

static void send_head(struct jobs *j, const struct message_facts *m)
{
	const char *keyword[MAIL_KEYWORDS_MAX];
	size_t n = job_keywords(view_state(j->v), m->flags, keyword);

	buf_add_char(stream_out(j->io), 'M');
	job_cell_u64(j, m->flags.system & MAIL_SYSTEM);
	buf_printf(stream_out(j->io), "\t%" PRId64, m->internaldate);
	for (size_t i = 0; i < n; i++)
		job_cell_str(j, keyword[i]);
	job_row_end(j);
}

/* The next one begins. What cannot be opened stays where it is. ERR_NOTFOUND: there is none. */
static enum err send_begin(struct jobs *j, struct giving *g, struct errtext *t)
{
	struct message_facts m;
	enum err e = view_walk_next(g->walk, &m, t);

	if (e)
		return e == ERR_EXPUNGED ? ERR_OK : e;
	e = message_open(j->v, m.uid, &g->opening, t);
	if (!e)
		e = message_section(g->opening, NULL, NULL, 0, &g->bytes, t);
	if (e == ERR_AGAIN) {
		view_walk_back(g->walk);
		return e;
	}
	g->msg = g->opening;
	g->opening = NULL;
	if (!e) {
		send_head(j, &m);
		set_add(&g->sent, m.uid);
		g->at = 0;
		return ERR_OK;
	}
	message_close(&g->msg);
	if (!view_err_passes(e))
		return e;
	if (e != ERR_EXPUNGED)
		job_fail(j, e, t, "Mailbox %s: UID %u", j->name, m.uid);
	return ERR_OK;
}

static enum err send_piece(struct jobs *j, struct giving *g, struct errtext *t)
{
	enum err e = ERR_OK;

	buf_clear(&g->piece);
	if (g->at < g->bytes.size) {
		e = message_read(&g->bytes, g->at, PIECE, &g->piece, t);
		if (!e && !g->piece.n)
			e = ERR_EXPUNGED;
	}
	if (e)
		return e;
	g->at += g->piece.n;
	stream_printf(j->io, "=%zu\n", g->piece.n);
	buf_add_span(stream_out(j->io), buf_span(&g->piece));
	stream_push(j->io);
	if (!g->piece.n)
		message_close(&g->msg);
	return ERR_OK;
}

static enum step send_batch(struct jobs *j, struct giving *g, enum err *e, struct errtext *t)
{
	while (!*e && !job_slice_over(j))
		*e = g->msg ? send_piece(j, g, t) : send_begin(j, g, t);
	view_walk_pause(g->walk);
	if (*e == ERR_AGAIN)
		*e = ERR_OK;
	if (*e != ERR_NOTFOUND)
		return job_yield(j);
	*e = ERR_OK;
	view_walk_end(&g->walk);
	record_end(j, "B");
	g->phase = GIVE_ASKING;
	return STEP_SLICE;
}

static enum step hear_answer(struct jobs *j, struct giving *g)
{
	struct span line;
	size_t n;
	bool saved;

	if (!next_line(j, &line, &n))
		return job_want_input(j);
	saved = span_eq_str(line, "A\t1");
	stream_consume(j->io, n);
	if (!saved)
		return STEP_DONE; /* the other has told why */
	set_remove_set(&g->left, &g->now);
	job_progress(j, g->goal - set_count(&g->left), g->goal, j->name);
	g->phase = j->option['m'] && g->sent.n ? GIVE_REMOVING : GIVE_NEXT;
	return STEP_SLICE;
}

static enum step remove_sent(struct jobs *j, struct giving *g, enum err *e, struct errtext *t)
{
	enum step step;

	g->expunge.uids = &g->sent;
	g->expunge.unflagged = true;
	step = view_expunge(j->v, &g->expunge);
	if (step != STEP_DONE)
		return step;
	*e = g->expunge.err;
	*t = g->expunge.text;
	view_expunge_free(&g->expunge);
	set_free(&g->expunge.expunged);
	g->expunge = (struct view_expunge){ .uids = NULL };
	g->phase = GIVE_NEXT;
	return STEP_SLICE;
}

static enum step give_mailbox(struct jobs *j)
{
	struct giving *g = j->dry ? NULL : giving_get(j);
	struct errtext t = { "" };
	enum err e = ERR_OK;
	enum step step;

	if (j->dry)
		return job_found_mailbox(j);
	if (!g)
		return job_short(j);
	step = g->phase == GIVE_NEXT	  ? next_batch(j, g, &e, &t)
	       : g->phase == GIVE_SENDING ? send_batch(j, g, &e, &t)
	       : g->phase == GIVE_ASKING  ? hear_answer(j, g)
					  : remove_sent(j, g, &e, &t);
	if (!e)
		return step;
	if (g->phase == GIVE_SENDING)
		record_end(j, "X");
	job_fail(j, e, &t, "Mailbox %s", j->name);
	return STEP_DONE;
}

/* --- taking -------------------------------------------------------------------------------------- */

struct taking {
	const char *parent;    /* NULL: all goes into dest */
	char separator;
	char *dest;            /* own: client name of the mailbox under way */
	struct arena *ar;      /* own: of a record */
	struct append *append; /* own; NULL: nothing to be saved yet */
	bool message;          /* its bytes come */
	bool ending;           /* B came */
	bool bad;              /* the rest of this batch is passed over */
};

static void taking_drop(void *state)
{
	struct taking *s = state;

	append_free(&s->append);
	arena_free(&s->ar);
	free(s->dest);
}

static enum err take_start(struct jobs *j, struct errtext *t)
{
	struct taking *s = job_state(j, sizeof(*s), taking_drop);
	const char *name;
	enum err e;

	if (!s)
		return ERR_MEMORY;
	s->ar = arena_new(RECORD_ARENA);
	if (j->option['p'])
		return job_parent(j, j->arg[0], &s->parent, &s->separator, t);
	name = job_name(j, j->arg[0]);
	if (!name)
		return err_say(t, ERR_CANNOT, "nothing was done");
	s->dest = span_dup(span_str(name));
	e = acct_exists(j->cfg.acct, name, t);
	if (e == ERR_NOTFOUND)
		return err_say(t, e, "Can't open mailbox '%s': Mailbox doesn't exist: %s", j->arg[0].p, j->arg[0].p);
	return e;
}

/* The messages since the last B or F are not saved. */
static void take_fail(struct jobs *j, struct taking *s, enum err e, const struct errtext *t)
{
	append_free(&s->append);
	s->bad = true;
	job_fail(j, e, t, "Saving in mailbox %s", s->dest ? job_name_out(s->ar, s->dest) : "");
}

/* A field; NULL: memory. */
static const char *text_of(struct taking *s, struct span raw)
{
	const char *out;
	struct buf b;

	buf_init(&b, raw.n + 1);
	record_read(raw, &b);
	out = b.failed ? NULL : arena_span(s->ar, buf_span(&b));
	buf_free(&b);
	return out;
}

static enum err take_mailbox(struct jobs *j, struct taking *s, struct span rest, struct errtext *t)
{
	const char *theirs, *below;
	struct span raw;

	append_free(&s->append);
	s->bad = false;
	if (!s->parent)
		return ERR_OK;
	if (!span_split(&rest, '\t', &raw) || rest.n != 1)
		return ERR_PROTO;
	theirs = text_of(s, raw);
	below = theirs ? job_name_below(s->ar, s->parent, s->separator, theirs, rest.p[0]) : NULL;
	free(s->dest);
	s->dest = below ? span_dup(span_str(below)) : NULL;
	return below ? job_make_mailbox(j, below, t) : ERR_MEMORY;
}

static bool read_date(struct span s, int64_t *when_r)
{
	bool before = s.n && s.p[0] == '-';
	uint64_t n;

	if (!span_u64(before ? span_from(s, 1) : s, &n) || n > INT64_MAX)
		return false;
	*when_r = before ? -(int64_t)n : (int64_t)n;
	return true;
}

static enum err take_message(struct jobs *j, struct taking *s, struct span rest, struct errtext *t)
{
	const char *keyword[MAIL_KEYWORDS_MAX];
	struct span flags, date, raw;
	uint32_t system;
	int64_t when;
	size_t n = 0;
	enum err e = ERR_OK;

	if (!span_split(&rest, '\t', &flags) || !span_u32(flags, &system) || !span_split(&rest, '\t', &date) ||
	    !read_date(date, &when))
		return ERR_PROTO;
	while (n < MAIL_KEYWORDS_MAX && span_split(&rest, '\t', &raw))
		keyword[n++] = text_of(s, raw);
	s->message = true;
	j->data_end = false;
	if (s->bad)
		return ERR_OK;
	for (size_t i = 0; i < n && !e; i++)
		e = keyword[i] ? ERR_OK : ERR_MEMORY;
	if (!e && !s->append)
		e = append_begin(j->cfg.acct, s->dest, &s->append, t);
	return e ? e : append_start(s->append, 0, system & MAIL_SYSTEM, keyword, n, when, t);
}

/* What has come of the message. Instead of its next piece there may be an X. */
static enum err take_bytes(struct jobs *j, struct taking *s, struct errtext *t)
{
	enum err e = job_take_data(j, s->append, t);

	if (e == ERR_PROTO && !j->data_left && stream_input(j->io).p[0] == 'X') {
		s->message = false;
		return ERR_OK;
	}
	if (e || !j->data_end)
		return e;
	s->message = false;
	return s->append ? append_end(s->append, t) : ERR_OK;
}

/* A record. *end_r: it was the last. */
static enum err take_record(struct jobs *j, struct taking *s, struct span line, bool *end_r, struct errtext *t)
{
	struct span rest = span_from(line, line.n < 2 ? line.n : 2);
	enum err e = ERR_OK;

	arena_reset(s->ar);
	switch (line.n ? line.p[0] : '\0') {
	case 'F':
		return take_mailbox(j, s, rest, t);
	case 'M':
		return s->dest ? take_message(j, s, rest, t) : ERR_PROTO;
	case 'B':
		s->ending = true;
		break;
	case 'X':
		append_free(&s->append);
		break;
	case 'E':
		*end_r = true;
		break;
	default:
		e = ERR_PROTO;
	}
	return e;
}

static enum step take_end(struct jobs *j, struct taking *s)
{
	struct errtext t = { "" };
	enum err e = ERR_OK;
	enum step step = s->append ? append_finish(s->append, true, &e, &t) : STEP_DONE;

	if (step != STEP_DONE)
		return step;
	if (e)
		take_fail(j, s, e, &t);
	append_free(&s->append);
	record_end(j, s->bad ? "A\t0" : "A\t1");
	s->ending = s->bad = false;
	return STEP_SLICE;
}

static enum step take_step(struct jobs *j)
{
	struct taking *s = j->state;
	struct errtext t = { "" };
	struct span line;
	enum err e;
	bool end = false;
	size_t n = 0;

	if (s->ending)
		return take_end(j, s);
	if (s->message) {
		e = take_bytes(j, s, &t);
		if (!e && s->message)
			return job_want_input(j);
	} else {
		if (!next_line(j, &line, &n))
			return job_want_input(j);
		e = take_record(j, s, line, &end, &t);
		stream_consume(j->io, n);
	}
	if (e == ERR_PROTO) {
		job_warn(j, STATUS_TEMP, "What came from the other user makes no sense");
		return STEP_DONE;
	}
	if (e)
		take_fail(j, s, e, &t);
	return end ? STEP_DONE : STEP_SLICE;
}

const struct job_row job_rows_relay[] = {
	{ .name = "relay give", .start = give_start, .mailbox = give_mailbox },
	{ .name = "relay take", .start = take_start, .step = take_step },
	{ 0 },
};
