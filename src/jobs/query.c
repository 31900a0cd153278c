#include "query.h"

#include "base/guid.h"
#include "base/must.h"
#include "wire/imap_name.h"
#include "wire/imap_set.h"

#include <time.h>

enum { TEXT_MAX = 64 << 10, WORDS_MAX = 4096 };

#define SECONDS_MAX UINT64_C(253402300799) /* the year 9999 ends */

/* Of a key or a list, in the place it is parsed for. */
enum truth { NO, MAYBE, YES };

/* What a key or a list speaks of. */
enum says { SAYS_WHERE = 0x1, SAYS_WHICH = 0x2 };

/* A list that is being put together: what stands between two parentheses, or all. */
struct frame {
	struct frame *up;
	struct query *node, *last; /* Q_AND until an OR is seen */
	bool ors, mixed_ands;      /* an OR stood between keys; two keys stood side by side */
	bool want;                 /* a key must come */
	bool negate;               /* an odd number of NOTs stands before the next key */
	bool outer;                /* and before the list itself */
	unsigned depth;
	enum truth all, any;
	unsigned says_all, says_any; /* enum says */
};

struct parse {
	const struct span *word;
	size_t n, at;
	const struct jobs_place *place;
	struct arena *a;
	struct errtext *t;
};

struct key {
	const char *name;
	enum err (*parse)(struct parse *p, const struct key *key, struct query *q, enum truth *truth_r);
	enum query_kind kind;
	uint8_t flag;
	bool negate;
	bool mailbox; /* says where */
};

/* --- values ------------------------------------------------------------------------------ */

static enum err next_word(struct parse *p, struct span *w_r)
{
	if (p->at == p->n)
		return err_say(p->t, ERR_SYNTAX, "Missing parameter for %.*s", (int)p->word[p->at - 1].n, p->word[p->at - 1].p);
	*w_r = p->word[p->at++];
	return ERR_OK;
}

bool jobs_size(struct span text, uint64_t *size_r)
{
	static const char units[] = "bkmgt";
	const char *unit = text.n > 1 && !ascii_isdigit(text.p[text.n - 1]) && text.p[text.n - 1]
				   ? strchr(units, ascii_lower(text.p[text.n - 1]))
				   : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units) : 0;
	uint64_t n;

	if (unit)
		text.n--;
	if (!span_u64(text, &n) || n > UINT64_MAX >> shift)
		return false;
	*size_r = n << shift;
	return true;
}

static bool interval(struct span text, uint64_t *seconds_r)
{
	static const struct {
		const char *name;
		uint32_t seconds;
	} units[] = { { "weeks", 604800 }, { "days", 86400 }, { "hours", 3600 }, { "mins", 60 }, { "secs", 1 } };
	size_t digits = 0;
	uint64_t n;

	while (digits < text.n && ascii_isdigit(text.p[digits]))
		digits++;
	if (!span_u64(span_cut(text, 0, digits), &n) || n > UINT32_MAX || digits == text.n)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		struct span rest = span_from(text, digits);

		if (rest.n > strlen(units[i].name) || !span_ieq(rest, span_of(units[i].name, rest.n)))
			continue;
		*seconds_r = n * units[i].seconds;
		return true;
	}
	return false;
}

static bool month_named(struct span text, uint32_t *m_r)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (uint32_t m = 0; text.n == 3 && m < 12; m++) {
		if (!span_ieq(text, span_of(names + 3 * m, 3)))
			continue;
		*m_r = m + 1;
		return true;
	}
	return false;
}

/* "13-Apr-2007" or "2007-04-13". */
static bool calendar(struct span text, int64_t *when_r)
{
	struct span a, b, c = text;
	uint32_t y, m, d;

	if (!span_split(&c, '-', &a) || !span_split(&c, '-', &b))
		return false;
	if (a.n == 4 && (!span_u32(a, &y) || !span_u32(b, &m) || !span_u32(c, &d)))
		return false;
	if (a.n != 4 && (!span_u32(a, &d) || !month_named(b, &m) || c.n != 4 || !span_u32(c, &y)))
		return false;
	struct tm tm = { .tm_year = (int)y - 1900, .tm_mon = (int)m - 1, .tm_mday = (int)d };
	if (y < 1 || y > 9999 || m < 1 || m > 12 || d < 1 || d > 31)
		return false;
	*when_r = (int64_t)timegm(&tm);
	return tm.tm_mday == (int)d;
}

bool jobs_date(struct span text, int64_t now, int64_t *when_r, bool *exact_r)
{
	uint64_t n;

	*exact_r = true;
	if (span_u64(text, &n) && n <= SECONDS_MAX)
		*when_r = (int64_t)n;
	else if (interval(text, &n))
		*when_r = now - (int64_t)n;
	else
		*exact_r = false;
	return *exact_r || calendar(text, when_r);
}

/* --- keys ---------------------------------------------------------------------------------- */

static enum err parse_none(struct parse *p, const struct key *key, struct query *q, enum truth *truth_r)
{
	q->flag = key->flag;
	if (key->kind == Q_ALL)
		*truth_r = YES;
	return ERR_OK;
}

static enum err parse_text(struct parse *p, const struct key *key, struct query *q, enum truth *truth_r)
{
	enum err e = next_word(p, &q->text);

	if (!e && q->text.n > TEXT_MAX)
		e = err_say(p->t, ERR_LIMIT, "The search text is too long");
	return e;
}

static enum err parse_header(struct parse *p, const struct key *key, struct query *q, enum truth *truth_r)
{
	enum err e = next_word(p, &q->name);

	return e ? e : parse_text(p, key, q, truth_r);
}

static enum err parse_keyword(struct parse *p, const struct key *key, struct query *q, enum truth *truth_r)
{
	return next_word(p, &q->text);
}

static enum err parse_date(struct parse *p, const struct key *key, struct query *q, enum truth *truth_r)
{
	int64_t when;
	struct span w;
	enum err e = next_word(p, &w);

	if (e)
		return e;
	if (!jobs_date(w, p->place->now, &when, &q->exact))
		return err_say(p->t, ERR_SYNTAX, "Invalid search date parameter: %.*s", (int)w.n, w.p);
	q->when = when;
	q->day = (int32_t)((when - (when % 86400 + 86400) % 86400) / 86400);
	return ERR_OK;
}

static enum err parse_size(struct parse *p, const struct key *key, struct query *q, enum truth *truth_r)
{
	struct span w;
	enum err e = next_word(p, &w);

	if (!e && !jobs_size(w, &q->number))
		e = err_say(p->t, ERR_SYNTAX, "Invalid search size parameter: %.*s", (int)w.n, w.p);
	return e;
}

/* NEW is (RECENT UNSEEN). */
static enum err parse_new(struct parse *p, const struct key *key, struct query *q, enum truth *truth_r)
{
	struct query *child = arena_array(p->a, 3, sizeof(*child));

	if (!child)
		return ERR_MEMORY;
	child[0] = (struct query){ .kind = Q_FLAG, .flag = MAIL_RECENT, .next = &child[1] };
	child[1] = (struct query){ .kind = Q_NOT, .first = &child[2] };
	child[2] = (struct query){ .kind = Q_FLAG, .flag = MAIL_SEEN };
	q->first = child;
	return ERR_OK;
}

static void free_uids(void *arg)
{
	set_free(arg);
}

static enum err parse_set(struct parse *p, struct span text, bool uid, struct query *q)
{
	struct view *v = p->place->view;
	uint32_t star = !v ? 1 : uid ? set_max(view_uids(v)) : view_state(v)->exists;
	struct set numbers = SET_EMPTY;

	q->kind = Q_UIDS;
	if (!arena_cleanup(p->a, free_uids, &q->uids))
		return ERR_MEMORY;
	if (text.n && !imap_set_parse(text, star, &numbers))
		return err_say(p->t, ERR_SYNTAX, "Invalid %s: %.*s", uid ? "UID set" : "sequence set", (int)text.n, text.p);
	if (v && !uid)
		view_seqs_to_uids(v, &numbers, &q->uids);
	else
		set_copy(&q->uids, &numbers);
	set_free(&numbers);
	return ERR_OK;
}

static enum err parse_uid(struct parse *p, const struct key *key, struct query *q, enum truth *truth_r)
{
	struct span w;
	enum err e = next_word(p, &w);

	return e ? e : parse_set(p, w, true, q);
}

/* In the query both are ALL, or nothing: what is none of a set. */
static void decide(struct query *q, enum truth truth)
{
	q->kind = truth == NO ? Q_UIDS : Q_ALL;
}

static enum err parse_mailbox(struct parse *p, const struct key *key, struct query *q, enum truth *truth_r)
{
	const struct jobs_place *at = p->place;
	struct span w;
	enum err e = next_word(p, &w);

	if (e)
		return e;
	if (at->name.n)
		*truth_r = imap_name_match(w, at->name, at->separator) ? YES : NO;
	decide(q, *truth_r);
	return ERR_OK;
}

static enum err parse_guid(struct parse *p, const struct key *key, struct query *q, enum truth *truth_r)
{
	uint8_t guid[16];
	struct span w;
	enum err e = next_word(p, &w);

	if (e)
		return e;
	if (!guid_read(w, guid))
		return err_say(p->t, ERR_SYNTAX, "Invalid mailbox GUID: %.*s", (int)w.n, w.p);
	if (p->place->guid)
		*truth_r = memcmp(guid, p->place->guid, sizeof(guid)) == 0 ? YES : NO;
	decide(q, *truth_r);
	return ERR_OK;
}

static const struct key keys[] = {
	{ "ALL", parse_none, Q_ALL, 0, false, false },
	{ "ANSWERED", parse_none, Q_FLAG, MAIL_ANSWERED, false, false },
	{ "BCC", parse_text, Q_ADDRESS_BCC, 0, false, false },
	{ "BEFORE", parse_date, Q_BEFORE, 0, false, false },
	{ "BODY", parse_text, Q_BODY, 0, false, false },
	{ "CC", parse_text, Q_ADDRESS_CC, 0, false, false },
	{ "DELETED", parse_none, Q_FLAG, MAIL_DELETED, false, false },
	{ "DRAFT", parse_none, Q_FLAG, MAIL_DRAFT, false, false },
	{ "FLAGGED", parse_none, Q_FLAG, MAIL_FLAGGED, false, false },
	{ "FROM", parse_text, Q_ADDRESS_FROM, 0, false, false },
	{ "HEADER", parse_header, Q_HEADER, 0, false, false },
	{ "KEYWORD", parse_keyword, Q_KEYWORD, 0, false, false },
	{ "LARGER", parse_size, Q_LARGER, 0, false, false },
	{ "MAILBOX", parse_mailbox, Q_ALL, 0, false, true },
	{ "MAILBOX-GUID", parse_guid, Q_ALL, 0, false, true },
	{ "NEW", parse_new, Q_AND, 0, false, false },
	{ "OLD", parse_none, Q_FLAG, MAIL_RECENT, true, false },
	{ "ON", parse_date, Q_ON, 0, false, false },
	{ "RECENT", parse_none, Q_FLAG, MAIL_RECENT, false, false },
	{ "SAVEDBEFORE", parse_date, Q_SAVEDBEFORE, 0, false, false },
	{ "SAVEDON", parse_date, Q_SAVEDON, 0, false, false },
	{ "SAVEDSINCE", parse_date, Q_SAVEDSINCE, 0, false, false },
	{ "SEEN", parse_none, Q_FLAG, MAIL_SEEN, false, false },
	{ "SENTBEFORE", parse_date, Q_SENTBEFORE, 0, false, false },
	{ "SENTON", parse_date, Q_SENTON, 0, false, false },
	{ "SENTSINCE", parse_date, Q_SENTSINCE, 0, false, false },
	{ "SINCE", parse_date, Q_SINCE, 0, false, false },
	{ "SMALLER", parse_size, Q_SMALLER, 0, false, false },
	{ "SUBJECT", parse_text, Q_SUBJECT, 0, false, false },
	{ "TEXT", parse_text, Q_TEXT, 0, false, false },
	{ "TO", parse_text, Q_ADDRESS_TO, 0, false, false },
	{ "UID", parse_uid, Q_UIDS, 0, false, false },
	{ "UNANSWERED", parse_none, Q_FLAG, MAIL_ANSWERED, true, false },
	{ "UNDELETED", parse_none, Q_FLAG, MAIL_DELETED, true, false },
	{ "UNDRAFT", parse_none, Q_FLAG, MAIL_DRAFT, true, false },
	{ "UNFLAGGED", parse_none, Q_FLAG, MAIL_FLAGGED, true, false },
	{ "UNKEYWORD", parse_keyword, Q_KEYWORD, 0, true, false },
	{ "UNSEEN", parse_none, Q_FLAG, MAIL_SEEN, true, false },
};

static const struct key *key_find(struct span word)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (span_ieq_str(word, keys[i].name))
			return &keys[i];
	return NULL;
}

bool jobs_query_names(const struct span *word, size_t n, size_t *at, struct span *name_r)
{
	while (*at + 1 < n) {
		struct span w = word[(*at)++], name = word[*at];

		if (!span_ieq_str(w, "MAILBOX") || span_find(name, '*') != SIZE_MAX || span_find(name, '%') != SIZE_MAX)
			continue;
		*name_r = name;
		(*at)++;
		return true;
	}
	return false;
}

/* --- lists ------------------------------------------------------------------------------------ */

static struct frame *push(struct parse *p, struct frame *up)
{
	struct frame *f = arena_alloc(p->a, sizeof(*f));
	struct query *node = arena_alloc(p->a, sizeof(*node));

	if (!f || !node)
		return NULL;
	node->kind = Q_AND;
	*f = (struct frame){ .up = up, .node = node, .want = true, .all = YES, .any = NO, .says_all = ~0u };
	f->depth = up ? up->depth + 1 : 1;
	if (up) {
		f->outer = up->negate;
		up->negate = false;
	}
	return f;
}

/* What a key or a closed list adds to the one it stands in. */
struct operand {
	struct query *q;
	enum truth truth;
	unsigned says; /* enum says */
};

static enum err negated(struct parse *p, struct operand *o)
{
	struct query *not = arena_alloc(p->a, sizeof(*not));

	if (!not)
		return ERR_MEMORY;
	not->kind = Q_NOT;
	not->first = o->q;
	*o = (struct operand){ not, YES - o->truth, o->says & ~(unsigned)SAYS_WHERE };
	return ERR_OK;
}

static enum err add(struct parse *p, struct frame *f, struct operand *o)
{
	enum err e = f->negate ? negated(p, o) : ERR_OK;

	if (e)
		return e;
	f->mixed_ands |= !f->want;
	f->want = f->negate = false;
	if (f->last)
		f->last->next = o->q;
	else
		f->node->first = o->q;
	f->last = o->q;
	if (o->truth < f->all)
		f->all = o->truth;
	if (o->truth > f->any)
		f->any = o->truth;
	f->says_all &= o->says;
	f->says_any |= o->says;
	if (f->ors && f->mixed_ands)
		return err_say(p->t, ERR_SYNTAX, "Use parenthesis when mixing ANDs and ORs");
	return ERR_OK;
}

/* The list is complete: its value. */
static enum err end(struct parse *p, struct frame *f, struct operand *o_r)
{
	if (f->want)
		return err_say(p->t, ERR_SYNTAX, f->last ? "A search key is missing behind OR" : "Empty search query");
	if (f->negate)
		return err_say(p->t, ERR_SYNTAX, "A search key is missing behind NOT");
	f->node->kind = f->ors ? Q_OR : Q_AND;
	*o_r = f->ors ? (struct operand){ f->node, f->any, f->says_all }
		      : (struct operand){ f->node, f->all, f->says_any };
	if (!f->node->first->next)
		o_r->q = f->node->first;
	return ERR_OK;
}

static enum err unknown(struct parse *p, struct span word)
{
	char upper[64];
	size_t n = word.n < sizeof(upper) ? word.n : sizeof(upper);

	for (size_t i = 0; i < n; i++)
		upper[i] = ascii_upper(word.p[i]);
	return err_say(p->t, ERR_SYNTAX, "Unknown argument %.*s", (int)n, upper);
}

static enum err parse_key(struct parse *p, struct operand *o_r)
{
	struct span word = p->word[p->at++];
	const struct key *key = key_find(word);
	struct query *q = arena_alloc(p->a, sizeof(*q));
	enum truth truth = MAYBE;
	enum err e;

	if (!q)
		return ERR_MEMORY;
	if (!key && !imap_set_looks(word))
		return unknown(p, word);
	if (key)
		q->kind = key->kind;
	e = key ? key->parse(p, key, q, &truth) : parse_set(p, word, false, q);
	*o_r = (struct operand){ q, truth, key && key->mailbox ? SAYS_WHERE : SAYS_WHICH };
	return e || !key || !key->negate ? e : negated(p, o_r);
}

/* One word, or a key with its values. *top may become another list. */
static enum err take(struct parse *p, struct frame **top)
{
	struct frame *f = *top;
	struct span word = p->word[p->at];
	struct operand o;
	enum err e;

	if (span_eq_str(word, "(")) {
		p->at++;
		if (f->depth == JOBS_QUERY_DEPTH)
			return err_say(p->t, ERR_LIMIT, "The search query is nested too deeply");
		*top = push(p, f);
		return *top ? ERR_OK : ERR_MEMORY;
	}
	if (span_eq_str(word, ")") && f->up) {
		p->at++;
		e = end(p, f, &o);
		*top = f->up;
		f->up->negate = f->outer;
		return e ? e : add(p, f->up, &o);
	}
	if (span_ieq_str(word, "OR") && !f->want && !f->negate) {
		p->at++;
		f->ors = f->want = true;
		return ERR_OK;
	}
	if (span_ieq_str(word, "NOT")) {
		p->at++;
		f->negate = !f->negate;
		return ERR_OK;
	}
	if (span_ieq_str(word, "OR"))
		return err_say(p->t, ERR_SYNTAX, "Use parenthesis when mixing ANDs and ORs");
	e = parse_key(p, &o);
	return e ? e : add(p, f, &o);
}

enum err jobs_query_parse(const struct span *word, size_t n, const struct jobs_place *place, struct arena *a,
			  struct jobs_query *q_r, struct errtext *t)
{
	struct parse p = { word, n, 0, place, a, t };
	struct frame *top = push(&p, NULL);
	struct operand o;
	enum err e = !top ? ERR_MEMORY : n > WORDS_MAX ? err_say(t, ERR_LIMIT, "The search query is too long") : ERR_OK;

	while (!e && p.at < n)
		e = take(&p, &top);
	if (!e && top->up)
		e = err_say(t, ERR_SYNTAX, "Missing ')'");
	if (!e)
		e = end(&p, top, &o);
	if (e)
		return e;
	*q_r = (struct jobs_query){ o.q, o.truth == NO, o.says & SAYS_WHERE, o.says & SAYS_WHICH };
	return ERR_OK;
}
