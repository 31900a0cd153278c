#include "modify.h"

#include "base/must.h"

#include <md5.h>
#include <sha1.h>
#include <sha2.h>

enum { NUMBER_MAX = 1000000000, WORK_MAX = 1 << 16 };

static unsigned take_number(struct span *rest)
{
	unsigned n = 0;

	for (; rest->n > 1 && *rest->p >= '0' && *rest->p <= '9'; *rest = span_from(*rest, 1))
		n = n < NUMBER_MAX / 10 ? n * 10 + (unsigned)(*rest->p - '0') : n;
	return n;
}

void modifiers_take(struct span *rest, struct modifiers *m_r)
{
	bool back = rest->n > 1 && *rest->p == '-';
	size_t n = 0;

	*m_r = (struct modifiers){ 0 };
	if (back)
		*rest = span_from(*rest, 1);
	m_r->fill = rest->n > 1 && *rest->p == '0';
	m_r->width = take_number(rest);
	if (rest->n > 1 && *rest->p == '.') {
		*rest = span_from(*rest, 1);
		m_r->offset = back ? -(int)m_r->width : (int)m_r->width;
		m_r->fill = rest->n > 1 && *rest->p == '0';
		m_r->width = take_number(rest);
	}
	while (n + 1 < rest->n && memchr("LUERTMHNXD", rest->p[n], 10))
		n++;
	m_r->steps = span_cut(*rest, 0, n);
	*rest = span_from(*rest, n);
}

/* --- digests ------------------------------------------------------------------------------- */

static void add_hex(const uint8_t *bytes, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%02x", bytes[i]);
}

/* clang-format off */
#define DIGEST(name, type, algorithm, size) \
static size_t name(struct span v, uint8_t *digest_r) \
{ \
	type ctx; \
\
	algorithm##Init(&ctx); \
	algorithm##Update(&ctx, (const uint8_t *)v.p, v.n); \
	algorithm##Final(digest_r, &ctx); \
	return size; \
}
/* clang-format on */

DIGEST(md5, MD5_CTX, MD5, MD5_DIGEST_LENGTH)
DIGEST(sha1, SHA1_CTX, SHA1, SHA1_DIGEST_LENGTH)
DIGEST(sha256, SHA2_CTX, SHA256, SHA256_DIGEST_LENGTH)
DIGEST(sha384, SHA2_CTX, SHA384, SHA384_DIGEST_LENGTH)
DIGEST(sha512, SHA2_CTX, SHA512, SHA512_DIGEST_LENGTH)

bool modify_digest(struct span name, struct span value, struct buf *out)
{
	static const struct {
		const char *name;
		size_t (*make)(struct span value, uint8_t *digest_r);
	} known[] = { { "md5", md5 },
		      { "sha1", sha1 },
		      { "sha256", sha256 },
		      { "sha384", sha384 },
		      { "sha512", sha512 } };
	uint8_t digest[SHA512_DIGEST_LENGTH];

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!span_eq_str(name, known[i].name))
			continue;
		add_hex(digest, known[i].make(value, digest), out);
		return true;
	}
	return false;
}

/* --- letters: each makes out of v ---------------------------------------------------------------
 */

/* What spreads names over directories: P. J. Weinberger's, as everybody has it. */
static uint32_t pjw(struct span v)
{
	uint32_t h = 0;

	for (size_t i = 0; i < v.n; i++) {
		uint32_t top;

		h = (h << 4) + (uint8_t)v.p[i];
		top = h & 0xf0000000;
		h = (h ^ (top >> 24)) ^ top;
	}
	return h;
}

static uint64_t half_of_md5(struct span v)
{
	uint8_t d[MD5_DIGEST_LENGTH];
	uint64_t h = 0;

	md5(v, d);
	for (size_t i = 0; i < sizeof(h); i++)
		h = h << 8 | d[i];
	return h;
}

/* Uses up width and offset: a divisor, and digits. Without divisor 32 bits are left. */
static void add_hash(struct modifiers *m, uint64_t hash, struct buf *out)
{
	hash = m->width ? hash % m->width : hash;
	buf_printf(out, "%0*x", m->offset > 0 && m->offset < WORK_MAX ? m->offset : 1,
		   (uint32_t)hash);
	m->width = 0;
	m->offset = 0;
}

/* What is no number is 0. */
static void add_number(struct span v, struct buf *out)
{
	unsigned long long n = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < v.n; i++)
		ok = v.p[i] >= '0' && v.p[i] <= '9' && !__builtin_mul_overflow(n, 10, &n) &&
		     !__builtin_add_overflow(n, (unsigned)(v.p[i] - '0'), &n);
	buf_printf(out, "%llx", ok ? n : 0);
}

static void add_each(char step, struct span v, struct buf *out)
{
	for (size_t i = 0; i < v.n; i++) {
		char c = step == 'R' ? v.p[v.n - 1 - i] : v.p[i];

		if (step == 'E' && memchr("'\"\\", c, 3))
			buf_add_char(out, '\\');
		if (step == 'D' && c == '.')
			buf_add_str(out, ",dc=");
		else
			buf_add_char(out, step == 'L'   ? ascii_lower(c)
					  : step == 'U' ? ascii_upper(c)
							: c);
	}
}

static void take_step(struct modifiers *m, char step, struct span v, struct buf *out)
{
	switch (step) {
	case 'M':
		modify_digest(SPAN("md5"), v, out);
		return;
	case 'H':
		add_hash(m, pjw(v), out);
		return;
	case 'N':
		add_hash(m, half_of_md5(v), out);
		return;
	case 'X':
		add_number(v, out);
		return;
	case 'T':
		while (v.n && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t' ||
			       v.p[v.n - 1] == '\r' || v.p[v.n - 1] == '\n'))
			v.n--;
		break;
	default:
		break;
	}
	add_each(step, v, out);
}

/* --- the part -----------------------------------------------------------------------------------
 */

static void add_part(const struct modifiers *m, struct span v, struct buf *out)
{
	size_t back = m->offset < 0 ? (size_t) - (long)m->offset : 0;

	if (back)
		v = span_from(v, back < v.n ? v.n - back : 0);
	else
		v = span_from(v, (size_t)m->offset < v.n ? (size_t)m->offset : v.n);
	if (m->width && !m->fill && m->width < v.n)
		v.n = m->width;
	for (size_t n = v.n; m->fill && n < m->width && !out->failed; n++)
		buf_add_char(out, '0');
	buf_add_span(out, v);
}

bool modifiers_apply(const struct modifiers *m, struct span value, struct buf *out)
{
	struct modifiers left = *m;
	struct buf work[2];

	buf_init(&work[0], WORK_MAX);
	buf_init(&work[1], WORK_MAX);
	for (size_t i = 0; i < m->steps.n; i++) {
		struct buf *next = &work[i % 2];

		buf_clear(next);
		take_step(&left, m->steps.p[i], value, next);
		value = buf_span(next);
	}
	add_part(&left, value, out);
	if (work[0].failed || work[1].failed)
		out->failed = true;
	buf_free(&work[0]);
	buf_free(&work[1]);
	return !out->failed;
}
