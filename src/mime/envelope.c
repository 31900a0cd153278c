#include "mime/envelope.h"
#include "mime/address.h"
#include "wiretext.h"

/* The addresses of one field, as they stand inside the parentheses of the list. */
static void add_addresses(struct span value, struct buf *out)
{
	struct mime_addrs w;
	struct mime_addr a;

	mime_addrs_init(&w, value);
	while (!out->failed && mime_addrs_next(&w, &a)) {
		buf_add_char(out, '(');
		wiretext_add_human(out, a.name);
		buf_add_char(out, ' ');
		wiretext_add_nil(out, a.route);
		buf_add_char(out, ' ');
		wiretext_add_nil(out, a.mailbox);
		buf_add_char(out, ' ');
		wiretext_add_nil(out, a.domain);
		buf_add_char(out, ')');
	}
	mime_addrs_free(&w);
}

/* False: nobody is named there, and nothing was written. */
static bool add_list(const struct mime_fields *fields, enum mime_name name, struct buf *out)
{
	size_t at = out->n, inside;

	buf_add_str(out, " (");
	inside = out->n;
	for (size_t i = 0; i < fields->n; i++)
		if (fields->f[i].name == name)
			add_addresses(fields->f[i].value, out);
	if (out->n == inside)
		buf_truncate(out, at);
	else
		buf_add_char(out, ')');
	return out->n > at;
}

static void add_list_or_nil(const struct mime_fields *fields, enum mime_name name, struct buf *out)
{
	if (!add_list(fields, name, out))
		buf_add_str(out, " NIL");
}

/* Sender and Reply-To: the bytes of out that show From stand in for them. */
static void add_list_or_from(const struct mime_fields *fields, enum mime_name name, size_t from, size_t n,
			     struct buf *out)
{
	if (!add_list(fields, name, out) && buf_reserve(out, n))
		buf_add(out, out->p + from, n);
}

void mime_envelope_write(const struct mime_fields *fields, struct buf *out)
{
	size_t from, n;

	buf_add_char(out, '(');
	wiretext_add_field(out, mime_fields_last(fields, MIME_DATE));
	buf_add_char(out, ' ');
	wiretext_add_human(out, mime_fields_last(fields, MIME_SUBJECT));
	from = out->n;
	add_list_or_nil(fields, MIME_FROM, out);
	n = out->n - from;
	add_list_or_from(fields, MIME_SENDER, from, n, out);
	add_list_or_from(fields, MIME_REPLY_TO, from, n, out);
	add_list_or_nil(fields, MIME_TO, out);
	add_list_or_nil(fields, MIME_CC, out);
	add_list_or_nil(fields, MIME_BCC, out);
	buf_add_char(out, ' ');
	wiretext_add_field(out, mime_fields_last(fields, MIME_IN_REPLY_TO));
	buf_add_char(out, ' ');
	wiretext_add_field(out, mime_fields_last(fields, MIME_MESSAGE_ID));
	buf_add_char(out, ')');
}

void mime_envelope_add(struct span header, struct buf *out)
{
	struct mime_fields fields = { 0 };

	mime_fields_read(header, &fields);
	mime_envelope_write(&fields, out);
	mime_fields_free(&fields);
}
