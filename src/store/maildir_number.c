/*
 * Writing dovecot-uidlist: identity and UIDs. Reading it: maildir_uidlist.c.
 *
 * Everything happens under dovecot-uidlist.lock: records are appended in one write; all else (a new
 * header, version 1, damage, many dead records) is a new file dovecot-uidlist.tmp, synced, renamed
 * over the old one. Nothing is ever modified in place.
 */
#include "extra.h"
#include "file.h"
#include "lines.h"
#include "list_state.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	LIST_MAX_APPEND = 64 << 20, /* bytes of records added at once */
	LIST_MAX_ADOPT = 1 << 30,
	LIST_DEAD_MIN = 64,         /* dead records that are not worth a rewrite */
	LIST_LOST_PER_UID = 6,      /* bytes that a record has at least: "1 :a" LF, and some */
	LIST_IN_PLAY_MAX = 100000,
	LIST_STALE = 120, /* seconds, as in Dovecot */
};

static enum err list_fail(struct maildir_box *b, enum err e, struct errtext *t)
{
	list_forget(&b->list);
	return err_say(t, e, "%s/" LIST_NAME " cannot be written: %s", b->name, err_name(e));
}

static enum err list_begin(struct list_state *u, struct uidlist_header h)
{
	h.version = 3;
	h.more = SPAN("");
	h.has_guid = getrandom(h.guid, sizeof(h.guid), 0) == sizeof(h.guid);
	list_forget(u);
	u->known = true;
	u->head = h;
	u->mend = true;
	return h.has_guid ? ERR_OK : ERR_IO;
}

/* A fresh identity, when there is no list or its header is lost. */
static enum err list_renew(struct maildir_box *b, struct errtext *t)
{
	struct list_state *u = &b->list;
	uint32_t above = u->present ? u->head.uidvalidity : 0;
	struct uidlist_header h = { .next = 1 };

	if (u->damaged &&
	    renameat(b->control_fd, LIST_NAME, b->control_fd, LIST_NAME ".broken") < 0 &&
	    errno != ENOENT)
		return err_sys(t, "%s/" LIST_NAME, b->name);
	enum err e =
		maildir_uidvalidity_claim(b->m, above < INT32_MAX ? above : 0, &h.uidvalidity, t);
	if (!e && list_begin(u, h))
		e = err_say(t, ERR_IO, "no random numbers");
	return e;
}

struct rewrite {
	struct maildir_box *b;
	struct buf out;
	int fd;
	bool compact;
	enum err err;
	size_t records;
	uint32_t last;
};

static void rewrite_flush(struct rewrite *w, size_t keep)
{
	if (!w->err && w->out.failed)
		w->err = ERR_MEMORY;
	if (!w->err && w->out.n > keep) {
		w->err = file_write(w->fd, w->out.p, w->out.n);
		buf_clear(&w->out);
	}
}

static void rewrite_record(struct rewrite *w, const struct uidlist_record *r)
{
	if (r->uid <= w->last)
		return;
	w->last = r->uid;
	if (w->compact && !maildir_names_has(w->b, r->base))
		return;
	uidlist_put_record(&w->out, r);
	w->records++;
	rewrite_flush(w, 60 * 1024);
}

static void rewrite_old(struct rewrite *w, int old, struct uidlist_header *h)
{
	struct uidlist_header was;
	struct uidlist_record r;
	struct lines l;
	struct span line;

	lines_init(&l, old, 0);
	if (lines_next(&l, &line) || !uidlist_parse_header(line, &was)) {
		w->err = ERR_CORRUPT;
	} else {
		if (was.version == 3)
			h->more = was.more;
		uidlist_put_header(&w->out, h);
		while (!w->err && !lines_next(&l, &line))
			if (uidlist_parse_record(line, was.version, &r))
				rewrite_record(w, &r);
	}
	lines_free(&l);
}

static void rewrite_body(struct rewrite *w, struct span added)
{
	struct uidlist_header h = w->b->list.head;
	struct stat st;
	int old;

	if (!w->b->list.present) {
		uidlist_put_header(&w->out, &h);
	} else if (file_open_read(w->b->control_fd, LIST_NAME, &old, &st)) {
		/* it went between reading and now: somebody does not keep the lock */
		w->err = ERR_INUSE;
	} else {
		rewrite_old(w, old, &h);
		close(old);
	}
	rewrite_flush(w, 0);
	if (!w->err && added.n > 0)
		w->err = file_write(w->fd, added.p, added.n);
}

/* The state after our own write: the file as it is now, ended by these bytes. */
static void list_wrote(struct list_state *u, int fd, struct span last_line)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		list_forget(u);
		return;
	}
	u->present = true;
	list_seen(u, &st);
	list_took(u, last_line, (uint64_t)st.st_size);
}

static struct span last_line_of(struct span text)
{
	struct span body = span_cut(text, 0, text.n ? text.n - 1 : 0);
	const char *lf = body.n ? memrchr(body.p, '\n', body.n) : NULL;

	return lf ? span_of(lf + 1, (size_t)(body.p + body.n - lf - 1)) : body;
}

/* Reads back how the new file ends when nothing was added to what it held. */
static bool list_tail_now(int fd, struct span added, char p[UIDLIST_LINE_MAX + 1],
			  struct span *line_r)
{
	struct stat st;

	if (added.n > 0) {
		*line_r = last_line_of(added);
		return true;
	}
	if (fstat(fd, &st) < 0)
		return false;
	off_t from = st.st_size > UIDLIST_LINE_MAX ? st.st_size - UIDLIST_LINE_MAX : 0;
	ssize_t n = pread(fd, p, UIDLIST_LINE_MAX, from);
	if (n <= 0)
		return false;
	*line_r = last_line_of(span_of(p, (size_t)n));
	return true;
}

/*
 * A new file in place of the old one: what parses of that, without the dead when compact, and
 * added.
 */
static enum err list_rewrite(struct maildir_box *b, struct span added, size_t added_n, bool compact,
			     struct errtext *t)
{
	struct list_state *u = &b->list;
	struct rewrite w = { .b = b, .compact = compact };
	bool sync = b->m->sync != STORE_SYNC_NEVER;
	char p[UIDLIST_LINE_MAX + 1];
	struct span tail;

	unlinkat(b->control_fd, LIST_NAME ".tmp", 0);
	w.fd = file_open(b->control_fd, LIST_NAME ".tmp", O_RDWR | O_CREAT | O_EXCL,
			 b->m->file_mode);
	if (w.fd < 0)
		return list_fail(b, err_from_errno(errno), t);
	buf_init(&w.out, 128 * 1024);
	rewrite_body(&w, added);
	buf_free(&w.out);
	if (!w.err && sync)
		w.err = file_sync_data(w.fd);
	if (!w.err && !dotlock_holds(b->lock))
		w.err = ERR_INUSE;
	if (!w.err && renameat(b->control_fd, LIST_NAME ".tmp", b->control_fd, LIST_NAME) < 0)
		w.err = err_from_errno(errno);
	if (!w.err && sync)
		w.err = file_sync_dir(b->control_fd);
	if (!w.err && list_tail_now(w.fd, added, p, &tail)) {
		u->records = w.records + added_n;
		u->mend = u->damaged = false;
		u->lost = 0;
		u->head.version = 3;
		u->head.more = SPAN("");
		b->missing = compact ? 0 : b->missing;
		b->list_dirty = false;
		list_wrote(u, w.fd, tail);
	}
	close(w.fd);
	if (!w.err)
		return ERR_OK;
	unlinkat(b->control_fd, LIST_NAME ".tmp", 0);
	return list_fail(b, w.err, t);
}

static enum err list_append(struct maildir_box *b, struct span added, size_t added_n, bool sync,
			    struct errtext *t)
{
	struct list_state *u = &b->list;
	struct stat st;
	int fd = file_open(b->control_fd, LIST_NAME, O_WRONLY | O_APPEND, 0);

	if (fd < 0)
		return list_fail(b, err_from_errno(errno), t);
	enum err e = ERR_OK;
	if (fstat(fd, &st) < 0 || !list_unchanged(u, &st) || !dotlock_holds(b->lock))
		e = ERR_INUSE;
	if (!e) {
		e = file_write(fd, added.p, added.n);
		/*
		 * Half a record would look damaged to everybody; nobody has read it as a whole one.
		 */
		if (e && ftruncate(fd, st.st_size) < 0)
			e = ERR_IO;
	}
	if (!e && sync)
		e = file_sync_data(fd);
	if (!e) {
		u->records += u->records ? added_n : 0;
		b->list_dirty = !sync; /* a sync takes with it what others had appended before */
		list_wrote(u, fd, last_line_of(added));
	}
	close(fd);
	return e ? list_fail(b, e, t) : ERR_OK;
}

enum err maildir_uidlist_lock(struct maildir_box *b, struct dotlock *l, struct errtext *t)
{
	struct dotlock_want want = { .name = LIST_NAME ".lock",
				     .host = b->m->lock_host,
				     .stale = LIST_STALE,
				     .mode = b->m->file_mode };
	enum err e = maildir_control_make(b, t);

	if (!e)
		e = dotlock_take(l, b->control_fd, &want, t);
	b->lock = e ? NULL : l;
	return e;
}

void maildir_uidlist_unlock(struct maildir_box *b, struct dotlock *l)
{
	b->lock = NULL;
	dotlock_drop(l);
}

/* UIDs that lost or torn records may have held are never given again; at the end of all UIDs none is left. */
static void list_skip_lost(struct list_state *u)
{
	uint64_t lost = u->lost + (u->seen > u->end ? u->seen - u->end : 0);
	uint64_t next = u->head.next + lost / LIST_LOST_PER_UID + 1;

	if (lost > 0) {
		u->mend = true;
		u->head.next = next < UINT32_MAX ? (uint32_t)next : UINT32_MAX;
	}
}

/* --- identity --- */

static bool list_usable(const struct list_state *u)
{
	return u->present && !u->damaged && u->head.version == 3 && u->head.has_guid;
}

static const char *list_complaint(const struct list_state *u)
{
	if (!u->present)
		return "there was no dovecot-uidlist";
	return u->damaged ? "the header of dovecot-uidlist is damaged; it is kept as "
			    "dovecot-uidlist.broken"
			  : "dovecot-uidlist was of an older kind";
}

/* ERR_NOTFOUND: Courier left nothing. */
static enum err list_from_courier(struct maildir_box *b, struct store_identity *id, struct errtext *t)
{
	struct uidlist_header h;
	struct buf records;
	size_t n;
	enum err e;

	buf_init(&records, LIST_MAX_ADOPT);
	e = maildir_courier_uids(b, &h, &records, &n);
	if (!e)
		e = list_begin(&b->list, h);
	if (!e)
		e = list_rewrite(b, buf_span(&records), n, false, t);
	if (!e)
		id->note = "the UIDs that Courier gave were taken over";
	buf_free(&records);
	return e;
}

static enum err list_adopt(struct maildir_box *b, struct store_identity *id, struct errtext *t)
{
	struct list_state *u = &b->list;
	enum err e = maildir_uidlist_read(b, true, NULL, NULL, t);

	if (e || list_usable(u))
		return e;
	if (!u->present && (e = list_from_courier(b, id, t)) != ERR_NOTFOUND)
		return e;
	e = ERR_OK;
	id->note = list_complaint(u);
	id->missing = !u->present;
	if (!u->present || u->damaged) {
		id->renewed = true;
		e = list_renew(b, t);
	} else if (!u->head.has_guid) {
		u->head.has_guid =
			getrandom(u->head.guid, sizeof(u->head.guid), 0) == sizeof(u->head.guid);
	}
	if (e)
		return e;
	list_skip_lost(u);
	return list_rewrite(b, SPAN(""), 0, false, t);
}

static enum err list_adopt_locked(struct maildir_box *b, struct store_identity *id,
				  struct errtext *t)
{
	struct dotlock lock = DOTLOCK_NONE;
	enum err e;

	if (b->head.readonly)
		return err_say(t, ERR_READONLY, "%s has no " LIST_NAME " and is read-only",
			       b->name);
	e = b->list.present ? ERR_OK : maildir_courier_keywords(b, t);
	if (!e)
		e = maildir_uidlist_lock(b, &lock, t);
	if (e)
		return e;
	e = list_adopt(b, id, t);
	maildir_uidlist_unlock(b, &lock);
	return e;
}

enum err maildir_identity(struct store_box *sb, struct store_identity *id_r, struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct store_identity id = { 0 };
	enum err e = maildir_uidlist_read(b, false, NULL, NULL, t);

	if (!e && !list_usable(&b->list))
		e = list_adopt_locked(b, &id, t);
	if (!e)
		e = maildir_extra(b, t);
	if (!e)
		e = maildir_seen_refresh(b, t);
	if (e)
		return e;
	id.uidvalidity = b->list.head.uidvalidity;
	id.uidnext = b->list.head.next;
	memcpy(id.guid, b->list.head.guid, sizeof(id.guid));
	id.modseq_floor = b->head.own_seen ? maildir_seen_floor(b) : 0;
	if (!id.modseq_floor)
		id.modseq_floor = extra_floor(b->extra);
	if (!id.note && b->list.mend)
		id.note = "dovecot-uidlist holds damaged lines; their messages get new UIDs";
	else if (!id.note && maildir_keywords_elsewhere(b))
		id.note = "it has 26 keywords; those beyond, which Dovecot keeps in its index alone, are not taken over";
	*id_r = id;
	return ERR_OK;
}

/* A new header over the list as it is. */
static enum err list_identify(struct maildir_box *b, const struct store_identify *want, struct errtext *t)
{
	struct uidlist_header *h = &b->list.head;
	enum err e = maildir_uidlist_read(b, true, NULL, NULL, t);

	if (e)
		return e;
	if (!list_usable(&b->list))
		return err_say(t, ERR_INUSE, "%s/" LIST_NAME " is changing", b->name);
	if (want->uidvalidity)
		e = maildir_uidvalidity_given(b->m, want->uidvalidity, t);
	if (e)
		return e;
	list_skip_lost(&b->list);
	if (want->uidvalidity)
		h->uidvalidity = want->uidvalidity;
	if (want->uidnext > h->next)
		h->next = want->uidnext;
	if (want->guid)
		memcpy(h->guid, want->guid, sizeof(h->guid));
	return list_rewrite(b, SPAN(""), 0, false, t);
}

enum err maildir_identify(struct store_box *sb, const struct store_identify *want, struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct dotlock lock = DOTLOCK_NONE;
	struct store_identity id;
	enum err e = maildir_identity(sb, &id, t);

	if (!e && b->head.readonly)
		e = err_say(t, ERR_READONLY, "%s is read-only", b->name);
	if (!e && want->uidnext > UIDLIST_UID_MAX)
		e = err_say(t, ERR_LIMIT, "%s: there are no such UIDs", b->name);
	if (!e)
		e = maildir_uidlist_lock(b, &lock, t);
	if (e)
		return e;
	e = list_identify(b, want, t);
	maildir_uidlist_unlock(b, &lock);
	return e;
}

/* --- numbering --- */

struct numbering {
	const struct span *keys;
	uint32_t *uids;
	size_t n;
	struct keytab tab;  /* distinct keys */
	uint32_t *uid;      /* own; by number in tab */
};

static void numbering_seen(void *arg, const struct uidlist_record *r)
{
	struct numbering *w = arg;
	size_t k = keytab_find(&w->tab, r->base);

	if (k != SIZE_MAX)
		w->uid[k] = r->uid; /* of two records the later holds */
}

/* True when every key is in play: then only what is new in the file can hold them. */
static bool numbering_begin(struct numbering *w, struct list_state *u)
{
	bool all_known = u->known && u->present, fresh;
	uint32_t uid;

	w->uid = mem_array(w->n ? w->n : 1, sizeof(*w->uid));
	for (size_t i = 0; i < w->n; i++) {
		keytab_add(&w->tab, w->keys[i], &fresh);
		all_known = all_known && keymap_get(&u->in_play, w->keys[i], &uid);
	}
	return all_known;
}

static enum err numbering_assign(struct numbering *w, struct list_state *u, struct buf *out,
				 size_t *added_r)
{
	uint32_t next = u->head.next, uid;

	*added_r = 0;
	for (size_t i = 0; i < w->n; i++) {
		size_t k = keytab_find(&w->tab, w->keys[i]);

		if (w->uid[k] == 0 && keymap_get(&u->in_play, w->keys[i], &uid))
			w->uid[k] = uid;
		if (w->uid[k] == 0) {
			struct uidlist_record r = { .uid = next++, .base = w->keys[i] };

			if (r.uid > UIDLIST_UID_MAX || r.uid == 0)
				return ERR_LIMIT;
			uidlist_put_record(out, &r);
			w->uid[k] = r.uid;
			++*added_r;
		}
	}
	u->head.next = next;
	return out->failed ? ERR_LIMIT : ERR_OK;
}

static enum err numbering_write(struct maildir_box *b, struct numbering *w, bool synced,
				struct errtext *t)
{
	struct list_state *u = &b->list;
	struct buf out;
	size_t added;
	enum err e;

	buf_init(&out, LIST_MAX_APPEND);
	list_skip_lost(u);
	e = numbering_assign(w, u, &out, &added);
	if (e) {
		list_forget(u);
		err_say(t, e, "%s: no UIDs are left, or too many messages at once", b->name);
	} else if (u->mend)
		e = list_rewrite(b, buf_span(&out), added, false, t);
	else if (added > 0)
		e = list_append(b, buf_span(&out), added, synced, t);
	if (!e && added > 0)
		u->last = u->head.next - 1;
	buf_free(&out);
	return e;
}

static enum err numbering_run(struct maildir_box *b, struct numbering *w, bool synced,
			      struct errtext *t)
{
	struct list_state *u = &b->list;
	bool known = numbering_begin(w, u);
	enum err e = maildir_uidlist_read(b, false, NULL, NULL, t);

	/* The tail read keeps what is in play; a file not the same as before loses it. */
	for (size_t i = 0; known && i < w->n; i++)
		known = keymap_get(&u->in_play, w->keys[i], &(uint32_t){ 0 });
	if (!e && !known && u->present)
		e = maildir_uidlist_read(b, true, numbering_seen, w, t);
	if (!e && (!u->present || u->damaged))
		e = list_renew(b, t);
	if (!e && !u->head.has_guid)
		u->head.has_guid =
			getrandom(u->head.guid, sizeof(u->head.guid), 0) == sizeof(u->head.guid);
	if (!e)
		e = numbering_write(b, w, synced, t);
	return e;
}

enum err maildir_number(struct store_box *sb, struct span *keys, size_t n, bool synced,
			uint32_t *uids, uint32_t *next_r, struct arena *a, struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct numbering w = { .keys = keys, .uids = uids, .n = n };
	struct dotlock lock = DOTLOCK_NONE;
	enum err e = b->head.readonly ? ERR_READONLY : maildir_uidlist_lock(b, &lock, t);

	if (e)
		return e;
	synced = synced && b->m->sync != STORE_SYNC_NEVER;
	e = numbering_run(b, &w, synced, t);
	if (!e && synced && b->list_dirty)
		e = maildir_sync_numbers(sb, t);
	maildir_uidlist_unlock(b, &lock);
	for (size_t i = 0; !e && i < n; i++) {
		uids[i] = w.uid[keytab_find(&w.tab, keys[i])];
		keymap_set(&b->list.in_play, keys[i], uids[i]);
	}
	if (b->list.in_play.n > LIST_IN_PLAY_MAX)
		keymap_free(&b->list.in_play);
	if (!e)
		*next_r = b->list.head.next;
	keytab_free(&w.tab);
	free(w.uid);
	return e;
}

enum err maildir_sync_numbers(struct store_box *sb, struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct stat st;
	int fd;

	if (b->m->sync == STORE_SYNC_NEVER || b->control_fd < 0 || !b->list_dirty)
		return ERR_OK;
	enum err e = file_open_read(b->control_fd, LIST_NAME, &fd, &st);
	if (e == ERR_NOTFOUND)
		return ERR_OK;
	if (!e) {
		e = file_sync_data(fd);
		close(fd);
	}
	b->list_dirty = false;
	return e ? err_say(t, e, "%s/" LIST_NAME " cannot be synced", b->name) : ERR_OK;
}

enum err maildir_uidlist_compact(struct maildir_box *b, struct errtext *t)
{
	struct dotlock lock = DOTLOCK_NONE;
	enum err e;

	if (b->head.readonly || b->missing < LIST_DEAD_MIN || b->missing * 4 < b->list.records)
		return ERR_OK;
	e = maildir_uidlist_lock(b, &lock, t);
	if (e)
		return e;
	e = maildir_uidlist_read(b, true, NULL, NULL, t);
	if (!e && b->list.present && !b->list.damaged && b->missing * 4 >= b->list.records) {
		list_skip_lost(&b->list);
		e = maildir_names_proof(b);
		e = e ? e : list_rewrite(b, SPAN(""), 0, true, t);
	}
	maildir_uidlist_unlock(b, &lock);
	return e;
}
