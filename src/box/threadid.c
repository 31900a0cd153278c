/*
 * THREADID (RFC 8474): a name for the conversation that a message belongs to, made from its header alone: so it never
 * changes, is the same in every mailbox, and costs nothing to keep.
 *
 * Messages belong together that name the same first message: the first id of References, else of In-Reply-To, else
 * their own. So an answer whose sender wrote no References, only In-Reply-To, joins the message it answers, but not the
 * message which that one answered. Without any id a message is a conversation of its own.
 */
#include "made.h"
#include "room.h"

#include "base/must.h"
#include "mime/msgid.h"

#include <xxhash.h>

enum { ID_MAX = 64 << 10 };

static bool first_id(struct span value, struct buf *out)
{
	buf_clear(out);
	return mime_msgid_next(&value, out) && !out->failed;
}

void threadid_of(struct span headers, const uint8_t emailid[16], uint8_t out[16])
{
	static const char *const fields[] = { "references", "in-reply-to", "message-id" };
	struct span value[ARRAY_LEN(fields)] = { { NULL, 0 } }, rest = headers, name, v;
	XXH128_canonical_t canonical;
	struct buf id;
	bool found = false;

	/* Of fields that occur more than once the last counts, as for THREAD. */
	while (made_headers_next(&rest, &name, &v))
		for (size_t i = 0; i < ARRAY_LEN(fields); i++)
			if (span_eq_str(name, fields[i]))
				value[i] = v;
	buf_init(&id, ID_MAX);
	for (size_t i = 0; i < ARRAY_LEN(fields) && !found; i++)
		found = first_id(value[i], &id);
	if (found)
		XXH128_canonicalFromHash(&canonical, XXH3_128bits(id.p, id.n));
	memcpy(out, found ? canonical.digest : emailid, 16);
	buf_free(&id);
}
