/*
 * mail_location: driver:path[:KEY=value]... ; "::" is a colon inside a path; "~/" is the home.
 * The text is split before variables are expanded: a user name cannot add keys.
 *
 * Keys of Dovecot that say nothing to us are read and left alone: ALT (a second place for dbox), VOLATILEDIR (its lock
 * files), INDEXCACHE and LISTINDEX (parts of its index), ITERINDEX (how it lists).
 */
#ifndef CONF_LOCATION_H
#define CONF_LOCATION_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "conf/expand.h"

enum conf_driver { CONF_DRIVER_MAILDIR, CONF_DRIVER_MBOX };
enum conf_layout { CONF_LAYOUT_MAILDIRPP, CONF_LAYOUT_FS };

/* Paths are absolute, without trailing slash, in the arena. */
struct conf_location {
	enum conf_driver driver;
	enum conf_layout layout;   /* default: Maildir++ for maildir, fs for mbox */
	const char *path;
	const char *inbox;         /* INBOX=; NULL: the driver's own place */
	const char *index;         /* INDEX=; NULL: the driver's own place */
	const char *index_private; /* INDEXPVT=: what one user alone knows of mailboxes that he shares; NULL: nothing */
	const char *control;       /* CONTROL=; NULL: beside the mail */
	const char *subscriptions; /* SUBSCRIPTIONS=: file name without '/'; NULL: the driver's own */
	const char *dirname;       /* DIRNAME=, FULLDIRNAME=: file name; NULL: none */
	const char *boxdir;        /* MAILBOXDIR=: below path, relative; NULL: none */
	bool dirname_control;      /* FULLDIRNAME=: below CONTROL, too */
	bool utf8;                 /* UTF-8: how names lie on disk */
	bool prune;                /* NO-NOSELECT: levels that hold nothing go */
	bool index_memory;         /* INDEX=MEMORY */
	bool broken_names;         /* BROKENCHAR=: directories that are no names in UTF-7 shall be listed, too; they are not */
};

/*
 * vars as for expand_path (with %h when home is known); home may be "". *out is written only on
 * success. ERR_SYNTAX, ERR_NOTFOUND (variable), ERR_CANNOT (driver or key that is not served,
 * path escapes), ERR_MEMORY; t names the part.
 */
enum err conf_location_parse(const char *text, const struct expand_var *vars, const char *home, struct arena *a,
			     struct conf_location *out, struct errtext *t);

/* Whose locations: the user, his home or "", and what the userdb says of his mail, or "". */
struct conf_owner {
	const char *user, *home, *mail;
};

/*
 * Where a namespace of the user lies: as said of it by the userdb (may be empty), else by its own location, else by the
 * userdb's mail, else by mail_location. As conf_location_parse.
 */
enum err conf_namespace_location(const struct conf *c, const struct conf_namespace *n, const struct conf_owner *o,
				 struct span said, struct arena *a, struct conf_location *out, struct errtext *t);
/*
 * Namespaces for each user who shares: %%u, %%n or %%d in the prefix, and in the location as %%h, too, are his (RFC 2342's
 * "other users"). has: is it one? location: where his mail lies, for o, who looks; ERR_CANNOT also when %%h cannot be known.
 */
bool conf_has_sharers(const struct conf_namespace *n);
enum err conf_sharer_location(const struct conf *c, const struct conf_namespace *n, const struct conf_owner *o,
			      struct span sharer, struct arena *a, struct conf_location *out, struct errtext *t);
/* ERR_NOTFOUND, ERR_CANNOT, ERR_SYNTAX: other variables than those three are in it. */
enum err conf_sharer_prefix(const struct conf_namespace *n, struct span sharer, struct arena *a, const char **prefix_r,
			    struct errtext *t);
/* Of a mailbox name the sharer, for the user me: below prefix, as the namespace has it, or that itself without its last sep. */
bool conf_sharer_match(struct span prefix, char sep, struct span me, struct span name, struct buf *user_r);

/* mail_index_fallback for the user, in the arena; NULL: not set. */
enum err conf_index_fallback(const struct conf *c, const struct conf_owner *o, struct arena *a, const char **path_r,
			     struct errtext *t);

#endif
