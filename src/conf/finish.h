/*
 * From the tree as written to the typed result: defaults, lists, filters, what follows
 * from the whole.
 */
#ifndef CONF_FINISH_H
#define CONF_FINISH_H

#include "model.h"
#include "notes.h"

/* Fills c from root. Failures (only of memory) are noted as errors. */
void finish_fill(struct conf *c, const struct node *root, struct notes *notes);

/*
 * Fills a section's struct at base with what n (may be NULL) sets and defaults; false at the
 * arena's limit.
 */
bool finish_struct(struct arena *a, const struct sect *sect, const struct node *n, void *base);

/* Every row at its default. */
bool finish_defaults(struct conf *c);

/*
 * check.c: errors in what the values mean together; warnings for what has no effect. path: the
 * main file.
 */
bool row_idle_plugins(const struct conf_row *row, const struct conf_value *v); /* names plug-ins that are not built in */
void check_all(struct conf *c, const char *path, bool contents, struct notes *notes);

#endif
