/*
 * What databases say about a user beyond yes and no: key=value pairs, in the arena of the
 * request. A key stands once; setting it again replaces the value.
 */
#ifndef AUTH_FIELDS_H
#define AUTH_FIELDS_H

#include "base/arena.h"
#include "base/err.h"
#include "conf/expand.h"

struct field {
	const char *key, *value; /* arena; value "" for a key alone */
	struct field *next;
};

struct fields {
	struct arena *a; /* borrowed */
	struct field *first;
};

enum err fields_set(struct fields *f, struct span key, struct span value);
const char *fields_get(const struct fields *f, const char *key); /* NULL: not there */

/*
 * Sets each "key=value" or "key" of text, parted by blanks. prefix: only keys that begin with it,
 * without it. vars: values are expanded (NULL: taken as they are). weak: a key that is there
 * already keeps its value.
 */
struct fields_how {
	const char *prefix;
	const struct expand_var *vars;
	bool weak;
};
enum err fields_add(struct fields *f, struct span text, const struct fields_how *how, struct errtext *t);

#endif
