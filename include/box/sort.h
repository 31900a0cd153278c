/*
 * Sorting messages (RFC 5256 section 3, RFC 5957): a run in slices, n log n. Strings are compared as i;unicode-casemap
 * has them (utf8_fold); what is equal stands in the order of the mailbox. A message whose bytes are gone sorts
 * by what the index knows of it.
 */
#ifndef BOX_SORT_H
#define BOX_SORT_H

#include "box/view.h"

enum sort_key {
	SORT_ARRIVAL,
	SORT_CC,
	SORT_DATE, /* of the Date field; INTERNALDATE where there is none */
	SORT_DISPLAYFROM,
	SORT_DISPLAYTO,
	SORT_FROM,
	SORT_SIZE,
	SORT_SUBJECT, /* the base subject */
	SORT_TO,
	SORT_KEYS
};

struct sort_by {
	enum sort_key key;
	bool reverse;
};

enum { SORT_BY_MAX = SORT_KEYS }; /* naming a key again changes nothing */

struct sort_run;

/* uids is copied. n is at most SORT_BY_MAX. */
enum err sort_start(struct view *v, const struct set *uids, const struct sort_by *by, size_t n, struct sort_run **r_r,
		    struct errtext *t);
/* STEP_DONE: err_r is written. ERR_LIMIT: the texts to compare are more than we hold. */
enum step sort_step(struct sort_run *r, enum err *err_r, struct errtext *t);
/* All of the set's UIDs that are in the view, sorted; valid until sort_end. */
const uint32_t *sort_result(const struct sort_run *r, size_t *n_r);
void sort_end(struct sort_run **r); /* NULL allowed */

#endif
