/*
 * roostadm verify: is what the index has what the folder says? And survey: what the folder says by itself.
 *
 * What other programs and sessions do meanwhile is no damage. So the folder is adopted as usual first and everything is
 * compared, in slices; what looks wrong then is only told when it still does after another such look, and that, as it
 * concerns few messages, is compared at once.
 */
#include "made.h"
#include "owing.h"
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"
#include "box/patience.h"

enum { SCAN_ARENA = 1 << 30 };

struct verifying {
	struct mailbox *mb;      /* a reference */
	bool drained, synced;
	uint64_t since;          /* clock_ms: this pass was begun */
	bool second;             /* the pass that tells */
	bool doubts;             /* the first one found something */
	struct set suspects;     /* own: of which messages */
	bool damaged;            /* or that the index cannot be read */
	struct arena *ar;        /* own: of the scan */
	struct store_scan scan;
	struct store_identity id;
	bool scanned;
	size_t at;               /* in the scan */
	uint32_t uid;            /* next to be looked at in the index */
	bool compared;
	struct set uids;         /* own: whose bytes are still to be read */
	uint32_t next;
	struct object o;         /* of the message next, while it is looked at */
	struct made made;
	struct loaded load;
};

static void found(struct acct_verify *job, uint32_t uid, const char *what)
{
	struct verifying *r = job->priv;

	r->doubts = true;
	if (!r->second && uid)
		set_add(&r->suspects, uid);
	if (r->second) {
		job->found(job->ctx, uid, what);
		job->differences++;
	}
}

static bool owes(const struct mailbox *mb, uint32_t uid)
{
	for (size_t i = 0; i < mb->owing.n; i++)
		if (mb->owing.e[i].uid == uid)
			return true;
	return false;
}

/* --- records against the folder ------------------------------------------------------------- */

static void compare_one(struct acct_verify *job, const struct store_msg *c, const struct idx_msg *m)
{
	const struct verifying *r = job->priv;

	if (!span_eq(c->key, m->key))
		found(job, c->uid, "another message has this UID in the folder");
	else if (((c->flags.system & MAIL_SYSTEM) != m->flags.system || c->flags.keywords != m->flags.keywords) &&
		 !owes(r->mb, c->uid))
		found(job, c->uid, "flags differ");
	if (c->size != STORE_SIZE_UNKNOWN && m->size != STORE_SIZE_UNKNOWN && c->size != m->size)
		found(job, c->uid, "size differs");
}

/* Not in the scan: gone only when it cannot be found either. */
static void compare_missing(struct acct_verify *job, const struct idx_msg *m)
{
	struct verifying *r = job->priv;
	struct object o;
	enum err e = object_find(r->mb, m->key, m->hint, &o, NULL);

	if (!e)
		object_close(&o);
	if (e == ERR_EXPUNGED)
		found(job, m->uid, "not in the folder");
}

static void compare_identity(struct acct_verify *job, const struct rec *rec, const struct store_identity *id)
{
	if (rec->b.uidvalidity != id->uidvalidity)
		found(job, 0, "UIDVALIDITY differs");
	if (memcmp(rec->b.guid, id->guid, sizeof(id->guid)) != 0)
		found(job, 0, "GUID differs");
	if (rec->b.uidnext > id->uidnext)
		found(job, 0, "UIDs were given that the folder does not know of");
}

/* What the scan has of this UID; r->at goes there. NULL: nothing. */
static const struct store_msg *scanned(struct verifying *r, uint32_t uid)
{
	while (r->at < r->scan.n && r->scan.msg[r->at].uid && r->scan.msg[r->at].uid < uid)
		r->at++;
	return r->at < r->scan.n && r->scan.msg[r->at].uid == uid ? &r->scan.msg[r->at] : NULL;
}

/* Two lists that ascend by UID. What came after the index was read has no UID yet, or a higher one. */
static enum err compare_slice(struct idx_txn *x, struct rec *rec, void *arg, struct errtext *t)
{
	struct acct_verify *job = arg;
	struct verifying *r = job->priv;
	uint64_t end = clock_us() + SLICE_US;
	struct idx_walk *w;
	struct idx_msg m;
	enum err e = idx_walk_begin(x, rec->b.id, false, &w);

	if (e)
		return e;
	if (r->uid == 1 && r->at == 0)
		compare_identity(job, rec, &r->id);
	e = idx_walk_to(w, r->uid, &m, NULL);
	while ((e == ERR_OK || (e == ERR_NOTFOUND && r->at < r->scan.n)) && clock_us() < end) {
		const struct store_msg *s = r->at < r->scan.n ? &r->scan.msg[r->at] : NULL;

		if (s && (!s->uid || s->uid >= rec->b.uidnext)) {
			r->at = r->scan.n;
			continue;
		}
		if (e == ERR_OK && (!s || m.uid < s->uid))
			compare_missing(job, &m);
		else if (e == ERR_OK && m.uid == s->uid)
			compare_one(job, s, &m);
		else
			found(job, s->uid, "not in the index");
		if (s && (e != ERR_OK || s->uid <= m.uid))
			r->at++;
		if (e == ERR_OK && (!s || m.uid <= s->uid)) {
			set_add(&r->uids, m.uid);
			r->uid = m.uid + 1;
			e = idx_walk_to(w, r->uid, &m, NULL);
		}
	}
	idx_walk_end(&w);
	r->compared = e == ERR_NOTFOUND && r->at == r->scan.n;
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

/* The same of those that looked wrong, right after the scan. */
static enum err compare_suspects(struct idx_txn *x, struct rec *rec, void *arg, struct errtext *t)
{
	struct acct_verify *job = arg;
	struct verifying *r = job->priv;
	enum err e = ERR_OK;

	compare_identity(job, rec, &r->id);
	for (uint32_t uid = 0; !e && (uid = set_next(&r->suspects, uid + 1));) {
		const struct store_msg *s = scanned(r, uid);
		struct idx_msg m;

		e = idx_msg_get(x, rec->b.id, uid, &m);
		if (!e)
			set_add(&r->uids, uid);
		if (!e && s)
			compare_one(job, s, &m);
		else if (!e)
			compare_missing(job, &m);
		else if (e == ERR_NOTFOUND && s && uid < rec->b.uidnext)
			found(job, uid, "not in the index");
		e = e == ERR_NOTFOUND ? ERR_OK : e;
	}
	r->compared = true;
	return e;
}

static enum err look(struct verifying *r, struct errtext *t)
{
	struct store_box *sb;
	enum err e = mailbox_store(r->mb, &sb, t);

	arena_reset(r->ar);
	set_clear(&r->uids);
	r->at = 0;
	r->uid = 1;
	if (!e)
		e = sb->ops->identity(sb, &r->id, t);
	if (!e)
		e = sb->ops->scan(sb, r->ar, &r->scan, t);
	r->scanned = !e;
	return e;
}

/* A slice of it, until r->compared. */
static enum err compare(struct acct_verify *job, struct errtext *t)
{
	struct verifying *r = job->priv;
	enum err e = r->scanned ? ERR_OK : look(r, t);

	if (!e)
		e = rec_read(r->mb, r->second && !r->damaged ? compare_suspects : compare_slice, job, t);
	if (e == ERR_CORRUPT) {
		r->damaged = true;
		found(job, 0, "the index is damaged");
		set_clear(&r->uids);
		r->compared = true;
		e = ERR_OK;
	}
	return e;
}

/* --- caches against the bytes ------------------------------------------------------------------ */

static void compare_cache(struct acct_verify *job, uint32_t uid, const struct idx_cache *c, const struct idx_cache *made)
{
	static const char *const names[IDX_FIELDS] = {
		[IDX_ENVELOPE] = "cached ENVELOPE differs", [IDX_BODYSTRUCTURE] = "cached BODYSTRUCTURE differs",
		[IDX_BODY] = "cached BODY differs",	    [IDX_PARTS] = "cached part offsets differ",
		[IDX_HEADERS] = "cached header differs",    [IDX_PREVIEW] = "cached preview differs",
	};

	for (int i = 0; i < IDX_FIELDS; i++)
		if (names[i] && c->field[i].p && made->field[i].p && !span_eq(c->field[i], made->field[i]))
			found(job, uid, names[i]);
}

struct reading {
	struct acct_verify *job;
	uint32_t uid;
};

/* The message's bytes lie in load; the record is read once more, for it may be another by now. */
static enum err bytes_run(struct idx_txn *x, struct rec *rec, void *arg, struct errtext *t)
{
	struct reading *g = arg;
	struct verifying *r = g->job->priv;
	struct idx_cache c = { .field = { { NULL, 0 } } }, made;
	struct idx_msg m;
	enum err e = idx_msg_get(x, rec->b.id, g->uid, &m);

	if (!e)
		e = idx_cache_get(x, rec->b.id, g->uid, &c);
	if (e == ERR_NOTFOUND)
		e = ERR_OK;
	if (!e)
		e = object_open(r->mb, m.key, m.hint, &r->o, &r->load, t);
	if (!e)
		e = loaded_get(&r->load, r->mb->acct, &r->o, t);
	if (!e)
		e = made_some(&r->made, acct_charsets(r->mb->acct), r->load.bytes, c.field[IDX_PREVIEW].p != NULL,
			      clock_us() + SLICE_US);
	if (e)
		return e;
	made_cache(&r->made, &made);
	if (m.size != STORE_SIZE_UNKNOWN && m.size != r->o.length)
		found(g->job, g->uid, "size differs from the file's");
	if (m.vsize != STORE_SIZE_UNKNOWN && m.vsize != r->made.vsize)
		found(g->job, g->uid, "RFC822.SIZE differs");
	if (m.internaldate && m.internaldate != r->o.mtime)
		found(g->job, g->uid, "INTERNALDATE differs");
	compare_cache(g->job, g->uid, &c, &made);
	return ERR_OK;
}

static enum step read_bytes(struct acct_verify *job)
{
	struct verifying *r = job->priv;
	uint64_t end = clock_us() + SLICE_US;
	uint32_t uid;

	while ((uid = set_next(&r->uids, r->next))) {
		struct reading g = { job, uid };
		struct errtext t = { "" };
		enum err e = rec_read(r->mb, bytes_run, &g, &t);

		if (e == ERR_AGAIN)
			return STEP_SLICE;
		object_close(&r->o);
		made_stop(&r->made);
		loaded_free(&r->load);
		r->next = uid + 1;
		job->done++;
		if (e == ERR_CORRUPT)
			found(job, uid, "its record in the index is damaged");
		else if (e && e != ERR_EXPUNGED && e != ERR_NOTFOUND)
			found(job, uid, t.text[0] ? t.text : err_name(e));
		if (clock_us() > end)
			return STEP_SLICE;
	}
	return STEP_DONE;
}

/* --- the whole ------------------------------------------------------------------------------------ */

static enum err begin(struct acct *a, struct acct_verify *job)
{
	struct verifying *r = mem_alloc(sizeof(*r));
	bool known = false;
	enum err e;

	job->priv = r;
	r->ar = arena_new(SCAN_ARENA);
	r->since = clock_ms();
	r->o = OBJECT_CLOSED;
	made_init(&r->made);
	loaded_init(&r->load);
	e = mailbox_open(a, job->name, &r->mb, &job->text);
	if (!e)
		e = rec_find(r->mb, &known, &job->text);
	if (e == ERR_CORRUPT) {
		r->second = true;
		found(job, 0, "the index is damaged");
	}
	/* What the index does not know yet it has nothing wrong of. */
	r->second |= !e && !known;
	r->compared = r->second;
	return e == ERR_CORRUPT ? ERR_OK : e;
}

/* Is it a lock that was in the way, for which there is still time? */
static bool waits(struct acct_verify *job)
{
	const struct verifying *r = job->priv;

	if (!box_patient(job->err, r->since))
		return false;
	job->err = ERR_OK;
	return true;
}

/* What we owe the folder ourselves is done, what others did is adopted. */
static enum step prepare(struct acct_verify *job)
{
	struct verifying *r = job->priv;
	enum step step;

	if (!r->drained) {
		step = todo_drain(r->mb->space->shelf, r->mb, &job->err, &job->text);
		if (waits(job))
			return STEP_WAITING;
		r->drained = step != STEP_SLICE;
		return STEP_SLICE;
	}
	step = mailbox_sync(r->mb, false, &job->err, &job->text);
	r->synced = step == STEP_DONE;
	return step == STEP_DONE ? STEP_SLICE : step;
}

void acct_verify_free(struct acct_verify *job)
{
	struct verifying *r = job->priv;

	if (!r)
		return;
	mailbox_close(&r->mb);
	object_close(&r->o);
	made_free(&r->made);
	loaded_free(&r->load);
	set_free(&r->uids);
	set_free(&r->suspects);
	arena_free(&r->ar);
	free(r);
	job->priv = NULL;
}

static enum step pass(struct acct *a, struct acct_verify *job)
{
	struct verifying *r = job->priv;
	enum step step;

	if (!r->synced)
		return prepare(job);
	if (!r->compared) {
		job->err = compare(job, &job->text);
		if (waits(job))
			return STEP_WAITING;
		if (job->err || !r->compared)
			return STEP_SLICE;
		arena_reset(r->ar);
		r->next = 1;
		job->done = 0;
		job->goal = set_count(&r->uids);
		return STEP_SLICE;
	}
	step = read_bytes(job);
	if (step != STEP_DONE || r->second || !r->doubts)
		return step;
	r->second = true;
	r->drained = r->synced = r->scanned = r->compared = false;
	r->since = clock_ms();
	return STEP_SLICE;
}

enum step acct_verify(struct acct *a, struct acct_verify *job)
{
	struct verifying *r;
	enum step step = STEP_DONE;

	if (!job->priv)
		job->err = begin(a, job);
	r = job->priv;
	if (!job->err && !(r->second && r->compared && !r->synced))
		step = pass(a, job);
	if (job->err)
		step = STEP_DONE;
	if (step == STEP_DONE)
		acct_verify_free(job);
	return step;
}

/* --- survey ----------------------------------------------------------------------------------------- */

static void count(struct acct_survey *s, const struct store_scan *scan)
{
	for (size_t i = 0; i < scan->n; i++) {
		const struct store_msg *m = &scan->msg[i];

		s->messages++;
		s->unnumbered += !m->uid;
		if (m->uid > s->last_uid)
			s->last_uid = m->uid;
		if (s->message)
			s->message(s->ctx, m);
	}
}

enum err acct_survey(struct acct *a, struct acct_survey *s, struct errtext *t)
{
	struct arena *ar = arena_new(SCAN_ARENA);
	const char *names[MAIL_KEYWORDS_MAX] = { NULL };
	struct store_identity id = { 0 };
	struct store_scan scan = { NULL };
	struct store_box *sb;
	struct mailbox *mb = NULL;
	enum err e = mailbox_open(a, s->name, &mb, t);

	if (!e)
		e = mailbox_store(mb, &sb, t);
	if (!e)
		e = sb->ops->scan(sb, ar, &scan, t);
	if (!e)
		count(s, &scan);
	/* A folder that has no identity yet would be given one. */
	if (!e && s->last_uid)
		e = sb->ops->identity(sb, &id, t);
	if (!e && s->last_uid)
		e = sb->ops->keywords(sb, ar, names, t);
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		s->keywords += names[i] != NULL;
		s->keywords_ours += names[i] && i >= sb->ops->shared_keywords;
	}
	s->uidvalidity = id.uidvalidity;
	s->uidnext = id.uidnext;
	s->note = id.note;
	mailbox_close(&mb);
	arena_free(&ar);
	return e;
}
