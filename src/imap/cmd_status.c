/* STATUS (RFC 3501 section 6.3.10). The items are rows of the modules. */
#include "args.h"
#include "modules.h"

#include "wire/imap_write.h"

enum { STATUS_ITEMS_MAX = 32 };

struct status {
	struct acct_status job;
	const struct imap_status_item *item[STATUS_ITEMS_MAX];
	size_t items;
};

static enum step status_step(struct imap_cmd *c)
{
	struct status *st = c->state;
	struct buf *out;
	enum step step = acct_status(c->s->cfg.acct, &st->job);

	if (step != STEP_DONE)
		return step;
	if (st->job.err)
		return imap_fail(c, st->job.err, st->job.text.text);
	out = imap_out(c->s);
	buf_add_str(out, "* STATUS ");
	imap_write_astring(out, span_str(st->job.name));
	buf_add_str(out, " (");
	for (size_t i = 0; i < st->items; i++) {
		if (i)
			buf_add_char(out, ' ');
		buf_add_str(out, st->item[i]->name);
		buf_add_char(out, ' ');
		st->item[i]->emit(&st->job, out);
	}
	buf_add_str(out, ")\r\n");
	return imap_ok(c, NULL, "Status completed.");
}

static enum step status_start(struct imap_cmd *c)
{
	struct status *st = imap_cmd_state(c, sizeof(*st));
	const struct imap_arg *a = c->args, *list;
	struct span name;

	if (!st || !imap_args_mailbox(c, &a, false, &st->job.name))
		return STEP_DONE;
	if (!imap_arg_list(a, &list) || !list)
		return imap_bad(c, "Status items are missing.");
	for (; list; list = list->next) {
		const struct imap_status_item *item =
			imap_arg_atom(list, &name) ? imap_status_item_find(name) : NULL;

		if (!item || st->items == STATUS_ITEMS_MAX)
			return imap_bad(c, "Invalid status item.");
		st->item[st->items++] = item;
	}
	if (!imap_args_end(c, a->next))
		return STEP_DONE;
	c->step = status_step;
	return status_step(c);
}

static void emit_messages(const struct acct_status *st, struct buf *out)
{
	buf_add_u64(out, st->messages);
}

static void emit_recent(const struct acct_status *st, struct buf *out)
{
	buf_add_u64(out, st->recent);
}

static void emit_uidnext(const struct acct_status *st, struct buf *out)
{
	buf_add_u64(out, st->uidnext);
}

static void emit_uidvalidity(const struct acct_status *st, struct buf *out)
{
	buf_add_u64(out, st->uidvalidity);
}

static void emit_unseen(const struct acct_status *st, struct buf *out)
{
	buf_add_u64(out, st->unseen);
}

static const struct imap_status_item items[] = {
	{ "MESSAGES", emit_messages },
	{ "RECENT", emit_recent },
	{ "UIDNEXT", emit_uidnext },
	{ "UIDVALIDITY", emit_uidvalidity },
	{ "UNSEEN", emit_unseen },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "STATUS", IMAP_ANY, 0, status_start, NULL },
	{ 0 },
};

const struct imap_module imap_status = {
	.name = "status",
	.commands = commands,
	.status_items = items,
};
