/*
 * Subjects and lists of message ids of anybody. A base subject is its own base subject unless step 4 keeps a blob;
 * an id read back between brackets and quotes is itself.
 */
#include "mime/msgid.h"
#include "mime/subject.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_subject(struct span text)
{
	struct buf once, twice;

	buf_init(&once, text.n + 1);
	buf_init(&twice, text.n + 1);
	mime_subject_base(text, &once);
	must(!once.failed && once.n <= text.n);
	must(!mime_subject_base(buf_span(&once), &twice));
	must(span_eq(buf_span(&once), buf_span(&twice)));
	buf_free(&once);
	buf_free(&twice);
}

static void check_ids(struct span text)
{
	struct span rest = text;
	struct buf id;

	buf_init(&id, text.n + 1);
	while (mime_msgid_next(&rest, &id)) {
		must(id.n >= 2 && span_find(buf_span(&id), '@') != SIZE_MAX);
		must(rest.n < text.n);
		buf_clear(&id);
	}
	must(!id.n && !id.failed);
	buf_free(&id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	check_subject(span_of(data, n));
	check_ids(span_of(data, n));
	return 0;
}
