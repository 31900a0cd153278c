#include "io/tls.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "tls_conn.h"
#include "tls_wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

/* A server and its connections, as the rest of io sees them, stand first in ours. */
struct server {
	struct tls_server pub;
	SSL_CTX *ctx;       /* own */
	BIO_METHOD *method; /* own */
	struct buf gather;  /* own: of all its connections */
	unsigned refs;      /* the owner's and one a connection */
};

struct conn {
	struct tls_conn pub;
	struct server *srv; /* own reference */
	struct tls_wire wire;
	SSL *ssl; /* own */
	const char *why;       /* static; NULL: nothing is wrong */
	enum tls_result ended; /* TLS_EOF or TLS_FAILED: what every later read answers */
	bool notified, again;
};

/* Names of the elliptic curves and of the TLS 1.2 suites when the settings leave them open. */
static const char tls_ciphers_default[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static const char *tls_reason(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	return reason ? reason : "unknown error";
}

static enum err tls_say(struct errtext *why, const char *what)
{
	err_say(why, ERR_SYNTAX, "%s: %s", what, tls_reason());
	ERR_clear_error();
	return ERR_SYNTAX;
}

static bool tls_given(const char *s)
{
	return s && *s;
}

/* Never asks on a terminal. */
static int tls_password(char *out, int size, int writing, void *ctx)
{
	const char *password = ctx;
	int n = tls_given(password) ? (int)strlen(password) : 0;

	if (n > size)
		return 0;
	if (n)
		memcpy(out, password, (size_t)n);
	return n;
}

static enum err tls_load_chain(SSL_CTX *ctx, struct span pem, struct errtext *why)
{
	BIO *bio = BIO_new_mem_buf(pem.n ? pem.p : "", (int)pem.n);
	X509 *cert = PEM_read_bio_X509(bio, NULL, tls_password, NULL);
	bool ok = cert && SSL_CTX_use_certificate(ctx, cert) == 1;

	X509_free(cert);
	while (ok && (cert = PEM_read_bio_X509(bio, NULL, tls_password, NULL)) != NULL) {
		ok = SSL_CTX_add0_chain_cert(ctx, cert) == 1;
		if (!ok)
			X509_free(cert);
	}
	BIO_free(bio);
	if (!ok)
		return tls_say(why, "ssl_cert: not a PEM certificate chain");
	ERR_clear_error(); /* the end of the chain is reported as an error */
	return ERR_OK;
}

static enum err tls_load_key(SSL_CTX *ctx, const struct tls_settings *set, struct errtext *why)
{
	BIO *bio = BIO_new_mem_buf(set->key.n ? set->key.p : "", (int)set->key.n);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, tls_password,
						(void *)(uintptr_t)set->key_password);
	bool read = key != NULL, ok = read && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	if (!read)
		return tls_say(why, "ssl_key: not a PEM key, or one with a password");
	if (!ok || SSL_CTX_check_private_key(ctx) != 1)
		return tls_say(why, "ssl_key does not belong to ssl_cert");
	return ERR_OK;
}

/* Keeps, of the suites chosen, those with forward secrecy and authenticated encryption. */
static enum err tls_keep_aead(SSL_CTX *ctx, struct errtext *why)
{
	STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
	struct buf names;
	bool ok;

	buf_init(&names, 8192);
	for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
		const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);

		if (SSL_CIPHER_is_aead(c) && SSL_CIPHER_get_kx_nid(c) == NID_kx_ecdhe)
			buf_printf(&names, "%s%s", names.n ? ":" : "", SSL_CIPHER_get_name(c));
	}
	ok = names.n && SSL_CTX_set_cipher_list(ctx, buf_cstr(&names)) == 1;
	buf_free(&names);
	return ok ? ERR_OK : err_say(why, ERR_SYNTAX, "ssl_cipher_list: no suite with ECDHE and AEAD in it");
}

static enum err tls_choose_suites(SSL_CTX *ctx, const struct tls_settings *set, struct errtext *why)
{
	const char *list = tls_given(set->ciphers) ? set->ciphers : tls_ciphers_default;
	bool tls13 = tls_given(set->min_protocol) && strcmp(set->min_protocol, "TLSv1.3") == 0;

	SSL_CTX_set_min_proto_version(ctx, tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
	if (SSL_CTX_set_cipher_list(ctx, list) != 1)
		return tls_say(why, "ssl_cipher_list");
	if (tls_given(set->suites) && SSL_CTX_set_ciphersuites(ctx, set->suites) != 1)
		return tls_say(why, "ssl_cipher_suites");
	if (tls_given(set->curves) && SSL_CTX_set1_curves_list(ctx, set->curves) != 1)
		return tls_say(why, "ssl_curve_list");
	return tls_keep_aead(ctx, why);
}

/* RFC 7301: a client that offers protocols, none of them ours, gets no_application_protocol. */
static int tls_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
		    const unsigned char *in, unsigned inlen, void *ctx)
{
	struct span ours = span_str(SSL_get_app_data(ssl));

	if (ours.n == 0)
		return SSL_TLSEXT_ERR_NOACK;
	for (unsigned at = 0; at < inlen; at += 1U + in[at]) {
		if (in[at] > inlen - at - 1 || !span_eq(span_of(in + at + 1, in[at]), ours))
			continue;
		*out = in + at + 1;
		*outlen = in[at];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void tls_set_modes(SSL_CTX *ctx, bool prefer_server)
{
	uint64_t options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET;

	if (prefer_server)
		options |= SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
	SSL_CTX_set_options(ctx, options);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_alpn_select_cb(ctx, tls_alpn, NULL);
}

static void server_unref(struct server *srv)
{
	if (--srv->refs)
		return;
	SSL_CTX_free(srv->ctx);
	BIO_meth_free(srv->method);
	buf_free(&srv->gather);
	free(srv);
}

static void conn_free(struct tls_conn *pub)
{
	struct conn *c = (struct conn *)pub;

	SSL_free(c->ssl);
	buf_free(&c->wire.held);
	server_unref(c->srv);
	free(c);
}

static struct tls_conn *conn_new(struct tls_server *srv, int fd, const char *alpn)
{
	struct conn *c = mem_alloc(sizeof(*c));
	BIO *bio;

	c->pub.ops = srv->ops;
	c->srv = (struct server *)srv;
	c->srv->refs++;
	c->wire = (struct tls_wire){ .fd = fd, .gather = &c->srv->gather };
	buf_init(&c->wire.held, WIRE_MAX);
	c->ssl = SSL_new(c->srv->ctx);
	bio = wire_bio(c->srv->method, &c->wire);
	if (!c->ssl || !bio) {
		BIO_free(bio);
		conn_free(&c->pub);
		return NULL;
	}
	SSL_set_bio(c->ssl, bio, bio);
	SSL_set_app_data(c->ssl, (void *)(uintptr_t)alpn);
	SSL_set_accept_state(c->ssl);
	return &c->pub;
}

/* The connection is over: remembers how, since reads may have bytes to hand out first. */
static enum tls_result conn_end(struct conn *c, enum tls_result ended, const char *why)
{
	ERR_clear_error();
	c->ended = ended;
	c->why = why;
	return ended;
}

/* What a call that did not succeed means. */
static enum tls_result conn_result(struct conn *c, int ret)
{
	int errnum = errno;
	int e = SSL_get_error(c->ssl, ret);

	if (e == SSL_ERROR_WANT_READ)
		return TLS_WANT_READ;
	if (e == SSL_ERROR_WANT_WRITE)
		return TLS_WANT_WRITE;
	if (e == SSL_ERROR_ZERO_RETURN)
		return conn_end(c, TLS_EOF, NULL);
	if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return conn_end(c, TLS_EOF, "closed without close_notify");
	if (e == SSL_ERROR_SYSCALL && ERR_peek_error() == 0)
		return conn_end(c, errnum ? TLS_FAILED : TLS_EOF, strerrordesc_np(errnum));
	return conn_end(c, TLS_FAILED, tls_reason());
}

/* What the library has written goes out. Says what it says unless the wire has something worse to say. */
static enum tls_result conn_flush(struct conn *c, enum tls_result res)
{
	enum tls_result sent;

	if (!c->wire.gather->n && !c->wire.held.n)
		return res;
	sent = wire_flush(&c->wire);
	if (sent == TLS_FAILED && res != TLS_FAILED)
		return conn_end(c, TLS_FAILED, strerrordesc_np(errno));
	return sent == TLS_WANT_WRITE && (res == TLS_DONE || res == TLS_WANT_READ) ? sent : res;
}

static void conn_begin(void)
{
	ERR_clear_error();
	errno = 0;
}

static enum tls_result conn_handshake(struct tls_conn *pub)
{
	struct conn *c = (struct conn *)pub;
	int ret;

	conn_begin();
	ret = SSL_do_handshake(c->ssl);
	return conn_flush(c, ret == 1 ? TLS_DONE : conn_result(c, ret));
}

static enum tls_result conn_read(struct tls_conn *pub, char *p, size_t n, size_t *got_r)
{
	struct conn *c = (struct conn *)pub;
	enum tls_result res = c->ended;
	size_t have = 0;

	c->again = true;
	while (have < n && res == TLS_DONE) {
		size_t got = 0;
		int ret;

		conn_begin();
		ret = SSL_read_ex(c->ssl, p + have, n - have, &got);
		have += got;
		if (ret != 1)
			res = conn_result(c, ret);
		else if (got < SSL3_RT_MAX_PLAIN_LENGTH && !SSL_has_pending(c->ssl))
			res = TLS_WANT_READ; /* a short record was the last: no system call to learn it */
	}
	if (res == TLS_WANT_READ)
		c->again = false;
	if (c->wire.gather->n && conn_flush(c, res) == TLS_FAILED) /* an answer to the peer's library */
		res = TLS_FAILED;
	*got_r = have;
	return have ? TLS_DONE : res; /* the reason comes again with the next call */
}

static enum tls_result conn_write(struct tls_conn *pub, struct span bytes, size_t *put_r)
{
	struct conn *c = (struct conn *)pub;
	enum tls_result res = c->ended == TLS_FAILED ? TLS_FAILED : conn_flush(c, TLS_DONE);

	*put_r = 0;
	while (*put_r < bytes.n && res == TLS_DONE) {
		size_t put = 0;
		int ret;

		conn_begin();
		ret = SSL_write_ex(c->ssl, bytes.p + *put_r, bytes.n - *put_r, &put);
		*put_r += put;
		if (ret != 1)
			res = conn_result(c, ret);
		else if (c->wire.gather->n >= WIRE_GATHER)
			res = conn_flush(c, TLS_DONE);
	}
	return conn_flush(c, res);
}

static size_t conn_held(const struct tls_conn *pub)
{
	return ((const struct conn *)pub)->wire.held.n;
}

static bool conn_pending(const struct tls_conn *pub)
{
	return ((const struct conn *)pub)->again;
}

static void conn_notify(struct tls_conn *pub)
{
	struct conn *c = (struct conn *)pub;

	if (c->notified || c->ended == TLS_FAILED || !SSL_is_init_finished(c->ssl))
		return;
	c->notified = true;
	conn_begin();
	SSL_shutdown(c->ssl);
	ERR_clear_error();
	wire_flush(&c->wire);
}

static const char *conn_why(const struct tls_conn *pub)
{
	const struct conn *c = (const struct conn *)pub;

	return c->why ? c->why : "closed";
}

static void conn_describe(const struct tls_conn *pub, char *out, size_t n)
{
	const struct conn *c = (const struct conn *)pub;
	const SSL_CIPHER *cipher = SSL_get_current_cipher(c->ssl);
	int alg_bits = 0, bits = SSL_CIPHER_get_bits(cipher, &alg_bits);

	if (!cipher) {
		snprintf(out, n, "TLS");
		return;
	}
	snprintf(out, n, "%s with cipher %s (%d/%d bits)", SSL_get_version(c->ssl),
		 SSL_CIPHER_get_name(cipher), bits, alg_bits);
}

static const struct tls_ops conn_ops = {
	.new = conn_new,
	.free = conn_free,
	.handshake = conn_handshake,
	.read = conn_read,
	.write = conn_write,
	.held = conn_held,
	.pending = conn_pending,
	.notify = conn_notify,
	.why = conn_why,
	.describe = conn_describe,
};

enum err tls_server_new(const struct tls_settings *set, struct tls_server **srv_r, struct errtext *why)
{
	struct server *srv = mem_alloc(sizeof(*srv));
	enum err e;

	srv->pub.ops = &conn_ops;
	ERR_clear_error();
	srv->refs = 1;
	buf_init(&srv->gather, WIRE_MAX);
	srv->method = wire_method();
	srv->ctx = SSL_CTX_new(TLS_server_method());
	if (!srv->ctx || !srv->method) {
		server_unref(srv);
		return err_say(why, ERR_MEMORY, "TLS library: %s", tls_reason());
	}
	tls_set_modes(srv->ctx, set->prefer_server_ciphers);
	e = tls_load_chain(srv->ctx, set->cert, why);
	if (!e)
		e = tls_load_key(srv->ctx, set, why);
	if (!e)
		e = tls_choose_suites(srv->ctx, set, why);
	if (e) {
		struct tls_server *pub = &srv->pub;

		tls_server_free(&pub);
	} else {
		*srv_r = &srv->pub;
	}
	return e;
}

void tls_server_free(struct tls_server **srv)
{
	if (!*srv)
		return;
	server_unref((struct server *)*srv);
	*srv = NULL;
}
