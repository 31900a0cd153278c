/*
 * CREATE-SPECIAL-USE (RFC 6154 section 3): CREATE name (USE (\Drafts)). What a client can fill itself may be asked for,
 * each by one mailbox: \All and \Flagged would have to be views of others. Whatever cannot be given is NO [USEATTR].
 */
#include "args.h"
#include "create.h"

static const char *const uses[] = { "\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash" };

static const char *known(struct span word)
{
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (span_ieq_str(word, uses[i]))
			return uses[i];
	return NULL;
}

static bool holds(const char *list, const char *use)
{
	struct span rest = span_str(list), word;

	while (span_split(&rest, ' ', &word))
		if (span_ieq_str(word, use))
			return true;
	return false;
}

/* Answers and fails when one of the uses belongs to a mailbox already. */
static enum err not_taken(struct imap_cmd *c, const char *wanted)
{
	struct span rest = span_str(wanted), word;
	struct errtext t = { "" };
	struct folder *f;
	size_t n;
	enum err e = acct_folders(c->s->cfg.acct, c->arena, &f, &n, &t);

	if (e)
		imap_fail(c, e, t.text);
	while (!e && span_split(&rest, ' ', &word)) {
		for (size_t i = 0; !e && i < n; i++)
			if (f[i].special_use && holds(f[i].special_use, known(word)))
				e = ERR_EXISTS;
		if (e)
			imap_no(c, "USEATTR", "Another mailbox has that special use.");
	}
	return e;
}

/* USE (\Drafts \Sent): what of it is known, each once. */
static enum err parse_use(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	struct imap_create *create = state;
	const struct imap_arg *word;
	const char *list = NULL;

	if (!imap_arg_list(*a, &word) || create->special_use)
		return ERR_SYNTAX;
	*a = (*a)->next;
	for (; word; word = word->next) {
		const char *use;

		if (word->type != IMAP_ARG_ATOM || word->s.n < 2 || word->s.p[0] != '\\')
			return ERR_SYNTAX;
		use = known(word->s);
		if (!use) {
			imap_no(c, "USEATTR", "That special use cannot be given to a mailbox here.");
			return ERR_CANNOT;
		}
		if (!list || !holds(list, use))
			list = arena_printf(c->arena, "%s%s%s", list ? list : "", list ? " " : "", use);
		if (!list)
			return ERR_MEMORY;
	}
	create->special_use = list;
	return list ? not_taken(c, list) : ERR_OK;
}

static const struct imap_capability capabilities[] = {
	{ "CREATE-SPECIAL-USE", NULL },
	{ 0 },
};

static const struct imap_modifier modifiers[] = {
	{ "USE", IMAP_OF_CREATE, parse_use },
	{ 0 },
};

const struct imap_module imap_ext_create_use = {
	.name = "create-special-use",
	.capabilities = capabilities,
	.modifiers = modifiers,
};
