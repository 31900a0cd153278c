/* import: messages of another place, copied into mailboxes of this account. */
#include "room.h"

#include "base/must.h"

enum { PIECE = 64 << 10 };

struct import {
	const char *parent; /* client name; "": none */
	char separator;     /* of ours */
};

/* One mailbox: all of it, or nothing. */
struct importing {
	struct append *append;  /* own */
	struct view_walk *walk; /* own */
	struct message *msg;    /* own: the one under way */
	struct message_bytes b; /* of it */
	uint64_t at;            /* in b */
	bool begun;             /* to be written */
	struct buf piece;       /* own */
	const char *dest;       /* arena of the mailbox */
	bool walked;
	uint64_t done, goal;
};

static void importing_drop(void *state)
{
	struct importing *g = state;

	append_free(&g->append);
	message_close(&g->msg);
	view_walk_end(&g->walk);
	buf_free(&g->piece);
}

/* --- also for what comes from another user: relay.c -------------------------------------------- */

enum err job_parent(struct jobs *j, struct span utf8, const char **parent_r, char *separator_r, struct errtext *t)
{
	struct folder *f;
	size_t n;
	enum err e = acct_folders(j->cfg.acct, j->arena, &f, &n, t);

	if (e)
		return e;
	*parent_r = utf8.n ? job_name_in(j->arena, utf8) : "";
	*separator_r = n ? f[0].separator : acct_config_of(j->cfg.acct)->ns[0].separator;
	return *parent_r ? ERR_OK : err_say(t, ERR_CANNOT, "Mailbox name not valid UTF-8: %s", utf8.p);
}

const char *job_name_below(struct arena *a, const char *parent, char separator, const char *name, char theirs)
{
	char *made = *parent ? arena_printf(a, "%s%c%s", parent, separator, name) : arena_str(a, name);
	size_t from = *parent ? strlen(parent) + 1 : 0;

	for (char *p = made ? made + from : NULL; p && *p; p++)
		if (*p == theirs)
			*p = separator;
	return made;
}

enum err job_make_mailbox(struct jobs *j, const char *name, struct errtext *t)
{
	enum err e = acct_exists(j->cfg.acct, name, t);

	if (e == ERR_NOTFOUND)
		e = acct_create(j->cfg.acct, name, NULL, t);
	if (!e && j->option['s'])
		e = acct_subscribe(j->cfg.acct, name, true, t);
	return e;
}

struct location {
	struct acct_config config;
	struct acct *acct; /* own */
};

static void location_drop(void *state)
{
	struct location *l = state;

	acct_close(&l->acct);
}

enum err job_location(struct jobs *j, const char *text, struct errtext *t)
{
	struct location *l = arena_alloc(j->arena, sizeof(*l));
	enum err e;

	if (!l || !arena_cleanup(j->arena, location_drop, l))
		return ERR_MEMORY;
	if (!*text)
		return err_say(t, ERR_SYNTAX, "The location is empty");
	e = j->cfg.location(j->cfg.ctx, text, j->arena, &l->config, t);
	if (e == ERR_CANNOT)
		e = ERR_SYNTAX;
	if (!e)
		e = acct_open(&l->config, &l->acct, t);
	if (!e)
		j->acct = l->acct;
	return e;
}

size_t job_keywords(const struct view_state *st, struct mail_flags flags, const char **keyword)
{
	size_t n = 0;

	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if ((flags.keywords >> i & 1) && st->keywords[i])
			keyword[n++] = st->keywords[i];
	return n;
}

/* --- import ---------------------------------------------------------------------------------------- */

static enum err import_start(struct jobs *j, struct errtext *t)
{
	struct import *m = job_state(j, sizeof(*m), NULL);
	enum err e;

	if (!m)
		return ERR_MEMORY;
	if (j->option['U'] && strcmp(j->option['U'], j->cfg.user) != 0)
		return err_say(t, ERR_CANNOT, "Another user's messages are out of reach of this command");
	e = job_parent(j, j->arg[1], &m->parent, &m->separator, t);
	if (!e)
		e = job_location(j, j->arg[0].p, t);
	if (!e && j->dry)
		job_found_columns(j);
	return e ? e : job_choose_query(j, j->arg + 2, j->args - 2, false, t);
}

static enum err import_begin(struct jobs *j, struct importing **g_r, struct errtext *t)
{
	struct importing *g = job_box_state(j, sizeof(*g), importing_drop);
	const struct folder *f = &j->folder[j->at];
	const struct import *m = j->state;
	enum err e;

	if (!g)
		return ERR_MEMORY;
	buf_init(&g->piece, PIECE + 1);
	*g_r = g;
	g->goal = set_count(&j->uids);
	g->dest = job_name_below(j->box_arena, m->parent, m->separator, f->name, f->separator);
	if (!g->dest)
		return ERR_MEMORY;
	e = job_make_mailbox(j, g->dest, t);
	if (!e)
		e = append_begin(j->cfg.acct, g->dest, &g->append, t);
	return e ? e : view_walk_begin(j->v, &j->uids, WANT_DATES, &g->walk, t);
}

/* Opens the next message and begins its copy, if it is still there. ERR_NOTFOUND: there is none. */
static enum err import_next(struct jobs *j, struct importing *g, struct errtext *t)
{
	const char *keyword[MAIL_KEYWORDS_MAX];
	struct message_facts m;
	size_t keywords;
	enum err e = view_walk_next(g->walk, &m, t);

	if (e)
		return e == ERR_EXPUNGED ? ERR_OK : e;
	keywords = job_keywords(view_state(j->v), m.flags, keyword);
	e = message_open(j->v, m.uid, &g->msg, t);
	if (!e)
		e = message_section(g->msg, NULL, NULL, 0, &g->b, t);
	if (e == ERR_AGAIN)
		view_walk_back(g->walk);
	if (e)
		return e == ERR_EXPUNGED ? ERR_OK : e;
	e = append_start(g->append, 0, m.flags.system & MAIL_SYSTEM, keyword, keywords, m.internaldate, t);
	g->at = 0;
	g->begun = true;
	return e;
}

static enum err import_piece(struct importing *g, struct errtext *t)
{
	enum err e;

	buf_clear(&g->piece);
	e = message_read(&g->b, g->at, PIECE, &g->piece, t);
	if (!e && !g->piece.n)
		e = ERR_EXPUNGED;
	g->at += g->piece.n;
	return e ? e : append_write(g->append, buf_span(&g->piece), t);
}

/* A message, or a piece of it. */
static enum err import_some(struct jobs *j, struct importing *g, struct errtext *t)
{
	enum err e = ERR_OK;

	if (!g->begun) {
		e = import_next(j, g, t);
		if (e || !g->begun)
			return e;
	}
	if (g->at < g->b.size)
		return import_piece(g, t);
	message_close(&g->msg);
	g->begun = false;
	g->done++;
	return append_end(g->append, t);
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
		e = import_some(j, g, &t);
		g->walked = e == ERR_NOTFOUND;
		if (g->walked)
			e = ERR_OK;
	}
	if (g && g->walk)
		view_walk_pause(g->walk);
	if (e == ERR_AGAIN || (!e && !g->walked)) {
		job_progress(j, g->done, g->goal, j->name);
		return job_yield(j);
	}
	if (!e && g->done)
		step = append_finish(g->append, true, &e, &t);
	if (step == STEP_DONE && e)
		job_fail(j, e, &t, "Importing mailbox %s", j->name);
	return step;
}

const struct job_row job_rows_import[] = {
	{ .name = "import", .start = import_start, .mailbox = import_mailbox },
	{ 0 },
};
