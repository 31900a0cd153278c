/* The two kernel sandboxes, each behind one call. Private to this floor. */
#ifndef PROC_SANDBOX_H
#define PROC_SANDBOX_H

#include "proc/confine.h"

/* Landlock: only c->paths, and what libraries read, stay reachable. An old kernel is noted, not an error. */
enum err sandbox_files(const struct confine *c, struct confine_note *note, struct errtext *why);

/* seccomp: only c->calls. Left out under sanitizers, which use others. */
enum err sandbox_calls(const struct confine *c, struct confine_note *note, struct errtext *why);

void confine_note_add(struct confine_note *note, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
