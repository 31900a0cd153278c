/*
 * struct span: bytes that somebody else owns. Pointer and length; never
 * NUL-terminated, may hold NULs; p may be NULL only when n is 0.
 * All parsers take spans; numbers are read only by the strict readers here.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include "base/banned.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

/* A string literal as a span. */
#define SPAN_INIT(lit) { (lit), sizeof(lit) - 1 } /* in an initialiser */
#define SPAN(lit) ((struct span)SPAN_INIT(lit))

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){ p, n };
}

/* NULL gives the empty span. */
static inline struct span span_str(const char *cstr)
{
	return (struct span){ cstr, cstr ? strlen(cstr) : 0 };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_eq_str(struct span a, const char *cstr)
{
	return span_eq(a, span_str(cstr));
}

bool span_ieq_bytes(const char *a, const char *b, size_t n);
/* ASCII case-insensitive. */
static inline bool span_ieq(struct span a, struct span b)
{
	return a.n == b.n && span_ieq_bytes(a.p, b.p, a.n);
}

static inline bool span_ieq_str(struct span a, const char *cstr)
{
	return span_ieq(a, span_str(cstr));
}

bool span_starts(struct span s, struct span prefix);
bool span_istarts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
int span_cmp(struct span a, struct span b);  /* memcmp order, shorter first */

/* First position of c or of needle; SIZE_MAX when absent. */
size_t span_find(struct span s, char c);
size_t span_search(struct span s, struct span needle);

/* off and n are clamped. */
static inline struct span span_from(struct span s, size_t off)
{
	if (off >= s.n)
		off = s.n;
	return (struct span){ off ? s.p + off : s.p, s.n - off };
}

static inline struct span span_cut(struct span s, size_t off, size_t n)
{
	s = span_from(s, off);
	if (s.n > n)
		s.n = n;
	return s;
}

/* Only ' ' to '~', and neither '"' nor '\\': what no protocol escapes. Looks at eight bytes at once. */
bool span_is_plain(struct span s);

struct span span_trim(struct span s);                      /* SP HTAB CR LF at both ends */

/*
 * Takes what stands before the first sep off the front of *rest into *word_r and
 * moves *rest behind it. False when *rest is empty (nothing written).
 * "a,,b" gives "a", "", "b"; a trailing separator gives no extra word.
 */
bool span_split(struct span *rest, char sep, struct span *word_r);

/*
 * Strict unsigned decimal: one or more digits, nothing else, no overflow.
 * Written only on success.
 */
bool span_u32(struct span s, uint32_t *v_r);
bool span_u64(struct span s, uint64_t *v_r);
bool span_hex64(struct span s, uint64_t *v_r); /* 1..16 hex digits */

/* malloc'ed NUL-terminated copy; the caller frees. NULs inside are kept. */
char *span_dup(struct span s);

/* ASCII helpers that ignore the locale. */
static inline char ascii_lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char)(c + 32) : c;
}

static inline char ascii_upper(char c)
{
	return (c >= 'a' && c <= 'z') ? (char)(c - 32) : c;
}

static inline bool ascii_isdigit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_isalpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

#endif
