/*
 * expunge, flags, copy, move: what is done to messages that match. In batches, each of them whole: stopped in between, the
 * same command again does the rest. A copy of one mailbox is one batch, for nobody could tell what is copied already.
 */
#include "room.h"

#include "base/clock.h"
#include "base/must.h"
#include "box/patience.h"

/* One mailbox: what is left to do, and the batch under way. */
struct batch {
	struct set left, now;
	bool begun;
	uint64_t goal;
	uint64_t since; /* clock_ms: it was begun */
	struct view_expunge expunge;
	struct view_copy copy;
	struct view_store store;
};

struct refile {
	struct job_flags flags;
	enum view_store_mode mode;
	const char *dest; /* client name */
	bool move;
};

static void batch_drop(void *state)
{
	struct batch *b = state;

	view_expunge_free(&b->expunge);
	view_copy_free(&b->copy);
	set_free(&b->store.modified);
	set_free(&b->left);
	set_free(&b->now);
}

static struct batch *batch_get(struct jobs *j)
{
	struct batch *b = j->box_state;

	if (b)
		return b;
	b = job_box_state(j, sizeof(*b), batch_drop);
	if (b) {
		set_copy(&b->left, &j->uids);
		b->goal = set_count(&b->left);
	}
	return b;
}

/* False: nothing is left. */
static bool batch_next(struct batch *b, uint64_t most)
{
	if (b->begun)
		return true;
	set_copy(&b->now, &b->left);
	set_slice(&b->now, 0, most);
	b->begun = b->now.n > 0;
	b->since = clock_ms();
	return b->begun;
}

/* This one is done; or has failed, and that is all. */
static enum step batch_done(struct jobs *j, struct batch *b, enum err e, const struct errtext *t)
{
	set_remove_set(&b->left, &b->now);
	b->begun = false;
	if (e) {
		job_fail(j, e, t, "Mailbox %s", j->name);
		return STEP_DONE;
	}
	job_progress(j, b->goal - set_count(&b->left), b->goal, j->name);
	return STEP_SLICE;
}

/* --- expunge ---------------------------------------------------------------------------------- */

static enum err expunge_start(struct jobs *j, struct errtext *t)
{
	if (j->dry)
		job_found_columns(j);
	j->writes = true;
	return job_choose_query(j, j->arg, j->args, true, t);
}

/* -d: a mailbox that is empty now. */
static void delete_empty(struct jobs *j)
{
	struct acct_status s = { .name = j->folder[j->at].name };
	struct errtext t = { "" };
	enum err e;

	while (acct_status(j->cfg.acct, &s) == STEP_SLICE)
		;
	acct_status_free(&s);
	if (s.err || s.messages || !strcasecmp(s.name, "INBOX"))
		return;
	view_close(&j->v);
	e = acct_delete(j->cfg.acct, s.name, &t);
	if (e)
		job_fail(j, e, &t, "Can't delete mailbox %s", j->name);
}

static enum step expunge_mailbox(struct jobs *j)
{
	struct batch *b = j->dry ? NULL : batch_get(j);
	enum step step;

	if (j->dry)
		return job_found_mailbox(j);
	if (!b)
		return job_short(j);
	if (!batch_next(b, JOB_BATCH)) {
		if (j->option['d'] || j->option['m'])
			delete_empty(j);
		return STEP_DONE;
	}
	b->expunge.uids = &b->now;
	b->expunge.unflagged = true;
	step = view_expunge(j->v, &b->expunge);
	if (step != STEP_DONE)
		return step;
	enum err e = b->expunge.err;
	struct errtext t = b->expunge.text;
	view_expunge_free(&b->expunge);
	set_free(&b->expunge.expunged);
	b->expunge = (struct view_expunge){ .uids = NULL };
	return batch_done(j, b, e, &t);
}

/* --- flags -------------------------------------------------------------------------------------- */

enum err job_flags_read(struct jobs *j, struct span text, struct job_flags *f_r, struct errtext *t)
{
	static const struct {
		const char *name;
		uint8_t flag;
	} system[] = { { "\\Answered", MAIL_ANSWERED }, { "\\Deleted", MAIL_DELETED }, { "\\Draft", MAIL_DRAFT },
		       { "\\Flagged", MAIL_FLAGGED },	{ "\\Seen", MAIL_SEEN },
		       { "\\Recent", 0 } }; /* comes with what fetch prints; nobody sets it */
	struct span w;

	*f_r = (struct job_flags){ .keyword = arena_array(j->arena, MAIL_KEYWORDS_MAX, sizeof(*f_r->keyword)) };
	if (!f_r->keyword)
		return ERR_MEMORY;
	while (span_split(&text, ' ', &w)) {
		size_t i = 0;

		while (i < ARRAY_LEN(system) && !span_ieq_str(w, system[i].name))
			i++;
		if (i < ARRAY_LEN(system)) {
			f_r->system |= system[i].flag;
		} else if (w.n && w.p[0] == '\\') {
			return err_say(t, ERR_SYNTAX, "Invalid system flag: %.*s", (int)w.n, w.p);
		} else if (w.n) {
			if (f_r->keywords == MAIL_KEYWORDS_MAX)
				return err_say(t, ERR_LIMIT, "Too many keywords");
			if (!mail_keyword_valid(w))
				return err_say(t, ERR_CANNOT, "Invalid keywords: Invalid characters in keyword");
			f_r->keyword[f_r->keywords++] = arena_span(j->arena, w);
		}
	}
	return ERR_OK;
}

static enum err flags_start(struct jobs *j, struct errtext *t)
{
	struct refile *r = job_state(j, sizeof(*r), NULL);
	struct span verb = span_from(span_str(j->cmd->name), 6);
	enum err e = r ? job_flags_read(j, j->arg[0], &r->flags, t) : ERR_MEMORY;

	if (e)
		return e;
	r->mode = span_eq_str(verb, "add")      ? VIEW_FLAGS_ADD
		  : span_eq_str(verb, "remove") ? VIEW_FLAGS_REMOVE
						: VIEW_FLAGS_SET;
	if (j->dry)
		job_found_columns(j);
	j->writes = true;
	return job_choose_query(j, j->arg + 1, j->args - 1, false, t);
}

static enum step flags_mailbox(struct jobs *j)
{
	const struct refile *r = j->state;
	struct batch *b = j->dry ? NULL : batch_get(j);
	struct errtext t = { "" };
	enum err e;

	if (j->dry)
		return job_found_mailbox(j);
	if (!b)
		return job_short(j);
	if (!b->begun)
		b->store = (struct view_store){
			.mode = r->mode,
			.system = r->flags.system,
			.keywords = r->flags.keyword,
			.keywords_n = r->flags.keywords,
			.silent = true,
			.unchangedsince = UINT64_MAX,
		};
	if (!batch_next(b, JOB_BATCH))
		return STEP_DONE;
	e = view_store(j->v, &b->now, &b->store, &t);
	if (box_patient(e, b->since))
		return STEP_WAITING;
	set_free(&b->store.modified);
	return batch_done(j, b, e, &t);
}

/* --- copy and move -------------------------------------------------------------------------------- */

static enum err copy_start(struct jobs *j, struct errtext *t)
{
	struct refile *r = job_state(j, sizeof(*r), NULL);
	size_t skip = j->args >= 3 && span_ieq_str(j->arg[1], "user") ? 3 : 1;
	enum err e;

	if (!r)
		return ERR_MEMORY;
	r->move = j->writes = strcmp(j->cmd->name, "move") == 0;
	if (skip == 3 && !span_eq_str(j->arg[2], j->cfg.user))
		return err_say(t, ERR_CANNOT, "Another user's messages are out of reach of this command");
	r->dest = job_name(j, j->arg[0]);
	if (!r->dest)
		return err_say(t, ERR_CANNOT, "nothing was done");
	if (j->dry)
		job_found_columns(j);
	e = job_choose_query(j, j->arg + skip, j->args - skip, r->move, t);
	if (!e)
		e = acct_exists(j->cfg.acct, r->dest, t);
	if (e == ERR_NOTFOUND)
		return err_say(t, e, "Can't open mailbox '%s': Mailbox doesn't exist: %s", j->arg[0].p, j->arg[0].p);
	return e;
}

static enum step copy_mailbox(struct jobs *j)
{
	const struct refile *r = j->state;
	struct batch *b = j->dry ? NULL : batch_get(j);
	enum step step;

	if (j->dry)
		return job_found_mailbox(j);
	if (!b)
		return job_short(j);
	if ((r->move && strcmp(j->folder[j->at].name, r->dest) == 0) || !batch_next(b, r->move ? JOB_BATCH : UINT32_MAX))
		return STEP_DONE;
	b->copy.uids = &b->now;
	b->copy.dest = r->dest;
	b->copy.move = r->move;
	b->copy.skip_gone = true;
	step = view_copy(j->v, &b->copy);
	job_progress(j, b->goal - set_count(&b->left) + b->copy.done, b->goal, j->name);
	if (step != STEP_DONE)
		return step;
	enum err e = b->copy.err;
	struct errtext t = b->copy.text;
	view_copy_free(&b->copy);
	set_free(&b->copy.source);
	set_free(&b->copy.dest_uids);
	b->copy = (struct view_copy){ .uids = NULL };
	return batch_done(j, b, e, &t);
}

const struct job_row job_rows_change[] = {
	{ .name = "copy", .start = copy_start, .mailbox = copy_mailbox },
	{ .name = "expunge", .start = expunge_start, .mailbox = expunge_mailbox },
	{ .name = "flags add", .start = flags_start, .mailbox = flags_mailbox },
	{ .name = "flags remove", .start = flags_start, .mailbox = flags_mailbox },
	{ .name = "flags replace", .start = flags_start, .mailbox = flags_mailbox },
	{ .name = "move", .start = copy_start, .mailbox = copy_mailbox },
	{ 0 },
};
