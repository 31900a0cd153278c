/*
 * COPY (RFC 3501 section 6.4.7) and the work of MOVE (RFC 6851), with COPYUID (RFC 4315). A MOVE
 * tells COPYUID in an untagged OK before the messages vanish from the source (RFC 6851
 * section 4.3).
 */
#include "args.h"
#include "copy.h"

#include "wire/imap_write.h"

struct copy {
	struct set uids;
	struct view_copy job;
};

static void copy_free(void *arg)
{
	struct copy *cp = arg;

	view_copy_free(&cp->job);
}

/* Is it a \Trash mailbox? For the counter of the logout line only. */
static bool is_trash(const struct imap_session *s, const char *name)
{
	const struct acct_config *cfg = acct_config_of(s->cfg.acct);

	for (size_t i = 0; i < cfg->namespaces; i++) {
		const struct acct_ns *ns = &cfg->ns[i];
		struct span rest = span_str(name), prefix = span_str(ns->prefix);

		if (!span_starts(rest, prefix))
			continue;
		rest = span_from(rest, prefix.n);
		for (size_t m = 0; m < ns->mailboxes; m++)
			if (ns->mailbox[m].special_use &&
			    strstr(ns->mailbox[m].special_use, "\\Trash") &&
			    span_eq_str(rest, ns->mailbox[m].name))
				return true;
	}
	return false;
}

static char *copyuid(struct imap_cmd *c, const struct view_copy *job)
{
	struct buf b;
	char *code;

	buf_init(&b, 4 << 20);
	buf_printf(&b, "COPYUID %u ", job->uidvalidity);
	imap_write_set(&b, &job->source);
	buf_add_char(&b, ' ');
	imap_write_set(&b, &job->dest_uids);
	code = b.failed ? NULL : arena_span(c->arena, buf_span(&b));
	buf_free(&b);
	return code;
}

static enum step copy_done(struct imap_cmd *c, struct copy *cp)
{
	struct imap_session *s = c->s;
	uint64_t n = set_count(&cp->job.source);
	const char *code;

	if (cp->job.err == ERR_NOTFOUND)
		return imap_no(c, "TRYCREATE",
			       arena_str(c->arena, cp->job.text.text[0]
							   ? cp->job.text.text
							   : "Mailbox doesn't exist."));
	if (cp->job.err)
		return imap_fail(c, cp->job.err, cp->job.text.text);
	imap_session_busy(s);
	s->stats.copied += n;
	if (!strcmp(view_state(s->view)->name, cp->job.dest))
		set_add_set(&s->own, &cp->job.dest_uids);
	if (is_trash(s, cp->job.dest))
		s->stats.trashed += n;
	if (!n)
		return imap_ok(c, NULL, "No messages found.");
	code = copyuid(c, &cp->job);
	if (!cp->job.move)
		return imap_ok(c, code, "Copy completed.");
	s->stats.expunged += n;
	s->asked |= IMAP_HEARD_COUNTS;
	imap_write_status(imap_out(s), (struct span){ NULL, 0 }, "OK", code, "Moved UIDs.");
	return imap_ok(c, NULL, "Move completed.");
}

static enum step copy_step(struct imap_cmd *c)
{
	struct copy *cp = c->state;
	enum step step = view_copy(c->s->view, &cp->job);

	c->done = cp->job.done;
	return step == STEP_DONE ? copy_done(c, cp) : step;
}

enum step imap_copy_start(struct imap_cmd *c, bool move)
{
	struct copy *cp = imap_cmd_state(c, sizeof(*cp));
	const struct imap_arg *a = c->args;
	struct errtext t = { "" };
	enum err e;

	if (!cp || !imap_args_set(c, &a, &cp->uids) ||
	    !imap_args_mailbox(c, &a, false, &cp->job.dest) || !imap_args_end(c, a))
		return STEP_DONE;
	if (move && view_state(c->s->view)->readonly)
		return imap_fail(c, ERR_READONLY, NULL);
	e = acct_exists(c->s->cfg.acct, cp->job.dest, &t);
	if (e)
		return e == ERR_NOTFOUND ? imap_no(c, "TRYCREATE", "Mailbox doesn't exist.")
					 : imap_fail(c, e, t.text);
	if (!set_count(&cp->uids))
		return imap_ok(c, NULL, "No messages found.");
	cp->job.uids = &cp->uids;
	cp->job.move = move;
	c->goal = set_count(&cp->uids);
	cp->job.skip_gone = c->row->flags & IMAP_CMD_UID; /* no error (RFC 3501 section 6.4.8) */
	if (!arena_cleanup(c->arena, copy_free, cp))
		return imap_fail(c, ERR_MEMORY, NULL);
	c->step = copy_step;
	return copy_step(c);
}

static enum step copy_start(struct imap_cmd *c)
{
	return imap_copy_start(c, false);
}

static const struct imap_command_row commands[] = {
	{ "COPY", IMAP_SELECTED, 0, copy_start, NULL },
	{ "UID COPY", IMAP_SELECTED, IMAP_CMD_UID, copy_start, NULL },
	{ 0 },
};

const struct imap_module imap_copying = {
	.name = "copy",
	.commands = commands,
};
