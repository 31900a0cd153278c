/*
 * STORE: answered from the index, in one transaction with one modseq; the file names follow (todo.c).
 */
#include "owing.h"

#include "base/mem.h"

struct change {
	uint32_t uid;
	struct mail_flags flags;
	uint64_t todo;
};

struct storing {
	struct view *v;
	const struct set *uids;
	struct view_store *s;
	struct mail_flags given;
	bool unknown;             /* among the keywords to be removed is one that the mailbox does not know: nobody has it */
	struct change *change;    /* own: capacity is the number of uids */
	size_t n;
	struct set changed, seen; /* seen: uids that are still there */
	uint64_t before, after;   /* highestmodseq */
};

static struct mail_flags combine(const struct storing *c, struct mail_flags old)
{
	struct mail_flags f = c->given;

	if (c->v->readonly && c->s->mode == VIEW_FLAGS_SET) {
		f.system |= old.system & (uint8_t)~MAIL_SEEN;
		f.keywords = old.keywords;
	} else if (c->s->mode == VIEW_FLAGS_ADD) {
		f.system |= old.system;
		f.keywords |= old.keywords;
	} else if (c->s->mode == VIEW_FLAGS_REMOVE) {
		f.system = old.system & (uint8_t)~f.system;
		f.keywords = old.keywords & ~f.keywords;
	}
	return f;
}

/*
 * The condition, without a modseq for each flag (RFC 7162 section 3.1.12): what changed meanwhile does not matter if the
 * flags that are to be added are all still unset, or those that are to go all still set.
 */
static bool unchanged(const struct storing *c, const struct idx_msg *m)
{
	uint8_t system = m->flags.system & c->given.system;
	uint64_t keywords = m->flags.keywords & c->given.keywords;

	if (m->modseq <= c->s->unchangedsince)
		return true;
	if (!c->s->unchangedsince)
		return false; /* always fails: the flags exist */
	if (c->s->mode == VIEW_FLAGS_ADD)
		return !system && !keywords;
	return c->s->mode == VIEW_FLAGS_REMOVE && !c->unknown && system == c->given.system &&
	       keywords == c->given.keywords;
}

/* Decides for every message before any is written: the condition is on the state before. */
static enum err decide(struct idx_txn *x, uint32_t box, struct storing *c)
{
	struct idx_walk *w;
	struct idx_msg m;
	enum err e = idx_walk_begin(x, box, false, &w);
	uint32_t uid = set_min(c->uids);

	while (!e && uid) {
		e = idx_walk_to(w, uid, &m, NULL);
		if (!e && m.uid == uid) {
			struct mail_flags f = combine(c, m.flags);

			if (!unchanged(c, &m)) {
				set_add(&c->s->modified, uid);
			} else if (f.system != m.flags.system || f.keywords != m.flags.keywords) {
				c->change[c->n++] = (struct change){ uid, f, 0 };
				set_add(&c->changed, uid);
			}
			set_add(&c->seen, uid);
		}
		uid = set_next(c->uids, uid + 1);
	}
	idx_walk_end(&w);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err put_change(struct idx_txn *x, uint32_t box, struct change *ch, uint64_t modseq)
{
	struct idx_todo todo = { .box = box, .kind = IDX_TODO_FLAGS, .uid = ch->uid, .flags = ch->flags };
	struct idx_msg m;
	enum err e = idx_msg_get(x, box, ch->uid, &m);

	if (e)
		return e;
	m.flags = ch->flags;
	m.modseq = modseq;
	e = idx_msg_put(x, box, &m);
	if (!e)
		e = idx_todo_add(x, &todo);
	ch->todo = todo.seq;
	return e;
}

/* Names to bits that are to be removed: as the record has them now, for another process may have made one. */
static void find_keywords(struct storing *c)
{
	c->given.keywords = 0;
	c->unknown = false;
	for (size_t i = 0; i < c->s->keywords_n; i++) {
		int bit = mailbox_keyword(c->v->mb, c->s->keywords[i]);

		if (bit < 0)
			c->unknown = true;
		else
			c->given.keywords |= UINT64_C(1) << bit;
	}
}

static enum err store_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct storing *c = arg;
	enum err e;

	if (c->s->mode == VIEW_FLAGS_REMOVE && !c->v->readonly)
		find_keywords(c);
	c->n = 0;
	set_clear(&c->changed);
	set_clear(&c->seen);
	set_clear(&c->s->modified);
	c->before = c->after = r->b.highestmodseq;
	e = decide(x, r->b.id, c);
	if (e || !c->n)
		return e;
	e = idx_change(x, &r->b, &c->changed, NULL, &c->after);
	for (size_t i = 0; !e && i < c->n; i++)
		e = put_change(x, r->b.id, &c->change[i], c->after);
	return e ? e : idx_box_put(x, &r->b);
}

/* Names to bits that are to be set; what the mailbox does not know is made. */
static enum err make_keywords(struct storing *c, struct errtext *t)
{
	unsigned most = c->v->mb->acct->config->max_keyword_length;

	for (size_t i = 0; most && i < c->s->keywords_n; i++)
		if (strlen(c->s->keywords[i]) > most)
			return err_say(t, ERR_LIMIT, "Keyword name is too long");
	return mailbox_keywords_add(c->v->mb, c->s->keywords, c->s->keywords_n, &c->given.keywords, t);
}

/* What the session itself did it need not hear again, if it knows all that was before. */
static void tell_self(struct storing *c)
{
	struct view *v = c->v;

	if (v->absorbed == c->before && v->epoch == v->mb->epoch)
		v->absorbed = c->after;
	if (!v->state.behind && v->absorbed == c->after)
		v->state.highestmodseq = c->after;
	if (c->s->silent)
		return;
	set_remove_set(&c->seen, &c->s->modified);
	set_intersect(&c->seen, &v->uids);
	set_add_set(&v->flags, &c->seen);
}

static void owe(struct storing *c)
{
	for (size_t i = 0; i < c->n; i++)
		owing_add(c->v->mb, c->change[i].todo, c->change[i].uid, c->change[i].flags);
	shelf_owe(c->v->mb->space->shelf);
}

/* Shall the file names be changed before the answer? */
static bool at_once(const struct mailbox *mb)
{
	return mb->space->ns->store.sync == STORE_SYNC_ALWAYS || mb->space->ns->store.mbox.write_now;
}

/* Where \Seen alone may be changed, whatever else is asked for with it has no effect (RFC 9051 section 7.1, PERMANENTFLAGS). */
static enum err may_store(const struct view *v, const struct view_store *s, struct errtext *t)
{
	if (!v->readonly || (v->state.seen_only && (s->system & MAIL_SEEN || s->mode == VIEW_FLAGS_SET)))
		return ERR_OK;
	return err_say(t, ERR_READONLY, v->state.seen_only ? "Only \\Seen can be changed here" : "Mailbox is open read-only");
}

static enum err store_facts(struct view *v, const struct set *uids, struct view_store *s, struct errtext *t)
{
	struct storing c = { .v = v, .s = s };
	struct set mine = SET_EMPTY;
	enum err e;

	e = may_store(v, s, t);
	if (e)
		return e;
	set_copy(&mine, uids);
	set_intersect(&mine, &v->uids);
	c.uids = &mine;
	c.given.system = s->system & (v->readonly ? MAIL_SEEN : MAIL_SYSTEM);
	c.change = mem_array(set_count(&mine) + 1, sizeof(*c.change));
	e = mailbox_ready(v->mb, t);
	if (!e && s->mode != VIEW_FLAGS_REMOVE && !v->readonly)
		e = make_keywords(&c, t);
	if (!e)
		e = mailbox_update(v->mb, REC_FACTS, store_run, &c, t);
	if (!e) {
		tell_self(&c);
		if (c.n) {
			sync_touched(v->mb, &c.changed, NULL);
			owe(&c);
			mailbox_notify(v->mb, v);
			s->owed = at_once(v->mb);
		}
	}
	free(c.change);
	set_free(&mine);
	set_free(&c.changed);
	set_free(&c.seen);
	return e;
}

/* Stored twice, the second time nothing would change, or what the first time changed would fail the condition. */
enum err view_store(struct view *v, const struct set *uids, struct view_store *s, struct errtext *t)
{
	enum err e = s->owed ? ERR_OK : store_facts(v, uids, s, t);

	while (!e && s->owed && todo_drain(v->mb->space->shelf, v->mb, &e, t) == STEP_SLICE)
		;
	if (e != ERR_INUSE)
		s->owed = false;
	return e;
}
