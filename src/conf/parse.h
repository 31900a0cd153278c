/*
 * Files to a tree of sections: names, places and types checked; what follows from it all is
 * finish.h's matter.
 */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include "model.h"
#include "notes.h"

/*
 * Reads the built-in text, then either the file at path or, when text is not NULL, that text
 * under the name path. The tree lies in a. Errors go to the notes; the tree holds what could be
 * read. NULL: the arena is full (noted).
 */
struct node *parse_tree(const char *path, const struct span *text, unsigned flags, struct arena *a,
			struct notes *notes);

#endif
