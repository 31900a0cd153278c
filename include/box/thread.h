/*
 * Threads (RFC 5256 section 3). A run in slices; every algorithm is n log n, whatever the messages say they refer to.
 *
 * Limits: of a message, the last THREAD_REFERENCES_MAX references are followed (a mail program may cut the list too);
 * more ids or more text in all than we hold is ERR_LIMIT.
 */
#ifndef BOX_THREAD_H
#define BOX_THREAD_H

#include "box/view.h"

enum thread_algorithm {
	THREAD_ORDEREDSUBJECT,
	THREAD_REFERENCES,
	/* By references alone, subjects not looked at; threads in the order of the latest message in each. */
	THREAD_REFS,
};

enum { THREAD_REFERENCES_MAX = 1000 };

/* A member of the forest, which stands in pre-order: behind its parent, siblings in their order. */
struct thread_item {
	uint32_t uid;    /* 0: a parent that is not there; only at the top, with two children or more */
	uint32_t parent; /* index; UINT32_MAX: at the top */
	bool split;      /* one of several siblings, or at the top: written in parentheses of its own */
};

struct thread_run;

enum err thread_start(struct view *v, const struct set *uids, enum thread_algorithm how, struct thread_run **r_r,
		      struct errtext *t);
enum step thread_step(struct thread_run *r, enum err *err_r, struct errtext *t);
const struct thread_item *thread_result(const struct thread_run *r, size_t *n_r);
void thread_end(struct thread_run **r); /* NULL allowed */

#endif
