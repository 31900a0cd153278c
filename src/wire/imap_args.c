/* Typed readers over the argument tree. They judge spelling only, never meaning. */
#include "wire/imap_args.h"
#include "base/mailflags.h"
#include "base/must.h"

static bool is(const struct imap_arg *a, enum imap_arg_type type)
{
	return a && a->type == type;
}

bool imap_arg_is_nil(const struct imap_arg *a)
{
	return imap_arg_word(a, "NIL");
}

bool imap_arg_word(const struct imap_arg *a, const char *word)
{
	return is(a, IMAP_ARG_ATOM) && span_ieq_str(a->s, word);
}

bool imap_arg_atom(const struct imap_arg *a, struct span *s_r)
{
	if (!is(a, IMAP_ARG_ATOM))
		return false;
	*s_r = a->s;
	return true;
}

bool imap_arg_string(const struct imap_arg *a, struct span *s_r)
{
	if (!is(a, IMAP_ARG_QUOTED) && !is(a, IMAP_ARG_LITERAL) && !is(a, IMAP_ARG_LITERAL8))
		return false;
	if (a->streamed)
		return false;
	*s_r = a->s;
	return true;
}

bool imap_arg_astring(const struct imap_arg *a, struct span *s_r)
{
	return imap_arg_atom(a, s_r) || imap_arg_string(a, s_r);
}

bool imap_arg_nstring(const struct imap_arg *a, struct span *s_r, bool *nil_r)
{
	if (imap_arg_is_nil(a)) {
		*s_r = (struct span){ NULL, 0 };
		*nil_r = true;
		return true;
	}
	if (!imap_arg_string(a, s_r))
		return false;
	*nil_r = false;
	return true;
}

bool imap_arg_number64(const struct imap_arg *a, uint64_t *v_r)
{
	uint64_t v;

	if (!is(a, IMAP_ARG_ATOM) || !span_u64(a->s, &v) || v > INT64_MAX)
		return false;
	*v_r = v;
	return true;
}

bool imap_arg_list(const struct imap_arg *a, const struct imap_arg **first_r)
{
	if (!is(a, IMAP_ARG_LIST))
		return false;
	*first_r = a->child;
	return true;
}

bool imap_arg_partial(const struct imap_arg *section, bool *present_r, uint64_t *origin_r, uint64_t *length_r)
{
	struct span t, origin, length;
	uint64_t o, l;
	size_t dot;

	if (!is(section, IMAP_ARG_SECTION))
		return false;
	t = section->tail;
	if (t.n == 0) {
		*present_r = false;
		return true;
	}
	dot = span_find(t, '.');
	if (dot == SIZE_MAX || t.p[0] != '<' || t.p[t.n - 1] != '>')
		return false;
	origin = span_cut(t, 1, dot - 1);
	length = span_cut(t, dot + 1, t.n - dot - 2);
	if (!span_u64(origin, &o) || !span_u64(length, &l) || l == 0 || o > INT64_MAX || l > INT64_MAX)
		return false;
	*present_r = true;
	*origin_r = o;
	*length_r = l;
	return true;
}

/* Days since 1970-01-01 of a day of the proleptic Gregorian calendar; years count from March so that leap days come last. */
static int64_t civil_day(int64_t year, uint32_t month, uint32_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static uint32_t month_of(struct span s)
{
	static const char names[12][4] = {
		"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
	};

	for (uint32_t i = 0; i < ARRAY_LEN(names); i++) {
		if (span_ieq_str(s, names[i]))
			return i + 1;
	}
	return 0;
}

static uint32_t month_days(uint32_t year, uint32_t month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap ? 1U : 0U);
}

bool imap_arg_date(const struct imap_arg *a, int64_t *day_r)
{
	struct span rest, day, mon;
	uint32_t d, m, y;

	if (!imap_arg_astring(a, &rest) || !span_split(&rest, '-', &day) || !span_split(&rest, '-', &mon))
		return false;
	if (day.n > 2 || !span_u32(day, &d) || rest.n != 4 || !span_u32(rest, &y))
		return false;
	m = month_of(mon);
	if (m == 0 || d == 0 || y == 0 || d > month_days(y, m))
		return false;
	*day_r = civil_day(y, m, d);
	return true;
}

static uint8_t system_flag(struct span s)
{
	static const struct {
		const char *name;
		uint8_t flag;
	} flags[] = {
		{ "\\Answered", MAIL_ANSWERED },
		{ "\\Deleted", MAIL_DELETED },
		{ "\\Draft", MAIL_DRAFT },
		{ "\\Flagged", MAIL_FLAGGED },
		{ "\\Seen", MAIL_SEEN },
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (span_ieq_str(s, flags[i].name))
			return flags[i].flag;
	}
	return 0;
}

enum { FLAG_ARGS_MAX = 1000 }; /* duplicates are found by comparing all with all */

static void add_keyword(struct span *kw, uint32_t *n, struct span s)
{
	for (uint32_t i = 0; i < *n; i++) {
		if (span_ieq(kw[i], s))
			return;
	}
	kw[(*n)++] = s;
}

enum err imap_arg_flags(const struct imap_arg *a, struct arena *arena, struct imap_flags *f_r, struct errtext *why)
{
	const struct imap_arg *first = is(a, IMAP_ARG_LIST) ? a->child : a;
	struct imap_flags f = { 0 };
	struct span *kw;
	uint32_t n = 0;

	if (!a || (is(a, IMAP_ARG_LIST) && a->next))
		return err_say(why, ERR_SYNTAX, "Invalid flag list");
	for (const struct imap_arg *x = first; x; x = x->next)
		n++;
	if (n > FLAG_ARGS_MAX)
		return err_say(why, ERR_LIMIT, "Too many flags");
	kw = arena_array(arena, n + 1, sizeof(*kw));
	if (!kw)
		return err_say(why, ERR_MEMORY, "Too many flags");
	for (const struct imap_arg *x = first; x; x = x->next) {
		uint8_t flag;

		if (x->type != IMAP_ARG_ATOM)
			return err_say(why, ERR_SYNTAX, "Flags must be atoms");
		flag = system_flag(x->s);
		f.system |= flag;
		if (flag)
			continue;
		if (!mail_keyword_valid(x->s))
			return err_say(why, ERR_SYNTAX, "Invalid flag %.*s",
				       (int)(x->s.n < 64 ? x->s.n : 64), x->s.p);
		add_keyword(kw, &f.count, x->s);
	}
	f.keywords = kw;
	*f_r = f;
	return ERR_OK;
}

/* ---- copying ---- */

static struct imap_arg *copy_one(const struct imap_arg *a, struct imap_arg *parent, struct arena *arena)
{
	struct imap_arg *c = arena_alloc(arena, sizeof(*c));
	bool s_ok = true, tail_ok = true;

	if (!c)
		return NULL;
	*c = *a;
	c->parent = parent;
	c->child = c->next = NULL;
	c->s = arena_copy(arena, a->s, &s_ok);
	c->tail = arena_copy(arena, a->tail, &tail_ok);
	return s_ok && tail_ok ? c : NULL;
}

/* Down to the first child, else on to the next sibling, else up. */
struct imap_arg *imap_arg_copy(const struct imap_arg *a, struct arena *arena)
{
	struct imap_arg *top = copy_one(a, NULL, arena), *c = top;
	const struct imap_arg *at = a;

	while (c) {
		if (at->child) {
			at = at->child;
			c = c->child = copy_one(at, c, arena);
			continue;
		}
		for (; at != a && !at->next; at = at->parent)
			c = c->parent;
		if (at == a)
			return top;
		at = at->next;
		c = c->next = copy_one(at, c->parent, arena);
	}
	return NULL;
}
