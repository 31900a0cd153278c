/*
 * Stored passwords: "{SCHEME}data", or data in a default scheme. PLAIN, CLEAR, CLEARTEXT are
 * compared; CRYPT and its named kinds (DES-CRYPT, MD5-CRYPT, SHA256-CRYPT, SHA512-CRYPT,
 * BLF-CRYPT) are whatever libcrypt verifies, yescrypt too.
 */
#ifndef AUTH_SCHEME_H
#define AUTH_SCHEME_H

#include "base/err.h"
#include "base/span.h"

enum { PASSWORD_MAX = 512 }; /* libcrypt takes no more */

/* ERR_CANNOT: a scheme that is not served, t names it. *match_r is written on success. */
enum err scheme_verify(struct span stored, const char *default_scheme, struct span password, bool *match_r,
		       struct errtext *t);

/*
 * Takes as long as verifying against stored does; stored empty: as the default scheme usually
 * does.
 */
void scheme_pretend(struct span stored, const char *default_scheme, struct span password);

bool scheme_known(struct span name);

#endif
