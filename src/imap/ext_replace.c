/*
 * REPLACE and UID REPLACE (RFC 8508): APPEND, and then the old message is removed. The new one is
 * durable before that, so that no crash loses both; what fails earlier leaves all as it was.
 * APPENDUID comes in an untagged OK, before EXPUNGE (section 4.3): also when the removal should
 * fail, so that the client knows what there is.
 */
#include "append.h"
#include "args.h"

#include "wire/imap_write.h"

struct replace {
	struct imap_append append; /* first: what append.h works on */
	struct set uids;           /* the old message */
	struct view_expunge job;
	bool begun;
};

static void replace_free(void *arg)
{
	struct replace *r = arg;

	view_expunge_free(&r->job);
}

/* One number, or "*"; not a set. False: answered. */
static bool old_message(struct imap_cmd *c, struct replace *r)
{
	const struct imap_arg *a = c->args;
	struct span text;

	if (!imap_arg_atom(a, &text) || span_find(text, ':') != SIZE_MAX || span_find(text, ',') != SIZE_MAX ||
	    span_eq_str(text, "$")) {
		imap_bad(c, "One message number is needed.");
		return false;
	}
	if (!imap_args_set(c, &a, &r->uids))
		return false;
	if (r->uids.n)
		return true;
	imap_no(c, NULL, "There is no such message to be replaced.");
	return false;
}

static struct replace *replace_state(struct imap_cmd *c)
{
	struct replace *r = c->state;

	if (r)
		return r;
	r = imap_append_state(c, c->args ? c->args->next : NULL, sizeof(*r));
	if (!r || !old_message(c, r))
		return NULL;
	r->append.single = true;
	r->job.uids = &r->uids;
	r->job.unflagged = true;
	if (!arena_cleanup(c->arena, replace_free, r))
		imap_fail(c, ERR_MEMORY, NULL);
	else if (view_state(c->s->view)->readonly)
		imap_fail(c, ERR_READONLY, NULL);
	return c->cond ? NULL : r;
}

static enum step replace_literal(struct imap_cmd *c)
{
	if (!c->cond && c->args && !c->args->next) { /* the mailbox's name */
		imap_lex_collect(c->s->lex);
		return STEP_DONE;
	}
	if (!c->cond)
		replace_state(c);
	return imap_append_literal(c);
}

/* Nobody else may have removed it meanwhile. */
static bool still_there(struct imap_cmd *c, const struct replace *r)
{
	struct message_facts facts;
	struct view_walk *walk;
	struct errtext t = { "" };
	enum err e = view_walk_begin(c->s->view, &r->uids, 0, &walk, &t);

	if (!e) {
		e = view_walk_next(walk, &facts, &t);
		view_walk_end(&walk);
	}
	if (e)
		imap_fail(c, e, t.text);
	return !e;
}

static enum step remove_step(struct imap_cmd *c)
{
	struct replace *r = c->state;
	enum step step = view_expunge(c->s->view, &r->job);

	if (step != STEP_DONE)
		return step;
	imap_session_busy(c->s);
	if (r->job.err)
		return imap_fail(c, r->job.err, "The new message was added; the old one could not be removed.");
	c->s->stats.expunged += set_count(&r->job.expunged);
	return imap_ok(c, NULL, "Replace completed.");
}

static enum step add_step(struct imap_cmd *c)
{
	struct replace *r = c->state;
	const char *code = NULL;
	enum step step;

	if (!r->begun && !still_there(c, r))
		return STEP_DONE;
	r->begun = true;
	step = imap_append_commit(c, &r->append, &code);
	if (step != STEP_DONE || c->cond)
		return step;
	imap_write_status(imap_out(c->s), (struct span){ NULL, 0 }, "OK", code, "Replacement message ready.");
	c->step = remove_step;
	return remove_step(c);
}

static enum step replace_start(struct imap_cmd *c)
{
	struct replace *r = replace_state(c);
	enum step step = r ? imap_append_rest(c, &r->append) : STEP_DONE;

	if (step != STEP_DONE || c->cond)
		return step;
	c->step = add_step;
	return add_step(c);
}

static const struct imap_capability capabilities[] = {
	{ "REPLACE", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "REPLACE", IMAP_SELECTED, IMAP_CMD_STREAM, replace_start, replace_literal },
	{ "UID REPLACE", IMAP_SELECTED, IMAP_CMD_STREAM | IMAP_CMD_UID, replace_start, replace_literal },
	{ 0 },
};

const struct imap_module imap_ext_replace = {
	.name = "replace",
	.capabilities = capabilities,
	.commands = commands,
};
