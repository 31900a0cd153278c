/*
 * PREVIEW (RFC 8970): the beginning of a message's text. Made from the bytes when it is first asked
 * for and kept in the index; with LAZY only what is kept is shown, else NIL.
 */
#include "args.h"
#include "fetch.h"

#include "wire/imap_write.h"

/* "(LAZY)". Another list may belong to FETCH itself: "FETCH 1 PREVIEW (CHANGEDSINCE 7)". */
static bool is_lazy(const struct imap_arg *list)
{
	const struct imap_arg *mod;

	if (!imap_arg_list(list, &mod) || !mod)
		return false;
	while (mod && imap_arg_word(mod, "LAZY"))
		mod = mod->next;
	return !mod;
}

static enum err parse_preview(struct imap_fetch *f, const struct imap_arg **a, struct imap_fetch_op *op)
{
	bool lazy = is_lazy(*a);

	if (lazy)
		*a = (*a)->next;
	f->want |= lazy ? WANT_PREVIEW_KEPT : WANT_PREVIEW;
	return ERR_OK;
}

static void emit_preview(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	buf_add_str(out, "PREVIEW ");
	imap_write_nstring(out, m->preview.p ? &m->preview : NULL);
}

static const struct imap_capability capabilities[] = {
	{ "PREVIEW", NULL },
	{ 0 },
};

static const struct imap_fetch_item items[] = {
	{ .name = "PREVIEW", .flags = IMAP_FETCH_ARGS, .parse = parse_preview, .emit = emit_preview },
	{ 0 },
};

const struct imap_module imap_ext_preview = {
	.name = "preview",
	.capabilities = capabilities,
	.fetch_items = items,
};
