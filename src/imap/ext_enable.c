/* ENABLE (RFC 5161). Words that nobody knows are ignored; what is on, newly or already, is listed each time. */
#include "args.h"
#include "modules.h"

static enum step enable_start(struct imap_cmd *c)
{
	struct buf line;

	if (!c->args)
		return imap_bad(c, "ENABLE needs capability names.");
	for (const struct imap_arg *a = c->args; a; a = a->next)
		if (a->type != IMAP_ARG_ATOM)
			return imap_bad(c, "ENABLE needs capability names.");
	buf_init(&line, 4096);
	for (const struct imap_arg *a = c->args; a; a = a->next) {
		const struct imap_enable *row = imap_enable_find(c->s, a->s);

		if (row && row->enable(c->s) &&
		    span_search(buf_span(&line), span_str(row->name)) == SIZE_MAX)
			buf_printf(&line, " %s", row->name);
	}
	imap_untagged(c->s, "ENABLED%s", buf_cstr(&line));
	buf_free(&line);
	return imap_ok(c, NULL, "Enabled.");
}

static const struct imap_capability capabilities[] = {
	{ "ENABLE", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "ENABLE", IMAP_ANY, 0, enable_start, NULL },
	{ 0 },
};

const struct imap_module imap_ext_enable = {
	.name = "enable",
	.capabilities = capabilities,
	.commands = commands,
};
