/*
 * The folder is the truth of existence and identity; this keeps the index up with it. Phases: identity
 * (UIDVALIDITY), scan, number what other programs brought, compare, write, and find out about what was missed:
 * gone is only what two scans missed, the later one settled, and what locate cannot find either.
 */
#include "arrive.h"
#include "owing.h"
#include "sync.h"

#include "base/clock.h"
#include "base/mem.h"

#include <unistd.h>

enum {
	SCAN_ARENA = 2000000000,
	NUMBER_MS = 2000,  /* so long others' lock may keep a mailbox from being opened for what is new in it */
	STALE_MS = 2000,   /* a scan that waited longer for a lock is made anew */
	RESCAN_MS = 300,   /* until the second look at what is missing */
	UNSURE_MS = 10000, /* until all is looked at where only what was new has been */
	UNNUMBERED_MS = 100, /* until the first look whether somebody has numbered what we may not; each doubles it */
	WAITS = 8,
	REPAIRS_MAX = 3,
	RENUMBER_MAX = 20, /* scans that other processes outran in a row */
};

static struct sync *sync_new(void)
{
	struct sync *s = mem_alloc(sizeof(*s));

	s->arena = arena_new(SCAN_ARENA);
	buf_init(&s->keywords, REC_TEXT);
	buf_init(&s->token, REC_TEXT);
	return s;
}

void sync_free(struct sync **s)
{
	struct sync *c = *s;

	if (!c)
		return;
	arena_free(&c->arena);
	buf_free(&c->keywords);
	buf_free(&c->token);
	free(c->op);
	set_free(&c->owed);
	set_free(&c->skip);
	set_free(&c->missing);
	set_free(&c->candidates);
	set_free(&c->vanished);
	free(c);
	*s = NULL;
}

void sync_touched(struct mailbox *mb, const struct set *changed, const struct set *vanished)
{
	if (!mb->sync)
		return;
	if (changed)
		set_add_set(&mb->sync->owed, changed);
	if (vanished)
		set_add_set(&mb->sync->skip, vanished);
}

/* --- the record: found, made, or emptied -------------------------------------------- */

/* The modseqs of a new record begin above what the folder notes and above what another server may have used. */
static uint64_t modseq_start(const struct store_identity *id)
{
	uint64_t now = (uint64_t)clock_wall();

	return id->modseq_floor > now ? id->modseq_floor : now;
}

static enum err make_run(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct mailbox *mb = arg;
	const struct store_identity *id = &mb->sync->id;
	char name[NAME_MAX_STORAGE + 1];
	struct idx_box b = {
		.name = name_index(mb->space, mb->name, name),
		.uidvalidity = id->uidvalidity,
		.uidnext = 1,
		.highestmodseq = modseq_start(id),
		.recent_from = 1,
		.flags = BOX_ADOPTING,
	};
	enum err e;

	memcpy(b.guid, id->guid, sizeof(b.guid));
	e = idx_box_create(x, &b);
	if (!e)
		mb->id = b.id;
	return e;
}

static enum err drop_todos(struct idx_txn *x, uint32_t box)
{
	struct idx_todo todo;
	enum err e;

	while ((e = idx_todo_next(x, box, 0, &todo)) == ERR_OK) {
		e = idx_todo_done(x, box, todo.seq);
		if (e)
			break;
	}
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

/* The folder became another one: nothing of the old one is true any more. */
static enum err reset_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	const struct store_identity *id = arg;
	enum err e = idx_box_empty(x, r->b.id);

	if (!e)
		e = drop_todos(x, r->b.id);
	if (e)
		return e;
	r->b.uidvalidity = id->uidvalidity;
	r->b.uidnext = 1;
	r->b.recent_from = 1;
	r->b.token = r->b.keywords = (struct span){ NULL, 0 };
	r->b.flags = BOX_ADOPTING;
	r->b.highestmodseq++;
	if (modseq_start(id) > r->b.highestmodseq)
		r->b.highestmodseq = modseq_start(id);
	memcpy(r->b.guid, id->guid, sizeof(r->b.guid));
	return idx_box_put(x, &r->b);
}

/* What the folder does not show yet, and from where on the log is to be asked. Claims change no flags. */
static enum err owed_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct sync *s = arg;
	struct idx_todo todo = { .seq = 0 };
	enum err e;

	s->since = r->b.highestmodseq;
	s->outrun = false;
	while ((e = idx_todo_next(x, r->b.id, todo.seq, &todo)) == ERR_OK)
		if (todo.kind != IDX_TODO_CLAIM)
			set_add(todo.kind == IDX_TODO_EXPUNGE ? &s->skip : &s->owed, todo.uid);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err take_rec(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	*(struct rec *)arg = *r;
	return ERR_OK;
}

/*
 * An index that was put aside, and brought back after another one had taken its place: the floor, noted a step ahead at
 * most, has run away from it. What was told meanwhile it does not know.
 */
static bool is_outdated(const struct rec *r, const struct store_identity *id)
{
	return id->modseq_floor > r->b.highestmodseq + MODSEQ_STEP;
}

static enum err begin(struct mailbox *mb, struct store_box *sb, struct errtext *t)
{
	struct sync *s = mb->sync;
	struct rec *r = mem_alloc(sizeof(*r));
	bool found = false, outdated;
	enum err e = sb->ops->identity(sb, &s->id, t);

	if (!e)
		e = rec_find(mb, &found, t);
	if (!e && found)
		e = rec_read(mb, take_rec, r, t);
	if (e == ERR_NOTFOUND && found && !mb->id) { /* another process dropped it just now */
		found = false;
		e = ERR_OK;
	}
	if (e)
		goto out;
	mb->floor = s->id.modseq_floor;
	if (s->id.note && (found || !s->id.missing))
		mb->acct->note = s->id.note;
	outdated = found && is_outdated(r, &s->id);
	s->lost = !found || outdated || (r->b.flags & BOX_ADOPTING);
	s->fresh = s->lost || r->b.uidvalidity != s->id.uidvalidity;
	if (mb->uidvalidity && mb->uidvalidity != s->id.uidvalidity)
		owing_forget(mb);
	if (!found) {
		e = shelf_update(mb->space->shelf, make_run, mb, t);
		if (e == ERR_EXISTS) /* another process was faster: begin again */
			e = ERR_INUSE;
	} else if (outdated || r->b.uidvalidity != s->id.uidvalidity) {
		e = rec_update(mb, REC_FACTS, reset_run, &s->id, t);
	}
	if (e)
		goto out;
	if (!s->fresh) {
		/* take_rec copied the record with its text: the token lies at its front. */
		buf_add(&s->token, r->text, r->b.token.n);
		s->uid = r->b.recent_from;
	}
	s->phase = SYNC_SCAN;
out:
	free(r);
	return e;
}

/* --- scan and numbers --------------------------------------------------------------- */

static enum err take_keywords(struct sync *s, struct store_box *sb, struct errtext *t)
{
	const char *names[MAIL_KEYWORDS_MAX] = { NULL };
	unsigned used = 0;
	enum err e = sb->ops->keywords(sb, s->arena, names, t);

	if (e)
		return e;
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if (names[i])
			used = i + 1;
	buf_clear(&s->keywords);
	for (unsigned i = 0; i < used; i++) {
		buf_add_str(&s->keywords, names[i] ? names[i] : "");
		buf_add_char(&s->keywords, '\0');
	}
	return s->keywords.failed ? err_say(t, ERR_LIMIT, "The keyword names are too long") : ERR_OK;
}

static enum err scan(struct mailbox *mb, struct store_box *sb, struct errtext *t)
{
	struct sync *s = mb->sync;
	uint32_t arrivals_from = s->uid;
	enum err e = rec_read(mb, owed_run, s, t);

	if (e)
		return e;
	arena_reset(s->arena);
	s->again = false;
	s->young = mailbox_guard_young(mb, sb);
	s->foreign = mailbox_foreign(mb);
	s->news |= s->foreign != KNOWN_NOT && s->foreign != mb->place->known;
	s->ops = s->at = 0;
	s->uid = 0;
	set_clear(&s->missing);
	s->whole = s->passes > 0 || s->sure || !s->token.n || !sb->ops->scan_new;
	if (!s->whole)
		e = sb->ops->scan_new(sb, buf_span(&s->token), s->arena, &s->scan, t);
	if (s->whole || e == ERR_CANNOT) {
		arena_reset(s->arena);
		s->whole = true;
		e = sb->ops->scan(sb, s->arena, &s->scan, t);
	}
	if (!e)
		e = take_keywords(s, sb, t);
	if (e) { /* another program has the lock: again from here, with nothing of what was scanned */
		s->uid = arrivals_from;
		return e;
	}
	if (!s->whole && s->scan.n && s->scan.msg[0].uid)
		arrivals_from = s->scan.msg[0].uid < arrivals_from ? s->scan.msg[0].uid : arrivals_from;
	if (!s->whole)
		s->uid = arrivals_from;
	s->scanned = clock_ms(); /* however long it took: else what takes longer than STALE_MS would never be numbered */
	s->phase = SYNC_NUMBER;
	return ERR_OK;
}

static int by_uid(const void *a, const void *b)
{
	const struct store_msg *m = a, *n = b;

	return m->uid < n->uid ? -1 : m->uid > n->uid;
}

static void sort_by_uid(struct store_scan *scan)
{
	bool ascending = true;
	size_t n = scan->n ? 1 : 0;

	for (size_t i = 1; i < scan->n && ascending; i++)
		ascending = scan->msg[i - 1].uid < scan->msg[i].uid;
	if (ascending)
		return;
	qsort(scan->msg, scan->n, sizeof(*scan->msg), by_uid);
	for (size_t i = 1; i < scan->n; i++)
		if (scan->msg[i].uid != scan->msg[n - 1].uid)
			scan->msg[n++] = scan->msg[i];
	scan->n = n;
}

/*
 * The numbers just given to scan.msg[first..] must follow on those that the scan saw listed. Where others gave some in
 * between, the scan may have been too early for their messages, and sessions could never be shown a UID below what they
 * were shown before.
 */
static bool outnumbered(const struct sync *s, size_t first, uint32_t next)
{
	uint32_t from = s->id.uidnext, ours = 0;

	for (size_t i = 0; i < first; i++)
		if (s->scan.msg[i].uid >= from)
			from = s->scan.msg[i].uid + 1;
	for (size_t i = first; i < s->scan.n; i++)
		ours += s->scan.msg[i].uid >= from;
	return next > from && ours != next - from;
}

/* Messages without a UID, from first on, stay unseen for now. */
static void unseen(struct sync *s, size_t first)
{
	s->scan.n = first;
	s->scan.token = (struct span){ NULL, 0 };
	s->unnumbered = true;
}

static bool waited_enough(struct sync *s)
{
	if (!s->waits_since)
		s->waits_since = clock_ms();
	return clock_ms() - s->waits_since > NUMBER_MS;
}

/*
 * Gives UIDs to what has none. In a folder that we may not write, such messages stay unseen until somebody numbers them; in
 * one that others keep locked, for a while.
 */
static enum err number(struct mailbox *mb, struct store_box *sb, struct errtext *t)
{
	struct sync *s = mb->sync;
	size_t first = 0, n;
	struct span *keys;
	uint32_t *uids, next;
	bool late = false;
	enum err e = ERR_OK;

	while (first < s->scan.n && s->scan.msg[first].uid)
		first++;
	n = s->scan.n - first;
	if (n && mailbox_readonly(mb)) {
		unseen(s, first);
	} else if (n) {
		keys = mem_array(n, sizeof(*keys));
		uids = mem_array(n, sizeof(*uids));
		for (size_t i = 0; i < n; i++)
			keys[i] = s->scan.msg[first + i].key;
		e = sb->ops->number(sb, keys, n, true, uids, &next, s->arena, t);
		for (size_t i = 0; !e && i < n; i++) {
			s->scan.msg[first + i].uid = uids[i];
			s->scan.msg[first + i].key = keys[i];
		}
		free(keys);
		free(uids);
		late = !e && outnumbered(s, first, next);
		if (!e && next > s->id.uidnext)
			s->id.uidnext = next;
	}
	if (e == ERR_EXPUNGED) {
		s->phase = SYNC_SCAN;
		return ERR_OK;
	}
	if (e == ERR_INUSE && waited_enough(s)) {
		unseen(s, first);
		e = ERR_OK;
	}
	if (e)
		return e;
	if (late && s->renumbered++ < RENUMBER_MAX) {
		s->phase = SYNC_SCAN;
		return ERR_OK;
	}
	sort_by_uid(&s->scan);
	s->phase = SYNC_DIFF;
	return ERR_OK;
}

/* --- what is missing ------------------------------------------------------------------ */

struct where {
	uint32_t uid;
	char key[256], hint[1024];
	size_t key_n, hint_n;
};

static enum err where_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct where *w = arg;
	struct idx_msg m;
	enum err e = idx_msg_get(x, r->b.id, w->uid, &m);

	if (e)
		return e;
	if (m.key.n > sizeof(w->key) || m.hint.n > sizeof(w->hint))
		return ERR_CORRUPT;
	w->key_n = m.key.n;
	w->hint_n = m.hint.n;
	memcpy(w->key, m.key.p, m.key.n);
	if (m.hint.n)
		memcpy(w->hint, m.hint.p, m.hint.n);
	return ERR_OK;
}

/* Its file is there, but the folder gave it another UID: what came back, listed anew. */
static bool is_renumbered(const struct sync *s, uint32_t uid, struct span key)
{
	for (size_t i = 0; i < s->scan.n; i++)
		if (s->scan.msg[i].uid != uid && span_eq(s->scan.msg[i].key, key))
			return true;
	return false;
}

static enum err find_one(struct mailbox *mb, struct store_box *sb, uint32_t uid, struct errtext *t)
{
	struct sync *s = mb->sync;
	struct where w = { .uid = uid };
	struct store_object o;
	enum err e = rec_read(mb, where_run, &w, t);

	if (e == ERR_NOTFOUND) {
		set_remove_range(&s->missing, uid, uid);
		return ERR_OK;
	}
	if (e)
		return e;
	do {
		e = sb->ops->locate(sb, span_of(w.key, w.key_n), span_of(w.hint, w.hint_n), &o, NULL, NULL, t);
	} while (e == ERR_AGAIN);
	if (e == ERR_EXPUNGED) {
		set_add(&s->vanished, uid);
	} else if (!e) {
		close(o.fd);
		if (is_renumbered(s, uid, span_of(w.key, w.key_n)))
			set_add(&s->vanished, uid);
		else
			set_remove_range(&s->missing, uid, uid);
	}
	return e == ERR_EXPUNGED || e == ERR_INUSE ? ERR_OK : e;
}

static enum err find_missing(struct mailbox *mb, struct store_box *sb, bool *more_r, struct errtext *t)
{
	struct sync *s = mb->sync;
	uint64_t end = clock_us() + SLICE_US;
	enum err e = ERR_OK;

	*more_r = false;
	if (s->at == 0) {
		set_copy(&s->candidates, &s->missing);
		set_intersect(&s->candidates, &mb->missing);
		if (!s->scan.settled)
			set_clear(&s->candidates);
		s->at = 1;
	}
	while (s->candidates.n && !e) {
		uint32_t uid = set_min(&s->candidates);

		if (clock_us() > end) {
			*more_r = true;
			return ERR_OK;
		}
		set_remove_range(&s->candidates, uid, uid);
		e = find_one(mb, sb, uid, t);
	}
	if (!e) {
		set_remove_set(&s->missing, &s->vanished);
		set_copy(&mb->missing, &s->missing);
	}
	return e;
}

/* What one scan missed is looked for again at once, and then once more in a while. */
static void after_missing(struct mailbox *mb)
{
	struct sync *s = mb->sync;

	s->phase = SYNC_FINISH;
	mb->unsure = s->scan.unsure;
	mailbox_look_at(mb, s->again ? clock_ms() : 0);
	if (!s->unnumbered)
		mb->waits = 0;
	else if (!s->again && mb->waits < WAITS)
		mailbox_look_at(mb, clock_ms() + (UNNUMBERED_MS << mb->waits++));
	if (mb->unsure && !mb->rescan_at)
		mailbox_look_at(mb, clock_ms() + UNSURE_MS);
	if (!mb->missing.n)
		return;
	if (s->passes++ == 0)
		s->phase = SYNC_SCAN;
	else
		mailbox_look_at(mb, clock_ms() + RESCAN_MS);
}

/* --- the lead --------------------------------------------------------------------------- */

static void next_phase(struct sync *s, enum sync_phase phase)
{
	s->phase = phase;
	s->at = 0;
}

static enum err prepare(struct store_box *sb, bool *more_r, struct errtext *t)
{
	enum err e = sb->ops->prepare ? sb->ops->prepare(sb, t) : ERR_OK;

	*more_r = e == ERR_AGAIN;
	return *more_r ? ERR_OK : e;
}

static enum err run_phase(struct mailbox *mb, struct store_box *sb, bool *more_r, struct errtext *t)
{
	struct sync *s = mb->sync;
	enum err e = ERR_OK;

	switch (s->phase) {
	case SYNC_BEGIN:
		e = prepare(sb, more_r, t);
		return e || *more_r ? e : begin(mb, sb, t);
	case SYNC_SCAN:
		e = prepare(sb, more_r, t);
		return e || *more_r ? e : scan(mb, sb, t);
	case SYNC_NUMBER:
		if (clock_ms() - s->scanned <= STALE_MS)
			return number(mb, sb, t);
		s->phase = SYNC_SCAN;
		return ERR_OK;
	case SYNC_DIFF:
		e = adopt_diff(mb, more_r, t);
		if (!e && !*more_r)
			next_phase(s, SYNC_APPLY);
		return e;
	case SYNC_APPLY:
		e = adopt_apply(mb, more_r, t);
		if (!e && !*more_r)
			next_phase(s, s->outrun ? SYNC_SCAN : SYNC_MISSING);
		return e;
	case SYNC_MISSING:
		e = find_missing(mb, sb, more_r, t);
		if (!e && !*more_r)
			next_phase(s, SYNC_VANISH);
		return e;
	case SYNC_VANISH:
		e = adopt_vanish(mb, more_r, t);
		if (!e && !*more_r)
			after_missing(mb);
		return e;
	case SYNC_FINISH:
		break;
	}
	e = adopt_finish(mb, t);
	return !e && (s->lost || mb->owing.lost) ? owing_again(mb, t) : e;
}

struct peek {
	struct mailbox *mb;
	struct store_box *sb;
	bool same;    /* the watches tell that nothing changed */
	bool changed;
	bool held;    /* it did, but that is not to be looked at yet */
};

static enum err peek_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct peek *p = arg;
	enum err e;

	if (r->b.flags & BOX_ADOPTING)
		return ERR_OK;
	p->changed = !p->same;
	e = p->same ? ERR_OK : p->sb->ops->changed(p->sb, r->b.token, &p->changed);
	p->held = !e && p->changed && p->mb->placing;
	return e;
}

/*
 * What others did up to this count is in the index. Perhaps another process put it there: then those who listen are told
 * here, for when the report of it comes it is no news any more.
 */
static void seen(struct mailbox *mb, uint64_t foreign)
{
	bool news = foreign != KNOWN_NOT && mb->place->known != foreign;

	place_knows(mb->place, foreign);
	if (news)
		mailbox_found(mb);
}

/* Two stats, or not even they where it is watched, and one record when there is nothing to do. */
static enum err needed(struct mailbox *mb, struct store_box *sb, bool *needed_r, struct errtext *t)
{
	uint64_t foreign = mailbox_foreign(mb);
	struct peek p = { mb, sb, foreign != KNOWN_NOT && foreign == mb->place->known, true, false };
	bool found;
	enum err e = rec_find(mb, &found, t);

	if (!e && found)
		e = rec_read(mb, peek_run, &p, t);
	if (e == ERR_NOTFOUND && !mb->id)
		e = ERR_OK;
	if (!e && !p.changed)
		seen(mb, foreign);
	mb->unlooked |= p.held;
	if (!e)
		*needed_r = p.changed && !p.held;
	return e;
}

enum err mailbox_compare(struct mailbox *mb)
{
	struct store_box *sb;
	bool needs;
	enum err e = mailbox_store(mb, &sb, NULL);

	return e ? e : needed(mb, sb, &needs, NULL);
}

static void say_dead(struct mailbox *mb)
{
	if (mb->dead)
		return;
	mb->dead = true;
	mailbox_found(mb);
}

static enum step ended(struct mailbox *mb, enum err e, enum err *err_r)
{
	bool wrote = mb->sync && (mb->sync->wrote || mb->sync->fresh || mb->sync->news);

	if (!e)
		mb->scans++;
	mb->repairs = 0;
	sync_free(&mb->sync);
	if (e == ERR_NOTFOUND)
		say_dead(mb);
	else if (wrote)
		mailbox_found(mb);
	*err_r = e;
	return STEP_DONE;
}

/* A damaged index is begun anew; a record that another process dropped is looked for again. Not for ever. */
static enum step failed(struct mailbox *mb, enum err e, bool record_lost, enum err *err_r, struct errtext *t)
{
	if (e == ERR_INUSE)
		return STEP_WAITING;
	if ((e != ERR_CORRUPT && !record_lost) || mb->repairs++ >= REPAIRS_MAX)
		return ended(mb, e, err_r);
	if (e == ERR_CORRUPT)
		e = shelf_repair(mb->space->shelf, t);
	else
		e = ERR_OK;
	sync_free(&mb->sync);
	return e ? ended(mb, e, err_r) : STEP_SLICE;
}

/* Phases until the slice is used up. */
static enum step advance(struct mailbox *mb, struct store_box *sb, enum err *err_r, struct errtext *t)
{
	uint64_t end = clock_us() + SLICE_US;

	for (;;) {
		bool last = mb->sync->phase == SYNC_FINISH, more = false, known = mb->id != 0;
		enum err e = run_phase(mb, sb, &more, t);

		if (e)
			return failed(mb, e, known && e == ERR_NOTFOUND && !mb->id, err_r, t);
		if (last)
			return ended(mb, ERR_OK, err_r);
		if (more || clock_us() > end)
			return STEP_SLICE;
	}
}

enum step mailbox_sync(struct mailbox *mb, bool force, enum err *err_r, struct errtext *t)
{
	struct store_box *sb;
	bool go = force;
	enum err e = mailbox_store(mb, &sb, t);

	*err_r = ERR_OK;
	if (e)
		return ended(mb, e, err_r);
	if (!mb->sync)
		arrivals_flush(mb);
	if (!mb->sync && !go)
		e = needed(mb, sb, &go, t);
	if (e)
		return failed(mb, e, false, err_r, t);
	if (!mb->sync && !go)
		return STEP_DONE;
	if (!mb->sync) {
		mb->sync = sync_new();
		mb->sync->sure = force && mb->unsure;
	}
	return advance(mb, sb, err_r, t);
}
