/*
 * UIDs of an mbox that we may not write to (somebody else's archive, a compressed file), for messages that carry none. They are
 * kept beside it, in the control directory, with a sum of header lines by which a message is told again (mbox_md5):
 *
 *	roost-uids = "roost-uids 1 " validity SP next SP checksum LF    decimal; checksum: XXH3 of the rest, 16 hex digits
 *	             ( uid SP sum LF )*                                 ascending; sum: 32 hex digits
 *
 * Written anew (roost-uids.tmp, synced, renamed) under flock on the directory whenever messages came or went. Where we may not
 * write there either, they last as long as the mailbox is open, and the UIDVALIDITY is made from what the file holds.
 */
#include "mbox_beside.h"
#include "file.h"
#include "uidvalidity.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

#define UIDS "roost-uids"
enum { UIDS_MAX = 256 << 20 };

/* --- which message is it? ----------------------------------------------------------------------- */

static bool line_counts(struct span line, bool all, bool *received)
{
	static const struct span first[] = { SPAN_INIT("Date:"), SPAN_INIT("Message-ID:"), SPAN_INIT("Received:") },
				 each[] = { SPAN_INIT("Delivered-To:"), SPAN_INIT("X-Delivery-ID:") };
	bool was = *received;

	if (all)
		return true;
	*received |= span_istarts(line, SPAN("Received:"));
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		if (span_istarts(line, first[i]))
			return !was;
	for (size_t i = 0; i < ARRAY_LEN(each); i++)
		if (span_istarts(line, each[i]))
			return true;
	return false;
}

/* Of the lines that count; false: there are none. Continuation lines count as what they continue. */
static bool head_sum(struct span head, bool all, XXH3_state_t *state)
{
	bool any = false, counts = false, received = false;
	struct span line;

	while (span_split(&head, '\n', &line)) {
		if (!line.n || (line.p[0] != ' ' && line.p[0] != '\t'))
			counts = line_counts(line, all, &received);
		if (counts)
			XXH3_128bits_update(state, line.p, line.n);
		any |= counts;
	}
	return any;
}

static enum err message_sum(struct mbox_box *b, const struct mbox_msg *m, XXH3_state_t *state, uint8_t sum[16],
			    struct errtext *t)
{
	struct buf text, visible;
	XXH128_canonical_t canonical;
	struct mbox_head h;
	enum err e;

	buf_init(&text, MBOX_HEAD_MAX);
	buf_init(&visible, MBOX_HEAD_MAX);
	e = mbox_head_load(b, m, &text, t);
	if (!e) {
		mbox_head_parse(buf_span(&text), &h);
		mbox_head_visible(buf_span(&text), &h, false, &visible);
		XXH3_128bits_reset(state);
		if (!head_sum(buf_span(&visible), b->r->set.md5_all, state))
			head_sum(buf_span(&visible), true, state);
		XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
		memcpy(sum, canonical.digest, 16);
	}
	buf_free(&text);
	buf_free(&visible);
	return e;
}

/* --- the file ------------------------------------------------------------------------------------- */

static void entry_add(struct beside *s, uint32_t uid, const uint8_t sum[16])
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->m = mem_grow(s->m, s->cap, sizeof(*s->m));
	}
	s->m[s->n].uid = uid;
	memcpy(s->m[s->n++].sum, sum, 16);
}

static bool entry_parse(struct span line, uint32_t above, struct beside *s)
{
	uint64_t half[2];
	struct span uid;
	XXH128_canonical_t sum;
	uint32_t u;

	if (!span_split(&line, ' ', &uid) || !span_u32(uid, &u) || u <= above || line.n != 32 ||
	    !span_hex64(span_cut(line, 0, 16), &half[0]) || !span_hex64(span_from(line, 16), &half[1]))
		return false;
	XXH128_canonicalFromHash(&sum, (XXH128_hash_t){ .high64 = half[0], .low64 = half[1] });
	entry_add(s, u, sum.digest);
	return true;
}

static bool beside_parse(struct span text, struct beside *s)
{
	struct span head, word, line;
	uint64_t sum;

	if (!span_split(&text, '\n', &head) || !span_split(&head, ' ', &word) || !span_eq_str(word, UIDS) ||
	    !span_split(&head, ' ', &word) || !span_eq_str(word, "1") || !span_split(&head, ' ', &word) ||
	    !span_u32(word, &s->validity) || !span_split(&head, ' ', &word) || !span_u32(word, &s->next) ||
	    !span_hex64(head, &sum) || sum != XXH3_64bits(text.p, text.n))
		return false;
	while (span_split(&text, '\n', &line))
		if (!entry_parse(line, s->n ? s->m[s->n - 1].uid : 0, s))
			return false;
	return s->validity && s->next && (!s->n || s->next > s->m[s->n - 1].uid);
}

void beside_free(struct beside *s)
{
	free(s->m);
	*s = (struct beside){ .n = 0 };
}

/* What is damaged is begun anew, under another UIDVALIDITY. */
static enum err beside_load(struct mbox_box *b, struct errtext *t)
{
	int fd = file_open(b->control_fd, UIDS, O_RDONLY, 0);
	struct buf text;
	enum err e;

	beside_free(&b->beside);
	if (fd < 0)
		return errno == ENOENT ? ERR_OK : err_sys(t, UIDS " of %s", b->name);
	buf_init(&text, UIDS_MAX);
	e = file_load(fd, 0, &text);
	if (!e && !beside_parse(buf_span(&text), &b->beside))
		beside_free(&b->beside);
	close(fd);
	buf_free(&text);
	return e ? err_say(t, e, UIDS " of %s cannot be read", b->name) : ERR_OK;
}

static enum err beside_save(struct mbox_box *b, struct errtext *t)
{
	const struct beside *s = &b->beside;
	struct buf lines, text;
	enum err e;

	buf_init(&lines, UIDS_MAX);
	buf_init(&text, UIDS_MAX);
	for (size_t i = 0; i < s->n; i++) {
		XXH128_canonical_t sum;
		XXH128_hash_t hash;

		memcpy(sum.digest, s->m[i].sum, 16);
		hash = XXH128_hashFromCanonical(&sum);
		buf_printf(&lines, "%u %016llx%016llx\n", s->m[i].uid, (unsigned long long)hash.high64,
			   (unsigned long long)hash.low64);
	}
	buf_printf(&text, UIDS " 1 %u %u %016llx\n", s->validity, s->next,
		   (unsigned long long)XXH3_64bits(lines.p, lines.n));
	buf_add_span(&text, buf_span(&lines));
	e = lines.failed || text.failed ? ERR_LIMIT
					: file_replace(b->control_fd, UIDS ".tmp", UIDS, buf_span(&text), b->r->file_mode,
						       b->r->sync != STORE_SYNC_NEVER);
	buf_free(&lines);
	buf_free(&text);
	return e ? err_say(t, e, UIDS " of %s cannot be written: %s", b->name, err_name(e)) : ERR_OK;
}

/* --- numbers ---------------------------------------------------------------------------------------- */

static enum err validity_new(struct mbox_box *b, const uint8_t (*sums)[16], size_t n, bool kept, struct errtext *t)
{
	struct uidvalidity u = { .dir_fd = mbox_validity_dir(b->r),
				 .mode = b->r->file_mode,
				 .sync = b->r->sync != STORE_SYNC_NEVER };
	uint64_t hash = XXH64(sums, n * sizeof(*sums), XXH64(b->path, strlen(b->path), 0));

	b->beside.next = 1;
	if (b->map.based)
		b->beside.validity = b->map.validity;
	else if (kept)
		return uidvalidity_claim(&u, 0, &b->beside.validity, t);
	else
		b->beside.validity = (uint32_t)(hash & INT32_MAX) | 1;
	return ERR_OK;
}

/* As before who has the sum of one that was there before, in the same order; all others are new. True: the list changed. */
static bool match(struct mbox_box *b, const uint8_t (*sums)[16])
{
	struct mbox_map *map = &b->map;
	size_t first = map->n - map->unnumbered, k = 0;
	uint32_t above = first ? map->msg[first - 1].uid : 0;
	struct beside old = b->beside;
	bool changed;

	b->beside.m = NULL;
	b->beside.n = b->beside.cap = 0;
	for (; k < old.n && old.m[k].uid <= above; k++)
		entry_add(&b->beside, old.m[k].uid, old.m[k].sum);
	for (size_t i = first; i < map->n; i++) {
		const uint8_t *sum = sums[i - first];

		while (k < old.n && memcmp(old.m[k].sum, sum, 16) != 0)
			k++;
		map->msg[i].uid = k < old.n ? old.m[k++].uid : b->beside.next++;
		entry_add(&b->beside, map->msg[i].uid, sum);
	}
	map->unnumbered = 0;
	changed = old.n != b->beside.n || old.next != b->beside.next;
	free(old.m);
	return changed;
}

static enum err number(struct mbox_box *b, bool kept, struct errtext *t)
{
	const struct mbox_map *map = &b->map;
	size_t first = map->n - map->unnumbered;
	uint8_t(*sums)[16] = mem_array(map->unnumbered + 1, sizeof(*sums));
	XXH3_state_t *state = XXH3_createState();
	struct beside *s = &b->beside;
	enum err e = kept ? beside_load(b, t) : ERR_OK;

	must(state);
	for (size_t i = first; !e && i < map->n; i++)
		e = message_sum(b, &map->msg[i], state, sums[i - first], t);
	if (!e && (!s->validity || (map->based && s->validity != map->validity))) {
		beside_free(s);
		e = validity_new(b, sums, map->unnumbered, kept, t);
	}
	if (!e && map->based && s->next <= map->last)
		s->next = map->last + 1;
	if (!e && (!s->next || s->next - 1 > MBOX_UID_MAX - map->unnumbered))
		e = err_say(t, ERR_LIMIT, "%s has no more UIDs", b->path);
	if (!e && match(b, sums) && kept)
		e = beside_save(b, t);
	XXH3_freeState(state);
	free(sums);
	return e;
}

enum err mbox_number_beside(struct mbox_box *b, struct errtext *t)
{
	bool kept;
	enum err e;

	if (b->fd < 0 || b->writable || !b->map.unnumbered)
		return ERR_OK;
	kept = !b->r->readonly && mbox_control_make(b, NULL) == ERR_OK && faccessat(b->control_fd, ".", W_OK, AT_EACCESS) == 0;
	if (kept && flock(b->control_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? ERR_INUSE : err_sys(t, "%s", b->name);
	e = number(b, kept, t);
	if (kept)
		flock(b->control_fd, LOCK_UN);
	if (e)
		mbox_map_free(&b->map);
	return e;
}
