/*
 * Standing FETCHes (RFC 5465 sections 5.1 and 7): what NOTIFY and RETURN (UPDATE) have said once is
 * to be FETCHed of new messages. Each run is a FETCH command that has no tag and no answer.
 */
#include "args.h"
#include "fetch.h"

bool imap_standing_try(struct imap_cmd *c, const struct imap_arg *items)
{
	struct imap_fetch f = { .c = c, .unsolicited = true };

	return imap_fetch_compile(&f, items);
}

static bool begin(struct imap_session *s, struct imap_standing *st, const struct imap_arg *items,
		  const struct set *uids)
{
	st->arena = arena_new(IMAP_ARENA_MAX);
	st->cmd = (struct imap_cmd){ .s = s, .arena = st->arena };
	st->fetch = arena_alloc(st->arena, sizeof(*st->fetch));
	if (!st->fetch)
		return false;
	st->fetch->c = &st->cmd;
	st->fetch->unsolicited = true;
	if (!arena_cleanup(st->arena, imap_fetch_free, st->fetch) ||
	    !imap_fetch_compile(st->fetch, items))
		return false;
	set_copy(&st->fetch->uids, uids);
	return imap_args_own_set(&st->cmd, &st->fetch->uids);
}

enum step imap_standing_run(struct imap_session *s, struct imap_standing *st,
			    const struct imap_arg *items, const struct set *uids)
{
	enum step step = STEP_DONE;

	if (st->fetch || begin(s, st, items, uids)) {
		st->cmd.deadline_us = s->cmd.deadline_us;
		step = imap_fetch_run(st->fetch);
	}
	if (step == STEP_DONE || s->phase == IMAP_ENDING)
		imap_standing_end(st);
	return step;
}

void imap_standing_end(struct imap_standing *st)
{
	arena_free(&st->arena);
	st->fetch = NULL;
}
