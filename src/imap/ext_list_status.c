/*
 * LIST-STATUS (RFC 5819): LIST ... RETURN (STATUS (items)). The mailbox is looked at before its
 * line is written, because one that cannot be opened is shown with \Noselect and has no STATUS. One
 * that another program keeps locked is listed without.
 */
#include "list.h"
#include "status.h"

enum {
	PATIENCE_MS = 3000, /* with a locked folder */
	FRESH_MS = 500,     /* how long what the list saw of a folder holds for its STATUS */
};

struct list_status {
	struct imap_status_ask ask;
	struct acct_status job;
	bool asking;          /* job is under way */
	bool known;           /* it has the answer for the folder whose turn it is */
	uint64_t since_ms;    /* when waiting for its lock began; 0: not */
};

static void list_status_free(void *arg)
{
	struct list_status *ls = arg;

	acct_status_free(&ls->job);
}

static bool locked_too_long(struct imap_list *l, struct list_status *ls)
{
	uint64_t now = loop_now(l->c->s->cfg.loop);

	if (!ls->since_ms)
		ls->since_ms = now ? now : 1;
	return now - ls->since_ms >= PATIENCE_MS;
}

static enum step look(struct imap_list *l, struct folder *f)
{
	struct list_status *ls = l->option;
	enum step step;

	ls->known = false;
	if (f->flags & (FOLDER_NOSELECT | FOLDER_NONEXISTENT))
		return STEP_DONE;
	if (!ls->asking)
		ls->job = (struct acct_status){
			.name = f->name,
			.seen = loop_now(l->c->s->cfg.loop) - l->listed_ms < FRESH_MS ? f->seen : 0,
			.sizes = ls->ask.size,
		};
	ls->asking = true;
	step = acct_status(l->c->s->cfg.acct, &ls->job);
	if (step != STEP_DONE && !(step == STEP_WAITING && locked_too_long(l, ls)))
		return step;
	if (step == STEP_DONE && ls->job.err == ERR_NOTFOUND)
		f->flags |= FOLDER_NOSELECT;
	if (step == STEP_DONE && ls->job.err == ERR_PERM)
		f->flags |= FOLDER_REFUSED;
	ls->known = step == STEP_DONE && !ls->job.err;
	acct_status_free(&ls->job);
	ls->asking = false;
	ls->since_ms = 0;
	return STEP_DONE;
}

static void show(struct imap_list *l, const struct folder *f)
{
	struct list_status *ls = l->option;

	if (ls->known)
		imap_status_write(l->c->s, &ls->ask, &ls->job);
}

static enum err return_status(struct imap_list *l, const struct imap_arg **a)
{
	struct list_status *ls = l->option;

	if (!ls) {
		ls = l->option = arena_alloc(l->c->arena, sizeof(*ls));
		if (!ls || !arena_cleanup(l->c->arena, list_status_free, ls))
			return ERR_MEMORY;
	}
	if (!imap_status_items(l->c, *a, &ls->ask))
		return ERR_SYNTAX;
	*a = (*a)->next;
	l->look = look;
	l->show = show;
	return ERR_OK;
}

static const struct imap_capability capabilities[] = {
	{ "LIST-STATUS", NULL },
	{ 0 },
};

static const struct imap_list_option options[] = {
	{ "STATUS", IMAP_LIST_RETURN, return_status },
	{ 0 },
};

const struct imap_module imap_ext_list_status = {
	.name = "list-status",
	.capabilities = capabilities,
	.list_options = options,
};
