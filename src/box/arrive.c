#include "arrive.h"
#include "sync.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

enum {
	ARENA_MAX = 256 << 20,
	COMMIT_BATCH = 128,
	OPEN_STAGES = 128,  /* staged files open at once */
	PATIENCE_MS = 8000, /* for the folder's lock, once the bytes are durable */
	COMMIT_PATIENCE_MS = 25000, /* before */
	LATE_MOST = 256,    /* messages that wait for their numbers together */
	LATE_TEXT = 1 << 20,
};

void arrivals_init(struct arrivals *r, struct mailbox *mb)
{
	*r = (struct arrivals){ .mb = mb, .arena = arena_new(ARENA_MAX) };
}

/* Between bytes and facts the folder holds more than the index; should it stay so, a look must find it. */
static void added(struct arrivals *r, bool indexed)
{
	if (!r->adding)
		return;
	r->adding = false;
	place_added(r->mb->place, indexed);
}

static void make_room(struct arrivals *r)
{
	if (r->n < r->cap)
		return;
	r->cap = r->cap ? r->cap * 2 : 1;
	r->commit = mem_grow(r->commit, r->cap, sizeof(*r->commit));
	r->arrival = mem_grow(r->arrival, r->cap, sizeof(*r->arrival));
	r->uid = mem_grow(r->uid, r->cap, sizeof(*r->uid));
}

void arrival_init(struct arrival *a)
{
	*a = (struct arrival){ .savedate = clock_wall() };
	buf_init(&a->text, 16 << 20);
	for (int i = 0; i < IDX_FIELDS; i++)
		a->n[i] = SIZE_MAX;
}

void arrivals_add(struct arrivals *r, const struct store_stage *stage)
{
	struct arrival *a;

	make_room(r);
	a = &r->arrival[r->n];
	arrival_init(a);
	r->uid[r->n] = 0;
	r->commit[r->n] = (struct store_commit){ .stage = mem_alloc(sizeof(*stage)), .vsize = STORE_SIZE_UNKNOWN };
	*r->commit[r->n].stage = *stage;
	r->n++;
}

void arrival_cache(struct arrival *a, const struct idx_cache *c)
{
	for (int i = 0; i < IDX_FIELDS; i++) {
		if (!c->field[i].p)
			continue;
		a->off[i] = a->text.n;
		a->n[i] = c->field[i].n;
		buf_add_span(&a->text, c->field[i]);
	}
}

/* --- bytes ---------------------------------------------------------------------------- */

/* All or none: what an earlier batch, or a part of this one, made visible goes again. */
static void take_back(struct arrivals *r, struct store_box *sb, size_t to)
{
	for (size_t i = 0; i < to; i++)
		if (!r->commit[i].err && r->commit[i].key.n)
			(void)sb->ops->expunge(sb, r->commit[i].key, r->commit[i].hint, NULL);
	(void)sb->ops->expunge_done(sb, NULL);
}

/* Others may look at the folder again. */
static void placed(struct arrivals *r)
{
	struct mailbox *mb = r->mb;

	if (!r->placing)
		return;
	r->placing = false;
	if (--mb->placing || !mb->unlooked)
		return;
	mb->unlooked = false;
	mailbox_stirred(mb);
	place_tell(mb->place, true);
}

/* Not all that is to arrive has, and it never will. */
static void arrivals_undo(struct arrivals *r)
{
	struct store_box *sb;

	if (r->phase <= ARRIVE_COMMIT && r->committed && !mailbox_store(r->mb, &sb, NULL))
		take_back(r, sb, r->committed);
	placed(r);
}

void arrivals_free(struct arrivals *r)
{
	arrivals_undo(r);
	added(r, false);
	for (size_t i = 0; i < r->n; i++) {
		struct store_stage *st = r->commit[i].stage;

		if (st) {
			st->box->ops->abort(st);
			free(st);
		}
		buf_free(&r->arrival[i].text);
	}
	free(r->commit);
	free(r->arrival);
	free(r->uid);
	set_free(&r->uids);
	set_free(&r->dropped);
	arena_free(&r->arena);
	mailbox_close(&r->mb);
}

/* What the store did otherwise than it was asked. */
static void take_told(struct arrivals *r, size_t i)
{
	struct store_commit *c = &r->commit[i];

	if (c->internaldate)
		r->arrival[i].internaldate = c->internaldate;
	if (!c->altered)
		return;
	c->vsize = STORE_SIZE_UNKNOWN;
	for (int k = 0; k < IDX_FIELDS; k++)
		r->arrival[i].n[k] = SIZE_MAX;
}

static void leave_out(struct arrivals *r, size_t i)
{
	set_add(&r->dropped, r->arrival[i].source);
	buf_free(&r->arrival[i].text);
	r->n--;
	memmove(r->commit + i, r->commit + i + 1, (r->n - i) * sizeof(*r->commit));
	memmove(r->arrival + i, r->arrival + i + 1, (r->n - i) * sizeof(*r->arrival));
	memmove(r->uid + i, r->uid + i + 1, (r->n - i) * sizeof(*r->uid));
}

static bool is_gone(const struct arrivals *r, enum err e)
{
	return r->skip_gone && e == ERR_EXPUNGED;
}

/*
 * A sync that failed may have told another command of what this one had placed before (mb->unsynced), and would say nothing
 * of it the next time.
 */
static enum err commit_call(struct arrivals *r, struct store_box *sb, size_t to, struct errtext *t)
{
	size_t from = r->committed;
	bool last = to == r->n;
	enum err e = (last ? sb->ops->commit_many : sb->ops->place_many)(sb, r->commit + from, to - from, r->arena, t);

	if (!from)
		r->unsynced = r->mb->unsynced;
	else if (r->unsynced != r->mb->unsynced && e != ERR_INUSE)
		e = err_say(t, ERR_IO, "The mailbox cannot be synced");
	if (last && e == ERR_IO)
		r->mb->unsynced++;
	return e;
}

static enum err commit_batch(struct arrivals *r, struct store_box *sb, size_t to, struct errtext *t)
{
	size_t from = r->committed;
	enum err e = commit_call(r, sb, to, t);

	if (e == ERR_INUSE)
		return e;
	if (is_gone(r, e))
		e = ERR_OK;
	for (size_t i = from; i < to; i++) {
		if (!e && !is_gone(r, r->commit[i].err))
			e = r->commit[i].err;
		free(r->commit[i].stage);
		r->commit[i].stage = NULL;
		take_told(r, i);
	}
	if (e) {
		take_back(r, sb, to);
		r->committed = 0;
		return e;
	}
	for (size_t i = to; i-- > from;)
		if (r->commit[i].err) {
			leave_out(r, i);
			to--;
		}
	r->committed = to;
	return ERR_OK;
}

static size_t batch_end(const struct arrivals *r, const struct store_box *sb)
{
	return sb->ops->place_many && r->n - r->committed > COMMIT_BATCH ? r->committed + COMMIT_BATCH : r->n;
}

/* What is there only in part shall be seen by nobody: it may have to go again. */
static void placing(struct arrivals *r)
{
	if (r->placing)
		return;
	r->placing = true;
	r->mb->placing++;
}

/* A slice of it, after which the session may see to others; *more_r: call again. */
static enum err commit_some(struct arrivals *r, bool *more_r, struct errtext *t)
{
	uint64_t end = clock_us() + SLICE_US;
	struct store_box *sb;
	enum err e = mailbox_store(r->mb, &sb, t);

	if (r->mb->views || r->mb->place->heeds)
		mailbox_guard(r->mb);
	if (r->committed < r->n && !r->adding) {
		r->adding = true;
		place_adding(r->mb->place);
	}
	do
		e = e ? e : commit_batch(r, sb, batch_end(r, sb), t);
	while (!e && r->committed < r->n && clock_us() < end);
	*more_r = !e && r->committed < r->n;
	if (*more_r)
		placing(r);
	else if (e != ERR_INUSE)
		placed(r);
	return e;
}

enum err arrivals_commit(struct arrivals *r, struct errtext *t)
{
	bool more = true;
	enum err e = ERR_OK;

	while (!e && more)
		e = commit_some(r, &more, t);
	return e;
}

enum err arrivals_settle(struct arrivals *r, struct errtext *t)
{
	struct store_box *sb;
	enum err e;

	if (r->n - r->settled < OPEN_STAGES)
		return ERR_OK;
	e = mailbox_store(r->mb, &sb, t);
	if (!e && sb->ops->settle)
		e = sb->ops->settle(sb, r->commit + r->settled, r->n - r->settled, t);
	r->settled = r->n;
	return e;
}

/* --- numbers --------------------------------------------------------------------------- */

/* What the user who adds it has seen, where that is his alone. */
static enum err tell_seen(const struct arrivals *r, struct store_box *sb, struct errtext *t)
{
	struct set on = SET_EMPTY, off = SET_EMPTY;
	enum err e;

	for (size_t i = 0; sb->own_seen && i < r->n; i++)
		if (r->commit[i].flags.system & MAIL_SEEN)
			set_add(&on, r->uid[i]);
	e = on.n ? sb->ops->set_seen(sb, &on, &off, t) : ERR_OK;
	set_free(&on);
	return e;
}

/* ERR_OK also without numbers: the bytes are durable, the next scan will number them. ERR_INUSE: try again. */
static enum err number(struct arrivals *r, struct errtext *t)
{
	struct store_box *sb;
	struct span *keys = mem_array(r->n, sizeof(*keys));
	uint32_t next;
	enum err e = mailbox_store(r->mb, &sb, t);

	for (size_t i = 0; i < r->n; i++)
		keys[i] = r->commit[i].key;
	r->synced = r->number || r->mb->views || r->mb->place->heeds;
	if (!e)
		e = sb->ops->number(sb, keys, r->n, r->synced, r->uid, &next, r->arena, t);
	for (size_t i = 0; !e && i < r->n; i++)
		r->commit[i].key = keys[i];
	if (!e)
		e = tell_seen(r, sb, t);
	free(keys);
	if (!e)
		return ERR_OK;
	memset(r->uid, 0, r->n * sizeof(*r->uid));
	if (!r->since)
		r->since = clock_ms();
	if (e == ERR_INUSE && r->number && clock_ms() - r->since < PATIENCE_MS)
		return ERR_INUSE;
	mailbox_look_again(r->mb);
	return ERR_OK;
}

/* --- facts ------------------------------------------------------------------------------ */

struct indexing {
	struct arrivals *r;
	struct set news;
	bool gap; /* UIDs lie between that the index has not seen: only a scan puts all in order */
};

static enum err put_cache(struct idx_txn *x, uint32_t box, const struct arrival *a, uint32_t uid)
{
	struct idx_cache c = { .field = { { NULL, 0 } } };
	bool any = false;

	for (int i = 0; i < IDX_FIELDS; i++) {
		if (a->n[i] == SIZE_MAX)
			continue;
		any = true;
		c.field[i] = span_of(a->n[i] ? a->text.p + a->off[i] : "", a->n[i]);
	}
	return any && !a->text.failed ? idx_cache_put(x, box, uid, &c, true) : ERR_OK;
}

static enum err put_arrival(struct idx_txn *x, uint32_t box, const struct arrivals *r, size_t i, uint64_t modseq)
{
	const struct store_commit *c = &r->commit[i];
	struct idx_msg m = {
		.uid = r->uid[i],
		.flags = c->flags,
		.modseq = modseq,
		.internaldate = r->arrival[i].internaldate,
		.savedate = r->arrival[i].savedate,
		.sent = r->arrival[i].sent,
		.size = c->size,
		.vsize = c->vsize,
		.key = c->key,
		.hint = c->hint,
	};
	enum err e;

	memcpy(m.emailid, c->guid, sizeof(m.emailid));
	e = idx_msg_put(x, box, &m);
	return e ? e : put_cache(x, box, &r->arrival[i], m.uid);
}

/* Which of them are new to the index, and do they follow what it has? */
static enum err find_news(struct idx_txn *x, const struct rec *rec, struct indexing *n)
{
	uint32_t next = rec->b.uidnext;
	struct idx_msg m;

	set_clear(&n->news);
	n->gap = false;
	for (size_t i = 0; i < n->r->n; i++) {
		uint32_t uid = n->r->uid[i];
		enum err e = idx_msg_get(x, rec->b.id, uid, &m);

		if (!e)
			continue;
		if (e != ERR_NOTFOUND)
			return e;
		n->gap |= uid != next;
		set_add(&n->news, uid);
		next = uid + 1;
	}
	return ERR_OK;
}

static enum err index_run(struct idx_txn *x, struct rec *rec, void *arg, struct errtext *t)
{
	struct indexing *n = arg;
	uint64_t modseq = 0;
	enum err e = find_news(x, rec, n);

	if (!e && n->gap)
		return ERR_OK;
	if (!e && n->news.n)
		e = idx_change(x, &rec->b, &n->news, NULL, &modseq);
	for (size_t i = 0; !e && i < n->r->n; i++) {
		if (set_has(&n->news, n->r->uid[i]))
			e = put_arrival(x, rec->b.id, n->r, i, modseq);
		else
			e = put_cache(x, rec->b.id, &n->r->arrival[i], n->r->uid[i]);
	}
	if (e)
		return e;
	if (n->news.n)
		rec->b.uidnext = set_max(&n->news) + 1;
	if (!n->r->synced)
		rec->b.flags |= BOX_UNSYNCED;
	n->r->uidvalidity = rec->b.uidvalidity;
	return idx_box_put(x, &rec->b);
}

static enum err uidvalidity_run(struct idx_txn *x, struct rec *rec, void *arg, struct errtext *t)
{
	*(uint32_t *)arg = rec->b.uidvalidity;
	return ERR_OK;
}

/* An index that fails costs nothing: the bytes are there, and numbered. */
static void index_all(struct arrivals *r)
{
	struct indexing n = { .r = r };
	enum err e = mailbox_update(r->mb, REC_NEWS, index_run, &n, NULL);

	if (e || n.gap) {
		mailbox_look_again(r->mb);
		(void)mailbox_peek(r->mb, uidvalidity_run, &r->uidvalidity, NULL);
	} else {
		sync_touched(r->mb, NULL, &n.news);
		added(r, true);
		mailbox_guarded(r->mb);
		mailbox_notify(r->mb, NULL);
	}
	set_free(&n.news);
}

/* --- later ------------------------------------------------------------------------------ */

void arrivals_flush(struct mailbox *mb)
{
	struct arrivals *late = mb->late;

	if (!late)
		return;
	mb->late = NULL;
	if (!number(late, NULL) && late->uid[0])
		index_all(late);
	place_tell(mb->place, true); /* nobody's who acts just now */
	arrivals_free(late); /* and with it, perhaps, the mailbox */
	free(late);
}

static struct mailbox *late_box(const struct acct *a)
{
	for (struct mailbox *mb = a->boxes; mb; mb = mb->next)
		if (mb->late)
			return mb;
	return NULL;
}

bool arrivals_late(const struct acct *a)
{
	return late_box(a);
}

void arrivals_flush_all(struct acct *a)
{
	struct mailbox *mb;

	while ((mb = late_box(a)))
		arrivals_flush(mb);
}

static struct arrivals *late_of(struct mailbox *mb)
{
	if (!mb->late) {
		mb->late = mem_alloc(sizeof(*mb->late));
		mb->refs++;
		arrivals_init(mb->late, mb);
		mb->late->phase = ARRIVE_NUMBER; /* all of them are in the folder */
	}
	return mb->late;
}

static struct span keep(struct arena *ar, struct span s)
{
	bool ok;
	struct span copy = arena_copy(ar, s, &ok);

	must(ok); /* LATE_MOST names fit */
	return copy;
}

/* Everything of r, which is durable and visible, joins what waits. */
static void postpone(struct arrivals *r)
{
	struct arrivals *late = late_of(r->mb);

	for (size_t i = 0; i < r->n; i++) {
		struct store_commit *c;

		make_room(late);
		c = &late->commit[late->n];
		*c = r->commit[i];
		c->key = keep(late->arena, c->key);
		c->hint = keep(late->arena, c->hint);
		late->arrival[late->n] = r->arrival[i];
		late->text += r->arrival[i].text.n;
		late->uid[late->n++] = 0;
	}
	late->committed = late->n;
	if (late->adding)
		added(r, true); /* late's turn is still to come */
	late->adding |= r->adding;
	r->adding = false;
	r->n = r->committed = 0;
}

/*
 * A delivery that nobody watches is answered as soon as it is durable. Its number and its facts follow a moment later
 * (acct_work) with those of its neighbours: one lock, one write to the folder's list, one transaction for all of them.
 * Until then it is what a crash would leave: mail that the next scan adopts.
 */
static bool may_wait(const struct arrivals *r)
{
	const struct mailbox *mb = r->mb;

	return !r->number && !mb->views && !mb->place->heeds && !mb->sync && r->n < LATE_MOST;
}

/* True: r is seen to, now or later. */
static bool numbered_later(struct arrivals *r)
{
	struct mailbox *mb = r->mb;

	if (!may_wait(r)) {
		arrivals_flush(mb);
		return false;
	}
	postpone(r);
	if (mb->late->n >= LATE_MOST || mb->late->text >= LATE_TEXT)
		arrivals_flush(mb);
	return true;
}

/* --- the steps ---------------------------------------------------------------------------- */

/*
 * A mailbox that the index does not know is adopted first: what lies in cur/ by then is not \Recent, what is appended is.
 * That this fails is no reason not to take mail.
 */
static enum step ready(struct arrivals *r, struct errtext *t)
{
	bool found = false;
	enum step step = STEP_DONE;
	enum err e = rec_find(r->mb, &found, t);

	if (e == ERR_CORRUPT)
		(void)shelf_repair(r->mb->space->shelf, t);
	if (!found || (r->number && r->mb->sync && r->mb->sync->fresh))
		step = mailbox_sync(r->mb, true, &e, t);
	if (!r->since)
		r->since = clock_ms();
	if (step == STEP_WAITING && clock_ms() - r->since > PATIENCE_MS)
		step = STEP_DONE;
	return step;
}

static void take_uids(struct arrivals *r)
{
	bool ascending = true;

	for (size_t i = 1; i < r->n; i++)
		ascending &= r->uid[i - 1] < r->uid[i];
	for (size_t i = 0; ascending && r->number && i < r->n; i++)
		set_add(&r->uids, r->uid[i]);
}

static enum step done(enum err e, enum err *err_r)
{
	*err_r = e;
	return STEP_DONE;
}

/* How long another program's lock may keep us waiting, */
static uint64_t patience(const struct arrivals *r)
{
	uint64_t most = r->mb->acct->config->lock_wait_ms;

	return most && most < COMMIT_PATIENCE_MS ? most : COMMIT_PATIENCE_MS;
}

/* and how long it has. */
static uint64_t locked_for(struct arrivals *r)
{
	uint64_t now = clock_ms();

	if (!r->since)
		r->since = now;
	return now - r->since;
}

enum step arrivals_step(struct arrivals *r, enum err *err_r, struct errtext *t)
{
	enum step step;
	bool more;
	enum err e;

	if (r->n == 0)
		return done(ERR_OK, err_r);
	switch (r->phase) {
	case ARRIVE_READY:
		step = ready(r, t);
		if (step != STEP_DONE)
			return step;
		r->since = 0;
		r->phase = ARRIVE_COMMIT;
		/* fall through */
	case ARRIVE_COMMIT:
		e = commit_some(r, &more, t);
		if (more)
			return STEP_SLICE;
		if (e == ERR_INUSE && locked_for(r) < patience(r))
			return STEP_WAITING;
		r->since = 0;
		if (e || !r->n)
			return done(e, err_r);
		if (numbered_later(r))
			return done(ERR_OK, err_r);
		r->phase = ARRIVE_NUMBER;
		/* fall through */
	case ARRIVE_NUMBER:
		e = number(r, t);
		if (e)
			return STEP_WAITING;
		if (!r->uid[0])
			return done(ERR_OK, err_r);
		r->phase = ARRIVE_INDEX;
		/* fall through */
	case ARRIVE_INDEX:
		index_all(r);
		if (r->uidvalidity)
			take_uids(r);
		break;
	}
	return done(ERR_OK, err_r);
}
