/*
 * What the rooms of conf share: rows, values, the tree of sections as written, struct conf.
 *
 * conf_load reads files into a tree of struct node (sections with the rows that were set in
 * them); finish.c lays defaults under it and fills struct conf, the typed result. conf_import
 * fills struct conf without a tree. Everything lies in the arena of struct conf.
 */
#ifndef CONF_MODEL_H
#define CONF_MODEL_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"

enum {
	ROW_NOEFFECT = 1, /* accepted, nothing reads it */
	ROW_PEER = 4,    /* read for each connection: local and remote sections and the userdb may set it */
	ROW_REFUSED = 2,  /* known, but to ignore it would be dangerous: another value than the default is an error */
};

struct conf_row {
	const char *name;
	const char *name24; /* NULL: same */
	enum conf_type type;
	unsigned roles; /* enum conf_role */
	unsigned flags; /* ROW_ */
	const char *def;
	const char *words;    /* ENUM: words parted by one blank */
	const char *sentence; /* NULL: a setting that nobody reads */
	size_t offset;        /* rows of sections: where the value lies in the section's struct */
};

struct conf_value {
	uint64_t num;             /* BOOL, UINT, SIZE, TIME, ENUM, MODE */
	const char *text;         /* STRING, FILE: content; ENUM: the word. NUL-terminated */
	size_t len;
	const char *const *words; /* WORDS: ended by NULL */
	const char *file;         /* the path when written as "<path", else NULL */
};

/*
 * table.c: the rows; the first CONF_N stand in the order of enum conf_id, behind them what nobody
 * reads.
 */
extern const struct conf_row conf_rows[];
extern const size_t conf_rows_n;

/* ---- sections ---- */

enum sect_kind {
	SECT_ROOT,
	SECT_NAMESPACE,
	SECT_MAILBOX,
	SECT_PASSDB,
	SECT_USERDB,
	SECT_SERVICE,
	SECT_INET,
	SECT_UNIX,
	SECT_FIFO,
	SECT_PLUGIN,
	SECT_DICT,
	SECT_METRIC,
	SECT_EXPORTER,
	SECT_PROTOCOL,
	SECT_LOCAL,
	SECT_REMOTE,
	SECT_LOCAL_NAME,
	SECT_N
};

enum {
	SECT_VERBATIM = 1,  /* any key; kept as written */
	SECT_SETTINGS = 2,  /* its rows are the settings */
	SECT_ANONYMOUS = 4, /* takes no name; a second one goes on with the first */
	SECT_NAMED = 8,     /* must have a name */
	SECT_UNSERVED = 16, /* accepted, no effect */
};

struct sect {
	const char *name;
	const struct conf_row *rows;
	size_t rows_n;
	size_t size;      /* of its struct */
	unsigned parents; /* bit n: may stand in a section of kind n */
	unsigned flags;   /* SECT_ */
};

extern const struct sect sects[SECT_N];

/* One row set in one section, or one verbatim pair. */
struct set_value {
	const struct conf_row *row; /* NULL: verbatim */
	const char *key;
	struct conf_value value;
	const char *file; /* where it was written last */
	unsigned line;
	bool builtin;
	struct set_value *next;
};

struct node {
	enum sect_kind kind;
	const char *name; /* "" when it has none */
	const char *file;
	unsigned line;   /* where it was opened first */
	unsigned opened; /* and last */
	bool builtin;    /* not written in a file by anybody */
	struct set_value *sets, **sets_end;
	struct node *parent, *child, **child_end, *next;
};

/* The value set in this very section, or NULL. */
struct set_value *node_find(const struct node *n, const char *key);

/* ---- the result ---- */

struct filter;
struct view;

struct conf {
	struct arena *arena;          /* own; borrowed from the whole in a view */
	unsigned role;                /* whose rows may be read; CONF_EVERY_ROLE after conf_load */
	struct conf_value v[CONF_N];
	struct filter *filter;        /* arena: what holds for some connections only (filter.h) */
	size_t filters;
	struct view **views;          /* arena: what was made of them so far */
	const struct conf *of;        /* of one user's settings: the whole that they lie over; else NULL */
	struct conf_namespace *ns;
	size_t ns_n;
	struct conf_passdb *passdb;
	size_t passdb_n;
	struct conf_userdb *userdb;
	size_t userdb_n;
	struct conf_service *service;
	size_t service_n;
	struct conf_listener *listener;
	size_t listener_n;
	struct conf_pair *plugin;
	size_t plugin_n;
	const struct node *root;      /* NULL after conf_import */
};

enum { CONF_ARENA_MAX = 64 * 1024 * 1024 };

struct conf *conf_new(unsigned role);

/* The protocols that a protocol section may name and those that are served; ended by NULL. */
extern const char *const conf_protocols_known[];
extern const char *const conf_protocols_served[];

#endif
