/* A TLS client and a certificate for tests: blocking, on the other end of a socket pair, in a child process. */
#ifndef TESTS_UNIT_TLS_CLIENT_H
#define TESTS_UNIT_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls_test_cert {
	char cert[4096], key[4096]; /* PEM, made in this process: P-256, self-signed */
};

void tls_test_cert_make(struct tls_test_cert *c);

struct tls_client {
	const char *alpn;    /* one protocol to offer, or NULL */
	const char *ciphers; /* for TLS 1.2 */
	int max_version;     /* e.g. TLS1_2_VERSION; 0: the newest */
	size_t send, expect; /* bytes of tls_test_byte to send, and to read back */
	bool half_close;     /* send close_notify before reading */
	size_t chunk;        /* bytes a write; 0: all */
	unsigned slow_us;    /* pause before each read */
};

/* Byte number i of the test's stream. */
unsigned char tls_test_byte(size_t i);

/* Forks; the child speaks on fd and exits with 0 (all came back, orderly close), 1 (no handshake), 2 (bytes differ), 3 (no orderly close). */
pid_t tls_client_fork(int fd, const struct tls_client *c);
int tls_client_wait(pid_t pid); /* the child's exit status */

#endif
