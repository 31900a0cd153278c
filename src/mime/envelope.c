#include "mime/envelope.h"
#include "mime/address.h"
#include "mime/header.h"
#include "wiretext.h"

enum list { LIST_FROM, LIST_SENDER, LIST_REPLY_TO, LIST_TO, LIST_CC, LIST_BCC, LISTS };
enum text { TEXT_DATE, TEXT_SUBJECT, TEXT_IN_REPLY_TO, TEXT_MESSAGE_ID, TEXTS };

/* clang-format off */
static const char *const list_name[LISTS] = {
	[LIST_FROM] = "From",
	[LIST_SENDER] = "Sender",
	[LIST_REPLY_TO] = "Reply-To",
	[LIST_TO] = "To",
	[LIST_CC] = "Cc",
	[LIST_BCC] = "Bcc",
};

static const char *const text_name[TEXTS] = {
	[TEXT_DATE] = "Date",
	[TEXT_SUBJECT] = "Subject",
	[TEXT_IN_REPLY_TO] = "In-Reply-To",
	[TEXT_MESSAGE_ID] = "Message-ID",
};
/* clang-format on */

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

struct envelope {
	struct span text[TEXTS];
	struct buf list[LISTS];
};

static void take_field(struct envelope *e, const struct mime_field *f)
{
	for (int i = 0; i < TEXTS; i++) {
		if (span_ieq_str(f->name, text_name[i])) {
			e->text[i] = f->value;
			return;
		}
	}
	for (int i = 0; i < LISTS; i++) {
		if (span_ieq_str(f->name, list_name[i])) {
			add_addresses(f->value, &e->list[i]);
			return;
		}
	}
}

static void add_list(struct buf *out, const struct buf *list)
{
	buf_add_char(out, ' ');
	if (list->n == 0) {
		buf_add_str(out, "NIL");
		return;
	}
	buf_add_char(out, '(');
	buf_add_span(out, buf_span(list));
	buf_add_char(out, ')');
}

static void write_envelope(const struct envelope *e, struct buf *out)
{
	buf_add_char(out, '(');
	wiretext_add_field(out, e->text[TEXT_DATE]);
	buf_add_char(out, ' ');
	wiretext_add_human(out, e->text[TEXT_SUBJECT]);
	for (int i = 0; i < LISTS; i++) {
		bool from = e->list[i].n == 0 && (i == LIST_SENDER || i == LIST_REPLY_TO);

		add_list(out, &e->list[from ? LIST_FROM : i]);
		out->failed |= e->list[i].failed;
	}
	buf_add_char(out, ' ');
	wiretext_add_field(out, e->text[TEXT_IN_REPLY_TO]);
	buf_add_char(out, ' ');
	wiretext_add_field(out, e->text[TEXT_MESSAGE_ID]);
	buf_add_char(out, ')');
}

void mime_envelope_add(struct span header, struct buf *out)
{
	struct mime_header h = mime_header_of(header);
	struct mime_field f;
	struct envelope e = { 0 };

	for (int i = 0; i < LISTS; i++)
		buf_init(&e.list[i], out->max);
	while (mime_header_next(&h, &f))
		if (f.colon)
			take_field(&e, &f);
	write_envelope(&e, out);
	for (int i = 0; i < LISTS; i++)
		buf_free(&e.list[i]);
}
