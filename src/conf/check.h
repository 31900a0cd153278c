/* What the two files that check a configuration share: check.c, which leads, and check_mail.c. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "finish.h"
#include "value.h"

struct check {
	struct conf *c;
	struct notes *notes;
	const char *path; /* the main file */
	bool contents;    /* contents of files were read */
};

struct place {
	const char *file;
	unsigned line;
};

/* Where a setting was written; else the main file. */
struct place place_of(const struct check *k, const struct node *n, const char *key);
struct place place_of_id(const struct check *k, enum conf_id id);

#define FAIL(k, at, ...) note_error((k)->notes, (at).file, (at).line, __VA_ARGS__)
#define WARN(k, at, ...) note_warning((k)->notes, (at).file, (at).line, __VA_ARGS__)

/* Of a list ended by NULL the word that is spelled most like this one. */
const char *nearest_in(const char *const *list, const char *word);

/* check_mail.c */
void check_locations(struct check *k);
void check_namespaces(struct check *k);

#endif
