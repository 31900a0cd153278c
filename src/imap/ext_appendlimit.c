/*
 * APPENDLIMIT (RFC 7889): the largest message that APPEND takes, the same for all mailboxes. Without
 * such a limit the word stands alone, and STATUS says NIL.
 */
#include "core.h"

/* The grammar's number has 32 bits. */
static void write_limit(uint64_t max, struct buf *out)
{
	buf_add_u64(out, max < UINT32_MAX ? max : UINT32_MAX);
}

static bool limit_value(const struct imap_settings *settings, struct buf *value)
{
	if (settings->append_max) {
		buf_add_char(value, '=');
		write_limit(settings->append_max, value);
	}
	return true;
}

static void emit_limit(const struct imap_settings *settings, struct buf *out)
{
	if (settings->append_max)
		write_limit(settings->append_max, out);
	else
		buf_add_str(out, "NIL");
}

static const struct imap_capability capabilities[] = {
	{ "APPENDLIMIT", limit_value },
	{ 0 },
};

static const struct imap_status_item items[] = {
	{ "APPENDLIMIT", .emit_setting = emit_limit },
	{ 0 },
};

const struct imap_module imap_ext_appendlimit = {
	.name = "appendlimit",
	.capabilities = capabilities,
	.status_items = items,
};
