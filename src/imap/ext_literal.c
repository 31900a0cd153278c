/*
 * LITERAL+ and LITERAL- (RFC 7888), SASL-IR (RFC 4959): little happens here. The lexer takes non-synchronising
 * literals, initial responses are the login's; clients look for the words after login too. With "imap_capability =
 * +LITERAL-", which takes LITERAL+ away, large literals that nobody asked for are refused.
 */
#include "modules.h"

enum { MINUS_MAX = 4096 };

uint64_t imap_literal_plus_max(const struct imap_session *s)
{
	return imap_word(s, "LITERAL-") ? MINUS_MAX : 0;
}

static const struct imap_capability capabilities[] = {
	{ "SASL-IR", NULL },
	{ "LITERAL+", NULL },
	{ 0 },
};

const struct imap_module imap_ext_literal = {
	.name = "literal+",
	.capabilities = capabilities,
};
