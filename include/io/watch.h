/*
 * Watching directories: tells that names came, went or changed in them (inotify), and how often.
 * One set per process. A directory is watched once however many ask for it.
 */
#ifndef IO_WATCH_H
#define IO_WATCH_H

#include "io/loop.h"

struct watch_set;
struct watch;

/* ERR_TEMP when the kernel gives no instance (they are few per uid): the caller polls instead. */
enum err watch_set_new(struct loop *l, struct watch_set **w_r);
void watch_set_free(struct watch_set **w); /* after its watches; NULL allowed; nulls */

typedef bool watch_cares_fn(const char *name, bool dir); /* dir: it is a directory's */

/*
 * fn(ctx) from the loop, once for all that happened since to names that cares answers true for (NULL: any).
 * The same directory may be watched several times.
 * ERR_NOTFOUND, ERR_PERM; ERR_TEMP when the kernel has no watch left; ERR_CANNOT for a file system whose changes by
 * other machines the kernel does not see.
 */
enum err watch_add(struct watch_set *w, const char *dir, watch_cares_fn *cares, loop_fn *fn, void *ctx,
		   struct watch **watch_r);
void watch_remove(struct watch **watch); /* NULL allowed; nulls; allowed in callbacks */

/*
 * How many names that matter came or went in the directory up to now (one renamed within it: twice), those included
 * that fn has not been called for. Only the difference of two answers means something: it is exact, or huge when events
 * were lost.
 */
uint64_t watch_count(struct watch *w);

#endif
