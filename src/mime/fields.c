#include "mime/fields.h"
#include "mime/header.h"

#include "base/mem.h"
#include "base/must.h"

static const struct span text_of[MIME_NAMES] = {
	[MIME_TO] = SPAN_INIT("to"),
	[MIME_CC] = SPAN_INIT("cc"),
	[MIME_BCC] = SPAN_INIT("bcc"),
	[MIME_DATE] = SPAN_INIT("date"),
	[MIME_FROM] = SPAN_INIT("from"),
	[MIME_SENDER] = SPAN_INIT("sender"),
	[MIME_SUBJECT] = SPAN_INIT("subject"),
	[MIME_LIST_ID] = SPAN_INIT("list-id"),
	[MIME_REPLY_TO] = SPAN_INIT("reply-to"),
	[MIME_MESSAGE_ID] = SPAN_INIT("message-id"),
	[MIME_REFERENCES] = SPAN_INIT("references"),
	[MIME_CONTENT_ID] = SPAN_INIT("content-id"),
	[MIME_IN_REPLY_TO] = SPAN_INIT("in-reply-to"),
	[MIME_CONTENT_MD5] = SPAN_INIT("content-md5"),
	[MIME_VERSION] = SPAN_INIT("mime-version"),
	[MIME_CONTENT_TYPE] = SPAN_INIT("content-type"),
	[MIME_CONTENT_LANGUAGE] = SPAN_INIT("content-language"),
	[MIME_CONTENT_LOCATION] = SPAN_INIT("content-location"),
	[MIME_CONTENT_DESCRIPTION] = SPAN_INIT("content-description"),
	[MIME_CONTENT_DISPOSITION] = SPAN_INIT("content-disposition"),
	[MIME_CONTENT_ENCODING] = SPAN_INIT("content-transfer-encoding"),
};

/* The first name of that length; 0 also where there is none. */
static const uint8_t first_of[] = {
	[2] = MIME_TO,
	[3] = MIME_BCC,
	[4] = MIME_DATE,
	[6] = MIME_SENDER,
	[7] = MIME_SUBJECT,
	[8] = MIME_REPLY_TO,
	[10] = MIME_MESSAGE_ID,
	[11] = MIME_IN_REPLY_TO,
	[12] = MIME_VERSION,
	[16] = MIME_CONTENT_LANGUAGE,
	[19] = MIME_CONTENT_DESCRIPTION,
	[25] = MIME_CONTENT_ENCODING,
};

enum mime_name mime_name_of(struct span name)
{
	if (name.n >= ARRAY_LEN(first_of))
		return MIME_NAMES;
	for (enum mime_name i = first_of[name.n]; i < MIME_NAMES && text_of[i].n <= name.n; i++)
		if (span_ieq(name, text_of[i]))
			return i;
	return MIME_NAMES;
}

struct span mime_name_text(enum mime_name name)
{
	return text_of[name];
}

static void add(struct mime_fields *fs, enum mime_name name, struct span value)
{
	if (fs->n == fs->cap) {
		fs->cap = fs->cap ? 2 * fs->cap : 32;
		fs->f = mem_grow(fs->f, fs->cap, sizeof(*fs->f));
	}
	fs->f[fs->n++] = (struct mime_named){ name, value };
}

void mime_fields_read(struct span header, struct mime_fields *fs)
{
	struct mime_header h = mime_header_of(header);
	struct mime_field f;

	fs->n = 0;
	while (fs->n < MIME_FIELDS_MAX && mime_header_next(&h, &f)) {
		enum mime_name name = f.colon ? mime_name_of(f.name) : MIME_NAMES;

		if (name != MIME_NAMES)
			add(fs, name, f.value);
	}
	fs->all = fs->n < MIME_FIELDS_MAX && h.pos < MIME_HEADER_MAX;
}

void mime_fields_free(struct mime_fields *fs)
{
	free(fs->f);
	*fs = (struct mime_fields){ 0 };
}

struct span mime_fields_last(const struct mime_fields *fs, enum mime_name name)
{
	for (size_t i = fs->n; i-- > 0;)
		if (fs->f[i].name == name)
			return fs->f[i].value;
	return (struct span){ NULL, 0 };
}
