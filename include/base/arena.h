/*
 * Memory by life time: everything of a command, a session, a process goes at once.
 *
 * Invariants: an arena has a byte limit given at birth; arena_alloc returns NULL
 * beyond it (the caller answers ERR_MEMORY or ERR_LIMIT and ends the command).
 * Pointers stay valid until arena_reset or arena_free. Not thread safe.
 * What holds a descriptor registers a clean-up; clean-ups run in reverse order.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

struct arena;

/* limit: most bytes this arena may ever hold at once (bookkeeping included). Never NULL (aborts). */
struct arena *arena_new(size_t limit);
void arena_free(struct arena **a); /* runs clean-ups; NULL allowed; nulls */
void arena_reset(struct arena *a); /* runs clean-ups, keeps at most one chunk for reuse */

void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned to 16; NULL at the limit */
void *arena_array(struct arena *a, size_t count, size_t size); /* count * size bytes; NULL when that overflows, too */
char *arena_str(struct arena *a, const char *s);
char *arena_span(struct arena *a, struct span s); /* NUL-terminated copy */
struct span arena_copy(struct arena *a, struct span s, bool *ok_r); /* ok_r false at the limit */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Registers fn(arg) to be called when the arena is reset or freed. False at the limit (fn not registered). */
bool arena_cleanup(struct arena *a, void (*fn)(void *arg), void *arg);

size_t arena_used(const struct arena *a); /* bytes that count towards the limit now */

#endif
