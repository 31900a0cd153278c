/* What a mailbox name may hold, and LIST patterns. */
#include "wire/imap_name.h"
#include "base/utf8.h"

static bool cp_valid(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029)
		return false;
	return (cp & 0xfffe) != 0xfffe && !(cp >= 0xfdd0 && cp <= 0xfdef);
}

bool imap_name_valid(struct span utf8)
{
	uint32_t cp;

	if (utf8.n == 0)
		return false;
	while (utf8.n > 0) {
		size_t n = utf8_next(utf8, &cp);

		if (n == 0 || !cp_valid(cp))
			return false;
		utf8 = span_from(utf8, n);
	}
	return true;
}

bool imap_name_is_inbox(struct span name)
{
	return span_ieq_str(name, "INBOX");
}

/*
 * Pattern matching by sets of positions: live[i] says that the pattern from i on may
 * match the rest of the name. One pass over the pattern for each byte of the name.
 */
struct matcher {
	size_t n;                          /* of the pattern */
	char sep;
	const char *pattern;
	uint8_t live[IMAP_PATTERN_MAX + 1];
};

static bool is_wild(char c)
{
	return c == '*' || c == '%';
}

/* A wildcard may match nothing: where it is live, its successor is too. */
static void close_over(struct matcher *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->live[i] && is_wild(m->pattern[i]))
			m->live[i + 1] = 1;
	}
}

static bool advance(struct matcher *m, char c, bool fold)
{
	uint8_t from = m->live[0], any = 0;

	m->live[0] = 0;
	for (size_t i = 0; i < m->n; i++) {
		char p = m->pattern[i];
		uint8_t next = m->live[i + 1];
		bool same = p == c || (fold && ascii_upper(p) == ascii_upper(c));

		m->live[i + 1] = 0;
		if (from && (p == '*' || (p == '%' && (!m->sep || c != m->sep))))
			m->live[i] = any = 1;
		else if (from && !is_wild(p) && same)
			m->live[i + 1] = any = 1;
		from = next;
	}
	close_over(m);
	return any;
}

static bool run(struct matcher *m, struct span pattern, struct span name, char sep)
{
	size_t inbox = 0;

	if (pattern.n > IMAP_PATTERN_MAX)
		return false;
	if (imap_name_is_inbox(span_cut(name, 0, 5)) && (name.n == 5 || (sep && name.p[5] == sep)))
		inbox = 5;
	m->n = pattern.n;
	m->pattern = pattern.p;
	m->sep = sep;
	memset(m->live, 0, pattern.n + 1);
	m->live[0] = 1;
	close_over(m);
	for (size_t i = 0; i < name.n; i++) {
		if (!advance(m, name.p[i], i < inbox))
			return false;
	}
	return true;
}

bool imap_name_match(struct span pattern, struct span name, char sep)
{
	struct matcher m;

	return run(&m, pattern, name, sep) && m.live[pattern.n];
}

bool imap_name_match_below(struct span pattern, struct span name, char sep)
{
	struct matcher m;

	if (!run(&m, pattern, name, sep) || !sep)
		return false;
	return advance(&m, sep, false) && memchr(m.live, 1, pattern.n) != NULL;
}
