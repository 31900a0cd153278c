/* The subscriptions file of a mail root. Format: subscriptions.c. */
#ifndef STORE_SUBSCRIPTIONS_H
#define STORE_SUBSCRIPTIONS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <sys/stat.h>

struct subs_file {
	int dir_fd;       /* borrowed; -1: there is no file, nor can there be one */
	const char *name; /* "subscriptions"; ".subscriptions" beside mboxes */
	char separator;
	bool utf8;        /* the names in it, where storage names are modified UTF-7 */
	mode_t mode;
	bool sync;
};

/*
 * Names, in the arena, with the separator: storage names; and of other namespaces, whose subscriptions are here, what clients
 * call them, as in Dovecot. No file: none.
 */
enum err subs_read(const struct subs_file *f, struct arena *a, const char ***names_r, size_t *n_r, struct errtext *t);
/* Durable when sync says so. ERR_INUSE while another program writes. */
enum err subs_change(const struct subs_file *f, const char *name, bool on, struct errtext *t);

/* Levels that are not empty, no control bytes, not too long. */
bool subs_valid(const struct subs_file *f, const char *name);

/* The file with this text, when there is none. */
enum err subs_make(const struct subs_file *f, struct span text, struct errtext *t);

/* The text, without the file. */

/* A line of a new file; name NULL: what stands in front of the first. */
void subs_put(struct buf *out, char separator, const char *name);

/* The version, 1 or 2; *text moves behind the header. */
int subs_begin(struct span *text);

/* The storage name that a line says, into out (cleared first); false when it says none. */
bool subs_name(struct span line, int version, char separator, struct buf *out);

/* The file with name subscribed or not; false when nothing changes (out is of no use then). */
bool subs_rewrite(struct span text, char separator, const char *name, bool on, struct buf *out);

#endif
