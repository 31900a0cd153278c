/*
 * % variables in settings: %u %{user}, with Dovecot 2.3's modifiers between % and name (%Lu lower case, %1n the first
 * character, %2.256Nu a hash; all in src/conf/modify.h), %{sha1:user} a digest, %% for a percent sign. What is substituted is
 * never looked at again: a user name cannot smuggle variables in.
 */
#ifndef CONF_EXPAND_H
#define CONF_EXPAND_H

#include "base/buf.h"
#include "base/err.h"

struct expand_var {
	char letter;       /* 0: long name only */
	const char *name;  /* NULL: letter only */
	struct span value; /* borrowed for the call */
	bool is_path;      /* may hold '/' in expand_path */
};

/*
 * Appends the expansion of format. vars ends with a row of letter 0 and name NULL.
 * ERR_NOTFOUND: unknown variable, ERR_SYNTAX: malformed; t names it. ERR_LIMIT: out is full.
 */
enum err expand(const char *format, const struct expand_var *vars, struct buf *out, struct errtext *t);
enum err expand_span(struct span format, const struct expand_var *vars, struct buf *out, struct errtext *t);

/*
 * The same for paths. ERR_CANNOT when what stands for a value (unless is_path) holds '/' or NUL or is "." or
 * "..", and when the result has a component ".." or holds a NUL.
 */
enum err expand_path(struct span format, const struct expand_var *vars, struct buf *out, struct errtext *t);

/*
 * Rows for a user: %u user, %n username (before the first '@'), %d domain (after it), %h home;
 * ended.
 */
enum { EXPAND_USER_VARS = 5 };
void expand_user(struct expand_var vars[EXPAND_USER_VARS], struct span user, struct span home);

#endif
