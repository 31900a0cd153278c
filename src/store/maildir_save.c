/*
 * Putting messages in: a file in tmp/, made durable, renamed into new/ or cur/, the directory made
 * durable.
 *
 * A batch shares its syncs: write-back of all files is started, each is synced, all are renamed,
 * each directory is synced once, and for several batches of one command in the last of them. A message whose sync
 * fails is dropped and told; those whose directory's sync fails are taken away again, because whether they would survive
 * cannot be known.
 * Nothing is synced a second time.
 */
#include "extra.h"
#include "file.h"
#include "maildir.h"

#include "base/clock.h"
#include "base/guid.h"
#include "base/mem.h"
#include "base/must.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum {
	TMP_OLD = 36 * 3600,     /* seconds after which a file in tmp/ is forgotten */
	TMP_SWEEP_EVERY = 86400, /* seconds between two looks */
	TMP_SWEEP_MAX = 1000,    /* entries looked at */
	NAME_TRIES = 5,
	SYNC_YOUNG = 120,        /* seconds */
	LINKS_MAX = 30000,       /* names of one file: ext4 allows twice as many */
};

/* store_stage.priv */
struct staged {
	char unique[200];                /* base name without sizes; the name in tmp/ */
	char final[MAILDIR_NAME_MAX + 1]; /* once renamed */
	size_t base_n;
	uint64_t size;                   /* of the plain bytes; UINT64_MAX: not known */
	char dir;                        /* 'c', 'n'; 0: not renamed */
	bool prepared;                   /* the bytes are as they will be */
	struct maildir_box *from;        /* borrowed: of a link; else NULL, as what follows */
	struct found source;
};

int maildir_tmp_open(struct maildir_box *b)
{
	int fd = file_open_dir(b->dir_fd, "tmp");

	if (fd < 0 && errno == ENOENT && file_mkdir(b->dir_fd, "tmp", b->m->dir_mode) == ERR_OK)
		fd = file_open_dir(b->dir_fd, "tmp");
	return fd;
}

static struct staged *staged_new(struct maildir *m)
{
	struct staged *s = mem_alloc(sizeof(*s));

	maildir_name_unique(s->unique, sizeof(s->unique), m->counter++, m->random, m->host);
	return s;
}

/*
 * Before the key exists we note how far the list is known, so that numbering need read only what
 * comes after.
 */
static enum err stage_ready(struct maildir_box *b, struct errtext *t)
{
	if (b->head.readonly)
		return err_say(t, ERR_READONLY, "%s is read-only", b->name);
	return b->list.known ? ERR_OK : maildir_uidlist_read(b, false, NULL, NULL, t);
}

enum err maildir_stage(struct store_box *sb, uint64_t size_hint, struct store_stage *st_r,
		       struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	enum err e = stage_ready(b, t);

	if (e)
		return e;
	if (file_room(b->dir_fd, size_hint))
		return err_say(t, ERR_NOSPACE, "no room for the message in %s", b->name);
	int tmp = maildir_tmp_open(b);
	if (tmp < 0)
		return err_sys(t, "%s/tmp", b->name);
	struct staged *s = staged_new(b->m);
	int fd = file_open(tmp, s->unique, O_RDWR | O_CREAT | O_EXCL, b->m->file_mode);
	int saved = errno;
	close(tmp);
	if (fd < 0) {
		free(s);
		errno = saved;
		return err_sys(t, "%s/tmp", b->name);
	}
	*st_r = (struct store_stage){ .box = sb, .fd = fd, .priv = s };
	return ERR_OK;
}

/*
 * A link needs no sync of the bytes when they are old: written two minutes ago, the kernel has written them
 * back (it waits half a minute), and the sync of the directory takes them through the disk's cache. Neither a
 * time set by hand nor a rename makes the birth of a file look older.
 */
static bool bytes_young(const struct statx *st)
{
	int64_t born = st->stx_mask & STATX_BTIME ? st->stx_btime.tv_sec : st->stx_ctime.tv_sec;
	int64_t last = born > st->stx_mtime.tv_sec ? born : st->stx_mtime.tv_sec;

	return last > clock_wall() - SYNC_YOUNG;
}

/*
 * What we wrote has been synced before it got its name. A file that was born when the name says is that one; put
 * back later from somewhere else it would be younger than its name.
 */
static bool bytes_ours(const struct found *f, const struct statx *st)
{
	int64_t begun = maildir_name_written(span_of(f->file, f->base_n)), born = st->stx_btime.tv_sec;

	return begun && (st->stx_mask & STATX_BTIME) && born >= begun - 1 && born <= begun + 1;
}

/* Is there need to open what shall be linked: to sync it, as whoever delivered it may not have, or to see what it is? */
static enum err link_ready(struct maildir_box *b, const struct found *f, bool sync, uint64_t *size)
{
	struct stat st;
	int fd;
	enum err e;

	if (!sync && *size != UINT64_MAX)
		return ERR_OK;
	e = file_open_read(maildir_dir_fd(b, f->dir), f->file, &fd, &st);
	if (e)
		return e;
	if (sync)
		e = file_sync_data(fd);
	if (*size == UINT64_MAX && !maildir_packed(fd))
		*size = (uint64_t)st.st_size;
	close(fd);
	return e;
}

/* Nothing is on disk before the commit, which makes the link where it belongs. */
enum err maildir_link(struct store_box *from, struct span key, struct span hint,
		      struct store_box *to, struct store_stage *st_r, struct errtext *t)
{
	struct maildir_box *src = maildir_box_of(from), *dst = maildir_box_of(to);
	enum err e = stage_ready(dst, t);
	struct stat dir;
	struct statx st;
	struct found f;
	uint64_t size;

	if (dst->m->how.no_links)
		return ERR_CANNOT;
	if (!e)
		e = maildir_look(src, key, hint, &f, &st, t);
	if (e)
		return e;
	if (!dst->dev && fstat(dst->cur_fd, &dir) < 0)
		return err_sys(t, "%s/cur", dst->name);
	if (!dst->dev)
		dst->dev = dir.st_dev;
	if (makedev(st.stx_dev_major, st.stx_dev_minor) != dst->dev || st.stx_nlink >= LINKS_MAX)
		return ERR_CANNOT;
	size = src->m->how.no_sizes ? UINT64_MAX : maildir_name_size(key, 'S');
	e = link_ready(src, &f, dst->m->sync != STORE_SYNC_NEVER && bytes_young(&st) && !bytes_ours(&f, &st), &size);
	if (e)
		return err_say(t, e == ERR_NOTFOUND ? ERR_INUSE : e, "cannot link a message from %s",
			       src->name);
	struct staged *s = staged_new(dst->m);
	s->from = src;
	s->source = f;
	s->size = size;
	*st_r = (struct store_stage){ .box = to, .fd = -1, .priv = s };
	return ERR_OK;
}

static void stage_end(struct store_stage *st)
{
	if (st->fd >= 0)
		close(st->fd);
	free(st->priv);
	st->fd = -1;
	st->priv = NULL;
}

void maildir_abort(struct store_stage *st)
{
	struct maildir_box *b = maildir_box_of(st->box);
	struct staged *s = st->priv;
	int tmp = s && !s->from ? file_open_dir(b->dir_fd, "tmp") : -1;

	if (tmp >= 0) {
		unlinkat(tmp, s->unique, 0);
		close(tmp);
	}
	stage_end(st);
}

/* --- committing --- */

/* Size, form and date of one file; starts its write-back when others follow. */
static enum err file_prepare(struct maildir_box *b, struct store_commit *c, bool several)
{
	struct staged *s = c->stage->priv;
	struct timespec times[2] = { { 0, UTIME_OMIT }, { c->internaldate, 0 } };
	struct stat st;
	enum err e = ERR_OK;

	if (c->stage->fd < 0 || s->prepared)
		return ERR_OK;
	if (fstat(c->stage->fd, &st) < 0)
		return err_from_errno(errno);
	s->size = (uint64_t)st.st_size;
	if (b->m->how.pack)
		e = maildir_pack(b, s->unique, &c->stage->fd);
	if (!e && c->internaldate && futimens(c->stage->fd, times) < 0)
		e = err_from_errno(errno);
	if (!e && several)
		sync_file_range(c->stage->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	s->prepared = !e;
	return e;
}

static bool commit_name(const struct maildir_box *b, struct store_commit *c, struct staged *s, char dir)
{
	char base[MAILDIR_NAME_MAX + 1], size[24] = "", crlf[24] = "", guid[GUID_TEXT + 1] = "";
	int n;

	if (s->size != UINT64_MAX)
		snprintf(size, sizeof(size), ",S=%llu", (unsigned long long)s->size);
	if (c->vsize != STORE_SIZE_UNKNOWN)
		snprintf(crlf, sizeof(crlf), ",W=%llu", (unsigned long long)c->vsize);
	if (c->copy)
		guid_text(c->guid, guid);
	n = snprintf(base, sizeof(base), "%s%s%s%s%s", s->unique, size, crlf, c->copy ? ",E=" : "", guid);
	if (n >= (int)sizeof(base))
		return false;
	s->base_n = (size_t)n;
	if (dir == 'c')
		return maildir_name_build(s->final, span_of(base, (size_t)n), SPAN(""),
					  maildir_seen_not(b, c->flags, (struct mail_flags){ 0, 0 }));
	memcpy(s->final, base, (size_t)n + 1);
	return true;
}

/* ERR_EXISTS: another name is needed. */
static enum err commit_file(struct maildir_box *b, struct staged *s, int tmp, const char *old, char dir)
{
	int fd = maildir_dir_fd(b, dir);

	if (s->from)
		return maildir_link_to(s->from, &s->source, fd, s->final);
	return file_rename_new(tmp, old, fd, s->final) == 0 ? ERR_OK : err_from_errno(errno);
}

/* What carries flags goes to cur/, where flags live; an arrival without any to new/. */
static enum err commit_rename(struct maildir_box *b, struct store_commit *c, int tmp)
{
	struct staged *s = c->stage->priv;
	char dir = c->recent && c->flags.system == 0 && c->flags.keywords == 0 ? 'n' : 'c';
	char old[sizeof(s->unique)];
	enum err e;

	if (s->dir) /* by an earlier try */
		return ERR_OK;
	memcpy(old, s->unique, sizeof(old));
	for (int i = 0; i < NAME_TRIES; i++) {
		if (!commit_name(b, c, s, dir))
			return ERR_LIMIT;
		e = commit_file(b, s, tmp, old, dir);
		if (!e) {
			s->dir = dir;
			b->made++;
			*(dir == 'n' ? &b->placed_new : &b->placed_cur) = true;
		}
		if (e != ERR_EXISTS)
			return e;
		maildir_name_unique(s->unique, sizeof(s->unique), b->m->counter++, b->m->random, b->m->host);
	}
	memcpy(s->unique, old, sizeof(old));
	return ERR_EXISTS;
}

static enum err commit_answer(struct maildir_box *b, struct store_commit *c, struct arena *a)
{
	struct staged *s = c->stage->priv;
	size_t n = strlen(s->final), rest_n = n - s->base_n;
	char *p = arena_alloc(a, n + 1);

	if (!p)
		return ERR_LIMIT;
	memcpy(p, s->final, s->base_n);
	p[s->base_n] = s->dir;
	memcpy(p + s->base_n + 1, s->final + s->base_n, rest_n);
	c->key = span_of(p, s->base_n);
	c->hint = span_of(p + s->base_n, 1 + rest_n);
	c->size = s->size;
	if (!c->copy)
		store_guid(c->key, c->guid);
	if (b->list.known && b->list.present)
		keymap_set(&b->list.in_play, c->key, 0);
	return ERR_OK;
}

static void commit_undo(struct maildir_box *b, struct store_commit *c, int tmp)
{
	struct staged *s = c->stage->priv;

	if (s->dir)
		b->made += unlinkat(maildir_dir_fd(b, s->dir), s->final, 0) == 0;
	else if (!s->from)
		unlinkat(tmp, s->unique, 0);
}

/* As it was staged, to be committed another time. Where that fails it stays, which is as good. */
static void commit_withdraw(struct maildir_box *b, struct store_commit *c, int tmp)
{
	struct staged *s = c->stage->priv;
	int fd = maildir_dir_fd(b, s->dir);

	if (!s->dir || (s->from ? unlinkat(fd, s->final, 0) : file_rename_new(fd, s->final, tmp, s->unique)) < 0)
		return;
	b->made++;
	s->dir = 0;
}

/* Was another program in the way, and nothing worse? (What is gone will be so the next time, too.) */
static bool commit_must_wait(const struct store_commit *c, size_t n)
{
	bool wait = false;

	for (size_t i = 0; i < n; i++) {
		if (c[i].err && c[i].err != ERR_INUSE && c[i].err != ERR_EXPUNGED)
			return false;
		wait |= c[i].err == ERR_INUSE;
	}
	return wait;
}

/* Keywords beyond those of file names. Under the final base name, before that name can be seen. */
static enum err commit_keywords(struct maildir_box *b, struct store_commit *c, size_t n,
				struct errtext *t)
{
	char base[MAILDIR_NAME_MAX + 1];
	bool any = false;
	enum err e;

	for (size_t i = 0; i < n; i++)
		any = any || (!c[i].err && (c[i].flags.keywords & ~MAILDIR_LETTER_MASK));
	if (!any)
		return ERR_OK;
	e = maildir_control_make(b, t);
	e = e ? e : maildir_extra(b, t);
	for (size_t i = 0; !e && i < n; i++) {
		struct staged *s = c[i].stage->priv;
		uint64_t high = c[i].flags.keywords & ~MAILDIR_LETTER_MASK;

		if (c[i].err || !high || !commit_name(b, &c[i], s, 'c'))
			continue;
		memcpy(base, s->final, s->base_n);
		extra_set_keywords_of(b->extra, span_of(base, s->base_n), high);
	}
	return e ? e
		 : extra_write(b->extra, b->control_fd, b->m->file_mode,
			       b->m->sync != STORE_SYNC_NEVER, t);
}

/* Of this batch, and of those before that were placed only. */
static enum err commit_sync(struct maildir_box *b)
{
	enum err e = ERR_OK;

	if (b->m->sync != STORE_SYNC_NEVER && b->placed_new)
		e = file_sync_dir(b->new_fd);
	if (b->m->sync != STORE_SYNC_NEVER && b->placed_cur && !e)
		e = file_sync_dir(b->cur_fd);
	b->placed_cur = b->placed_new = false;
	return e;
}

/* The bytes of all on disk, with shared write-back; c[i].err tells of each. Nothing is to be done for what has no descriptor. */
static void files_ready(struct maildir_box *b, struct store_commit *c, size_t n)
{
	bool sync = b->m->sync != STORE_SYNC_NEVER;

	for (size_t i = 0; i < n; i++)
		c[i].err = file_prepare(b, &c[i], sync && n > 1);
	for (size_t i = 0; sync && i < n; i++)
		if (!c[i].err && c[i].stage->fd >= 0 && fsync(c[i].stage->fd) < 0)
			c[i].err = errno == ENOSPC || errno == EDQUOT ? ERR_NOSPACE : ERR_IO;
}

enum err maildir_settle(struct store_box *sb, struct store_commit *c, size_t n, struct errtext *t)
{
	enum err e = ERR_OK;

	files_ready(maildir_box_of(sb), c, n);
	for (size_t i = 0; i < n && !e; i++) {
		e = c[i].err;
		if (c[i].stage->fd >= 0)
			close(c[i].stage->fd);
		c[i].stage->fd = -1;
	}
	return e ? err_say(t, e, "a message cannot be added to %s: %s", maildir_box_of(sb)->name, err_name(e)) : ERR_OK;
}

/* ERR_INUSE: nothing happened. Else c[i].err tells of each. */
static enum err commit_batch(struct maildir_box *b, struct store_commit *c, size_t n, bool last, int tmp,
			     struct arena *a, struct errtext *t)
{
	enum err e;

	files_ready(b, c, n);
	e = commit_keywords(b, c, n, t);
	for (size_t i = 0; i < n; i++)
		if (!c[i].err)
			c[i].err = e ? e : commit_rename(b, &c[i], tmp);
	if (commit_must_wait(c, n)) {
		for (size_t i = 0; i < n; i++)
			commit_withdraw(b, &c[i], tmp);
		return err_say(t, ERR_INUSE, "%s is being changed by another program", b->name);
	}
	e = last ? commit_sync(b) : ERR_OK;
	for (size_t i = 0; i < n; i++)
		if (!c[i].err)
			c[i].err = e ? e : commit_answer(b, &c[i], a);
	for (size_t i = 0; i < n; i++)
		if (c[i].err)
			commit_undo(b, &c[i], tmp);
	return e ? err_say(t, e, "%s cannot be synced", b->name) : ERR_OK;
}

static enum err commit(struct maildir_box *b, struct store_commit *c, size_t n, bool last, struct arena *a,
		       struct errtext *t)
{
	int tmp = maildir_tmp_open(b);
	enum err e;

	if (tmp >= 0) {
		e = commit_batch(b, c, n, last, tmp, a, t);
		close(tmp);
	} else {
		e = err_sys(t, "%s/tmp", b->name);
		for (size_t i = 0; i < n; i++)
			c[i].err = e;
	}
	for (size_t i = 0; e == ERR_INUSE && i < n; i++)
		c[i].err = ERR_INUSE;
	if (e == ERR_INUSE)
		return e;
	for (size_t i = 0; i < n; i++) {
		if (c[i].err && !e)
			err_say(t, c[i].err, "a message cannot be added to %s: %s", b->name,
				err_name(c[i].err));
		stage_end(c[i].stage);
	}
	for (size_t i = 0; i < n && !e; i++)
		e = c[i].err;
	return e;
}

enum err maildir_commit_many(struct store_box *sb, struct store_commit *c, size_t n, struct arena *a,
			     struct errtext *t)
{
	return commit(maildir_box_of(sb), c, n, true, a, t);
}

enum err maildir_place_many(struct store_box *sb, struct store_commit *c, size_t n, struct arena *a,
			    struct errtext *t)
{
	return commit(maildir_box_of(sb), c, n, false, a, t);
}

/* --- what was forgotten in tmp/ --- */

static void sweep_entries(DIR *d, int64_t now)
{
	struct dirent *de;
	struct stat st;

	for (int i = 0; i < TMP_SWEEP_MAX && (de = readdir(d)); i++) {
		if (de->d_name[0] == '.' ||
		    fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		int64_t last = st.st_mtime > st.st_ctime ? st.st_mtime : st.st_ctime;
		if (S_ISREG(st.st_mode) && last < now - TMP_OLD && st.st_atime < now - TMP_OLD)
			unlinkat(dirfd(d), de->d_name, 0);
	}
}

/* The access time of tmp/ says when somebody last looked. */
void maildir_tmp_sweep(struct maildir_box *b)
{
	struct timespec looked[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };
	int64_t now = clock_wall();
	struct stat st;

	if (b->tmp_swept || b->head.readonly)
		return;
	b->tmp_swept = true;
	if (fstatat(b->dir_fd, "tmp", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_atime > now - TMP_SWEEP_EVERY)
		return;
	int fd = file_open_dir(b->dir_fd, "tmp");
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	futimens(fd, looked);
	sweep_entries(d, now);
	closedir(d);
}
