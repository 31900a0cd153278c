/* What an mbox holds, and the bytes of one message without the lines that are the folder's own. */
#include "mbox_beside.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

enum {
	MEMORY_MAX = 1 << 20, /* larger messages are copied to a file, not to memory */
	PIECE = 256 << 10,
};

/* --- keys --------------------------------------------------------------------------------- */

/* Of a message without a UID: its place and its first line and sizes. */
static uint64_t unnumbered_sum(const struct mbox_msg *m)
{
	uint64_t facts[] = { (uint64_t)m->date, m->body_n, m->vsize, m->from_n, m->visible_n };

	return XXH3_64bits(facts, sizeof(facts));
}

static char *key_make(struct arena *a, const struct mbox_msg *m)
{
	if (m->uid)
		return arena_printf(a, "%u", m->uid);
	return arena_printf(a, "@%llu.%016llx", (unsigned long long)m->at, (unsigned long long)unnumbered_sum(m));
}

char *mbox_hint(struct arena *a, uint64_t at, bool recent)
{
	return arena_printf(a, "%s%llu", recent ? "n" : "", (unsigned long long)at);
}

static bool hint_at(struct span hint, uint64_t *at_r)
{
	return span_u64(span_from(hint, hint.n && hint.p[0] == 'n'), at_r);
}

static struct mbox_msg *find_unnumbered(struct mbox_map *map, struct span key)
{
	struct span rest = span_from(key, 1), at_text;
	uint64_t at, sum;

	if (!span_split(&rest, '.', &at_text) || !span_u64(at_text, &at) || !span_hex64(rest, &sum))
		return NULL;
	for (size_t i = map->n - map->unnumbered; i < map->n; i++)
		if (map->msg[i].at == at)
			return unnumbered_sum(&map->msg[i]) == sum ? &map->msg[i] : NULL;
	return NULL;
}

static struct mbox_msg *find(struct mbox_map *map, struct span key)
{
	uint32_t uid;

	if (span_u32(key, &uid))
		return mbox_map_find(map, uid);
	return key.n && key.p[0] == '@' ? find_unnumbered(map, key) : NULL;
}

/* --- scan ----------------------------------------------------------------------------------- */

enum err mbox_prepare(struct store_box *sb, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	enum err e = mbox_lock_some(b, F_RDLCK, t);

	if (!e)
		e = mbox_map_some(b);
	mbox_unlock(b);
	return e;
}

enum err mbox_changed(struct store_box *sb, struct span token, bool *changed_r)
{
	struct mbox_box *b = mbox_box_of(sb);
	struct mbox_stamp then, now;
	struct stat st;

	*changed_r = true;
	if (token.n != sizeof(then))
		return ERR_OK;
	memcpy(&then, token.p, sizeof(then));
	memset(&now, 0, sizeof(now));
	if (fstatat(b->dir_fd, b->base, &st, 0) < 0) {
		if (errno != ENOENT)
			return err_from_errno(errno);
	} else {
		now.size = (uint64_t)st.st_size;
		now.sec = st.st_mtim.tv_sec;
		now.nsec = (uint32_t)st.st_mtim.tv_nsec;
		now.ino = st.st_ino;
	}
	/* Who began with only what was new looks at the rest, unless it is we, and we have not yet. */
	*changed_r = !mbox_stamp_same(&then, &now) || (then.grown && !b->map.grown);
	return ERR_OK;
}

/* The token of the map as it is. */
static enum err tell(const struct mbox_map *map, struct mbox_told *told, struct arena *a, struct span *token_r)
{
	bool ok;

	*told = (struct mbox_told){ map->stamp, map->n };
	*token_r = arena_copy(a, span_of(&map->stamp, sizeof(map->stamp)), &ok);
	return ok ? ERR_OK : ERR_LIMIT;
}

enum err mbox_token(struct store_box *sb, struct span before, struct arena *a, struct span *token_r)
{
	struct mbox_map *map = &mbox_box_of(sb)->map;
	bool changed = true;
	enum err e = map->known ? mbox_changed(sb, span_of(&map->stamp, sizeof(map->stamp)), &changed) : ERR_INUSE;

	if (e || changed)
		return e ? e : ERR_INUSE;
	return tell(map, &map->told[1], a, token_r);
}

/* Those from from on, and of the others the recent ones. */
static enum err give(struct mbox_box *b, size_t from, struct arena *a, struct store_scan *scan_r)
{
	struct mbox_map *map = &b->map;
	size_t n = 0;

	for (size_t i = 0; i < map->n; i++)
		n += i >= from || (map->msg[i].flags & MAIL_RECENT);
	struct store_msg *msg = arena_array(a, n + 1, sizeof(*msg));
	bool ok = msg;

	n = 0;
	for (size_t i = 0; ok && i < map->n; i++) {
		const struct mbox_msg *m = &map->msg[i];
		bool recent = m->flags & MAIL_RECENT;

		if (i < from && !recent)
			continue;
		char *key = key_make(a, m), *hint = mbox_hint(a, m->at, recent);
		ok = key && hint;
		if (!ok)
			break;
		msg[n] = (struct store_msg){ .key = span_str(key),
						    .hint = span_str(hint),
						    .uid = m->uid,
						    .flags = { m->flags, m->keywords },
						    .size = m->visible_n - m->cut_n + m->body_n,
						    .vsize = m->vsize };
		memcpy(msg[n++].guid, m->guid, sizeof(m->guid));
	}
	if (!ok)
		return ERR_LIMIT;
	*scan_r = (struct store_scan){ .msg = msg, .n = n, .settled = true, .unsure = map->stamp.grown };
	return tell(map, &map->told[0], a, &scan_r->token);
}

static enum err update_numbered(struct mbox_box *b, enum mbox_look look, struct errtext *t)
{
	enum err e = mbox_map_update(b, look, t);

	return e ? e : mbox_number_beside(b, t);
}

static enum err read_map(struct mbox_box *b, enum mbox_look look, struct errtext *t)
{
	enum err e = mbox_lock(b, F_RDLCK, t);

	if (e)
		return e;
	e = update_numbered(b, look, t);
	mbox_unlock(b);
	return e;
}

enum err mbox_scan(struct store_box *sb, struct arena *a, struct store_scan *scan_r, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	enum err e = read_map(b, b->r->set.very_dirty_syncs ? MBOX_LOOK_NEW : MBOX_LOOK_HEADS, t);

	if (!e)
		e = give(b, 0, a, scan_r);
	return e == ERR_LIMIT ? err_say(t, e, "%s has too many messages for one command", b->name) : e;
}

static const struct mbox_told *told_with(const struct mbox_map *map, struct span token)
{
	for (size_t i = 0; i < ARRAY_LEN(map->told); i++) {
		const struct mbox_told *told = &map->told[i];

		if (told->n && !told->stamp.young && span_eq(token, span_of(&told->stamp, sizeof(told->stamp))))
			return told;
	}
	return NULL;
}

/* Only what was appended since the token, when the file is known to be the same before that. */
enum err mbox_scan_new(struct store_box *sb, struct span token, struct arena *a, struct store_scan *scan_r,
		       struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	const struct mbox_map *map = &b->map;
	const struct mbox_told *told = told_with(map, token);
	enum err e;

	if (!told)
		return err_say(t, ERR_CANNOT, "the token proves nothing");
	e = read_map(b, MBOX_LOOK_NEW, t);
	if (!e && (!told->n || map->n - map->unnumbered < told->n))
		e = err_say(t, ERR_CANNOT, "%s changed elsewhere too", b->name);
	return e ? e : give(b, told->n, a, scan_r);
}

/* What we appended has its UIDs already: no need to wait for the lock once more. */
static bool all_numbered(const struct span *keys, size_t n, uint32_t *uids, uint32_t *next_r)
{
	uint32_t last = 0;

	for (size_t i = 0; i < n; i++) {
		if (!span_u32(keys[i], &uids[i]))
			return false;
		last = uids[i] > last ? uids[i] : last;
	}
	*next_r = last + 1;
	return true;
}

enum err mbox_number(struct store_box *sb, struct span *keys, size_t n, bool synced, uint32_t *uids, uint32_t *next_r,
		     struct arena *a, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	struct mbox_want want = { .number = true, .sync = synced && b->r->sync != STORE_SYNC_NEVER };
	size_t *at;
	enum err e;

	if (all_numbered(keys, n, uids, next_r))
		return ERR_OK;
	at = mem_array(n + 1, sizeof(*at));
	e = mbox_lock(b, F_WRLCK, t);
	if (!e)
		e = mbox_map_update(b, MBOX_LOOK_NEW, t);
	for (size_t i = 0; !e && i < n; i++) {
		struct mbox_msg *m = find(&b->map, keys[i]);

		if (m)
			at[i] = (size_t)(m - b->map.msg);
		else
			e = err_say(t, ERR_EXPUNGED, "%s changed while it was numbered", b->name);
	}
	if (!e)
		e = mbox_rewrite(b, &want, t);
	for (size_t i = 0; !e && i < n; i++) {
		char *key = at[i] < b->map.n ? key_make(a, &b->map.msg[at[i]]) : NULL;

		if (!key) {
			e = ERR_LIMIT;
			break;
		}
		uids[i] = b->map.msg[at[i]].uid;
		keys[i] = span_str(key);
	}
	if (!e)
		*next_r = b->map.last + 1;
	mbox_unlock(b);
	free(at);
	return e;
}

/* Numbers are synced when they are written, or with the messages that they are of. */
enum err mbox_sync_numbers(struct store_box *sb, struct errtext *t)
{
	return ERR_OK;
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* A copy: whoever rewrites the file in place, with its lock, must not change what a client is reading. */
static enum err copy_out(struct mbox_box *b, const struct mbox_msg *m, struct span head, int out, struct errtext *t)
{
	struct buf piece;
	uint64_t at = mbox_msg_body(m), left = m->body_n;
	enum err e = ERR_OK;

	buf_init(&piece, MBOX_HEAD_MAX + PIECE);
	buf_add_span(&piece, head);
	while (!e) {
		size_t n = left < PIECE ? (size_t)left : PIECE;
		ssize_t got = buf_reserve(&piece, n) ? pread(mbox_bytes(b), piece.p + piece.n, n, (off_t)at) : -1;

		if (got < 0 || (size_t)got < n) {
			e = err_say(t, ERR_INUSE, "%s changes without regard to its locks", b->path);
			break;
		}
		piece.n += n;
		at += n;
		left -= n;
		if (write(out, piece.p, piece.n) != (ssize_t)piece.n)
			e = err_sys(t, "no room for a copy of a message of %s", b->path);
		if (!left)
			break;
		buf_clear(&piece);
	}
	buf_free(&piece);
	return e;
}

static enum err object_make(struct mbox_box *b, const struct mbox_msg *m, struct store_object *o_r, struct errtext *t)
{
	struct buf head, visible;
	struct mbox_head h;
	struct stat st;
	enum err e;

	buf_init(&head, MBOX_HEAD_MAX);
	buf_init(&visible, MBOX_HEAD_MAX);
	e = mbox_head_load(b, m, &head, t);
	if (!e) {
		mbox_head_parse(buf_span(&head), &h);
		mbox_head_visible(buf_span(&head), &h, h.size > h.end && !m->cut_n, &visible);
		*o_r = (struct store_object){ .fd = -1, .length = visible.n + m->body_n, .mtime = m->date };
		o_r->ctime = fstat(b->fd, &st) == 0 ? st.st_ctime : m->date;
		o_r->fd = o_r->length > MEMORY_MAX ? mbox_scratch(b) : memfd_create("message", MFD_CLOEXEC);
		if (o_r->fd < 0)
			e = err_sys(t, "no file for a copy of a message of %s", b->path);
	}
	if (!e)
		e = copy_out(b, m, buf_span(&visible), o_r->fd, t);
	if (e && o_r->fd >= 0)
		close(o_r->fd);
	buf_free(&head);
	buf_free(&visible);
	return e;
}

/* By the map when it is that of the file now, else where the hint says, else by parsing. */
static enum err place(struct mbox_box *b, struct span key, struct span hint, struct mbox_msg *m_r, struct errtext *t)
{
	struct mbox_stamp now;
	struct mbox_msg *m;
	uint64_t at;
	uint32_t uid;
	enum err e = mbox_stamp(b, &now);

	if (e)
		return err_say(t, e, "%s: %s", b->path, err_name(e));
	if ((!b->map.known || !mbox_stamp_same(&b->map.stamp, &now)) && hint_at(hint, &at) && span_u32(key, &uid) &&
	    mbox_map_one(b, at, uid, m_r) == ERR_OK)
		return ERR_OK;
	e = update_numbered(b, MBOX_LOOK_NEW, t);
	m = e ? NULL : find(&b->map, key);
	if (m && !mbox_map_holds(b, m, NULL)) {
		e = update_numbered(b, MBOX_LOOK_HEADS, t);
		m = e ? NULL : find(&b->map, key);
	}
	if (e)
		return e;
	if (!m)
		return err_say(t, ERR_EXPUNGED, "the message is not in %s", b->name);
	*m_r = *m;
	return ERR_OK;
}

enum err mbox_locate(struct store_box *sb, struct span key, struct span hint, struct store_object *o_r, struct arena *a,
		     struct span *hint_r, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	struct mbox_msg m;
	enum err e = mbox_lock_some(b, F_RDLCK, t);

	if (e)
		return e;
	e = b->fd < 0 ? err_say(t, ERR_EXPUNGED, "%s is gone", b->path) : place(b, key, hint, &m, t);
	if (!e && hint_r && a) {
		char *now = mbox_hint(a, m.at, m.flags & MAIL_RECENT);

		*hint_r = span_str(now);
	}
	if (!e)
		e = object_make(b, &m, o_r, t);
	mbox_unlock(b);
	return e;
}
