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
};

struct copying {
	struct arrivals in;
	struct set uids;
	uint32_t at;            /* the next to stage; 0: all are */
	size_t open;            /* stages with a descriptor since the last commit */
	uint64_t since;         /* clock_ms of the first wait for a lock */
	bool arrived;
	struct removal *out;    /* own */
};

/* The message on its way, out of the source's index. */
struct source {
	struct view *v;
	uint32_t uid;
	char key[255], hint[1024];
	struct idx_msg m;       /* key and hint above */
	struct arrival *cache;  /* where the cached fields go */
};

static enum err source_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct source *s = arg;
	struct idx_cache c;
	enum err e = idx_msg_get(x, r->b.id, s->uid, &s->m);

	if (e)
		return e == ERR_NOTFOUND ? err_say(t, ERR_EXPUNGED, "Some of the messages no longer exist") : e;
	if (s->m.key.n > sizeof(s->key) || s->m.hint.n > sizeof(s->hint))
		return ERR_CORRUPT;
	memcpy(s->key, s->m.key.p, s->m.key.n);
	if (s->m.hint.n)
		memcpy(s->hint, s->m.hint.p, s->m.hint.n);
	s->m.key.p = s->key;
	s->m.hint.p = s->hint;
	if (!s->cache)
		return ERR_OK;
	e = idx_cache_get(x, r->b.id, s->uid, &c);
	if (!e)
		arrival_cache(s->cache, &c);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err map_keywords(const struct mailbox *from, struct mailbox *to, struct mail_flags *f, struct errtext *t)
{
	uint64_t bits = 0;
	unsigned bit;
	enum err e = ERR_OK;

	if (from == to)
		return ERR_OK;
	for (unsigned i = 0; !e && i < MAIL_KEYWORDS_MAX; i++) {
		if (!(f->keywords >> i & 1) || !from->keyword[i])
			continue;
		e = mailbox_keyword_add(to, from->keyword[i], &bit, t);
		if (!e)
			bits |= UINT64_C(1) << bit;
		if (e == ERR_LIMIT)
			e = ERR_OK; /* the message is worth more than its last keyword */
	}
	f->keywords = bits;
	return e;
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

static enum err copy_bytes(const struct store_object *o, int fd, struct errtext *t)
{
	struct buf piece;
	uint64_t at = 0;
	enum err e = ERR_OK;

	buf_init(&piece, COPY_PIECE);
	while (!e && at < o->length) {
		uint64_t n = o->length - at < COPY_PIECE ? o->length - at : COPY_PIECE;

		e = bytes_load(o->fd, o->offset + at, n, &piece, t);
		if (!e)
			e = write_all(fd, buf_span(&piece), t);
		at += n;
	}
	buf_free(&piece);
	return e;
}

static enum err stage_bytes(struct store_box *from, struct store_box *to, const struct source *s,
			    struct store_stage *st_r, int64_t *date_r, struct errtext *t)
{
	struct store_object o;
	enum err e = from->ops->locate(from, s->m.key, s->m.hint, &o, NULL, NULL, t);

	if (e)
		return e;
	*date_r = o.mtime;
	e = to->ops->stage(to, o.length, st_r, t);
	if (!e) {
		e = copy_bytes(&o, st_r->fd, t);
		if (e)
			to->ops->abort(st_r);
	}
	close(o.fd);
	return e;
}

static enum err stage(struct copying *c, const struct source *s, int64_t *date_r, struct errtext *t)
{
	struct store_box *from, *to;
	struct store_stage st;
	enum err e = mailbox_store(s->v->mb, &from, t);

	if (!e)
		e = mailbox_store(c->in.mb, &to, t);
	if (e)
		return e;
	*date_r = s->m.internaldate;
	e = ERR_CANNOT;
	if (from->ops == to->ops && to->ops->link)
		e = to->ops->link(from, s->m.key, s->m.hint, to, &st, t);
	if (e == ERR_CANNOT) {
		e = stage_bytes(from, to, s, &st, date_r, t);
		c->open++;
	}
	if (e == ERR_EXPUNGED)
		mailbox_look_again(s->v->mb);
	if (!e)
		arrivals_add(&c->in, &st);
	return e;
}

static enum err stage_one(struct view *v, struct copying *c, uint32_t uid, struct errtext *t)
{
	struct source s = { .v = v, .uid = uid };
	struct store_commit *commit;
	int64_t date;
	enum err e = mailbox_read(v->mb, source_run, &s, t);

	if (!e)
		e = map_keywords(v->mb, c->in.mb, &s.m.flags, t);
	if (!e)
		e = stage(c, &s, &date, t);
	if (e)
		return e;
	commit = &c->in.commit[c->in.n - 1];
	commit->flags = s.m.flags;
	commit->internaldate = date;
	commit->vsize = s.m.vsize;
	s.cache = &c->in.arrival[c->in.n - 1];
	s.cache->internaldate = date;
	/* Only cached fields: what cannot be read again is made again. */
	(void)mailbox_read(v->mb, source_run, &s, NULL);
	return ERR_OK;
}

static enum step stage_some(struct view *v, struct copying *c, struct view_copy *job)
{
	uint64_t end = clock_us() + SLICE_US;
	enum err e = ERR_OK;

	while (!e && c->at && clock_us() < end) {
		e = stage_one(v, c, c->at, &job->text);
		if (e == ERR_EXPUNGED && job->skip_gone) {
			set_remove_range(&c->uids, c->at, c->at);
			e = ERR_OK;
		}
		if (!e)
			c->at = set_next(&c->uids, c->at + 1);
		job->done += !e;
		if (!e && c->open >= OPEN_STAGES) {
			e = arrivals_commit(&c->in, &job->text);
			c->open = 0;
		}
	}
	if (e == ERR_INUSE) {
		if (!c->since)
			c->since = clock_ms();
		if (clock_ms() - c->since < LOCK_PATIENCE_MS)
			return STEP_WAITING;
	}
	job->err = e;
	return e ? STEP_DONE : STEP_SLICE;
}

static void take_back_committed(struct copying *c)
{
	struct store_box *sb;

	if (!c->in.committed || mailbox_store(c->in.mb, &sb, NULL))
		return;
	for (size_t i = 0; i < c->in.committed; i++)
		(void)sb->ops->expunge(sb, c->in.commit[i].key, c->in.commit[i].hint, NULL);
	(void)sb->ops->expunge_done(sb, NULL);
}

static void copying_free(struct copying *c)
{
	arrivals_free(&c->in);
	set_free(&c->uids);
	removal_free(&c->out);
	free(c);
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
	arrivals_init(&c->in, dest);
	c->in.number = true;
	set_copy(&c->uids, job->uids);
	set_intersect(&c->uids, &v->uids);
	c->at = set_min(&c->uids);
	job->priv = c;
	return ERR_OK;
}

static void take_result(struct view_copy *job, struct copying *c)
{
	c->arrived = true;
	job->uidvalidity = c->in.uidvalidity;
	if (!c->in.uids.n)
		return;
	set_copy(&job->source, &c->uids);
	set_copy(&job->dest_uids, &c->in.uids);
}

static enum step copy_step(struct view *v, struct view_copy *job, struct copying *c)
{
	enum step step;

	if (c->at) {
		step = stage_some(v, c, job);
		if (step == STEP_DONE)
			take_back_committed(c);
		return step;
	}
	if (!c->arrived) {
		step = arrivals_step(&c->in, &job->err, &job->text);
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

	if (c) {
		if (!c->arrived && c->in.phase <= ARRIVE_COMMIT)
			take_back_committed(c);
		copying_free(c);
	}
	job->priv = NULL;
	set_free(&job->source);
	set_free(&job->dest_uids);
}
