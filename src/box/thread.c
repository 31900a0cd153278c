#include "thread.h"
#include "made.h"
#include "query.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mime/date.h"
#include "mime/subject.h"

enum {
	HEADERS_MAX = 16 << 20, /* of a message whose fields were too long to be cached */
	SORT_WORK = 2000,
	LINK_WORK = 100,
};

enum phase { LEARN, LINK, SORT, TREE, SUBJECTS, LISTS, ITEMS, DONE };

/* --- taking messages ------------------------------------------------------------------ */

/* Of fields that occur more than once the last counts. */
struct fields {
	struct span subject, id, references, in_reply_to;
};

static void read_fields(struct span headers, struct fields *f_r)
{
	struct span rest = headers, name, value;

	*f_r = (struct fields){ .subject = SPAN("") };
	while (made_headers_next(&rest, &name, &value)) {
		if (span_eq_str(name, "subject"))
			f_r->subject = value;
		else if (span_eq_str(name, "message-id"))
			f_r->id = value;
		else if (span_eq_str(name, "in-reply-to"))
			f_r->in_reply_to = value;
		else if (span_eq_str(name, "references"))
			f_r->references = value;
	}
}

/* Fields too long for the cache: from the bytes. Empty when those are gone or too long even for that. ERR_AGAIN. */
static enum err headers_from_bytes(struct thread_run *r, uint32_t uid, struct span *headers_r)
{
	struct span bytes;
	enum err e;

	walk_touch(r->w);
	buf_clear(&r->headers);
	e = message_open(r->v, uid, &r->msg, NULL);
	if (!e)
		e = message_stored(r->msg, LOAD_MAX, &bytes, NULL);
	if (e == ERR_AGAIN)
		return e;
	if (!e)
		made_headers_add(acct_charsets(r->v->mb->acct), bytes, HEADERS_MAX, &r->headers);
	message_close(&r->msg);
	*headers_r = buf_span(&r->headers);
	return ERR_OK;
}

static enum err take_subject(struct thread_run *r, struct thread_input *in, struct span subject)
{
	buf_clear(&r->text);
	in->reply = mime_subject_base(subject, &r->text);
	in->subject = NOBODY;
	if (!r->text.n)
		return ERR_OK;
	buf_clear(&r->fold);
	utf8_fold(buf_span(&r->text), &r->fold);
	in->subject = intern_get(&r->l->subjects, buf_span(&r->fold));
	return in->subject == NOBODY ? ERR_LIMIT : ERR_OK;
}

static enum err learn_message(struct thread_run *r, const struct message_facts *f)
{
	struct thread_input in = { .uid = f->uid, .date = f->internaldate };
	struct span headers = f->headers;
	struct thread_learnt *l = r->l;
	struct fields fields;
	struct mime_date d;
	enum err e = headers.p ? ERR_OK : headers_from_bytes(r, in.uid, &headers);

	if (e)
		return e;
	read_fields(headers, &fields);
	if (sent_date(f->sent, &d))
		in.date = d.utc;
	e = take_subject(r, &in, fields.subject);
	if (!e)
		e = thread_learn(r, &in, fields.id, fields.references, fields.in_reply_to);
	if (e)
		return e;
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->in = mem_grow(l->in, l->cap, sizeof(*l->in));
	}
	l->in[l->n++] = in;
	return ERR_OK;
}

/* The next message of the walk. ERR_NOTFOUND: there is none. */
static enum err learn(struct thread_run *r, struct errtext *t)
{
	struct message_facts f;
	enum err e = r->w ? view_walk_next(r->w, &f, t) : ERR_NOTFOUND;

	if (view_err_passes(e)) {
		f.headers = SPAN("");
		r->lacking = true;
	} else if (e) {
		return e;
	}
	e = learn_message(r, &f);
	if (e == ERR_AGAIN)
		view_walk_back(r->w);
	return e && e != ERR_AGAIN ? err_say(t, e, "Too much to thread") : e;
}

static void learnt_all(struct thread_run *r)
{
	view_walk_end(&r->w);
	thread_learnt_sort(r->l);
	r->node_of = mem_array(r->l->ids.n + 1, sizeof(*r->node_of));
	r->reference = mem_array(THREAD_REFERENCES_MAX, sizeof(*r->reference));
}

/* Some of what was learnt, as far as it is of messages that are threaded. ERR_NOTFOUND: that was all. */
static enum err link_some(struct thread_run *r, struct errtext *t)
{
	for (unsigned k = 0; k < LINK_WORK && r->at < r->l->n; k++, r->at++) {
		const struct thread_input *in = &r->l->in[r->at];
		struct thread_message *m = &r->message[r->n];

		if (!set_has(&r->uids, in->uid))
			continue;
		*m = (struct thread_message){ .uid = in->uid, .date = in->date, .subject = in->subject, .reply = in->reply };
		if (r->how == THREAD_ORDEREDSUBJECT)
			m->node = thread_node_new(r, (uint32_t)r->n);
		else if (thread_link(r, (uint32_t)r->n, in))
			return err_say(t, ERR_LIMIT, "Too much to thread");
		r->n++;
	}
	return r->at < r->l->n ? ERR_OK : ERR_NOTFOUND;
}

/* --- order, lists ------------------------------------------------------------------------ */

static int compare(const void *ctx, uint32_t x, uint32_t y)
{
	const struct thread_run *r = ctx;
	int64_t a = r->message[x].date, b = r->message[y].date;

	return (a > b) - (a < b);
}

static void append(struct thread_run *r, uint32_t up, uint32_t x)
{
	uint32_t *first = up ? &r->node[up].first : &r->top_first;
	uint32_t *last = up ? &r->node[up].last : &r->top_last;

	if (*last)
		r->node[*last].next = x;
	else
		*first = x;
	*last = x;
}

/* Children in the order of the messages; a dummy stands where its first child does. */
static void make_lists(struct thread_run *r)
{
	for (size_t x = 0; x < r->forest.n; x++)
		r->node[x].seen = false;
	for (size_t k = 0; k < r->n; k++) {
		uint32_t x = r->message[r->sort.a[k]].node, up = r->node[x].up;

		append(r, up, x);
		if (!up || r->node[up].message != NOBODY || r->node[up].seen)
			continue;
		r->node[up].seen = true;
		append(r, 0, up);
	}
}

/* --- REFS: threads by their latest message ------------------------------------------------- */

/* From the latest message on: the first time that a thread is met decides its place, counted from
 * the end. */
static void order_by_latest(struct thread_run *r)
{
	uint32_t behind = 0;

	for (size_t x = 0; x < r->forest.n; x++)
		r->node[x].seen = false;
	for (size_t k = r->n; k > 0; k--) {
		uint32_t x = r->message[r->sort.a[k - 1]].node;

		for (; !r->node[x].seen && r->node[x].up; x = r->node[x].up)
			r->node[x].seen = true;
		if (r->node[x].seen)
			continue;
		r->node[x].seen = true;
		r->node[x].next = behind;
		behind = x;
	}
	r->top_first = behind;
}

/* --- the result ----------------------------------------------------------------------------- */

/* What follows x in pre-order; *parent_r is the index of its parent. Climbing passes each node once
 * in all. */
static uint32_t next_node(struct thread_run *r, uint32_t x, size_t at, uint32_t *parent_r)
{
	if (r->node[x].first) {
		*parent_r = (uint32_t)at;
		return r->node[x].first;
	}
	while (x && !r->node[x].next) {
		x = r->node[x].up;
		at = r->item[at].parent;
	}
	*parent_r = x ? r->item[at].parent : NOBODY;
	return x ? r->node[x].next : 0;
}

static void make_items(struct thread_run *r)
{
	uint32_t parent = NOBODY;
	uint32_t x = r->top_first;

	r->item = mem_array(r->forest.n, sizeof(*r->item));
	while (x) {
		const struct thread_node *n = &r->node[x];
		bool several = n->up && r->node[n->up].first != r->node[n->up].last;

		r->item[r->items++] = (struct thread_item){
			.uid = n->message == NOBODY ? 0 : r->message[n->message].uid,
			.parent = parent,
			.split = !n->up || several,
		};
		x = next_node(r, x, r->items - 1, &parent);
	}
}

/* --- the run -------------------------------------------------------------------------------- */

enum err thread_start(struct view *v, const struct set *uids, enum thread_algorithm how,
		      struct thread_run **r_r, struct errtext *t)
{
	struct thread_run *r = mem_alloc(sizeof(*r));
	struct set unknown = SET_EMPTY, known = SET_EMPTY;
	enum err e = ERR_OK;

	r->v = v;
	r->how = how;
	set_copy(&r->uids, uids);
	if (thread_kept_find(r)) {
		r->phase = DONE;
		*r_r = r;
		return ERR_OK;
	}
	r->message = mem_array((size_t)set_count(uids) + 1, sizeof(*r->message));
	forest_init(&r->forest);
	buf_init(&r->headers, HEADERS_MAX);
	buf_init(&r->text, HEADERS_MAX);
	buf_init(&r->fold, 8 * (size_t)HEADERS_MAX);
	r->l = thread_learnt_take(v);
	set_copy(&unknown, uids);
	for (size_t i = 0; i < r->l->n; i++)
		set_add(&known, r->l->in[i].uid);
	set_remove_set(&unknown, &known);
	if (unknown.n)
		e = view_walk_begin(v, &unknown, WANT_HEADERS | WANT_DATES | WANT_SENT, &r->w, t);
	set_free(&unknown);
	set_free(&known);
	if (e)
		thread_end(&r);
	else
		*r_r = r;
	return e;
}

void thread_end(struct thread_run **r)
{
	struct thread_run *c = *r;

	if (!c)
		return;
	view_walk_end(&c->w);
	message_close(&c->msg);
	set_free(&c->uids);
	forest_free(&c->forest);
	thread_learnt_free(&c->l);
	buf_free(&c->headers);
	buf_free(&c->text);
	buf_free(&c->fold);
	msort_free(&c->sort);
	free(c->message);
	free(c->node);
	free(c->node_of);
	free(c->reference);
	free(c->item);
	free(c);
	*r = NULL;
}

/* A piece of the phase; true: it is over. */
static bool work(struct thread_run *r, enum err *e, struct errtext *t)
{
	switch ((enum phase)r->phase) {
	case LEARN:
		*e = learn(r, t);
		if (*e != ERR_NOTFOUND)
			return false;
		*e = ERR_OK;
		learnt_all(r);
		break;
	case LINK:
		*e = link_some(r, t);
		if (*e != ERR_NOTFOUND)
			return false;
		*e = ERR_OK;
		msort_init(&r->sort, r->n);
		break;
	case SORT:
		return msort_step(&r->sort, compare, r, SORT_WORK);
	case TREE:
		if (!r->n)
			r->phase = ITEMS;
		else if (r->how == THREAD_ORDEREDSUBJECT)
			thread_by_subject(r);
		else
			thread_prune(r);
		break;
	case SUBJECTS:
		if (r->how == THREAD_REFERENCES)
			thread_merge_subjects(r);
		break;
	case LISTS:
		make_lists(r);
		if (r->how == THREAD_REFS)
			order_by_latest(r);
		break;
	case ITEMS:
		make_items(r);
		if (r->lacking)
			break;
		thread_kept_put(r);
		thread_learnt_put(r->v->mb->acct, &r->l);
		break;
	case DONE:
		return false;
	}
	return true;
}

enum step thread_step(struct thread_run *r, enum err *err_r, struct errtext *t)
{
	uint64_t end = clock_us() + SLICE_US;
	enum err e = ERR_OK;

	do {
		if (work(r, &e, t))
			r->phase++;
	} while (!e && r->phase != DONE && (r->w ? walk_time_left(r->w, end) : clock_us() < end));
	if (r->w)
		view_walk_pause(r->w);
	if (e == ERR_AGAIN || (!e && r->phase != DONE))
		return STEP_SLICE;
	*err_r = e;
	return STEP_DONE;
}

const struct thread_item *thread_result(const struct thread_run *r, size_t *n_r)
{
	*n_r = r->items;
	return r->item;
}
