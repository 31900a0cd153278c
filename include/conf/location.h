/*
 * mail_location: driver:path[:KEY=value]... ; "::" is a colon inside a path; "~/" is the home.
 * The text is split before variables are expanded: a user name cannot add keys.
 */
#ifndef CONF_LOCATION_H
#define CONF_LOCATION_H

#include "base/arena.h"
#include "base/err.h"
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
	const char *control;       /* CONTROL=; NULL: beside the mail */
	const char *subscriptions; /* SUBSCRIPTIONS=: file name without '/'; never NULL, default "subscriptions" */
	bool index_memory;         /* INDEX=MEMORY */
};

/*
 * vars as for expand_path (with %h when home is known); home may be "". *out is written only on
 * success. ERR_SYNTAX, ERR_NOTFOUND (variable), ERR_CANNOT (driver or key that is not served,
 * path escapes), ERR_MEMORY; t names the part.
 */
enum err conf_location_parse(const char *text, const struct expand_var *vars, const char *home, struct arena *a,
			     struct conf_location *out, struct errtext *t);

#endif
