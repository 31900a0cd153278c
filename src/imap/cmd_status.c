/* STATUS (RFC 3501 section 6.3.10). The items are rows of the modules. */
#include "args.h"
#include "modules.h"
#include "names.h"
#include "status.h"

#include "wire/imap_write.h"

struct status {
	struct acct_status job;
	struct imap_status_ask ask;
};

bool imap_status_items(struct imap_cmd *c, const struct imap_arg *list, struct imap_status_ask *ask_r)
{
	const struct imap_arg *a;
	struct span name;

	if (!imap_arg_list(list, &a) || !a) {
		imap_bad(c, "Status items are missing.");
		return false;
	}
	*ask_r = (struct imap_status_ask){ .items = 0 };
	for (; a; a = a->next) {
		const struct imap_status_item *item =
			imap_arg_atom(a, &name) ? imap_status_item_find(c->s, name) : NULL;

		if (!item || ask_r->items == IMAP_STATUS_ITEMS_MAX) {
			imap_bad(c, "Invalid status item.");
			return false;
		}
		ask_r->item[ask_r->items++] = item;
		ask_r->size |= item->sizes;
		if (item->asked)
			item->asked(c->s);
	}
	return true;
}

void imap_status_write(struct imap_session *s, const struct imap_status_ask *ask,
		       const struct acct_status *st)
{
	struct buf *out = imap_out(s);

	buf_add_str(out, "* STATUS ");
	imap_name_write(s, out, st->name);
	buf_add_str(out, " (");
	for (size_t i = 0; i < ask->items; i++) {
		const struct imap_status_item *item = ask->item[i];

		if (i)
			buf_add_char(out, ' ');
		buf_add_str(out, item->name);
		buf_add_char(out, ' ');
		if (item->emit)
			item->emit(st, out);
		else
			item->emit_setting(&s->cfg.settings, out);
	}
	buf_add_str(out, ")\r\n");
}

static void status_free(void *arg)
{
	struct status *st = arg;

	acct_status_free(&st->job);
}

static enum step status_step(struct imap_cmd *c)
{
	struct status *st = c->state;
	enum step step = acct_status(c->s->cfg.acct, &st->job);

	if (step != STEP_DONE)
		return step;
	imap_session_busy(c->s);
	if (st->job.err)
		return imap_fail(c, st->job.err, st->job.text.text);
	imap_status_write(c->s, &st->ask, &st->job);
	return imap_ok(c, NULL, "Status completed.");
}

static enum step status_start(struct imap_cmd *c)
{
	struct status *st = imap_cmd_state(c, sizeof(*st));
	const struct imap_arg *a = c->args;

	if (!st || !imap_args_mailbox(c, &a, false, &st->job.name) || !imap_status_items(c, a, &st->ask) ||
	    !imap_args_end(c, a->next))
		return STEP_DONE;
	if (!arena_cleanup(c->arena, status_free, st))
		return imap_fail(c, ERR_MEMORY, NULL);
	st->job.sizes = st->ask.size;
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
