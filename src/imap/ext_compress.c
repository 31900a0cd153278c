/*
 * COMPRESS=DEFLATE (RFC 4978). The stream does it, from behind the tagged answer on; each answer is
 * compressed apart from those before it, so that sizes tell nothing about secrets in them.
 */
#include "args.h"

static void switch_on(struct imap_session *s)
{
	if (stream_compress(s->stream))
		imap_session_end(s, IMAP_END_FAILED, "no memory for compression");
}

static enum step compress_start(struct imap_cmd *c)
{
	if (!imap_arg_word(c->args, "DEFLATE"))
		return imap_bad(c, "Unknown compression mechanism.");
	if (!imap_args_end(c, c->args->next))
		return STEP_DONE;
	if (stream_is_compressed(c->s->stream))
		return imap_no(c, "COMPRESSIONACTIVE", "DEFLATE is active already.");
	c->after = switch_on;
	return imap_ok(c, NULL, IMAP_COMPRESS_OK);
}

static const struct imap_capability capabilities[] = {
	{ "COMPRESS=DEFLATE", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "COMPRESS", IMAP_ANY, 0, compress_start, NULL },
	{ 0 },
};

const struct imap_module imap_ext_compress = {
	.name = "compress",
	.capabilities = capabilities,
	.commands = commands,
};
