/*
 * Compression of a stream (RFC 4978): the filter between what the stream's user reads and writes and what the socket
 * or TLS carries.
 *
 *	user -> stream.out -> deflater -> filter.out -> TLS or socket
 *	user <- stream.in  <- inflater <- raw        <- TLS or socket
 *
 * A compressor that sees a secret and what an attacker chose together tells him by the size whether they are alike. So
 * nothing refers across a full flush, which ends every answer and every turn of the loop; the deflater has no
 * memory of its own then, and is given back. The inflater must keep what the peer sent last.
 */
#include "base/mem.h"
#include "codec/deflate.h"
#include "stream_impl.h"

enum {
	DEFLATE_LEVEL = 6,
	RAW_MAX = 16384,      /* compressed input taken at a time: at most RAW_MAX * 1032 bytes come out, in pieces */
	OUT_SLACK = 1 << 20,  /* incompressible output grows a little */
};

struct deflating {
	struct stream_filter filter; /* first: the stream knows this */
	struct deflater *deflater;   /* own; NULL while nothing is held */
	struct inflater *inflater;   /* own */
	struct buf raw;              /* compressed input not yet inflated, from raw_off on */
	size_t raw_off;
};

static struct deflating *deflating(const struct stream *s)
{
	return (struct deflating *)s->filter;
}

static bool deflating_pending(const struct stream *s)
{
	struct deflating *d = deflating(s);

	return d->raw.n > d->raw_off || inflater_more(d->inflater);
}

/* Takes what is there off the socket; TLS_DONE when raw holds something. */
static enum tls_result refill(struct stream *s, struct deflating *d)
{
	enum tls_result res;
	size_t got = 0;

	buf_clear(&d->raw);
	d->raw_off = 0;
	if (!buf_reserve(&d->raw, RAW_MAX))
		return TLS_FAILED;
	res = stream_recv_raw(s, d->raw.p, RAW_MAX, &got);
	d->raw.n = got;
	return res;
}

static enum tls_result inflate_some(struct deflating *d, struct buf *plain, size_t n)
{
	struct span in = span_from(buf_span(&d->raw), d->raw_off);
	enum err e = inflater_run(d->inflater, &in, n, plain);

	d->raw_off = d->raw.n - in.n;
	if (e && !plain->n) {
		d->filter.why = e == ERR_CLOSED ? "compressed stream ended" : "compressed input is damaged";
		return TLS_FAILED;
	}
	return TLS_DONE;
}

static enum tls_result deflating_read(struct stream *s, char *p, size_t n, size_t *got_r)
{
	struct deflating *d = deflating(s);
	enum tls_result res = TLS_DONE;
	struct buf plain;

	buf_init(&plain, n + RAW_MAX + 1);
	while (res == TLS_DONE && !plain.n) {
		if (!deflating_pending(s))
			res = refill(s, d);
		if (res == TLS_DONE)
			res = inflate_some(d, &plain, n);
	}
	if (plain.n)
		memcpy(p, plain.p, plain.n);
	*got_r = plain.n;
	buf_free(&plain);
	if (!deflating_pending(s)) {
		buf_free(&d->raw);
		d->raw_off = 0;
		inflater_rest(d->inflater);
	}
	return res;
}

static bool deflating_write(struct stream *s, struct span bytes, bool full)
{
	struct deflating *d = deflating(s);

	if (!bytes.n && !(full && d->filter.held))
		return true;
	if (!d->deflater)
		d->deflater = deflater_new(DEFLATE_LEVEL);
	if (!d->deflater)
		return false;
	if (deflater_run(d->deflater, bytes, full ? DEFLATE_FULL : DEFLATE_MORE, &d->filter.out))
		return false;
	d->filter.held = !full;
	return true;
}

static void deflating_rest(struct stream *s)
{
	if (!s->filter->held)
		deflater_free(&deflating(s)->deflater);
}

static size_t deflating_pass(const struct stream *s, size_t n, char head[STREAM_PASS_HEAD])
{
	const struct stream_filter *f = s->filter;

	if (f->held || f->out.n > f->out_off)
		return 0;
	return deflate_stored_head(n, head);
}

static void deflating_free(struct stream *s)
{
	struct deflating *d = deflating(s);

	deflater_free(&d->deflater);
	inflater_free(&d->inflater);
	buf_free(&d->raw);
	buf_free(&d->filter.out);
	free(d);
}

static const struct stream_filter_ops deflate_ops = {
	.read = deflating_read,
	.pending = deflating_pending,
	.write = deflating_write,
	.rest = deflating_rest,
	.pass = deflating_pass,
	.free = deflating_free,
};

enum err stream_compress(struct stream *s)
{
	struct deflating *d;

	if (s->filter || s->over || s->finishing || (s->phase != STREAM_PLAIN && s->phase != STREAM_TLS))
		return ERR_CANNOT;
	d = mem_alloc(sizeof(*d));
	d->inflater = inflater_new();
	if (!d->inflater) {
		free(d);
		return ERR_MEMORY;
	}
	d->filter.ops = &deflate_ops;
	buf_init(&d->raw, s->limit.in_max > RAW_MAX ? s->limit.in_max : RAW_MAX + 1);
	buf_init(&d->filter.out, s->limit.out_max + s->limit.out_max / 8 + OUT_SLACK);
	stream_insert(s, &d->filter, &d->raw);
	return ERR_OK;
}
