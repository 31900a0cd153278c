/*
 * COPY and MOVE: each message is linked where the stores allow it, else its bytes are copied; what the index knows
 * of it comes along, and nothing is made anew. MOVE removes from the source when the copies are durable.
 */
#include "arrive.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <unistd.h>

enum {
	OPEN_STAGES = 128,     /* staged files open at once */
	COPY_PIECE = 256 << 10,
	LOCK_PATIENCE_MS = 8000,
	SOURCES = 64,          /* messages read out of the index at once */
	SOURCES_TEXT = 1 << 20,
};

/* A message on its way, out of the source's index. */
struct source {
	uint32_t uid;
	bool gone;
	struct idx_msg m;       /* key and hint in the arena */
	struct arrival cache;   /* the cached fields */
};

struct copying {
	struct arrivals in;
	struct set uids;
	uint32_t at;            /* the next to read; 0: all are */
	struct source *source;  /* own: SOURCES, of which [next, sources) are to be staged */
	size_t sources, next;
	struct arena *keys;     /* own: of the sources */
	bool keywords;          /* the destination knows theirs */
	bool bytes;             /* links are not possible */
	struct object o;        /* whose bytes are on the way, */
	bool staging;           /* into this, */
	struct store_stage stage;
	uint64_t staged;        /* so many */
	size_t open;            /* stages with a descriptor, of a store that cannot settle, since the last commit */
	uint64_t since;         /* clock_ms of the first wait for a lock */
	bool arrived;
	struct removal *out;    /* own */
};

/* --- reading the source ---------------------------------------------------------------- */

static enum err read_one(struct idx_txn *x, uint32_t box, struct source *s, struct arena *keys)
{
	bool held[2];
	struct idx_cache c;
	enum err e = idx_msg_get(x, box, s->uid, &s->m);

	s->gone = e == ERR_NOTFOUND;
	if (e)
		return s->gone ? ERR_OK : e;
	s->m.key = arena_copy(keys, s->m.key, &held[0]);
	s->m.hint = arena_copy(keys, s->m.hint, &held[1]);
	if (!held[0] || !held[1])
		return ERR_MEMORY;
	e = idx_cache_get(x, box, s->uid, &c);
	if (!e)
		arrival_cache(&s->cache, &c);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

static void sources_drop(struct copying *c)
{
	for (size_t i = 0; i < c->sources; i++)
		buf_free(&c->source[i].cache.text);
	c->sources = c->next = 0;
	arena_reset(c->keys);
}

static enum err sources_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct copying *c = arg;
	uint32_t uid = c->at;
	enum err e = ERR_OK;

	for (sources_drop(c); !e && uid && c->sources < SOURCES; uid = set_next(&c->uids, uid + 1)) {
		struct source *s = &c->source[c->sources++];

		*s = (struct source){ .uid = uid };
		arrival_init(&s->cache);
		e = read_one(x, r->b.id, s, c->keys);
	}
	return e;
}

static enum err read_sources(struct view *v, struct copying *c, struct errtext *t)
{
	enum err e = mailbox_read(v->mb, sources_run, c, t);

	if (!e)
		c->at = set_next(&c->uids, c->source[c->sources - 1].uid + 1);
	return e;
}

/* --- staging ---------------------------------------------------------------------------- */

static enum err map_keywords(const struct mailbox *from, struct mailbox *to, uint64_t keywords, uint64_t *bits_r,
			     struct errtext *t)
{
	const char *name[MAIL_KEYWORDS_MAX];
	size_t n = 0;

	*bits_r = keywords;
	if (from == to)
		return ERR_OK;
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if ((keywords >> i & 1) && from->keyword[i])
			name[n++] = from->keyword[i];
	return mailbox_keywords_add(to, name, n, bits_r, t);
}

struct keywords_used {
	const struct set *uids;
	uint64_t of, found; /* which are looked for */
};

static enum err used_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct keywords_used *k = arg;
	struct idx_walk *w;
	struct idx_msg m;
	enum err e = idx_walk_begin(x, r->b.id, false, &w);

	k->found = 0;
	for (uint32_t uid = set_min(k->uids); !e && uid && k->found != k->of; uid = set_next(k->uids, uid + 1)) {
		e = idx_walk_to(w, uid, &m, NULL);
		if (!e && m.uid == uid)
			k->found |= m.flags.keywords & k->of;
	}
	idx_walk_end(&w);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

/*
 * What the copies bring that the destination does not know is made before the first of them: RFC 3501 6.4.7 wants flags
 * preserved, and a COPY that is refused because they have no room leaves nothing.
 */
static enum err make_keywords(struct view *v, struct copying *c, struct errtext *t)
{
	const struct mailbox *from = v->mb;
	struct keywords_used k = { .uids = &c->uids };
	uint64_t bits;
	enum err e;

	for (unsigned i = 0; from != c->in.mb && i < MAIL_KEYWORDS_MAX; i++)
		if (from->keyword[i] && mailbox_keyword(c->in.mb, from->keyword[i]) < 0)
			k.of |= UINT64_C(1) << i;
	if (!k.of)
		return ERR_OK;
	e = mailbox_ready(c->in.mb, t);
	if (!e)
		e = mailbox_read(v->mb, used_run, &k, t);
	return e ? e : map_keywords(from, c->in.mb, k.found, &bits, t);
}

static enum err write_all(int fd, struct span s, struct errtext *t)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(t, "Cannot write a copy");
		s = span_from(s, (size_t)n);
	}
	return ERR_OK;
}

/* ERR_AGAIN: not all of them yet. */
static enum err copy_bytes(struct copying *c, struct errtext *t)
{
	uint64_t end = clock_us() + SLICE_US;
	const struct object *o = &c->o;
	struct buf piece;
	enum err e = ERR_OK;

	buf_init(&piece, COPY_PIECE);
	while (!e && c->staged < o->length) {
		uint64_t n = o->length - c->staged < COPY_PIECE ? o->length - c->staged : COPY_PIECE;

		e = bytes_load(o->fd, o->offset + c->staged, n, &piece, t);
		if (!e)
			e = write_all(c->stage.fd, buf_span(&piece), t);
		c->staged += n;
		if (!e && c->staged < o->length && clock_us() > end)
			e = ERR_AGAIN;
	}
	buf_free(&piece);
	return e;
}

static void drop_bytes(struct copying *c)
{
	if (c->staging)
		c->stage.box->ops->abort(&c->stage);
	c->staging = false;
	object_close(&c->o);
}

static enum err stage_bytes(struct mailbox *from, struct store_box *to, struct copying *c, const struct source *s,
			    struct store_stage *st_r, int64_t *date_r, struct errtext *t)
{
	enum err e = c->staging ? ERR_OK : object_open(from, s->m.key, s->m.hint, &c->o, NULL, t);

	if (!e && !c->staging) {
		e = to->ops->stage(to, c->o.length, &c->stage, t);
		c->staging = !e;
		c->staged = 0;
	}
	if (!e)
		e = copy_bytes(c, t);
	if (e == ERR_AGAIN)
		return e;
	*date_r = c->o.mtime;
	if (!e) {
		*st_r = c->stage;
		c->staging = false;
	}
	drop_bytes(c);
	return e;
}

static enum err stage(struct view *v, struct copying *c, const struct source *s, int64_t *date_r, struct errtext *t)
{
	struct store_box *from, *to;
	struct store_stage st;
	enum err e = mailbox_store(v->mb, &from, t);

	if (!e)
		e = mailbox_store(c->in.mb, &to, t);
	if (e)
		return e;
	*date_r = s->m.internaldate;
	e = ERR_CANNOT;
	if (!c->bytes && !c->staging && from->ops->link == to->ops->link && to->ops->link)
		e = to->ops->link(from, s->m.key, s->m.hint, to, &st, t);
	if (e == ERR_CANNOT) {
		e = stage_bytes(v->mb, to, c, s, &st, date_r, t);
		c->open += !e;
	}
	if (e == ERR_EXPUNGED)
		mailbox_look_again(v->mb);
	if (!e)
		arrivals_add(&c->in, &st);
	return e;
}

static enum err stage_one(struct view *v, struct copying *c, struct source *s, struct errtext *t)
{
	struct store_commit *commit;
	struct arrival *a;
	uint64_t keywords;
	int64_t date;
	enum err e = ERR_OK;

	if (s->gone)
		return err_say(t, ERR_EXPUNGED, "Some of the messages no longer exist");
	if (!c->keywords)
		e = make_keywords(v, c, t);
	c->keywords = !e;
	if (!e)
		e = map_keywords(v->mb, c->in.mb, s->m.flags.keywords, &keywords, t);
	if (!e)
		e = stage(v, c, s, &date, t);
	if (e)
		return e;
	commit = &c->in.commit[c->in.n - 1];
	commit->flags = s->m.flags;
	commit->flags.keywords = keywords;
	commit->internaldate = date;
	commit->vsize = s->m.vsize;
	commit->copy = true;
	memcpy(commit->guid, s->m.emailid, sizeof(commit->guid));
	a = &c->in.arrival[c->in.n - 1];
	s->cache.savedate = a->savedate;
	s->cache.internaldate = date;
	s->cache.sent = s->m.sent;
	s->cache.source = s->uid;
	buf_free(&a->text);
	*a = s->cache; /* and its text with it */
	arrival_init(&s->cache);
	return ERR_OK;
}

/* Not all of them can be open at once. */
static enum err bytes_settled(struct copying *c, struct errtext *t)
{
	struct store_box *to;
	enum err e = c->open ? mailbox_store(c->in.mb, &to, t) : ERR_OK;

	if (e || !c->open)
		return e;
	if (to->ops->settle)
		return arrivals_settle(&c->in, t);
	if (c->open < OPEN_STAGES)
		return ERR_OK;
	c->open = 0;
	return arrivals_commit(&c->in, t);
}

/* The next message; its turn stays its own while the folder's lock is waited for. */
static enum err stage_next(struct view *v, struct copying *c, struct view_copy *job)
{
	struct errtext *t = &job->text;
	struct source *s;
	enum err e = ERR_OK;

	if (c->next == c->sources)
		e = read_sources(v, c, t);
	if (e)
		return e;
	s = &c->source[c->next];
	e = stage_one(v, c, s, t);
	if (e == ERR_EXPUNGED && job->skip_gone) {
		set_remove_range(&c->uids, s->uid, s->uid);
		e = ERR_OK;
	}
	c->next += !e;
	job->done += !e;
	return e ? e : bytes_settled(c, t);
}

static bool all_staged(const struct copying *c)
{
	return !c->at && c->next == c->sources;
}

static enum step stage_some(struct view *v, struct copying *c, struct view_copy *job)
{
	uint64_t end = clock_us() + SLICE_US;
	enum err e = ERR_OK;

	while (!e && !all_staged(c) && clock_us() < end)
		e = stage_next(v, c, job);
	if (e == ERR_INUSE) {
		if (!c->since)
			c->since = clock_ms();
		if (clock_ms() - c->since < LOCK_PATIENCE_MS)
			return STEP_WAITING;
	}
	if (e == ERR_AGAIN)
		return STEP_SLICE;
	job->err = e;
	return e ? STEP_DONE : STEP_SLICE;
}

static void copying_free(struct copying *c)
{
	sources_drop(c);
	drop_bytes(c);
	arena_free(&c->keys);
	free(c->source);
	arrivals_free(&c->in);
	set_free(&c->uids);
	removal_free(&c->out);
	free(c);
}

static void arrivals_begin(struct view_copy *job, struct copying *c, struct mailbox *dest)
{
	arrivals_init(&c->in, dest);
	c->in.number = true;
	c->in.skip_gone = job->skip_gone;
}

/* The folder did not take the links: then it gets the bytes. */
static bool start_again(struct view_copy *job, struct copying *c)
{
	struct mailbox *dest = c->in.mb;

	if (job->err != ERR_CANNOT || c->bytes)
		return false;
	c->bytes = true;
	dest->refs++;
	arrivals_free(&c->in);
	arrivals_begin(job, c, dest);
	c->at = set_min(&c->uids);
	c->open = 0;
	job->done = 0;
	job->err = ERR_OK;
	return true;
}

static enum err begin(struct view *v, struct view_copy *job)
{
	struct mailbox *dest;
	struct copying *c;
	enum err e = ERR_OK;

	if (job->move && v->readonly)
		return err_say(&job->text, ERR_READONLY, "Mailbox is open read-only");
	e = mailbox_open(v->mb->acct, job->dest, &dest, &job->text);
	if (e)
		return e;
	if (mailbox_readonly(dest)) {
		mailbox_close(&dest);
		return err_say(&job->text, ERR_READONLY, "Mailbox is read-only");
	}
	c = mem_alloc(sizeof(*c));
	c->o = OBJECT_CLOSED;
	arrivals_begin(job, c, dest);
	set_copy(&c->uids, job->uids);
	set_intersect(&c->uids, &v->uids);
	c->at = set_min(&c->uids);
	c->source = mem_array(SOURCES, sizeof(*c->source));
	c->keys = arena_new(SOURCES_TEXT);
	job->priv = c;
	return ERR_OK;
}

static void take_result(struct view_copy *job, struct copying *c)
{
	c->arrived = true;
	job->uidvalidity = c->in.uidvalidity;
	set_remove_set(&c->uids, &c->in.dropped);
	if (!c->in.uids.n)
		return;
	set_copy(&job->source, &c->uids);
	set_copy(&job->dest_uids, &c->in.uids);
}

static enum step copy_step(struct view *v, struct view_copy *job, struct copying *c)
{
	enum step step;

	if (!all_staged(c))
		return stage_some(v, c, job);
	if (!c->arrived) {
		step = arrivals_step(&c->in, &job->err, &job->text);
		if (step == STEP_DONE && start_again(job, c))
			return STEP_SLICE;
		if (step != STEP_DONE || job->err)
			return step;
		take_result(job, c);
		if (!job->move || !c->uids.n)
			return STEP_DONE;
		c->out = removal_new(v->mb, &c->uids, false);
	}
	return removal_step(c->out, &job->err, &job->text);
}

enum step view_copy(struct view *v, struct view_copy *job)
{
	enum step step;

	if (!job->priv) {
		job->err = begin(v, job);
		if (job->err)
			return STEP_DONE;
	}
	step = copy_step(v, job, job->priv);
	if (step == STEP_DONE) {
		copying_free(job->priv);
		job->priv = NULL;
	}
	return step;
}

void view_copy_free(struct view_copy *job)
{
	struct copying *c = job->priv;

	if (c)
		copying_free(c);
	job->priv = NULL;
	set_free(&job->source);
	set_free(&job->dest_uids);
}
