#include "tls_wire.h"

#include <errno.h>
#include <sys/socket.h>

static int wire_write(BIO *bio, const char *p, size_t n, size_t *put_r)
{
	struct tls_wire *w = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	buf_add(w->gather, p, n);
	*put_r = n;
	return !w->gather->failed;
}

static int wire_read(BIO *bio, char *p, size_t n, size_t *got_r)
{
	struct tls_wire *w = BIO_get_data(bio);
	ssize_t got;

	BIO_clear_retry_flags(bio);
	do
		got = recv(w->fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		BIO_set_retry_read(bio);
	w->eof = got == 0;
	*got_r = got > 0 ? (size_t)got : 0;
	return got > 0;
}

static long wire_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	const struct tls_wire *w = BIO_get_data(bio);

	return cmd == BIO_CTRL_FLUSH || (cmd == BIO_CTRL_EOF && w->eof);
}

BIO_METHOD *wire_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");

	if (!m)
		return NULL;
	BIO_meth_set_write_ex(m, wire_write);
	BIO_meth_set_read_ex(m, wire_read);
	BIO_meth_set_ctrl(m, wire_ctrl);
	return m;
}

BIO *wire_bio(const BIO_METHOD *method, struct tls_wire *w)
{
	BIO *bio = BIO_new(method);

	if (!bio)
		return NULL;
	BIO_set_data(bio, w);
	BIO_set_init(bio, 1);
	return bio;
}

/* What the socket takes of bytes. False: it has failed. */
static bool wire_send(const struct tls_wire *w, struct span bytes, size_t *put_r)
{
	*put_r = 0;
	while (*put_r < bytes.n) {
		ssize_t n = send(w->fd, bytes.p + *put_r, bytes.n - *put_r, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && errno != EINTR)
			return false;
		*put_r += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* In order: while something is held, what was gathered goes behind it. */
static struct buf *wire_next(struct tls_wire *w)
{
	if (!w->held.n)
		return w->gather;
	buf_add_span(&w->held, buf_span(w->gather));
	buf_clear(w->gather);
	return &w->held;
}

enum tls_result wire_flush(struct tls_wire *w)
{
	struct buf *b = wire_next(w);
	size_t put = 0;
	bool ok = wire_send(w, buf_span(b), &put);

	if (!ok || put == b->n) {
		buf_clear(w->gather);
		buf_free(&w->held);
		return ok ? TLS_DONE : TLS_FAILED;
	}
	if (b == w->gather)
		buf_add_span(&w->held, span_from(buf_span(b), put));
	else
		buf_consume(b, put);
	buf_clear(w->gather);
	errno = ENOBUFS;
	return w->held.failed ? TLS_FAILED : TLS_WANT_WRITE;
}
