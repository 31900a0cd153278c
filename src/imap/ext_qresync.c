/*
 * QRESYNC (RFC 7162 section 3.2): what vanished is told by UID, and a client that comes back with
 * the modseq it knows is told what happened since, by one SELECT or one UID FETCH.
 */
#include "condstore.h"
#include "fetch.h"
#include "select.h"

#include "wire/imap_set.h"
#include "wire/imap_write.h"

enum { LINE_RANGES = 500 }; /* of one VANISHED line */

/* ---- VANISHED ---- */

/* Lines from range *pos on. */
static enum step write_vanished(struct imap_session *s, const char *word, const struct set *uids,
				size_t *pos)
{
	while (*pos < uids->n) {
		struct set part = { .r = uids->r + *pos, .n = uids->n - *pos };
		struct buf *out = imap_out(s);

		if (imap_out_full(s))
			return STEP_OUTPUT_FULL;
		if (part.n > LINE_RANGES)
			part.n = LINE_RANGES;
		buf_add_str(out, word);
		imap_write_set(out, &part);
		buf_add_str(out, "\r\n");
		stream_push(s->stream);
		*pos += part.n;
	}
	return STEP_DONE;
}

static enum step vanished_uids(struct imap_session *s, const struct view_changes *c, size_t *pos)
{
	enum step step = write_vanished(s, "* VANISHED ", &c->vanished, pos);

	if (step == STEP_DONE && (c->vanished.n || view_state(s->view)->behind))
		imap_tell_highest(s);
	return step;
}

static bool enabled(const struct imap_session *s)
{
	return s->hooks.vanished == vanished_uids;
}

static bool enable(struct imap_session *s)
{
	imap_condstore_enable(s);
	s->hooks.vanished = vanished_uids;
	return true;
}

static enum err not_enabled(struct imap_cmd *c)
{
	imap_bad(c, "QRESYNC is not enabled.");
	return ERR_SYNTAX;
}

/* ---- SELECT (QRESYNC (uidvalidity modseq [known-uids] [(seqs uids)])) ---- */

struct resync {
	uint32_t uidvalidity;
	bool all;              /* no UIDs were named */
	struct set known;      /* own, as are all sets: cleaned up by the arena */
	struct set seqs, uids; /* pairs that the client knows, in order */
	struct view_since since;
	bool asked;
	size_t pos;
};

static void resync_free(void *arg)
{
	struct resync *r = arg;

	set_free(&r->known);
	set_free(&r->seqs);
	set_free(&r->uids);
	view_since_free(&r->since);
}

static bool read_set(const struct imap_arg *a, struct set *set_r)
{
	struct span text;

	return imap_arg_atom(a, &text) && span_find(text, '*') == SIZE_MAX &&
	       imap_set_parse(text, 0, set_r);
}

static bool read_pairs(const struct imap_arg *a, struct resync *r)
{
	return a && read_set(a, &r->seqs) && read_set(a->next, &r->uids) && !a->next->next &&
	       set_count(&r->seqs) == set_count(&r->uids);
}

static bool read_resync(const struct imap_arg *a, struct resync *r)
{
	const struct imap_arg *pairs;
	uint64_t uidvalidity;

	if (!imap_arg_number64(a, &uidvalidity) || !uidvalidity || uidvalidity > UINT32_MAX ||
	    !imap_arg_number64(a->next, &r->since.modseq))
		return false;
	r->uidvalidity = (uint32_t)uidvalidity;
	a = a->next->next;
	r->all = !a || a->type == IMAP_ARG_LIST;
	if (!r->all) {
		if (!read_set(a, &r->known))
			return false;
		a = a->next;
	}
	if (!a)
		return true;
	return imap_arg_list(a, &pairs) && read_pairs(pairs, r) && !a->next;
}

/*
 * The last of the pairs that the client knows which still holds; 0: none. Members of the same place are a pair; many of
 * them may be named with few words, so it is ranges that are gone through.
 */
static uint32_t last_match(const struct set *mine, const struct set *uids)
{
	uint32_t matched = 0, done[2] = { 0, 0 }; /* members of r[i], r[k] that are behind us */

	for (size_t i = 0, k = 0; i < mine->n && k < uids->n;) {
		uint32_t a = mine->r[i].first + done[0], b = uids->r[k].first + done[1];
		uint32_t left = mine->r[i].last - a, right = uids->r[k].last - b, run = left < right ? left : right;

		if (a == b)
			matched = a + run;
		done[0] = left == run ? 0 : done[0] + run + 1;
		done[1] = right == run ? 0 : done[1] + run + 1;
		i += left == run;
		k += right == run;
	}
	return matched;
}

/* Up to the last pair that still holds the client knows what vanished (section 3.2.5.2). */
static void forget_matched(const struct view *v, struct resync *r)
{
	struct set mine = SET_EMPTY;
	uint32_t matched;

	view_seqs_to_uids(v, &r->seqs, &mine); /* numbers that are too large come last */
	matched = last_match(&mine, &r->uids);
	if (matched)
		set_remove_range(&r->since.vanished, 1, matched);
	set_free(&mine);
}

/* The base responses are written: what changed is told like any change, under their numbers. */
static enum step resync_step(struct imap_cmd *c, struct imap_select *sel)
{
	struct resync *r = sel->modifier;
	struct imap_session *s = c->s;
	struct errtext t = { "" };
	enum step step;
	enum err e;

	if (view_state(s->view)->uidvalidity != r->uidvalidity)
		return STEP_DONE;
	if (!r->asked) {
		r->since.known = r->all ? NULL : &r->known;
		e = view_since(s->view, &r->since, &t);
		if (e)
			return e == ERR_INUSE ? STEP_WAITING : imap_fail(c, e, t.text);
		forget_matched(s->view, r);
		set_add_set(&s->echo, &r->since.changed);
		r->asked = true;
	}
	step = write_vanished(s, "* VANISHED (EARLIER) ", &r->since.vanished, &r->pos);
	return step == STEP_DONE ? imap_announce_step(s, true, false) : step;
}

static enum err select_qresync(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	struct imap_select *sel = state;
	struct resync *r = arena_alloc(c->arena, sizeof(*r));
	const struct imap_arg *list;

	if (!enabled(c->s))
		return not_enabled(c);
	if (!r || !arena_cleanup(c->arena, resync_free, r))
		return ERR_MEMORY;
	if (sel->after || !imap_arg_list(*a, &list) || !read_resync(list, r)) {
		imap_bad(c, "Invalid QRESYNC parameters.");
		return ERR_SYNTAX;
	}
	*a = (*a)->next;
	sel->modifier = r;
	sel->after = resync_step;
	return ERR_OK;
}

/* ---- UID FETCH set items (CHANGEDSINCE n VANISHED) ---- */

struct earlier {
	struct set known; /* own: cleaned up by the arena: the set as the client wrote it */
	size_t pos;
};

static enum step fetch_before(struct imap_fetch *f)
{
	struct earlier *x = f->since->extra;
	enum step step;

	if (!f->since->given)
		return imap_bad(f->c, "VANISHED needs CHANGEDSINCE.");
	step = imap_since_find(f);
	if (step != STEP_DONE || f->c->cond)
		return step;
	return write_vanished(f->c->s, "* VANISHED (EARLIER) ", &f->since->found.vanished, &x->pos);
}

static void earlier_free(void *arg)
{
	struct earlier *x = arg;

	set_free(&x->known);
}

static enum err fetch_vanished(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	struct imap_fetch *f = state;
	struct imap_since *since = imap_since_get(f);
	struct earlier *x = arena_alloc(c->arena, sizeof(*x));
	struct span text;

	if (!(c->row->flags & IMAP_CMD_UID)) {
		imap_bad(c, "VANISHED is for UID FETCH.");
		return ERR_SYNTAX;
	}
	if (!enabled(c->s))
		return not_enabled(c);
	if (!since || !x || !arena_cleanup(c->arena, earlier_free, x))
		return ERR_MEMORY;
	/* "$" is a saved result: of it nothing is known to have vanished. */
	if (!imap_arg_atom(c->args, &text) ||
	    !imap_set_parse(text, set_max(view_uids(c->s->view)), &x->known))
		set_copy(&x->known, &f->uids);
	since->found.known = &x->known;
	since->extra = x;
	f->before = fetch_before;
	return ERR_OK;
}

/* ---- the module ---- */

static const struct imap_capability capabilities[] = {
	{ "QRESYNC", NULL },
	{ 0 },
};

static const struct imap_modifier modifiers[] = {
	{ "QRESYNC", IMAP_OF_SELECT, select_qresync },
	{ "VANISHED", IMAP_OF_FETCH, fetch_vanished },
	{ 0 },
};

static const struct imap_enable enables[] = {
	{ "QRESYNC", enable },
	{ 0 },
};

const struct imap_module imap_ext_qresync = {
	.name = "qresync",
	.capabilities = capabilities,
	.modifiers = modifiers,
	.enables = enables,
};
