/* The mbox driver: opening roots and mailboxes, changes that wait, and the table of its slots. */
#include "mbox_beside.h"
#include "file.h"
#include "subscriptions.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CONTROL_DIR ".imap"

static const enum mbox_lock_kind read_default[] = { MBOX_LOCK_FCNTL, MBOX_LOCK_NONE };
static const enum mbox_lock_kind write_default[] = { MBOX_LOCK_FCNTL, MBOX_LOCK_DOTLOCK, MBOX_LOCK_NONE };

/* --- roots ------------------------------------------------------------------------------------ */

static enum err mbox_probe(const struct store_config *config)
{
	struct stat st;
	char text[5];
	int fd;
	bool ours;

	if (stat(config->root, &st) == 0 && !S_ISDIR(st.st_mode))
		return ERR_NOTFOUND;
	if (!config->inbox || stat(config->inbox, &st) < 0 || !S_ISREG(st.st_mode))
		return ERR_NOTFOUND;
	fd = open(config->inbox, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return ERR_NOTFOUND;
	ours = st.st_size == 0 || (read(fd, text, 5) == 5 && memcmp(text, "From ", 5) == 0);
	close(fd);
	return ours ? ERR_OK : ERR_NOTFOUND;
}

static void mbox_close(struct store *s)
{
	struct mbox_root *r = mbox_root_of(s);

	if (r->control_fd >= 0)
		close(r->control_fd);
	if (r->control_root_fd >= 0 && r->control_root_fd != r->root_fd)
		close(r->control_root_fd);
	if (r->root_fd >= 0)
		close(r->root_fd);
	free(r->root);
	free(r->inbox);
	free(r->control);
	free(r->host);
	free(r->subscriptions);
	free(r);
}

static void modes_set(struct mbox_root *r, mode_t wanted)
{
	struct stat st;

	r->dir_mode = wanted & 0777;
	if (r->dir_mode == 0)
		r->dir_mode = fstat(r->root_fd, &st) == 0 ? st.st_mode & 0777 : 0700;
	r->dir_mode |= 0700;
	r->file_mode = r->dir_mode & 0666;
}

static enum err fds_open(struct mbox_root *r, const struct store_config *config, struct errtext *t)
{
	mode_t mode = config->dir_mode ? config->dir_mode & 0777 : 0700;
	enum err e = file_root(r->root, !r->readonly, mode, &r->root_fd, t);

	if (e)
		return e;
	modes_set(r, config->dir_mode);
	r->control_root_fd = r->root_fd;
	if (r->control)
		e = file_root(r->control, !r->readonly, r->dir_mode, &r->control_root_fd, t);
	if (!e)
		r->control_fd = file_open_dir(r->control_root_fd, CONTROL_DIR);
	return e;
}

/* The index lies there, too. Where we may not make it the mboxes are others', and can be read without. */
static enum err root_control_make(struct mbox_root *r, struct errtext *t)
{
	enum err e;

	if (r->control_fd >= 0 || r->readonly)
		return ERR_OK;
	e = file_mkdir(r->control_root_fd, CONTROL_DIR, r->dir_mode);
	if (e == ERR_PERM || e == ERR_READONLY)
		return ERR_OK;
	if (e)
		return err_sys(t, CONTROL_DIR);
	if (r->sync != STORE_SYNC_NEVER && file_sync_dir(r->control_root_fd))
		return err_say(t, ERR_IO, CONTROL_DIR " cannot be synced");
	r->control_fd = file_open_dir(r->control_root_fd, CONTROL_DIR);
	return r->control_fd < 0 ? err_sys(t, CONTROL_DIR) : ERR_OK;
}

static enum err mbox_open(const struct store_config *config, struct store **s_r, struct errtext *t)
{
	struct mbox_root *r = mem_alloc(sizeof(*r));
	r->head.ops = &store_mbox;
	r->root = mem_str(config->root);
	r->inbox = config->inbox ? mem_str(config->inbox) : mem_printf("%s/inbox", config->root);
	r->control = config->control ? mem_str(config->control) : NULL;
	r->host = mem_str(config->hostname ? config->hostname : "localhost");
	r->subscriptions = mem_str(config->subscriptions ? config->subscriptions : ".subscriptions");
	r->readonly = config->readonly;
	r->folders_only = config->folders_only;
	r->sync = config->sync;
	r->root_fd = r->control_root_fd = r->control_fd = -1;
	r->set = config->mbox;
	if (!r->set.read_locks)
		r->set.read_locks = read_default;
	if (!r->set.write_locks)
		r->set.write_locks = write_default;
	if (!r->set.dotlock_change_timeout)
		r->set.dotlock_change_timeout = 120;
	enum err e = fds_open(r, config, t);
	if (!e)
		e = root_control_make(r, t);
	if (e) {
		mbox_close(&r->head);
		return e;
	}
	*s_r = &r->head;
	return ERR_OK;
}

static enum err mbox_subscriptions(struct store *s, struct arena *a, const char ***names_r, size_t *n_r,
				   struct errtext *t)
{
	struct mbox_root *r = mbox_root_of(s);
	struct subs_file f = { .dir_fd = r->control_root_fd, .name = r->subscriptions, .separator = '/' };

	return subs_read(&f, a, names_r, n_r, t);
}

static enum err mbox_subscribe(struct store *s, const char *name, bool on, struct errtext *t)
{
	struct mbox_root *r = mbox_root_of(s);
	struct subs_file f = { .dir_fd = r->control_root_fd,
			       .name = r->subscriptions,
			       .separator = '/',
			       .mode = r->file_mode,
			       .sync = r->sync != STORE_SYNC_NEVER };

	if (r->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	if (on && !mbox_is_inbox(r, name) && !store_name_valid(s->ops, name))
		return err_say(t, ERR_CANNOT, "not a usable mailbox name");
	return subs_change(&f, name, on, t);
}

/* --- mailboxes ---------------------------------------------------------------------------------- */

void mbox_box_close(struct store_box *sb)
{
	struct mbox_box *b = mbox_box_of(sb);

	mbox_unlock(b);
	mbox_map_free(&b->map);
	mbox_changes_drop(b);
	beside_free(&b->beside);
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++)
		free(b->added[i]);
	extra_free(&b->extra);
	if (b->fd >= 0)
		close(b->fd);
	mbox_unpacked_drop(b);
	if (b->control_fd >= 0)
		close(b->control_fd);
	if (b->dir_fd >= 0)
		close(b->dir_fd);
	free(b->path);
	free(b->name);
	free(b);
}

/* INBOX is a path of its own; its directory may belong to another (/var/mail), or be missing as yet. */
static enum err inbox_dir(struct mbox_box *b, struct errtext *t)
{
	char *slash, *dir = mem_str(b->r->inbox);
	enum err e;

	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	b->path = mem_str(b->r->inbox);
	e = file_root(slash == dir ? "/" : slash ? dir : ".", !b->r->readonly, b->r->dir_mode, &b->dir_fd, t);
	free(dir);
	return e;
}

static enum err place_open(struct mbox_box *b, struct errtext *t)
{
	struct stat st;
	enum err e;

	if (mbox_is_inbox(b->r, b->name)) {
		e = inbox_dir(b, t);
	} else {
		b->path = mem_printf("%s/%s", b->r->root, b->name);
		e = mbox_dir_open(b->r, b->name, &b->dir_fd, t);
	}
	if (e)
		return e;
	b->base = file_last(b->path);
	b->head.readonly = b->r->readonly || mbox_packed_kind(b->dir_fd, b->base) ||
			   (faccessat(b->dir_fd, b->base, W_OK, AT_EACCESS) < 0 && errno != ENOENT);
	if (mbox_is_inbox(b->r, b->name))
		return ERR_OK;
	if (fstatat(b->dir_fd, b->base, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return err_say(t, ERR_NOTFOUND, "no such mailbox");
	return ERR_OK;
}

enum err mbox_box_open(struct store *s, const char *name, struct store_box **b_r, struct errtext *t)
{
	struct mbox_box *b = mem_alloc(sizeof(*b));
	enum err e;

	b->head = (struct store_box){ .ops = s->ops, .store = s };
	b->r = mbox_root_of(s);
	b->name = mem_str(name);
	b->dir_fd = b->fd = b->plain = b->control_fd = -1;
	b->dotlock = (struct dotlock)DOTLOCK_NONE;
	b->locked = F_UNLCK;
	e = place_open(b, t);
	if (e) {
		mbox_box_close(&b->head);
		return e;
	}
	if (b->r->control_fd >= 0)
		b->control_fd = file_open_dir(b->r->control_fd, name);
	*b_r = &b->head;
	return ERR_OK;
}

/* Every level of the name, beneath .imap, each synced: a journal that a power cut takes away cannot mend the file. */
enum err mbox_control_make(struct mbox_box *b, struct errtext *t)
{
	struct file_make how = { b->r->dir_mode, b->r->sync != STORE_SYNC_NEVER };
	char *path;
	enum err e;

	if (b->control_fd >= 0)
		return ERR_OK;
	e = root_control_make(b->r, t); /* perhaps we may by now */
	if (e)
		return e;
	if (b->r->control_fd < 0)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	path = mem_printf("%s/", b->name);
	b->control_fd = file_open_parent(b->r->control_fd, path, &how);
	if (b->control_fd < 0)
		e = err_sys(t, CONTROL_DIR "/%s", b->name);
	free(path);
	return e;
}

/* --- flags and removing: collected, and carried out at the end of the batch --------------------------- */

static bool is_gone(struct mbox_box *b, uint32_t uid)
{
	return b->map.known && !mbox_map_find(&b->map, uid);
}

static enum err mbox_expunge(struct store_box *sb, struct span key, struct span hint, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	struct mbox_change c = { .expunge = true };

	if (b->head.readonly)
		return err_say(t, ERR_READONLY, "%s is read-only", b->name);
	if (span_u32(key, &c.uid) && c.uid)
		mbox_change_add(b, &c);
	return ERR_OK;
}

static enum err add_change(struct mbox_box *b, struct mbox_change c, struct span key, struct span hint,
			   struct span *hint_r, struct errtext *t)
{
	bool recent = hint.n && hint.p[0] == 'n';

	if (b->head.readonly)
		return err_say(t, ERR_READONLY, "%s is read-only", b->name);
	if (!span_u32(key, &c.uid) || !c.uid || is_gone(b, c.uid))
		return err_say(t, ERR_EXPUNGED, "the message is not in %s", b->name);
	mbox_change_add(b, &c);
	*hint_r = recent ? span_from(hint, 1) : hint;
	return ERR_OK;
}

static enum err mbox_set_flags(struct store_box *sb, struct span key, struct span hint, struct mail_flags flags,
			       struct arena *a, struct span *hint_r, struct errtext *t)
{
	flags.system &= MAIL_SYSTEM;
	return add_change(mbox_box_of(sb), (struct mbox_change){ .flags = flags }, key, hint, hint_r, t);
}

static enum err mbox_claim(struct store_box *sb, struct span key, struct span hint, struct arena *a, struct span *hint_r,
			   struct errtext *t)
{
	return add_change(mbox_box_of(sb), (struct mbox_change){ .claim = true }, key, hint, hint_r, t);
}

static enum err carry_out(struct store_box *sb, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	struct mbox_want want = { .number = true, .sync = b->r->sync == STORE_SYNC_ALWAYS };
	enum err e;

	if (!b->changes)
		return ERR_OK;
	e = mbox_lock(b, F_WRLCK, t);
	if (!e && b->fd >= 0) {
		e = mbox_map_update(b, MBOX_LOOK_NEW, t);
		if (!e)
			e = mbox_rewrite(b, &want, t);
	}
	mbox_unlock(b);
	if (e != ERR_INUSE)
		mbox_changes_drop(b);
	return e;
}

static size_t mbox_watch(struct store_box *sb, const char *paths[4])
{
	paths[0] = mbox_box_of(sb)->path;
	return 1;
}

/* The kernel reports several writes as one: ours cannot be told from those of others by counting. */
static uint64_t mbox_made(struct store_box *sb)
{
	return 0;
}

static uint64_t mbox_dirs(struct store_box *sb)
{
	struct mbox_box *b = mbox_box_of(sb);
	struct stat st;

	return fstatat(b->dir_fd, b->base, &st, 0) < 0 ? 0 : st.st_ino;
}

static const char *mbox_path(struct store *s, const char *name, enum store_path what, struct arena *a)
{
	const struct mbox_root *r = mbox_root_of(s);

	if (what == STORE_PATH_CONTROL)
		return arena_printf(a, "%s/" CONTROL_DIR "/%s", r->control ? r->control : r->root, name);
	return mbox_is_inbox(r, name) ? arena_str(a, r->inbox) : arena_printf(a, "%s/%s", r->root, name);
}

const struct store_ops store_mbox = {
	.driver = "mbox",
	.separator = '/',
	.leaves = true,
	.bad_chars = "",
	.shared_keywords = MAIL_KEYWORDS_MAX,
	.late = true,
	.probe = mbox_probe,
	.open = mbox_open,
	.close = mbox_close,
	.list = mbox_list,
	.create = mbox_create,
	.remove = mbox_remove,
	.rename = mbox_rename,
	.subscriptions = mbox_subscriptions,
	.subscribe = mbox_subscribe,
	.box_open = mbox_box_open,
	.box_close = mbox_box_close,
	.identity = mbox_identity,
	.identify = mbox_identify,
	.keywords = mbox_keywords,
	.keyword_add = mbox_keyword_add,
	.prepare = mbox_prepare,
	.changed = mbox_changed,
	.scan = mbox_scan,
	.scan_new = mbox_scan_new,
	.locate = mbox_locate,
	.stage = mbox_stage,
	.commit_many = mbox_commit_many,
	.abort = mbox_abort,
	.number = mbox_number,
	.sync_numbers = mbox_sync_numbers,
	.expunge = mbox_expunge,
	.expunge_done = carry_out,
	.set_flags = mbox_set_flags,
	.claim = mbox_claim,
	.flags_done = carry_out,
	.set_modseq_floor = mbox_set_modseq_floor,
	.watch = mbox_watch,
	.path = mbox_path,
	.made = mbox_made,
	.dirs = mbox_dirs,
	.token = mbox_token,
};
