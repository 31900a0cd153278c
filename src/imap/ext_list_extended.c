/*
 * LIST-EXTENDED (RFC 5258): the selection options SUBSCRIBED, REMOTE and RECURSIVEMATCH, the return
 * options SUBSCRIBED and CHILDREN. The syntax is cmd_list.c's; what the return options ask for is
 * in every extended answer anyway. There are no remote mailboxes, so REMOTE adds none.
 */
#include "list.h"

enum { DEPTH_MAX = 256 }; /* levels of a name that are followed */

static enum err select_subscribed(struct imap_list *l, const struct imap_arg **a)
{
	l->need |= FOLDER_SUBSCRIBED;
	return ERR_OK;
}

static enum err select_recursive(struct imap_list *l, const struct imap_arg **a)
{
	l->recursive = true;
	return ERR_OK;
}

/* ---- what lies below ---- */

static bool is_below(const struct folder *child, const struct folder *parent)
{
	size_t n = strlen(parent->name);

	return !strncmp(child->name, parent->name, n) && child->name[n] == child->separator;
}

static unsigned tells(const struct imap_list *l, const struct folder *f)
{
	if (!imap_list_meets(l, f))
		return 0;
	return LIST_BELOW | (imap_list_matches(l, f) ? 0 : LIST_BELOW_HIDDEN);
}

/* The list is sorted by levels: what is open is the path to the present folder. INBOX alone stands apart from its children. */
bool imap_list_mark_below(struct imap_list *l)
{
	size_t open[DEPTH_MAX], depth = 0;

	l->below = arena_alloc(l->c->arena, l->folders + 1);
	if (!l->below)
		return false;
	for (size_t i = 0; i < l->folders; i++) {
		const struct folder *f = &l->folder[i];
		uint8_t told = (uint8_t)tells(l, f);

		while (depth && !is_below(f, &l->folder[open[depth - 1]]))
			depth--;
		for (size_t k = 0; k < depth; k++)
			l->below[open[k]] |= told;
		if ((!depth || open[0]) && is_below(f, &l->folder[0]))
			l->below[0] |= told;
		if (depth < DEPTH_MAX)
			open[depth++] = i;
	}
	return true;
}

static const struct imap_capability capabilities[] = {
	{ "LIST-EXTENDED", NULL },
	{ 0 },
};

static const struct imap_list_option options[] = {
	{ "SUBSCRIBED", IMAP_LIST_SELECT, select_subscribed },
	{ "REMOTE", IMAP_LIST_SELECT, NULL },
	{ "RECURSIVEMATCH", IMAP_LIST_SELECT, select_recursive },
	{ "SUBSCRIBED", IMAP_LIST_RETURN, NULL },
	{ "CHILDREN", IMAP_LIST_RETURN, NULL },
	{ 0 },
};

const struct imap_module imap_ext_list_extended = {
	.name = "list-extended",
	.capabilities = capabilities,
	.list_options = options,
};
