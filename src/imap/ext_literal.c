/*
 * LITERAL+ (RFC 7888) and SASL-IR (RFC 4959): nothing happens here. The lexer takes
 * non-synchronising literals, initial responses are the login's; clients look for both words after
 * login too.
 */
#include "imap/module.h"

static const struct imap_capability capabilities[] = {
	{ "SASL-IR", NULL },
	{ "LITERAL+", NULL },
	{ 0 },
};

const struct imap_module imap_ext_literal = {
	.name = "literal+",
	.capabilities = capabilities,
};
