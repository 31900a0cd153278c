#include "ipc/msg.h"

#include <errno.h>

void msg_init(struct msg *m, enum msg_type type, uint32_t id)
{
	buf_init(&m->b, MSG_MAX);
	buf_reserve(&m->b, 240);
	msg_put_u16(m, (uint16_t)type);
	msg_put_u16(m, 0);
	msg_put_u32(m, id);
}

void msg_free(struct msg *m)
{
	buf_free(&m->b);
}

/* The n low bytes of v, the lowest first. */
static void msg_put(struct msg *m, uint64_t v, size_t n)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)(v >> (8 * i));
	buf_add(&m->b, bytes, n);
}

void msg_put_u8(struct msg *m, uint8_t v)
{
	msg_put(m, v, 1);
}

void msg_put_u16(struct msg *m, uint16_t v)
{
	msg_put(m, v, 2);
}

void msg_put_u32(struct msg *m, uint32_t v)
{
	msg_put(m, v, 4);
}

void msg_put_u64(struct msg *m, uint64_t v)
{
	msg_put(m, v, 8);
}

void msg_put_bool(struct msg *m, bool v)
{
	msg_put(m, v, 1);
}

void msg_put_span(struct msg *m, struct span s)
{
	if (s.n > MSG_MAX) {
		m->b.failed = true;
		return;
	}
	msg_put_u32(m, (uint32_t)s.n);
	buf_add_span(&m->b, s);
}

void msg_put_str(struct msg *m, const char *s)
{
	msg_put_span(m, span_str(s));
}

/* The next n bytes of the body; the empty span and bad when they are not there. */
static struct span msg_take(struct msg_in *m, size_t n)
{
	struct span s;

	if (m->bad || n > m->rest.n) {
		m->bad = true;
		return (struct span){ NULL, 0 };
	}
	s = span_cut(m->rest, 0, n);
	m->rest = span_from(m->rest, n);
	return s;
}

static uint64_t msg_get(struct msg_in *m, size_t n)
{
	struct span s = msg_take(m, n);
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
	return v;
}

bool msg_parse(struct span packet, struct msg_in *m_r)
{
	struct msg_in m = { .rest = packet, .fd = { -1, -1, -1, -1 } };
	uint16_t type = msg_get_u16(&m), zero = msg_get_u16(&m);

	m.id = msg_get_u32(&m);
	m.type = (enum msg_type)type;
	if (m.bad || zero != 0 || packet.n > MSG_MAX || !msg_row(type))
		return false;
	*m_r = m;
	return true;
}

uint8_t msg_get_u8(struct msg_in *m)
{
	return (uint8_t)msg_get(m, 1);
}

uint16_t msg_get_u16(struct msg_in *m)
{
	return (uint16_t)msg_get(m, 2);
}

uint32_t msg_get_u32(struct msg_in *m)
{
	return (uint32_t)msg_get(m, 4);
}

uint64_t msg_get_u64(struct msg_in *m)
{
	return msg_get(m, 8);
}

bool msg_get_bool(struct msg_in *m)
{
	uint8_t v = msg_get_u8(m);

	if (v > 1)
		m->bad = true;
	return v == 1;
}

struct span msg_get_blob(struct msg_in *m, size_t max)
{
	uint32_t n = msg_get_u32(m);

	if (n > max)
		m->bad = true;
	return msg_take(m, n);
}

struct span msg_get_str(struct msg_in *m, size_t max)
{
	struct span s = msg_get_blob(m, max);

	if (span_find(s, '\0') == SIZE_MAX)
		return s;
	m->bad = true;
	return (struct span){ NULL, 0 };
}

void msg_get_cstr(struct msg_in *m, char *out, size_t n)
{
	struct span s = msg_get_str(m, n - 1);

	if (s.n)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

void msg_get_bytes(struct msg_in *m, void *out, size_t n)
{
	struct span s = msg_get_blob(m, n);

	memset(out, 0, n);
	if (s.n != n)
		m->bad = true;
	else
		memcpy(out, s.p, n);
}

bool msg_end(const struct msg_in *m)
{
	return !m->bad && m->rest.n == 0;
}

int msg_take_fd(struct msg_in *m)
{
	for (size_t i = 0; i < m->nfd; i++) {
		int fd = m->fd[i];

		m->fd[i] = -1;
		if (fd >= 0)
			return fd;
	}
	return -1;
}
