/* A user name as it came, to the one name that everything behind knows. */
#ifndef AUTH_NAMES_H
#define AUTH_NAMES_H

#include "base/buf.h"
#include "base/err.h"

#include "conf/conf.h"

enum { USER_GIVEN_MAX = 256 };

/*
 * Appends the name: auth_default_realm, auth_username_chars, auth_username_translation,
 * auth_username_format, in that order, once. ERR_SYNTAX: the name is not one (t says why, without
 * quoting it whole).
 */
enum err name_normalise(const struct conf *c, struct span given, struct buf *out, struct errtext *t);

/*
 * Whether rip ("192.0.2.1", "2001:db8::1") lies in one of nets: addresses, address/bits, "local"
 * for none; commas between.
 */
bool nets_allow(const char *nets, const char *rip);

#endif
