/*
 * Settings that hold for some connections only: protocol, local and remote sections, in one another
 * to any depth. Each becomes a filter: conditions that must all be true, and the values that it
 * sets. The more special one wins: by the longest local network, then the longest remote one, then
 * a protocol; of equals the later in the file.
 */
#ifndef CONF_FILTER_H
#define CONF_FILTER_H

#include "model.h"
#include "notes.h"

enum { FILTERS_MAX = 4096, FILTER_CONDS_MAX = 16 };

struct cond {
	unsigned kind;    /* SECT_PROTOCOL, SECT_LOCAL, SECT_REMOTE */
	const char *text; /* arena: the section's name */
};

struct filter_value {
	unsigned id; /* enum conf_id */
	struct conf_value v;
};

struct filter {
	struct cond *cond; /* arena */
	size_t conds;
	struct filter_value *value; /* arena */
	size_t values;
};

/* The filters of a tree, in the order in which they are laid over the rest. False at the arena's
 * limit. */
bool filters_make(struct conf *c, const struct node *root);
void filters_sort(struct filter *f, size_t n);

/* Are these addresses and networks, parted by blanks or commas: 10.0.0.1, 10.0.0.0/8, [::1],
 * 2001:db8::/32? */
bool nets_valid(struct span names);

/* Frees the views that conf_for made. */
void views_free(struct conf *c);

#endif
