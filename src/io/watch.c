#include "io/watch.h"
#include "base/fskind.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>
#include <utlist.h>

/* What changes the names in a Maildir folder, and the end of the folder itself. */
static const uint32_t dir_mask = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;

/* What changes an mbox. */
static const uint32_t file_mask = IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

static const uint64_t LOST = UINT64_C(1) << 32; /* added to a count that cannot be trusted to be exact */

struct watch {
	struct watch_dir *dir;
	struct watch *prev, *next;         /* of one directory */
	struct watch *due_prev, *due_next; /* while hit */
	bool hit;
	uint64_t count;
	watch_cares_fn *cares;
	loop_fn *fn;
	void *ctx;
};

struct watch_dir {
	struct watch_set *set;
	int wd;
	bool gone; /* the kernel dropped it; not in the table */
	struct watch *list;
	UT_hash_handle hh;
};

struct watch_set {
	struct loop *loop;
	struct loop_io *io;
	int fd;
	struct watch_dir *dirs; /* by wd */
	struct watch *due;      /* their callbacks are to be called */
	struct loop_task tell;
};

/* --- events ------------------------------------------------------------------------------- */

/* name: NULL for what concerns all. dir: it is a directory's. */
static void watch_hit(struct watch_dir *d, uint64_t count, const char *name, bool dir)
{
	struct watch *w;

	DL_FOREACH (d->list, w) {
		if (name && w->cares && !w->cares(name, dir))
			continue;
		w->count += count;
		if (w->hit)
			continue;
		DL_APPEND2(d->set->due, w, due_prev, due_next);
		w->hit = true;
	}
}

static void watch_event(struct watch_set *set, const struct inotify_event *ev)
{
	struct watch_dir *d, *next;

	if (ev->mask & IN_Q_OVERFLOW) {
		HASH_ITER (hh, set->dirs, d, next)
			watch_hit(d, LOST, NULL, false);
		return;
	}
	HASH_FIND_INT(set->dirs, &ev->wd, d);
	if (!d)
		return;
	watch_hit(d, ev->mask & IN_IGNORED ? LOST : 1, ev->len ? ev->name : NULL, ev->mask & IN_ISDIR);
	if (ev->mask & IN_IGNORED) {
		HASH_DEL(set->dirs, d);
		d->gone = true;
	}
}

/* From the start after each call: the list may have changed. */
static void watch_on_tell(void *ctx)
{
	struct watch_set *set = ctx;
	struct watch *w;

	while ((w = set->due)) {
		DL_DELETE2(set->due, w, due_prev, due_next);
		w->hit = false;
		w->fn(w->ctx);
	}
}

/* Everything that happened before the call. */
static void watch_drain(struct watch_set *set)
{
	_Alignas(struct inotify_event) char buf[8192];
	ssize_t n;

	while ((n = read(set->fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const struct inotify_event *)(buf + at);

			watch_event(set, ev);
			at += (ssize_t)(sizeof(*ev) + ev->len);
		}
	}
	if (set->due)
		loop_later(set->loop, &set->tell, watch_on_tell, set);
}

static void watch_on_io(void *ctx, unsigned events)
{
	watch_drain(ctx);
}

uint64_t watch_count(struct watch *w)
{
	watch_drain(w->dir->set);
	return w->count;
}

/* --- the set ------------------------------------------------------------------------------ */

enum err watch_set_new(struct loop *l, struct watch_set **w_r)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct watch_set *set;

	if (fd < 0)
		return ERR_TEMP;
	set = mem_alloc(sizeof(*set));
	set->loop = l;
	set->fd = fd;
	set->io = loop_add(l, fd, LOOP_READ, watch_on_io, set);
	*w_r = set;
	return ERR_OK;
}

void watch_set_free(struct watch_set **w)
{
	if (!*w)
		return;
	loop_task_stop(&(*w)->tell);
	loop_remove(&(*w)->io);
	close((*w)->fd);
	free(*w);
	*w = NULL;
}

/* --- one watch ---------------------------------------------------------------------------- */

static enum err dir_find(struct watch_set *set, const char *path, struct watch_dir **d_r)
{
	struct watch_dir *d;
	struct stat st;
	int wd;

	if (fs_kind(path) != FS_LOCAL)
		return ERR_CANNOT;
	if (stat(path, &st) < 0)
		return err_from_errno(errno);
	wd = inotify_add_watch(set->fd, path, S_ISDIR(st.st_mode) ? dir_mask : file_mask);
	if (wd < 0)
		return errno == ENOSPC || errno == ENOMEM ? ERR_TEMP : err_from_errno(errno);
	HASH_FIND_INT(set->dirs, &wd, d);
	if (!d) {
		d = mem_alloc(sizeof(*d));
		d->set = set;
		d->wd = wd;
		HASH_ADD_INT(set->dirs, wd, d);
	}
	*d_r = d;
	return ERR_OK;
}

enum err watch_add(struct watch_set *set, const char *dir, watch_cares_fn *cares, loop_fn *fn, void *ctx,
		   struct watch **watch_r)
{
	struct watch_dir *d;
	struct watch *w;
	enum err e = dir_find(set, dir, &d);

	if (e)
		return e;
	w = mem_alloc(sizeof(*w));
	w->dir = d;
	w->cares = cares;
	w->fn = fn;
	w->ctx = ctx;
	DL_APPEND(d->list, w);
	*watch_r = w;
	return ERR_OK;
}

void watch_remove(struct watch **watch)
{
	struct watch *w = *watch;
	struct watch_dir *d;

	if (!w)
		return;
	*watch = NULL;
	d = w->dir;
	DL_DELETE(d->list, w);
	if (w->hit)
		DL_DELETE2(d->set->due, w, due_prev, due_next);
	free(w);
	if (d->list)
		return;
	if (!d->gone) {
		HASH_DEL(d->set->dirs, d);
		inotify_rm_watch(d->set->fd, d->wd);
	}
	free(d);
}
