/*
 * PREVIEW (RFC 8970): the beginning of a message's text. Made from the bytes when it is first asked
 * for and kept in the index; with LAZY only what is kept is shown, else NIL.
 */
#include "args.h"
#include "fetch.h"

#include "wire/imap_write.h"

static enum err parse_preview(struct imap_fetch *f, const struct imap_arg **a, struct imap_fetch_op *op)
{
	const struct imap_arg *mod;
	bool lazy = false;

	if (*a && (*a)->type == IMAP_ARG_LIST) {
		lazy = true;
		if (!imap_arg_list(*a, &mod) || !mod)
			return ERR_SYNTAX;
		for (; mod; mod = mod->next)
			if (!imap_arg_word(mod, "LAZY"))
				return ERR_SYNTAX;
		*a = (*a)->next;
	}
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
