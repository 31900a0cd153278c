/*
 * SORT: one walk that takes from each message what the criteria compare, then a merge sort. A value
 * is a number, or a folded text whose first bytes stand in a number, so that most comparisons touch
 * nothing else.
 */
#include "box/sort.h"
#include "made.h"
#include "msort.h"
#include "query.h"
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mime/date.h"
#include "mime/decode.h"
#include "mime/envelope.h"
#include "mime/subject.h"

enum {
	TEXT_MAX = 256 << 20, /* all texts of a run */
	FIELD_MAX = 4 << 20,  /* one, while it is made */
	SORT_WORK = 2000,     /* comparisons between looks at the clock */
};

struct value {
	uint64_t head;  /* a number, or a text's first eight bytes */
	uint32_t at, n; /* the text, in sort_run.text */
};

struct sort_run {
	struct view *v;
	struct view_walk *w; /* own, while values are taken */
	struct sort_by by[SORT_BY_MAX];
	size_t by_n;
	uint32_t *uid;       /* own: of the messages, then of the result */
	struct value *value; /* own: by_n a message */
	size_t n, cap;
	struct buf text;                      /* own */
	struct buf field, word, fold;         /* own: scratch */
	struct mime_envelope_address address; /* own: scratch */
	struct msort sort;
	bool sorting, done;
};

/* --- values ------------------------------------------------------------------------- */

static struct value number_value(int64_t number)
{
	return (struct value){ (uint64_t)number ^ (uint64_t)1 << 63, 0, 0 };
}

static struct value text_value(struct sort_run *r, struct span text)
{
	struct value v = { 0, (uint32_t)r->text.n, 0 };

	buf_clear(&r->fold);
	utf8_fold(text, &r->fold);
	buf_add_span(&r->text, buf_span(&r->fold));
	v.n = (uint32_t)r->fold.n;
	for (size_t i = 0; i < 8; i++)
		v.head = v.head << 8 | (i < r->fold.n ? (unsigned char)r->fold.p[i] : 0);
	return v;
}

static struct value date_value(const struct message_facts *f)
{
	struct mime_date d;

	return number_value(sent_date(f->sent, &d) ? d.utc : f->internaldate);
}

static struct value subject_value(struct sort_run *r, const struct message_facts *f)
{
	buf_clear(&r->field);
	buf_clear(&r->word);
	if (!mime_envelope_text(f->envelope, MIME_ENVELOPE_SUBJECT, &r->field))
		return text_value(r, SPAN(""));
	mime_words_decode(acct_charsets(r->v->mb->acct), buf_span(&r->field), &r->word);
	buf_clear(&r->field);
	mime_subject_base(buf_span(&r->word), &r->field);
	return text_value(r, buf_span(&r->field));
}

static struct value mailbox_value(struct sort_run *r, const struct message_facts *f,
				  enum mime_envelope_field field)
{
	mime_envelope_first(f->envelope, field, &r->address);
	return text_value(r, buf_span(&r->address.mailbox));
}

/* RFC 5957 section 3: the display name, else the address, else what there is of it. */
static struct value display_value(struct sort_run *r, const struct message_facts *f,
				  enum mime_envelope_field field)
{
	struct mime_envelope_address *a = &r->address;

	mime_envelope_first(f->envelope, field, a);
	buf_clear(&r->word);
	mime_words_decode(acct_charsets(r->v->mb->acct), buf_span(&a->name), &r->word);
	if (r->word.n)
		return text_value(r, buf_span(&r->word));
	if (a->mailbox.n && a->host.n) {
		buf_add_char(&a->mailbox, '@');
		buf_add_span(&a->mailbox, buf_span(&a->host));
	}
	return text_value(r, buf_span(&a->mailbox));
}

static struct value value_of(struct sort_run *r, enum sort_key key, const struct message_facts *f)
{
	switch (key) {
	case SORT_ARRIVAL:
		return number_value(f->internaldate);
	case SORT_SIZE:
		return number_value((int64_t)f->vsize);
	case SORT_DATE:
		return date_value(f);
	case SORT_SUBJECT:
		return subject_value(r, f);
	case SORT_FROM:
		return mailbox_value(r, f, MIME_ENVELOPE_FROM);
	case SORT_TO:
		return mailbox_value(r, f, MIME_ENVELOPE_TO);
	case SORT_CC:
		return mailbox_value(r, f, MIME_ENVELOPE_CC);
	case SORT_DISPLAYFROM:
		return display_value(r, f, MIME_ENVELOPE_FROM);
	case SORT_DISPLAYTO:
		return display_value(r, f, MIME_ENVELOPE_TO);
	case SORT_KEYS:
		break;
	}
	return number_value(0);
}

static unsigned wants(const struct sort_run *r)
{
	unsigned want = 0;

	for (size_t i = 0; i < r->by_n; i++) {
		enum sort_key key = r->by[i].key;

		if (key == SORT_SIZE)
			want |= WANT_VSIZE;
		else if (key == SORT_ARRIVAL)
			want |= WANT_DATES;
		else
			want |= key == SORT_DATE ? WANT_SENT | WANT_DATES : WANT_ENVELOPE;
	}
	return want;
}

/* --- the run ------------------------------------------------------------------------ */

static bool named(const struct sort_run *r, enum sort_key key)
{
	for (size_t i = 0; i < r->by_n; i++)
		if (r->by[i].key == key)
			return true;
	return false;
}

enum err sort_start(struct view *v, const struct set *uids, const struct sort_by *by, size_t n,
		    struct sort_run **r_r, struct errtext *t)
{
	struct sort_run *r = mem_alloc(sizeof(*r));
	enum err e;

	r->v = v;
	for (size_t i = 0; i < n; i++)
		if (!named(r, by[i].key))
			r->by[r->by_n++] = by[i];
	buf_init(&r->text, TEXT_MAX);
	buf_init(&r->field, FIELD_MAX);
	buf_init(&r->word, FIELD_MAX);
	buf_init(&r->fold, 8 * (size_t)FIELD_MAX);
	buf_init(&r->address.name, FIELD_MAX);
	buf_init(&r->address.mailbox, FIELD_MAX);
	buf_init(&r->address.host, FIELD_MAX);
	r->cap = (size_t)set_count(uids) + 1;
	r->uid = mem_array(r->cap, sizeof(*r->uid));
	r->value = mem_array(r->cap * r->by_n, sizeof(*r->value));
	e = view_walk_begin(v, uids, wants(r), &r->w, t);
	if (e)
		sort_end(&r);
	else
		*r_r = r;
	return e;
}

void sort_end(struct sort_run **r)
{
	struct sort_run *c = *r;

	if (!c)
		return;
	view_walk_end(&c->w);
	free(c->uid);
	free(c->value);
	buf_free(&c->text);
	buf_free(&c->field);
	buf_free(&c->word);
	buf_free(&c->fold);
	buf_free(&c->address.name);
	buf_free(&c->address.mailbox);
	buf_free(&c->address.host);
	msort_free(&c->sort);
	free(c);
	*r = NULL;
}

static int compare_values(const struct sort_run *r, const struct value *x, const struct value *y)
{
	if (x->head != y->head)
		return x->head < y->head ? -1 : 1;
	if (!x->n && !y->n)
		return 0;
	return span_cmp(span_of(r->text.p + x->at, x->n), span_of(r->text.p + y->at, y->n));
}

static int compare(const void *ctx, uint32_t x, uint32_t y)
{
	const struct sort_run *r = ctx;

	for (size_t i = 0; i < r->by_n; i++) {
		int c = compare_values(r, &r->value[x * r->by_n + i], &r->value[y * r->by_n + i]);

		if (c)
			return r->by[i].reverse ? -c : c;
	}
	return 0;
}

static enum err take_one(struct sort_run *r, struct errtext *t)
{
	struct message_facts f;
	enum err e = view_walk_next(r->w, &f, t);

	if (e && !view_err_passes(e))
		return e;
	for (size_t i = 0; i < r->by_n; i++)
		r->value[r->n * r->by_n + i] = value_of(r, r->by[i].key, &f);
	r->uid[r->n++] = f.uid;
	return r->text.failed ? err_say(t, ERR_LIMIT, "Too much text to sort by") : ERR_OK;
}

static void take_result(struct sort_run *r)
{
	for (size_t i = 0; i < r->n; i++)
		r->sort.b[i] = r->uid[r->sort.a[i]];
	memcpy(r->uid, r->sort.b, r->n * sizeof(*r->uid));
	r->done = true;
}

/* A piece of work. ERR_NOTFOUND: that was all. */
static enum err work(struct sort_run *r, struct errtext *t)
{
	enum err e;

	if (!r->sorting) {
		e = take_one(r, t);
		if (e != ERR_NOTFOUND)
			return e;
		view_walk_end(&r->w);
		msort_init(&r->sort, r->n);
		r->sorting = true;
		return ERR_OK;
	}
	if (!msort_step(&r->sort, compare, r, SORT_WORK))
		return ERR_OK;
	take_result(r);
	return ERR_NOTFOUND;
}

enum step sort_step(struct sort_run *r, enum err *err_r, struct errtext *t)
{
	uint64_t end = clock_us() + SLICE_US;
	enum err e;

	do {
		e = work(r, t);
	} while (!e && (r->w ? walk_time_left(r->w, end) : clock_us() < end));
	if (r->w)
		view_walk_pause(r->w);
	if (!e || e == ERR_AGAIN)
		return STEP_SLICE;
	*err_r = e == ERR_NOTFOUND ? ERR_OK : e;
	return STEP_DONE;
}

const uint32_t *sort_result(const struct sort_run *r, size_t *n_r)
{
	*n_r = r->done ? r->n : 0;
	return r->uid;
}
