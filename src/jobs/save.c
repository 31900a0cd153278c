/* save: a message that comes along in pieces; import: messages of another place. */
#include "room.h"

#include "base/must.h"

enum { PIECE = 64 << 10 };

/* --- save -------------------------------------------------------------------------------------- */

struct saving {
	struct append *append; /* own */
	bool ended;
};

static void saving_drop(void *state)
{
	struct saving *s = state;

	append_free(&s->append);
}

static enum err save_start(struct jobs *j, struct errtext *t)
{
	struct saving *s = job_state(j, sizeof(*s), saving_drop);
	const char *given = j->option['m'] ? j->option['m'] : "INBOX", *name = job_name_in(j->arena, span_str(given));
	enum err e = !s ? ERR_MEMORY : !name ? ERR_NOTFOUND : ERR_OK;

	if (!e && j->dry)
		e = acct_exists(j->cfg.acct, name, t);
	else if (!e)
		e = append_begin(j->cfg.acct, name, &s->append, t);
	if (!e && !j->dry)
		e = append_start(s->append, 0, 0, NULL, 0, 0, t);
	if (e == ERR_NOTFOUND)
		return err_say(t, e, "Failed to open mailbox %s: Mailbox doesn't exist: %s", given, given);
	return e;
}

/* "=LENGTH\n": a piece begins; that of length 0 is the end. */
static enum err read_head(struct jobs *j, struct span in, size_t *used_r, struct errtext *t)
{
	size_t eol = span_find(in, '\n');
	struct span n = span_cut(in, 1, eol == SIZE_MAX ? 0 : eol - 1);

	if (in.p[0] != '=' || eol == 0 || !span_u64(n, &j->data_left) || j->data_left > APPEND_MOST)
		return err_say(t, ERR_PROTO, "The message came broken");
	j->data_end = j->data_left == 0;
	*used_r = eol + 1;
	return ERR_OK;
}

/* What has come of the message. */
static enum err take_data(struct jobs *j, struct saving *s, struct errtext *t)
{
	struct span in = stream_input(j->io);
	enum err e = ERR_OK;
	size_t used = 0;

	while (!e && in.n && !j->data_end && (j->data_left || span_find(in, '\n') != SIZE_MAX)) {
		if (j->data_left) {
			struct span piece = span_cut(in, 0, j->data_left < SIZE_MAX ? (size_t)j->data_left : SIZE_MAX);

			e = s->append ? append_write(s->append, piece, t) : ERR_OK;
			j->data_left -= piece.n;
			used = piece.n;
		} else {
			e = read_head(j, in, &used, t);
		}
		if (!e)
			stream_consume(j->io, used);
		in = stream_input(j->io);
	}
	return e;
}

static enum step save_step(struct jobs *j)
{
	struct saving *s = j->state;
	struct errtext t = { "" };
	enum err e = j->data_end ? ERR_OK : take_data(j, s, &t);
	enum step step = STEP_DONE;

	if (!e && !j->data_end) {
		stream_resume(j->io);
		return STEP_INPUT;
	}
	if (!e && s->append && !s->ended) {
		e = append_end(s->append, &t);
		s->ended = true;
	}
	if (!e && s->append)
		step = append_finish(s->append, true, &e, &t);
	if (step == STEP_DONE && e)
		job_fail(j, e, &t, "Saving failed");
	return step;
}

/* --- import ------------------------------------------------------------------------------------- */

struct import {
	struct acct_config config;
	struct acct *from;     /* own */
	const char *parent;    /* client name; "": none */
	char separator;        /* of ours */
};

/* One mailbox: all of it, or nothing. */
struct importing {
	struct append *append;  /* own */
	struct view_walk *walk; /* own */
	struct buf piece;       /* own */
	const char *dest;       /* arena of the mailbox */
	bool walked;
	uint64_t done, goal;
};

static void import_drop(void *state)
{
	struct import *m = state;

	acct_close(&m->from);
}

static void importing_drop(void *state)
{
	struct importing *g = state;

	append_free(&g->append);
	view_walk_end(&g->walk);
	buf_free(&g->piece);
}

static enum err import_start(struct jobs *j, struct errtext *t)
{
	struct import *m = job_state(j, sizeof(*m), import_drop);
	const struct acct_config *ours = acct_config_of(j->cfg.acct);
	struct folder *f;
	size_t n;
	enum err e;

	if (!m)
		return ERR_MEMORY;
	m->parent = j->arg[1].n ? job_name_in(j->arena, j->arg[1]) : "";
	if (!m->parent)
		return err_say(t, ERR_CANNOT, "Mailbox name not valid UTF-8: %s", j->arg[1].p);
	e = j->cfg.location(j->cfg.ctx, j->arg[0].p, j->arena, &m->config, t);
	if (!e)
		e = acct_open(&m->config, &m->from, t);
	if (!e)
		e = acct_folders(j->cfg.acct, j->arena, &f, &n, t);
	if (e)
		return e;
	m->separator = n ? f[0].separator : ours->ns[0].separator;
	j->acct = m->from;
	return job_choose_query(j, j->arg + 2, j->args - 2, false, t);
}

/* The name below the parent, with our separator between levels. */
static const char *import_name(struct jobs *j, const struct import *m)
{
	const struct folder *f = &j->folder[j->at];
	char *name = *m->parent ? arena_printf(j->box_arena, "%s%c%s", m->parent, m->separator, f->name)
				: arena_str(j->box_arena, f->name);
	size_t from = *m->parent ? strlen(m->parent) + 1 : 0;

	for (char *p = name ? name + from : NULL; p && *p; p++)
		if (*p == f->separator)
			*p = m->separator;
	return name;
}

static enum err import_begin(struct jobs *j, struct importing **g_r, struct errtext *t)
{
	struct importing *g = job_box_state(j, sizeof(*g), importing_drop);
	enum err e;

	if (!g)
		return ERR_MEMORY;
	buf_init(&g->piece, PIECE);
	*g_r = g;
	g->goal = set_count(&j->uids);
	g->dest = import_name(j, j->state);
	if (!g->dest)
		return ERR_MEMORY;
	e = acct_exists(j->cfg.acct, g->dest, t);
	if (e == ERR_NOTFOUND)
		e = acct_create(j->cfg.acct, g->dest, NULL, t);
	if (!e && j->option['s'])
		e = acct_subscribe(j->cfg.acct, g->dest, true, t);
	if (!e)
		e = append_begin(j->cfg.acct, g->dest, &g->append, t);
	return e ? e : view_walk_begin(j->v, &j->uids, WANT_DATES, &g->walk, t);
}

static enum err copy_bytes(struct importing *g, struct message *msg, struct errtext *t)
{
	struct message_bytes b;
	uint64_t at = 0;
	enum err e = message_section(msg, NULL, NULL, 0, &b, t);

	while (!e && at < b.size) {
		buf_clear(&g->piece);
		e = message_read(&b, at, PIECE, &g->piece, t);
		if (!e && !g->piece.n)
			e = ERR_EXPUNGED;
		at += g->piece.n;
		if (!e)
			e = append_write(g->append, buf_span(&g->piece), t);
	}
	return e;
}

static enum err import_message(struct jobs *j, struct importing *g, struct errtext *t)
{
	const char *keyword[MAIL_KEYWORDS_MAX];
	struct message_facts m;
	struct message *msg = NULL;
	size_t keywords = 0;
	enum err e = view_walk_next(g->walk, &m, t);

	if (e)
		return e == ERR_EXPUNGED ? ERR_OK : e;
	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if ((m.flags.keywords >> i & 1) && view_state(j->v)->keywords[i])
			keyword[keywords++] = view_state(j->v)->keywords[i];
	e = message_open(j->v, m.uid, &msg, t);
	if (e == ERR_EXPUNGED)
		return ERR_OK;
	if (!e)
		e = append_start(g->append, 0, m.flags.system & MAIL_SYSTEM, keyword, keywords, m.internaldate, t);
	if (!e)
		e = copy_bytes(g, msg, t);
	message_close(&msg);
	if (!e)
		e = append_end(g->append, t);
	g->done++;
	return e;
}

static enum step import_mailbox(struct jobs *j)
{
	struct importing *g = j->box_state;
	struct errtext t = { "" };
	enum step step = STEP_DONE;
	enum err e = ERR_OK;

	if (j->dry)
		return job_found_mailbox(j);
	if (!j->uids.n)
		return STEP_DONE;
	if (!g)
		e = import_begin(j, &g, &t);
	while (!e && !g->walked && !job_slice_over(j)) {
		e = import_message(j, g, &t);
		g->walked = e == ERR_NOTFOUND;
		if (g->walked)
			e = ERR_OK;
	}
	if (g && g->walk)
		view_walk_pause(g->walk);
	if (!e && !g->walked) {
		job_progress(j, g->done, g->goal, j->name);
		return job_yield(j);
	}
	if (!e && g->done)
		step = append_finish(g->append, true, &e, &t);
	if (step == STEP_DONE && e)
		job_fail(j, e, &t, "Importing mailbox %s", j->name);
	return step;
}

const struct job_row job_rows_save[] = {
	{ .name = "import", .start = import_start, .mailbox = import_mailbox },
	{ .name = "save", .start = save_start, .step = save_step },
	{ 0 },
};
