#include "tests/unit/tls_client.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void take_text(BIO *bio, char *out, size_t n)
{
	int got = BIO_read(bio, out, (int)n - 1);

	out[got > 0 ? got : 0] = '\0';
	BIO_free(bio);
}

void tls_test_cert_make(struct tls_test_cert *c)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	BIO *cert = BIO_new(BIO_s_mem()), *pem = BIO_new(BIO_s_mem());

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, key);
	X509_sign(x, key, EVP_sha256());
	PEM_write_bio_X509(cert, x);
	PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL);
	take_text(cert, c->cert, sizeof(c->cert));
	take_text(pem, c->key, sizeof(c->key));
	X509_free(x);
	EVP_PKEY_free(key);
}

unsigned char tls_test_byte(size_t i)
{
	return (unsigned char)(i * 31 + i / 251);
}

static SSL *client_connect(int fd, const struct tls_client *c)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	unsigned char offer[64];
	SSL *ssl;

	SSL_CTX_set_security_level(ctx, 0);
	if (c->ciphers)
		SSL_CTX_set_cipher_list(ctx, c->ciphers);
	if (c->max_version)
		SSL_CTX_set_max_proto_version(ctx, c->max_version);
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (c->alpn) {
		offer[0] = (unsigned char)strlen(c->alpn);
		memcpy(offer + 1, c->alpn, offer[0]);
		SSL_set_alpn_protos(ssl, offer, offer[0] + 1U);
	}
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) == 1)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

static bool client_send(SSL *ssl, const struct tls_client *c)
{
	unsigned char *all = malloc(c->send + 1);
	size_t at = 0, put = 0;

	for (size_t i = 0; i < c->send; i++)
		all[i] = tls_test_byte(i);
	while (at < c->send) {
		size_t n = c->chunk && c->chunk < c->send - at ? c->chunk : c->send - at;

		if (SSL_write_ex(ssl, all + at, n, &put) != 1)
			break;
		at += put;
	}
	free(all);
	return at == c->send;
}

/* The number of bytes that came and were right, until the server closed; -1 when that was not orderly. */
static long client_read(SSL *ssl, const struct tls_client *c)
{
	unsigned char piece[16384];
	size_t have = 0, got;

	for (;;) {
		if (c->slow_us)
			usleep(c->slow_us);
		if (SSL_read_ex(ssl, piece, sizeof(piece), &got) != 1)
			break;
		for (size_t i = 0; i < got; i++)
			if (piece[i] != tls_test_byte(have + i))
				return (long)have;
		have += got;
	}
	return SSL_get_error(ssl, 0) == SSL_ERROR_ZERO_RETURN ? (long)have : -1;
}

static int client_run(int fd, const struct tls_client *c)
{
	SSL *ssl = client_connect(fd, c);
	long have;

	if (!ssl)
		return 1;
	if (!client_send(ssl, c))
		return 2;
	if (c->half_close)
		SSL_shutdown(ssl);
	have = client_read(ssl, c);
	SSL_free(ssl);
	if (have < 0)
		return 3;
	return (size_t)have == c->expect ? 0 : 2;
}

pid_t tls_client_fork(int fd, const struct tls_client *c)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	signal(SIGPIPE, SIG_IGN);
	_exit(client_run(fd, c));
}

int tls_client_wait(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}
