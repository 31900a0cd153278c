/*
 * ID (RFC 2971). The client's fields are checked and, as far as imap_id_log asks, told to the log. Ours come from
 * imap_id_send: "name value ...", where "*" stands for our own value and a value may be quoted.
 */
#include "args.h"

#include "wire/imap_id.h"
#include "wire/imap_write.h"

enum { PAIRS_MAX = 30, FIELD_MAX = 30, VALUE_MAX = 1024 };

static bool fields_ok(const struct imap_arg *list)
{
	const struct imap_arg *a;
	unsigned n = 0;

	if (imap_arg_is_nil(list))
		return true;
	if (!imap_arg_list(list, &a))
		return false;
	while (a) {
		struct span name, value;
		bool nil;

		if (!imap_arg_string(a, &name) || name.n > FIELD_MAX || !a->next)
			return false;
		if (!imap_arg_nstring(a->next, &value, &nil) || (!nil && value.n > VALUE_MAX))
			return false;
		if (++n > PAIRS_MAX)
			return false;
		a = a->next->next;
	}
	return true;
}

static struct span own_value(struct span name)
{
	if (span_ieq_str(name, "name"))
		return SPAN("Roost");
	if (span_ieq_str(name, "version"))
		return SPAN(PACKAGE_VERSION);
	if (span_ieq_str(name, "os"))
		return SPAN("Linux");
	return (struct span){ NULL, 0 };
}

/* One blank-separated or quoted word off the front of *rest. */
static bool take_word(struct span *rest, struct span *word_r)
{
	size_t n;

	*rest = span_trim(*rest);
	if (!rest->n)
		return false;
	if (rest->p[0] == '"') {
		*rest = span_from(*rest, 1);
		n = span_find(*rest, '"');
	} else {
		n = span_find(*rest, ' ');
	}
	*word_r = span_cut(*rest, 0, n);
	*rest = span_from(*rest, n == SIZE_MAX ? rest->n : n + 1);
	return true;
}

static void write_fields(struct span send, struct buf *out)
{
	struct span name, value;
	unsigned n = 0;

	while (take_word(&send, &name) && take_word(&send, &value)) {
		bool own = span_eq_str(value, "*");

		if (own)
			value = own_value(name);
		buf_add_str(out, n++ ? " " : "(");
		imap_write_string(out, name);
		buf_add_char(out, ' ');
		imap_write_nstring(out, own && !value.p ? NULL : &value);
	}
	buf_add_str(out, n ? ")" : "NIL");
}

static void tell_log(struct imap_session *s, const struct imap_arg *list)
{
	struct buf fields;

	if (!s->cfg.on_id || !*s->cfg.settings.id_log)
		return;
	buf_init(&fields, PAIRS_MAX * (FIELD_MAX + VALUE_MAX + 8));
	imap_id_pick(list, span_str(s->cfg.settings.id_log), &fields);
	if (fields.n)
		s->cfg.on_id(s->cfg.ctx, buf_span(&fields));
	buf_free(&fields);
}

static enum step id_start(struct imap_cmd *c)
{
	struct buf *out = imap_out(c->s);

	if (!c->args || !fields_ok(c->args))
		return imap_bad(c, "Invalid ID fields.");
	if (!imap_args_end(c, c->args->next))
		return STEP_DONE;
	tell_log(c->s, c->args);
	buf_add_str(out, "* ID ");
	write_fields(span_str(c->s->cfg.settings.id_send), out);
	buf_add_str(out, "\r\n");
	return imap_ok(c, NULL, "ID completed.");
}

static const struct imap_capability capabilities[] = {
	{ "ID", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "ID", IMAP_ANY, 0, id_start, NULL },
	{ 0 },
};

const struct imap_module imap_ext_id = {
	.name = "id",
	.capabilities = capabilities,
	.commands = commands,
};
