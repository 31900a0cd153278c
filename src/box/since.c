/*
 * What happened since a modseq that a client remembers (RFC 7162): the change log answers while it reaches back
 * that far; else the records are compared with it, and every UID asked for that is not there counts as gone.
 */
#include "room.h"

struct asking {
	struct view *v;
	struct view_since *s;
};

enum err since_records(struct idx_txn *x, uint32_t box, uint64_t since, struct set *changed)
{
	struct idx_walk *w;
	struct idx_msg m;
	enum err e = idx_walk_begin(x, box, false, &w);

	if (e)
		return e;
	for (uint32_t uid = 1; (e = idx_walk_to(w, uid, &m, NULL)) == ERR_OK; uid = m.uid + 1)
		if (m.modseq > since)
			set_add(changed, m.uid);
	idx_walk_end(&w);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

/* The client's modseq may be one that this mailbox never gave (restored from a backup): nothing is known then. */
static enum err since_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct asking *q = arg;
	struct view_since *s = q->s;
	uint64_t modseq = s->modseq <= r->b.highestmodseq ? s->modseq : 0;
	enum err e;

	set_clear(&s->changed);
	set_clear(&s->vanished);
	if (r->b.uidvalidity != q->v->uidvalidity)
		return err_say(t, ERR_NOTFOUND, "The mailbox was replaced by another of the same name");
	e = idx_changes(x, &r->b, modseq, &s->changed, &s->vanished, &s->complete);
	if (!e && !s->complete)
		e = since_records(x, r->b.id, modseq, &s->changed);
	return e;
}

enum err view_since(struct view *v, struct view_since *s, struct errtext *t)
{
	struct asking q = { .v = v, .s = s };
	struct set known = SET_EMPTY;
	enum err e;

	if (v->mb->dead)
		return err_say(t, ERR_NOTFOUND, "Mailbox was deleted");
	e = mailbox_read(v->mb, since_run, &q, t);
	if (e)
		return e;
	if (s->known)
		set_copy(&known, s->known);
	else
		set_add_range(&known, 1, UINT32_MAX);
	set_remove_range(&known, v->state.uidnext, UINT32_MAX); /* what is to come has not vanished */
	if (!s->complete)
		set_copy(&s->vanished, &known);
	set_intersect(&s->vanished, &known);
	set_remove_set(&s->vanished, &v->uids);
	set_intersect(&s->changed, &known);
	set_intersect(&s->changed, &v->uids);
	set_free(&known);
	return ERR_OK;
}

void view_since_free(struct view_since *s)
{
	set_free(&s->changed);
	set_free(&s->vanished);
}
