/* MULTIAPPEND (RFC 3502): APPEND itself takes several messages, all or none; here is its word. */
#include "imap/module.h"

static const struct imap_capability capabilities[] = {
	{ "MULTIAPPEND", NULL },
	{ 0 },
};

const struct imap_module imap_ext_multiappend = {
	.name = "multiappend",
	.capabilities = capabilities,
};
