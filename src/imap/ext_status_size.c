/* STATUS=SIZE (RFC 8438): the octets of all messages, which is the sum of their RFC822.SIZE. */
#include "core.h"

static void emit_size(const struct acct_status *st, struct buf *out)
{
	buf_add_u64(out, st->size);
}

static const struct imap_capability capabilities[] = {
	{ "STATUS=SIZE", NULL },
	{ 0 },
};

static const struct imap_status_item items[] = {
	{ "SIZE", emit_size, .sizes = true },
	{ 0 },
};

const struct imap_module imap_ext_status_size = {
	.name = "status-size",
	.capabilities = capabilities,
	.status_items = items,
};
