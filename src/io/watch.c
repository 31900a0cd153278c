#include "io/watch.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

/* What changes the names in a Maildir folder, and the end of the folder itself. */
static const uint32_t watch_mask = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF |
				   IN_MOVE_SELF | IN_ONLYDIR;

struct watch {
	struct watch_set *set;
	struct watch *next;
	int wd; /* the same for watches of one directory; -1: the kernel dropped it */
	bool hit;
	loop_fn *fn;
	void *ctx;
};

struct watch_set {
	struct loop *loop;
	struct loop_io *io;
	int fd;
	struct watch *list;
	struct loop_task tell;
};

/* From the start after each call: the list may have changed. */
static void watch_on_tell(void *ctx)
{
	struct watch_set *set = ctx;
	struct watch *w = set->list;

	while (w) {
		if (!w->hit) {
			w = w->next;
			continue;
		}
		w->hit = false;
		w->fn(w->ctx);
		w = set->list;
	}
}

static void watch_mark(struct watch_set *set, const struct inotify_event *ev)
{
	bool all = ev->mask & IN_Q_OVERFLOW;

	for (struct watch *w = set->list; w; w = w->next) {
		if (!all && w->wd != ev->wd)
			continue;
		w->hit = true;
		if (ev->mask & IN_IGNORED)
			w->wd = -1;
	}
}

static void watch_on_io(void *ctx, unsigned events)
{
	struct watch_set *set = ctx;
	_Alignas(struct inotify_event) char buf[8192];
	ssize_t n = read(set->fd, buf, sizeof(buf));

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *ev = (const struct inotify_event *)(buf + at);

		watch_mark(set, ev);
		at += (ssize_t)(sizeof(*ev) + ev->len);
	}
	loop_later(set->loop, &set->tell, watch_on_tell, set);
}

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

enum err watch_add(struct watch_set *set, const char *dir, loop_fn *fn, void *ctx, struct watch **watch_r)
{
	int wd = inotify_add_watch(set->fd, dir, watch_mask);
	struct watch *w;

	if (wd < 0 && (errno == ENOSPC || errno == ENOMEM))
		return ERR_TEMP;
	if (wd < 0)
		return err_from_errno(errno);
	w = mem_alloc(sizeof(*w));
	*w = (struct watch){ .set = set, .next = set->list, .wd = wd, .fn = fn, .ctx = ctx };
	set->list = w;
	*watch_r = w;
	return ERR_OK;
}

void watch_remove(struct watch **watch)
{
	struct watch *w = *watch, **at;
	bool shared = false;

	if (!w)
		return;
	for (at = &w->set->list; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	for (struct watch *o = w->set->list; o; o = o->next)
		shared = shared || o->wd == w->wd;
	if (!shared && w->wd >= 0)
		inotify_rm_watch(w->set->fd, w->wd);
	free(w);
	*watch = NULL;
}
