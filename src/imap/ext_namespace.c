/* NAMESPACE (RFC 2342): personal, other users', shared; hidden ones are not named. */
#include "args.h"
#include "names.h"

#include "wire/imap_write.h"

static void write_one(const struct imap_session *s, const char *prefix, char separator, struct buf *out)
{
	char sep[2] = { separator, '\0' };

	buf_add_char(out, '(');
	imap_name_write_string(s, out, prefix);
	buf_add_char(out, ' ');
	imap_write_string(out, span_str(sep));
	buf_add_char(out, ')');
}

static void write_kind(const struct imap_session *s, unsigned type, struct buf *out)
{
	const struct acct_config *cfg = acct_config_of(s->cfg.acct);
	bool any = false;

	for (size_t i = 0; i < cfg->namespaces; i++) {
		const struct acct_ns *ns = &cfg->ns[i];

		if (ns->hidden || (unsigned)ns->type != type)
			continue;
		if (!any)
			buf_add_char(out, '(');
		any = true;
		write_one(s, ns->prefix, ns->separator ? ns->separator : ns->ops->separator, out);
	}
	/* The users who share are told by LIST. */
	for (size_t i = 0; type == ACCT_SHARED && i < cfg->shares; i++) {
		if (cfg->share[i].hidden)
			continue;
		if (!any)
			buf_add_char(out, '(');
		any = true;
		write_one(s, cfg->share[i].prefix, cfg->share[i].separator, out);
	}
	buf_add_str(out, any ? ")" : "NIL");
}

static enum step namespace_start(struct imap_cmd *c)
{
	struct buf *out = imap_out(c->s);

	if (!imap_args_end(c, c->args))
		return STEP_DONE;
	buf_add_str(out, "* NAMESPACE ");
	write_kind(c->s, ACCT_PRIVATE, out);
	buf_add_char(out, ' ');
	write_kind(c->s, ACCT_SHARED, out);
	buf_add_char(out, ' ');
	write_kind(c->s, ACCT_PUBLIC, out);
	buf_add_str(out, "\r\n");
	return imap_ok(c, NULL, "Namespace completed.");
}

static const struct imap_capability capabilities[] = {
	{ "NAMESPACE", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "NAMESPACE", IMAP_ANY, 0, namespace_start, NULL },
	{ 0 },
};

const struct imap_module imap_ext_namespace = {
	.name = "namespace",
	.capabilities = capabilities,
	.commands = commands,
};
