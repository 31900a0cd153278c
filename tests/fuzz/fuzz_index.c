/*
 * Records of the index as an attacker or a bad disk may leave them, behind a checksum that fits.
 * The first byte chooses the kind. What is accepted must stay inside the bytes and survive being
 * encoded again.
 */
#include "src/index/schema.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static volatile unsigned sink;

static void inside(struct span s, struct span all)
{
	if (!s.n)
		return;
	must(s.p >= all.p && s.p + s.n <= all.p + all.n);
	for (size_t i = 0; i < s.n; i++)
		sink += (unsigned char)s.p[i];
}

static void same(const struct buf *out, struct span body)
{
	must(!out->failed && span_eq(span_from(buf_span(out), REC_FRAME), body));
}

static void one_box(struct span body, struct buf *out)
{
	struct box_rec r;

	if (box_decode(body, &r))
		return;
	inside(r.pub.name, body);
	inside(r.pub.token, body);
	inside(r.pub.keywords, body);
	box_encode(&r, out);
	same(out, body);
}

static void one_msg(struct span body, struct buf *out)
{
	struct idx_msg m;

	if (msg_decode(body, &m))
		return;
	inside(m.key, body);
	inside(m.hint, body);
	msg_encode(&m, out);
	same(out, body);
}

static void one_map(struct span body, struct buf *out)
{
	struct map_block b;

	if (map_decode(body, &b))
		return;
	map_encode(&b, out);
	same(out, body);
}

/* Ranges may touch and numbers may be spelled longer than needed: the sets must be equal, not the
 * bytes. */
static void one_log(struct span body, struct buf *out)
{
	struct set a = SET_EMPTY, b = SET_EMPTY, c = SET_EMPTY, d = SET_EMPTY;

	if (!log_decode(body, &a, &b)) {
		log_encode(&a, &b, out);
		must(!out->failed && !log_decode(span_from(buf_span(out), REC_FRAME), &c, &d));
		must(a.n == c.n && (!a.n || memcmp(a.r, c.r, a.n * sizeof(*a.r)) == 0));
		must(b.n == d.n && (!b.n || memcmp(b.r, d.r, b.n * sizeof(*b.r)) == 0));
	}
	set_free(&a);
	set_free(&b);
	set_free(&c);
	set_free(&d);
}

/* Checksums are not guessed: so fields are also made of the bytes, each as long as its first byte says. */
static void made_cache(struct span body, struct buf *out)
{
	struct idx_cache c = { 0 }, d;
	struct span rest = body;

	for (size_t f = 0; f < IDX_FIELDS && rest.n > 0; f++) {
		size_t n = (uint8_t)rest.p[0];

		if (n % 3)
			c.field[f] = span_cut(rest, 1, n);
		rest = span_from(rest, n + 1);
	}
	cache_encode(&c, out);
	must(!out->failed && !cache_decode(span_from(buf_span(out), REC_FRAME), IDX_ALL_FIELDS, &d));
	for (size_t f = 0; f < IDX_FIELDS; f++)
		must(!c.field[f].p == !d.field[f].p && span_eq(c.field[f], d.field[f]));
}

static void one_cache(struct span body, struct buf *out)
{
	struct idx_cache c;

	made_cache(body, out);
	must(cache_head_size(body) <= body.n);
	if (!cache_decode(body, 0, &c))
		must(!c.field[0].p);
	if (cache_decode(body, IDX_ALL_FIELDS, &c))
		return;
	for (size_t f = 0; f < IDX_FIELDS; f++)
		inside(c.field[f], body);
	cache_encode(&c, out);
	same(out, body);
}

static void one_todo(struct span body, struct buf *out)
{
	struct idx_todo t;

	if (todo_decode(body, &t))
		return;
	inside(t.key, body);
	inside(t.hint, body);
	todo_encode(&t, out);
	same(out, body);
}

static void one_env(struct span body, struct buf *out)
{
	struct env_rec e;
	uint32_t id;

	if (!env_decode(body, &e)) {
		env_encode(&e, out);
		same(out, body);
	}
	if (!name_decode(body, &id)) {
		name_encode(id, out);
		same(out, body);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static void (*const decode[])(struct span, struct buf *) = {
		one_box, one_msg, one_map, one_log, one_cache, one_todo, one_env,
	};
	struct span body, opened;
	struct rec_key key = rec_key32(1);
	struct buf out;

	if (n == 0)
		return 0;
	buf_init(&out, 1 << 24);
	body = span_of(data + 1, n - 1);
	decode[data[0] % (sizeof(decode) / sizeof(decode[0]))](body, &out);
	if (!rec_open(REC_MSG, rec_key_span(&key), body, &opened, NULL))
		inside(opened, body);
	buf_free(&out);
	return 0;
}
