/*
 * UTF8=ACCEPT (RFC 9755). ENABLE turns two switches: mailbox names are UTF-8 (names.c), and the
 * lexer refuses quoted strings that are not. SEARCH then takes no charset (cmd_search.c), APPEND
 * takes 8-bit headers.
 *
 * Messages are told as they are, before and after: strings with 8-bit octets are literals, which
 * base IMAP allows. Surrogates (RFC 6857, RFC 6858) would change sizes, partials and signatures of
 * mail that clients have always been shown. The item "UTF8 (literal)" of RFC 6855, which RFC 9755
 * took out of APPEND, is still taken from the clients that send it.
 */
#include "append.h"
#include "header8.h"
#include "modules.h"

static const char word[] = "UTF8=ACCEPT";

/* Only before a mailbox is selected (section 3). */
static bool enable(struct imap_session *s)
{
	if (s->view)
		return s->hooks.utf8;
	s->hooks.utf8 = true;
	imap_lex_utf8(s->lex);
	return true;
}

bool imap_header8_refused(const struct imap_session *s)
{
	return !s->hooks.utf8 && imap_enable_find(s, span_str(word));
}

static enum step utf8_parts(struct imap_cmd *c, struct imap_append *ap)
{
	const struct imap_arg *a = ap->list->child;

	ap->want = a ? IMAP_APPEND_NONE : IMAP_APPEND_BYTES;
	if (a && (!a->streamed || a->next))
		return imap_bad(c, "UTF8 takes one literal.");
	ap->part = a;
	return STEP_DONE;
}

static const struct imap_capability capabilities[] = {
	{ word, NULL },
	{ 0 },
};

static const struct imap_enable enables[] = {
	{ word, enable },
	{ 0 },
};

static const struct imap_append_item append_items[] = {
	{ "UTF8", utf8_parts },
	{ 0 },
};

const struct imap_module imap_ext_utf8 = {
	.name = "utf8",
	.capabilities = capabilities,
	.append_items = append_items,
	.enables = enables,
};
