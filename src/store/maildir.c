/*
 * The Maildir driver: opening roots and mailboxes, and the table of its slots. What the slots do:
 * the maildir_*.c beside.
 */
#include "maildir.h"
#include "extra.h"
#include "file.h"
#include "subscriptions.h"
#include "uidvalidity.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* --- roots --- */

static bool has_dir(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static enum err maildir_probe(const struct store_config *config)
{
	int fd = open(config->inbox ? config->inbox : config->root,
		      O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return ERR_NOTFOUND;
	bool ours = has_dir(fd, "cur") && has_dir(fd, "new");
	close(fd);
	return ours ? ERR_OK : ERR_NOTFOUND;
}

static void maildir_close(struct store *s)
{
	struct maildir *m = maildir_of(s);

	if (m->work_fd >= 0 && m->work_fd != m->root_fd)
		close(m->work_fd);
	if (m->boxes_fd >= 0 && m->boxes_fd != m->root_fd)
		close(m->boxes_fd);
	if (m->control_fd >= 0 && m->control_fd != m->root_fd)
		close(m->control_fd);
	if (m->inbox_fd >= 0 && m->inbox_fd != m->root_fd)
		close(m->inbox_fd);
	if (m->root_fd >= 0)
		close(m->root_fd);
	keymap_free(&m->plain);
	free(m->root);
	free(m->inbox);
	free(m->control);
	free(m->control_boxes);
	free(m->boxes);
	free(m->dirname);
	free(m->subscriptions);
	free(m->seen);
	free(m->lock_host);
	free(m);
}

/* Our own mailboxes are made with the root's bits for group and others, as Dovecot does. */
static void modes_set(struct maildir *m, mode_t wanted)
{
	struct stat st;

	m->dir_mode = wanted & 0777;
	if (m->dir_mode == 0)
		m->dir_mode = fstat(m->root_fd, &st) == 0 ? st.st_mode & 0777 : 0700;
	m->dir_mode |= 0700;
	m->file_mode = m->dir_mode & 0666;
}

static enum err fds_open(struct maildir *m, const struct store_config *config, struct errtext *t)
{
	mode_t mode = config->dir_mode ? config->dir_mode & 0777 : 0700;
	enum err e = file_root(m->root, !m->readonly, mode, &m->root_fd, t);

	if (e)
		return e;
	modes_set(m, config->dir_mode);
	m->inbox_fd = m->control_fd = m->boxes_fd = m->root_fd;
	maildir_seen_open(m);
	m->work_fd = m->fs ? -1 : m->root_fd;
	if (config->boxdir && m->fs) {
		m->boxes_fd = -1;
		e = file_root(m->boxes, !m->readonly, m->dir_mode, &m->boxes_fd, t);
	}
	if (!e && m->inbox) {
		m->inbox_fd = -1;
		e = file_root(m->inbox, !m->readonly, m->dir_mode, &m->inbox_fd, t);
	}
	if (!e && m->control) {
		m->control_fd = open(m->control, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (m->control_fd < 0 && errno != ENOENT)
			e = err_sys(t, "%s", m->control);
	}
	return e;
}

static char *copy(const char *s)
{
	return s ? mem_str(s) : NULL;
}

static void config_take(struct maildir *m, const struct store_config *config)
{
	m->root = mem_str(config->root);
	m->inbox = config->inbox && strcmp(config->inbox, config->root) != 0 ? mem_str(config->inbox) : NULL;
	m->control = copy(config->control);
	m->boxes = config->boxdir && m->fs ? mem_printf("%s/%s", config->root, config->boxdir) : mem_str(config->root);
	m->control_boxes = config->control && m->fs ? copy(config->boxdir) : NULL;
	m->dirname = m->fs ? copy(config->dirname) : NULL;
	m->subscriptions = mem_str(config->subscriptions ? config->subscriptions : "subscriptions");
	m->seen = copy(config->seen);
	m->seen_all = config->seen_all;
	m->utf8 = config->utf8;
	m->prune = config->prune;
	m->folders_only = config->folders_only;
	m->dirname_control = config->dirname_control;
	m->readonly = config->readonly;
	m->sync = config->sync;
	m->how = config->maildir;
	m->lock_host = mem_str(config->hostname ? config->hostname : "localhost");
	maildir_name_host(m->host, sizeof(m->host), config->hostname);
}

static enum err open_layout(const struct store_config *config, bool fs, struct store **s_r, struct errtext *t)
{
	struct maildir *m = mem_alloc(sizeof(*m));

	m->head.ops = fs ? &store_maildir_fs : &store_maildir;
	m->fs = fs;
	config_take(m, config);
	m->random = maildir_name_random();
	m->root_fd = m->boxes_fd = m->work_fd = m->inbox_fd = m->control_fd = -1;
	enum err e = fds_open(m, config, t);
	if (e) {
		maildir_close(&m->head);
		return e;
	}
	*s_r = &m->head;
	return ERR_OK;
}

static enum err maildir_open(const struct store_config *config, struct store **s_r, struct errtext *t)
{
	return open_layout(config, false, s_r, t);
}

static enum err maildir_fs_open(const struct store_config *config, struct store **s_r, struct errtext *t)
{
	return open_layout(config, true, s_r, t);
}

enum err maildir_root_control_make(struct maildir *m, struct errtext *t)
{
	if (m->control_fd >= 0)
		return ERR_OK;
	if (m->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	return file_root(m->control, true, m->dir_mode, &m->control_fd, t);
}

static enum err uidvalidity_begin(struct maildir *m, struct uidvalidity *u, struct errtext *t)
{
	enum err e = maildir_root_control_make(m, t);

	*u = (struct uidvalidity){ m->control_fd, m->file_mode, m->sync != STORE_SYNC_NEVER };
	return e;
}

enum err maildir_uidvalidity_claim(struct maildir *m, uint32_t above, uint32_t *v_r, struct errtext *t)
{
	struct uidvalidity u;
	enum err e = uidvalidity_begin(m, &u, t);

	return e ? e : uidvalidity_claim(&u, above, v_r, t);
}

enum err maildir_uidvalidity_given(struct maildir *m, uint32_t v, struct errtext *t)
{
	struct uidvalidity u;
	enum err e = uidvalidity_begin(m, &u, t);

	return e ? e : uidvalidity_given(&u, v, t);
}

static struct subs_file subs_of(const struct maildir *m)
{
	return (struct subs_file){ .dir_fd = m->control_fd,
				   .name = m->subscriptions,
				   .separator = m->head.ops->separator,
				   .utf8 = m->utf8,
				   .mode = m->file_mode,
				   .sync = m->sync != STORE_SYNC_NEVER };
}

static enum err maildir_subscriptions(struct store *s, struct arena *a, const char ***names_r, size_t *n_r,
				      struct errtext *t)
{
	struct subs_file f = subs_of(maildir_of(s));

	(void)maildir_courier_subscriptions(maildir_of(s), &f, NULL); /* where it cannot be written there are none */
	return subs_read(&f, a, names_r, n_r, t);
}

static enum err maildir_subscribe(struct store *s, const char *name, bool on, struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	struct subs_file f;
	enum err e;

	if (m->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	e = maildir_root_control_make(m, t);
	if (e)
		return e;
	f = subs_of(m);
	if (on && !subs_valid(&f, name))
		return err_say(t, ERR_CANNOT, "not a usable mailbox name");
	e = maildir_courier_subscriptions(m, &f, t);
	return e ? e : subs_change(&f, name, on, t);
}

/* --- mailboxes --- */

static void maildir_box_close(struct store_box *sb)
{
	struct maildir_box *b = maildir_box_of(sb);

	if (b->control_fd >= 0 && b->control_fd != b->dir_fd)
		close(b->control_fd);
	if (b->cur_fd >= 0)
		close(b->cur_fd);
	if (b->new_fd >= 0)
		close(b->new_fd);
	if (b->dir_fd >= 0 && b->dir_fd != b->m->inbox_fd)
		close(b->dir_fd);
	keymap_free(&b->list.in_play);
	maildir_names_drop(b);
	extra_free(&b->extra);
	maildir_seen_end(b);
	free(b->cur_path);
	free(b->new_path);
	free(b->dirname);
	free(b->name);
	free(b);
}

/* cur/ makes a directory a mailbox; new/ may be missing after a crash or a careless copy. */
static enum err message_dirs_open(struct maildir_box *b)
{
	b->cur_fd = file_open_dir(b->dir_fd, "cur");
	if (b->cur_fd < 0)
		return err_from_errno(errno);
	b->head.readonly = b->m->readonly || (faccessat(b->dir_fd, "cur", W_OK, AT_EACCESS) < 0 && errno != ENOENT);
	b->new_fd = file_open_dir(b->dir_fd, "new");
	if (b->new_fd < 0 && errno == ENOENT && !b->head.readonly &&
	    file_mkdir(b->dir_fd, "new", b->m->dir_mode) == ERR_OK)
		b->new_fd = file_open_dir(b->dir_fd, "new");
	return b->new_fd < 0 ? err_from_errno(errno) : ERR_OK;
}

static enum err control_open(struct maildir_box *b)
{
	struct maildir *m = b->m;
	char path[MAILDIR_PATH_MAX];

	if (!m->control) {
		b->control_fd = b->dir_fd;
	} else if (m->control_fd >= 0) {
		if (!maildir_control_path(m, b->name, path))
			return ERR_NOTFOUND;
		b->control_fd = file_open_dir(m->control_fd, path);
		if (b->control_fd < 0 && errno != ENOENT)
			return err_from_errno(errno);
	}
	return ERR_OK;
}

static enum err dirs_open(struct maildir_box *b)
{
	if (!*b->dirname)
		b->dir_fd = b->m->inbox_fd;
	else
		b->dir_fd = file_open_dir(b->m->boxes_fd, b->dirname);
	if (b->dir_fd < 0)
		return err_from_errno(errno);
	enum err e = message_dirs_open(b);
	return e ? e : control_open(b);
}

static enum err maildir_box_open(struct store *s, const char *name, struct store_box **b_r,
				 struct errtext *t)
{
	char dirname[MAILDIR_PATH_MAX];

	if (!maildir_path(maildir_of(s), name, dirname))
		return err_say(t, ERR_NOTFOUND, "no such mailbox");
	struct maildir_box *b = mem_alloc(sizeof(*b));
	b->head = (struct store_box){ .ops = s->ops, .store = s };
	b->m = maildir_of(s);
	b->name = mem_str(name);
	b->dirname = mem_str(dirname);
	b->dir_fd = b->cur_fd = b->new_fd = b->control_fd = -1;
	b->list_dirty = true; /* who wrote it last is not known */
	enum err e = dirs_open(b);
	if (e) {
		e = err_say(t, e, "%s: %s", *dirname ? dirname : "INBOX", err_name(e));
		maildir_box_close(&b->head);
		return e;
	}
	maildir_seen_begin(b);
	*b_r = &b->head;
	return ERR_OK;
}

/* The directory and those above it. */
static enum err control_dirs_make(struct maildir *m, const char *path, struct errtext *t)
{
	struct file_make make = { m->dir_mode, m->sync != STORE_SYNC_NEVER };
	int parent = file_open_parent(m->control_fd, path, &make);
	enum err e = parent < 0 ? err_sys(t, "%s in the control directory", path) : ERR_OK;

	if (!e && file_mkdir(parent, file_last(path), m->dir_mode))
		e = err_sys(t, "%s in the control directory", path);
	if (!e && make.sync && file_sync_dir(parent))
		e = err_say(t, ERR_IO, "the control directory cannot be synced");
	if (parent >= 0)
		close(parent);
	return e;
}

enum err maildir_control_make(struct maildir_box *b, struct errtext *t)
{
	struct maildir *m = b->m;
	char path[MAILDIR_PATH_MAX];
	enum err e;

	if (b->control_fd >= 0)
		return ERR_OK;
	moving_finish(m);
	if (m->control_fd >= 0)
		(void)control_open(b);
	if (b->control_fd >= 0)
		return ERR_OK;
	e = maildir_root_control_make(m, t);
	if (!e && !maildir_control_path(m, b->name, path))
		e = err_say(t, ERR_NOTFOUND, "no such mailbox");
	if (!e)
		e = control_dirs_make(m, path, t);
	if (!e && control_open(b))
		e = err_sys(t, "%s in the control directory", path);
	return !e && b->control_fd < 0 ? err_say(t, ERR_IO, "%s has no control directory", b->name)
				       : e;
}

enum err maildir_extra(struct maildir_box *b, struct errtext *t)
{
	if (!b->extra)
		b->extra = extra_new();
	return extra_refresh(b->extra, b->control_fd, t);
}

static enum err maildir_set_modseq_floor(struct store_box *sb, uint64_t floor, struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	enum err e;

	if (b->head.own_seen)
		return maildir_seen_raise(b, floor, t);
	e = b->head.readonly ? ERR_READONLY : maildir_control_make(b, t);
	if (!e)
		e = maildir_extra(b, t);
	if (e || extra_floor(b->extra) >= floor)
		return e;
	extra_set_floor(b->extra, floor);
	return extra_write(b->extra, b->control_fd, b->m->file_mode, b->m->sync != STORE_SYNC_NEVER,
			   t);
}

/* --- stamps --- */

/*
 * Within its granule a file system gives two changes one time. Whole seconds: a coarse file system
 * (or one change in a thousand million); else the clock tick of the kernel, at most 10 ms.
 */
static bool stamp_young(const struct timespec *mtime, uint64_t now_us)
{
	int64_t age = (int64_t)now_us - ((int64_t)mtime->tv_sec * 1000000 + mtime->tv_nsec / 1000);

	/* Far in the future it was set by hand, or the clock was: the next change will differ. */
	return age > -10000000 && age < (mtime->tv_nsec == 0 ? 2000000 : 20000);
}

static struct stamp stamp_of(const struct stat *cur, const struct stat *new, uint64_t now)
{
	struct stamp s;

	memset(&s, 0, sizeof(s)); /* it is stored as it stands */
	s.cur_sec = cur->st_mtim.tv_sec;
	s.cur_nsec = (uint32_t)cur->st_mtim.tv_nsec;
	s.cur_young = stamp_young(&cur->st_mtim, now);
	s.new_sec = new->st_mtim.tv_sec;
	s.new_nsec = (uint32_t)new->st_mtim.tv_nsec;
	s.new_young = stamp_young(&new->st_mtim, now);
	return s;
}

enum err maildir_stamp(struct maildir_box *b, struct stamp *s_r)
{
	uint64_t now = clock_wall_us();
	struct stat cur, new;

	if (fstat(b->cur_fd, &cur) < 0 || fstat(b->new_fd, &new) < 0)
		return err_from_errno(errno);
	if (cur.st_nlink == 0 || new.st_nlink == 0)
		return ERR_NOTFOUND; /* removed while we have it open */
	*s_r = stamp_of(&cur, &new, now);
	return ERR_OK;
}

enum { NSEC = 1000000000 };

uint64_t maildir_seen(int64_t sec, uint32_t nsec)
{
	struct timespec time = { sec, nsec };

	if (sec <= 0 || sec > INT64_MAX / NSEC - 1 || stamp_young(&time, clock_wall_us()))
		return 0;
	return (uint64_t)sec * NSEC + nsec;
}

enum err maildir_stamp_at(struct maildir *m, const char *name, uint64_t seen, struct stamp *s_r)
{
	char path[MAILDIR_PATH_MAX + 8];
	uint64_t now = clock_wall_us();
	struct stat cur = { .st_mode = S_IFDIR, .st_mtim = { (time_t)(seen / NSEC), (long)(seen % NSEC) } }, new;
	size_t n;
	int fd;

	if (!maildir_path(m, name, path))
		return ERR_NOTFOUND;
	n = strlen(path);
	fd = n ? m->boxes_fd : m->inbox_fd;
	if (n)
		path[n++] = '/';
	memcpy(path + n, "cur", 4);
	if (!seen && fstatat(fd, path, &cur, AT_SYMLINK_NOFOLLOW) < 0)
		return err_from_errno(errno);
	memcpy(path + n, "new", 4);
	if (fstatat(fd, path, &new, AT_SYMLINK_NOFOLLOW) < 0)
		return err_from_errno(errno);
	*s_r = stamp_of(&cur, &new, now);
	return S_ISDIR(cur.st_mode) && S_ISDIR(new.st_mode) ? ERR_OK : ERR_NOTFOUND;
}

bool maildir_stamp_same(const struct stamp *before, const struct stamp *after)
{
	return before->cur_sec == after->cur_sec && before->cur_nsec == after->cur_nsec &&
	       before->new_sec == after->new_sec && before->new_nsec == after->new_nsec;
}

static uint64_t maildir_dirs(struct store_box *sb)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct stat cur, new;

	if (fstat(b->cur_fd, &cur) < 0 || fstat(b->new_fd, &new) < 0)
		return 0;
	return (cur.st_ino * 3 + new.st_ino) ^ (uint64_t)cur.st_dev << 40;
}

static uint64_t maildir_made(struct store_box *sb)
{
	return maildir_box_of(sb)->made;
}

/* Another folder may have taken the name of the one that is open. */
static bool same_dir(const char *path, int fd)
{
	struct stat named, held;

	return stat(path, &named) == 0 && fstat(fd, &held) == 0 && named.st_ino == held.st_ino &&
	       named.st_dev == held.st_dev;
}

/* What dirname is below. */
static const char *box_root(const struct maildir *m, const char *dirname)
{
	return *dirname ? m->boxes : m->inbox ? m->inbox : m->root;
}

static size_t maildir_watch(struct store_box *sb, const char *paths[4])
{
	struct maildir_box *b = maildir_box_of(sb);
	const char *root = box_root(b->m, b->dirname);

	if (!b->cur_path) {
		b->cur_path = mem_printf("%s/%s%scur", root, b->dirname, *b->dirname ? "/" : "");
		b->new_path = mem_printf("%s/%s%snew", root, b->dirname, *b->dirname ? "/" : "");
	}
	if (!same_dir(b->new_path, b->new_fd) || !same_dir(b->cur_path, b->cur_fd))
		return 0;
	paths[0] = b->new_path;
	paths[1] = b->cur_path;
	return 2;
}

static const char *maildir_box_path(struct store *s, const char *name, enum store_path what, struct arena *a)
{
	const struct maildir *m = maildir_of(s);
	bool control = what == STORE_PATH_CONTROL && m->control;
	char path[MAILDIR_PATH_MAX];

	if (control ? !maildir_control_path(m, name, path) : !maildir_path(m, name, path))
		return NULL;
	return arena_printf(a, "%s%s%s", control ? m->control : box_root(m, path), *path ? "/" : "", path);
}

#define MAILDIR_SLOTS \
	.probe = maildir_probe, \
	.close = maildir_close, \
	.watch_list = maildir_watch_list, \
	.shared_keywords = MAILDIR_LETTERS, \
	.create = maildir_create, \
	.subscriptions = maildir_subscriptions, \
	.subscribe = maildir_subscribe, \
	.box_open = maildir_box_open, \
	.box_close = maildir_box_close, \
	.identity = maildir_identity, \
	.identify = maildir_identify, \
	.keywords = maildir_keywords, \
	.keyword_add = maildir_keyword_add, \
	.changed = maildir_changed, \
	.glance = maildir_glance, \
	.scan = maildir_scan, \
	.scan_new = maildir_scan_new, \
	.locate = maildir_locate, \
	.stage = maildir_stage, \
	.commit_many = maildir_commit_many, \
	.place_many = maildir_place_many, \
	.settle = maildir_settle, \
	.abort = maildir_abort, \
	.link = maildir_link, \
	.number = maildir_number, \
	.sync_numbers = maildir_sync_numbers, \
	.expunge = maildir_expunge, \
	.expunge_done = maildir_expunge_done, \
	.set_flags = maildir_set_flags, \
	.claim = maildir_claim, \
	.flags_done = maildir_flags_done, \
	.set_seen = maildir_set_seen, \
	.set_modseq_floor = maildir_set_modseq_floor, \
	.watch = maildir_watch, \
	.path = maildir_box_path, \
	.made = maildir_made, \
	.dirs = maildir_dirs, \
	.token = maildir_token

const struct store_ops store_maildir = {
	.driver = "maildir",
	.separator = '.',
	.bad_chars = "./",
	.open = maildir_open,
	.list = maildir_list,
	.remove = maildir_remove,
	.rename = maildir_rename,
	MAILDIR_SLOTS,
};

static const char *const reserved[] = { "cur", "new", "tmp", NULL };

const struct store_ops store_maildir_fs = {
	.driver = "maildir-fs",
	.separator = '/',
	.bad_chars = "/",
	.reserved = reserved,
	.dots = true,
	.open = maildir_fs_open,
	.list = maildir_fs_list,
	.folder_dir = maildir_fs_folder_dir,
	.remove = maildir_fs_remove,
	.rename = maildir_fs_rename,
	MAILDIR_SLOTS,
};
