/*
 * I18NLEVEL=1 (RFC 5255 section 4.3): SEARCH, SORT and THREAD compare by i;unicode-casemap
 * (utf8_fold), encoded words decoded. Nothing to do but to say so.
 */
#include "modules.h"

static const struct imap_capability capabilities[] = {
	{ "I18NLEVEL=1", NULL },
	{ 0 },
};

const struct imap_module imap_ext_i18nlevel = {
	.name = "i18nlevel",
	.capabilities = capabilities,
};
