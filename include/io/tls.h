/*
 * TLS for servers. TLS 1.2 and 1.3, AEAD suites with ECDHE only, no renegotiation,
 * no compression, no session cache and no tickets. How a stream uses it: io/stream.h.
 */
#ifndef IO_TLS_H
#define IO_TLS_H

#include "base/err.h"
#include "base/span.h"

struct tls_server;

/* All borrowed during tls_server_new. Strings may be NULL or "" for the default. */
struct tls_settings {
	struct span cert;          /* PEM: our certificate, then its chain */
	struct span key;           /* PEM */
	const char *key_password;
	const char *min_protocol;  /* "TLSv1.2" (default) or "TLSv1.3"; lower ones are raised to TLSv1.2 */
	const char *ciphers;       /* OpenSSL list for TLS 1.2, of which only ECDHE with AEAD are kept */
	const char *suites;        /* OpenSSL list for TLS 1.3 */
	const char *curves;
	bool prefer_server_ciphers;
};

/* ERR_SYNTAX with a sentence when certificate, key or a list cannot be used. */
enum err tls_server_new(const struct tls_settings *set, struct tls_server **srv_r, struct errtext *why);
void tls_server_free(struct tls_server **srv); /* NULL allowed; nulls; connections in use keep what they need */

#endif
