/*
 * SEARCH: first sets, from the uid map: which messages surely match, which may. Only those in between are looked
 * at, each with the cheapest means first: record, cached headers, bytes; and no further than it takes.
 */
#include "query.h"
#include "made.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

enum {
	SEARCH_PIECE = 256 << 10,
	FOLD_MAX = 8 << 20,
	ASKED_MAX = 64 << 10,
	HEADER_KEYS = 4,        /* held against a header, which may have megabytes, between looks at the clock */
	FEW_KEYS = 64,          /* with more a message is worth a look at the clock, */
	HEADER_LONG = 16 << 10, /* and cached headers of so many bytes are left to them: those are gone through in slices */
};

/* --- laying out the tree ---------------------------------------------------------- */

struct visit {
	const struct query *q, *kid; /* kid: the next child to descend into */
	uint32_t kids;
};

static bool has_needle(enum query_kind k)
{
	switch (k) {
	case Q_HEADER:
	case Q_BODY:
	case Q_TEXT:
	case Q_ADDRESS_FROM:
	case Q_ADDRESS_TO:
	case Q_ADDRESS_CC:
	case Q_ADDRESS_BCC:
	case Q_SUBJECT:
		return true;
	default:
		return false;
	}
}

/* up: its parent; NULL at the top. */
static enum err add_node(struct query_run *r, const struct visit *v, const struct visit *up, struct errtext *t)
{
	struct qnode *n = &r->node[r->n];

	*n = (struct qnode){ .q = v->q, .kids = v->kids, .level = match_level(v->q), .asks = query_asks(v->q) };
	n->joins = up && up->kids > 1;
	n->with = up ? up->q->kind : Q_AND;
	r->n++;
	if (!has_needle(v->q->kind))
		return ERR_OK;
	n->needle = mime_matcher_init(&n->m, v->q->text);
	return n->needle ? ERR_OK : err_say(t, ERR_LIMIT, "The search text is too long");
}

static struct visit visit_of(const struct query *q)
{
	return (struct visit){ q, query_is_key(q->kind) ? NULL : q->first, 0 };
}

/* Post order with a stack of our own: what the client nests costs no stack of the process. */
static enum err lay_out(struct query_run *r, const struct query *q, struct errtext *t)
{
	struct visit *stack = mem_array(QUERY_NODES_MAX, sizeof(*stack));
	size_t depth = 0;
	enum err e = ERR_OK;

	r->node = mem_array(QUERY_NODES_MAX, sizeof(*r->node));
	stack[depth++] = visit_of(q);
	while (depth && !e) {
		struct visit *top = &stack[depth - 1];

		if (top->kid && depth + r->n >= QUERY_NODES_MAX) {
			e = err_say(t, ERR_LIMIT, "The search is too complex");
		} else if (top->kid) {
			const struct query *kid = top->kid;

			top->kid = kid->next;
			top->kids++;
			stack[depth++] = visit_of(kid);
		} else {
			depth--;
			e = add_node(r, top, depth ? top - 1 : NULL, t);
		}
	}
	free(stack);
	r->node = mem_grow(r->node, r->n ? r->n : 1, sizeof(*r->node));
	return e;
}

/* --- sets ------------------------------------------------------------------------------ */

/* What surely matches, and what may: of all that is looked at; others may be in both. */
struct bounds {
	struct set sure, may;
};

static void bounds_free(struct bounds *b)
{
	set_free(&b->sure);
	set_free(&b->may);
}

static void complement(struct set *s, const struct set *all)
{
	struct set out = SET_EMPTY;

	set_copy(&out, all);
	set_remove_set(&out, s);
	set_free(s);
	*s = out;
}

static void negate(struct bounds *b, const struct set *all)
{
	struct set sure = b->may;

	b->may = b->sure;
	b->sure = sure;
	complement(&b->sure, all);
	complement(&b->may, all);
}

/* Operands are joined as they come: there is never more to hold than one for each level of the tree. */
struct planning {
	const struct set *all;
	struct bounds *stack;
	size_t depth;
};

/* The bounds of n are known. */
static void give(struct planning *p, const struct qnode *n, const struct set *sure, const struct set *may)
{
	struct bounds *top = &p->stack[p->depth - n->joins];

	if (!n->joins) {
		*top = (struct bounds){ SET_EMPTY, SET_EMPTY };
		set_copy(&top->sure, sure);
		set_copy(&top->may, may);
		p->depth++;
	} else if (n->with == Q_OR) {
		set_add_set(&top->sure, sure);
		set_add_set(&top->may, may);
	} else {
		set_intersect(&top->sure, sure);
		if (may != p->all)
			set_intersect(&top->may, may);
	}
}

/* The kids have been joined. AND of nothing is true, OR of nothing is not. */
static void give_connective(struct planning *p, const struct qnode *n)
{
	struct bounds b = { SET_EMPTY, SET_EMPTY };

	if (n->kids > 0) {
		must(p->depth > 0);
		b = p->stack[--p->depth];
	} else if (n->q->kind == Q_AND) {
		set_copy(&b.sure, p->all);
		set_copy(&b.may, p->all);
	}
	if (n->q->kind == Q_NOT)
		negate(&b, p->all);
	give(p, n, &b.sure, &b.may);
	bounds_free(&b);
}

static void plan(struct query_run *r)
{
	static const struct set none = SET_EMPTY;
	struct planning p = { .all = &r->all, .stack = mem_array(r->n + 1, sizeof(*p.stack)) };

	for (size_t i = 0; i < r->n; i++) {
		const struct qnode *n = &r->node[i];

		if (!query_is_key(n->q->kind))
			give_connective(&p, n);
		else if (n->level == LEVEL_MAP)
			give(&p, n, n->uids, n->uids);
		else
			give(&p, n, &none, p.all);
	}
	must(p.depth == 1);
	set_copy(&r->todo, &p.stack[0].may);
	if (!r->modseq) {
		set_copy(&r->result, &p.stack[0].sure);
		set_remove_set(&r->todo, &p.stack[0].sure);
	}
	set_intersect(&r->todo, &r->all);
	set_intersect(&r->result, &r->all);
	bounds_free(&p.stack[0]);
	free(p.stack);
}

/* --- keys that the uid map answers --------------------------------------------------------- */

static enum err flag_uids(struct idx_txn *x, uint32_t box, struct query_run *r, uint8_t flag, const struct set **uids_r)
{
	unsigned bit = (unsigned)__builtin_ctz(flag);
	enum err e = ERR_OK;

	must(bit < QUERY_FLAGS);
	*uids_r = &r->flagged[bit];
	if (r->flags_known >> bit & 1)
		return ERR_OK;
	if (flag == MAIL_RECENT)
		set_copy(&r->flagged[bit], &r->v->recent);
	else
		e = idx_uids_flagged(x, box, flag, true, &r->flagged[bit]);
	r->flags_known |= !e << bit;
	return e;
}

static enum err map_run(struct idx_txn *x, struct rec *rec, void *arg, struct errtext *t)
{
	struct query_run *r = arg;
	enum err e = ERR_OK;

	r->flags_known = 0;
	for (size_t i = 0; !e && i < r->n; i++) {
		struct qnode *n = &r->node[i];

		if (n->q->kind == Q_ALL)
			n->uids = &r->all;
		else if (n->q->kind == Q_UIDS)
			n->uids = &n->q->uids;
		else if (n->q->kind == Q_FLAG)
			e = flag_uids(x, rec->b.id, r, n->q->flag, &n->uids);
	}
	return e;
}

static unsigned wants(struct query_run *r)
{
	unsigned want = 0;

	for (size_t i = 0; i < r->n; i++) {
		enum query_kind k = r->node[i].q->kind;

		if (k == Q_LARGER || k == Q_SMALLER)
			want |= WANT_VSIZE;
		else if (k == Q_SENTBEFORE || k == Q_SENTON || k == Q_SENTSINCE)
			want |= WANT_SENT;
		else if (r->node[i].level == LEVEL_RECORD && k != Q_KEYWORD && k != Q_MODSEQ &&
			 k != Q_EMAILID)
			want |= WANT_DATES;
		if (r->node[i].level == LEVEL_HEADERS)
			r->want_headers |= r->node[i].asks ? WANT_ASKED : WANT_HEADERS;
		r->modseq |= k == Q_MODSEQ;
	}
	return want | r->want_headers;
}

static void add_name(struct buf *names, struct span name)
{
	if (names->n)
		buf_add_char(names, ' ');
	for (size_t i = 0; i < name.n; i++)
		buf_add_char(names, ascii_lower(name.p[i]));
}

/* Then a record alone may decide, and the cache is only looked at when it does not. */
static bool reads_records(const struct query_run *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->node[i].level == LEVEL_RECORD)
			return true;
	return false;
}

/* The second time that a field is asked for it becomes worth keeping: what is searched once costs no writing. */
static void note_names(struct query_run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct query *q = r->node[i].q;

		if (query_asks(q) && acct_asked(r->v->mb->acct, q->name) && !made_asked_has(buf_span(&r->names), q->name))
			add_name(&r->names, q->name);
	}
}

enum err query_start(struct view *v, const struct query *q, const struct set *among, struct query_run **r_r,
		     struct errtext *t)
{
	struct query_run *r = mem_alloc(sizeof(*r));
	unsigned want;
	enum err e;

	r->v = v;
	r->now = clock_wall();
	set_copy(&r->all, &v->uids);
	if (among)
		set_intersect(&r->all, among);
	buf_init(&r->fold, FOLD_MAX);
	buf_init(&r->names, ASKED_MAX);
	buf_init(&r->asked, ASKED_MAX);
	e = lay_out(r, q, t);
	if (!e)
		e = mailbox_read(v->mb, map_run, r, t);
	if (!e) {
		want = wants(r);
		note_names(r);
		plan(r);
		r->to_look_at = set_count(&r->todo);
		e = view_walk_begin(v, &r->todo, want, &r->w, t);
		r->lazy = reads_records(r);
		if (!e && r->lazy)
			walk_want(r->w, want & ~r->want_headers);
	}
	if (e) {
		query_end(&r);
		return e;
	}
	r->stack = mem_array(r->n, sizeof(*r->stack));
	r->batch = mem_array(r->n, sizeof(*r->batch));
	r->batch_of = mem_array(r->n, sizeof(*r->batch_of));
	*r_r = r;
	return ERR_OK;
}

static void end_bytes(struct query_run *r)
{
	if (r->searching)
		mime_search_free(&r->search);
	r->searching = r->beginning = false;
	r->bytes = (struct span){ NULL, 0 };
	message_close(&r->msg);
}

void query_end(struct query_run **r)
{
	struct query_run *c = *r;

	if (!c)
		return;
	end_bytes(c);
	view_walk_end(&c->w);
	for (size_t i = 0; i < c->n; i++)
		if (c->node[i].needle)
			mime_matcher_free(&c->node[i].m);
	for (size_t i = 0; i < QUERY_FLAGS; i++)
		set_free(&c->flagged[i]);
	free(c->node);
	free(c->stack);
	free(c->batch);
	free(c->batch_of);
	set_free(&c->result);
	set_free(&c->todo);
	set_free(&c->all);
	buf_free(&c->fold);
	buf_free(&c->names);
	buf_free(&c->asked);
	free(c);
	*r = NULL;
}

/* --- one message ------------------------------------------------------------------------------ */

static enum truth join(enum query_kind k, const enum truth *v, uint32_t kids)
{
	enum truth stops = k == Q_OR ? YES : NO, all = k == Q_OR ? NO : YES;
	enum truth out = all;

	for (uint32_t i = 0; i < kids; i++) {
		if (v[i] == stops) {
			out = stops;
			break;
		}
		if (v[i] == MAYBE)
			out = MAYBE;
	}
	if (k == Q_NOT && out != MAYBE)
		out = out == YES ? NO : YES;
	return out;
}

static enum truth evaluate(struct query_run *r)
{
	size_t depth = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct qnode *n = &r->node[i];

		if (query_is_key(n->q->kind)) {
			r->stack[depth++] = n->truth;
			continue;
		}
		depth -= n->kids;
		r->stack[depth] = join(n->q->kind, r->stack + depth, n->kids);
		depth++;
	}
	return r->stack[0];
}

static enum truth try_level(struct query_run *r, const struct message_facts *f, enum query_level level)
{
	for (size_t i = 0; i < r->n; i++)
		match_facts(r, &r->node[i], f, level);
	return evaluate(r);
}

static void decided(struct query_run *r, uint32_t uid, uint64_t modseq, enum truth truth)
{
	if (truth != YES)
		return;
	set_add(&r->result, uid);
	if (modseq > r->max_modseq)
		r->max_modseq = modseq;
}

/* --- bytes -------------------------------------------------------------------------------------- */

/* Begins the pass of BODY keys, then that of TEXT keys. False: no keys of that kind are open. */
static enum err begin_pass(struct query_run *r, bool headers, struct errtext *t)
{
	enum query_kind kind = headers ? Q_TEXT : Q_BODY;
	const struct mime_tree *tree;
	enum err e;

	r->headers = headers;
	r->batch_n = 0;
	for (size_t i = 0; i < r->n; i++) {
		if (r->node[i].q->kind != kind || r->node[i].truth != MAYBE)
			continue;
		mime_matcher_reset(&r->node[i].m);
		r->batch[r->batch_n] = r->node[i].m;
		r->batch_of[r->batch_n++] = i;
	}
	if (!r->batch_n)
		return ERR_OK;
	e = message_parts(r->msg, &tree, t);
	r->beginning = e == ERR_AGAIN;
	if (e)
		return e;
	mime_search_init(&r->search, acct_charsets(r->v->mb->acct), r->bytes, tree, r->batch, r->batch_n, headers);
	r->searching = true;
	return ERR_OK;
}

static void end_pass(struct query_run *r)
{
	for (size_t i = 0; i < r->batch_n; i++)
		r->node[r->batch_of[i]].truth = r->batch[i].found ? YES : NO;
	mime_search_free(&r->search);
	r->searching = false;
}

/* Names kept so far go on being kept behind the new ones, as many as there is room for. */
static void begin_asked(struct query_run *r, struct span asked)
{
	struct span old = span_cut(asked, 0, span_find(asked, '\n')), name, count = buf_span(&r->names);
	unsigned n = 0;

	buf_clear(&r->asked);
	if (!r->names.n)
		return;
	buf_add_span(&r->asked, buf_span(&r->names));
	while (span_split(&count, ' ', &name))
		n++;
	for (; n < ASKED_NAMES && span_split(&old, ' ', &name); n++)
		if (!made_asked_has(buf_span(&r->names), name))
			add_name(&r->asked, name);
}

static void keep_asked(struct query_run *r)
{
	struct buf lines;

	if (!r->asked.n)
		return;
	buf_init(&lines, ASKED_MAX);
	if (made_asked_add(acct_charsets(r->v->mb->acct), r->bytes, buf_span(&r->asked), &lines) && !lines.failed)
		walk_note_asked(r->w, r->msg_uid, buf_span(&lines));
	buf_free(&lines);
}

static enum err open_bytes(struct query_run *r, struct errtext *t)
{
	enum err e = message_open(r->v, r->msg_uid, &r->msg, t);

	if (!e)
		e = message_stored(r->msg, LOAD_MAX, &r->bytes, t);
	if (e == ERR_AGAIN)
		return e;
	if (e) {
		end_bytes(r);
		return view_err_passes(e) ? ERR_OK : e;
	}
	r->header_keys = 0;
	return ERR_OK;
}

static enum err search_header(struct query_run *r, struct errtext *t)
{
	for (unsigned n = 0; r->header_keys < r->n && n < HEADER_KEYS; r->header_keys++)
		n += match_header(r, &r->node[r->header_keys], r->bytes);
	if (r->header_keys < r->n)
		return ERR_OK;
	keep_asked(r);
	return begin_pass(r, false, t);
}

/* Opening may make the walk stop reading, and its spans die. */
static void take_message(struct query_run *r, const struct message_facts *f)
{
	begin_asked(r, f->asked);
	r->msg_uid = f->uid;
	r->msg_modseq = f->modseq;
	memcpy(r->msg_emailid, f->emailid, sizeof(r->msg_emailid));
}

/* A piece of the message under way; when it is decided, r->msg goes. */
static enum err search_bytes(struct query_run *r, struct errtext *t)
{
	enum truth truth;
	enum err e = ERR_OK;

	if (!r->bytes.p)
		return open_bytes(r, t);
	if (r->header_keys < r->n)
		return search_header(r, t);
	if (r->beginning)
		return begin_pass(r, r->headers, t);
	if (r->searching && mime_search_step(&r->search, SEARCH_PIECE) != STEP_DONE)
		return ERR_OK;
	if (r->searching)
		end_pass(r);
	truth = evaluate(r);
	if (truth == MAYBE && !r->headers) {
		e = begin_pass(r, true, t);
		if (!e || e == ERR_AGAIN)
			return e;
	}
	if (!e)
		decided(r, r->msg_uid, r->msg_modseq, truth);
	end_bytes(r);
	return view_err_passes(e) ? ERR_OK : e;
}

/* Its header is gone through in slices then, which only its bytes allow. */
static bool is_long(const struct query_run *r, const struct message_facts *f)
{
	return r->n > FEW_KEYS && f->headers.n + f->asked.n > HEADER_LONG;
}

static enum err next_message(struct query_run *r, struct errtext *t)
{
	struct message_facts f;
	enum truth truth;
	enum err e = view_walk_next(r->w, &f, t);

	r->looked_at += e != ERR_AGAIN;
	if (r->n > FEW_KEYS)
		walk_touch(r->w);
	if (e)
		return view_err_passes(e) ? ERR_OK : e; /* it does not match */
	for (size_t i = 0; i < r->n; i++)
		r->node[i].truth = MAYBE;
	truth = try_level(r, &f, LEVEL_RECORD);
	if (truth == MAYBE && r->lazy) {
		e = walk_again(r->w, r->want_headers, &f, t);
		if (e == ERR_AGAIN) {
			view_walk_back(r->w);
			r->looked_at--;
		}
		if (e)
			return view_err_passes(e) ? ERR_OK : e;
	}
	if (truth == MAYBE && !is_long(r, &f))
		truth = try_level(r, &f, LEVEL_HEADERS);
	if (truth == MAYBE) {
		take_message(r, &f);
		return open_bytes(r, t);
	}
	decided(r, f.uid, f.modseq, truth);
	return ERR_OK;
}

enum step query_step(struct query_run *r, struct set *uids_r, enum err *err_r, struct errtext *t)
{
	uint64_t end = clock_us() + SLICE_US;
	enum err e = ERR_OK;

	do {
		e = r->msg ? search_bytes(r, t) : next_message(r, t);
	} while (!e && (r->msg ? clock_us() < end : walk_time_left(r->w, end)));
	view_walk_pause(r->w);
	if (!e || e == ERR_AGAIN)
		return STEP_SLICE;
	if (e == ERR_NOTFOUND) {
		set_copy(uids_r, &r->result);
		e = ERR_OK;
	}
	*err_r = e;
	return STEP_DONE;
}

void query_progress(const struct query_run *r, uint64_t *done_r, uint64_t *goal_r)
{
	*done_r = r->looked_at;
	*goal_r = r->to_look_at;
}

uint64_t query_max_modseq(const struct query_run *r)
{
	return r->max_modseq;
}
