/* What the settings say of a user's mail, as box wants to hear it (struct acct_config): his namespaces, others', his index. */
#include "worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/mutf7.h"
#include "conf/location.h"

#include <sys/stat.h>
#include <unistd.h>

static const char *mutf7(struct arena *ar, const char *utf8)
{
	struct buf b;
	buf_init(&b, 4096);
	const char *name =
		mutf7_from_utf8(span_str(utf8), &b) ? arena_span(ar, buf_span(&b)) : NULL;
	buf_free(&b);
	return name;
}

/* Several special uses of one mailbox are parted by a blank. */
static const char *join_uses(struct arena *ar, const char *const *use)
{
	struct buf b;
	buf_init(&b, 1024);
	for (; *use != NULL; use++)
		buf_printf(&b, "%s%s", b.n > 0 ? " " : "", *use);
	const char *text = b.n > 0 ? arena_span(ar, buf_span(&b)) : NULL;
	buf_free(&b);
	return text;
}

static struct acct_mailbox *mailboxes(struct arena *ar, const struct conf_namespace *n)
{
	struct acct_mailbox *box = arena_array(ar, n->mailboxes_n + 1, sizeof(*box));
	for (size_t i = 0; box != NULL && i < n->mailboxes_n; i++) {
		const struct conf_mailbox *m = &n->mailboxes[i];
		box[i].name = mutf7(ar, m->name);
		if (box[i].name == NULL)
			return NULL;
		box[i].special_use = join_uses(ar, m->special_use);
		box[i].create = m->autocreate != CONF_AUTO_NO;
		box[i].subscribe = m->autocreate == CONF_AUTO_SUBSCRIBE;
		box[i].expunge_after = (m->autoexpunge + 999) / 1000;
		box[i].expunge_beyond = m->autoexpunge_max_mails;
	}
	return box;
}

static enum store_sync sync_mode(const struct conf *c)
{
	switch ((enum conf_fsync)conf_enum(c, CONF_MAIL_FSYNC)) {
	case CONF_FSYNC_ALWAYS:
		return STORE_SYNC_ALWAYS;
	case CONF_FSYNC_NEVER:
		return STORE_SYNC_NEVER;
	default:
		return STORE_SYNC_OPTIMIZED;
	}
}

static const enum mbox_lock_kind *lock_kinds(struct account *a, enum conf_id id)
{
	static const struct {
		const char *name;
		enum mbox_lock_kind kind;
	} kinds[] = {
		{ "fcntl", MBOX_LOCK_FCNTL },     { "flock", MBOX_LOCK_FLOCK },
		{ "lockf", MBOX_LOCK_LOCKF },     { "dotlock", MBOX_LOCK_DOTLOCK },
		{ "dotlock_try", MBOX_LOCK_DOTLOCK_TRY },
	};
	const char *const *word = conf_words(a->w->conf, id);
	enum mbox_lock_kind *list;
	size_t n = 0;

	while (word[n])
		n++;
	list = arena_array(a->arena, n + 1, sizeof(*list));
	n = 0;
	for (; list && *word; word++)
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			if (strcmp(*word, kinds[i].name) == 0)
				list[n++] = kinds[i].kind;
	return list;
}

static struct store_mbox mbox_config(struct account *a)
{
	return (struct store_mbox){
		.read_locks = lock_kinds(a, CONF_MBOX_READ_LOCKS),
		.write_locks = lock_kinds(a, CONF_MBOX_WRITE_LOCKS),
		.dotlock_change_timeout = (int)(conf_u64(a->w->conf, CONF_MBOX_DOTLOCK_CHANGE_TIMEOUT) / 1000),
		.dirty_syncs = conf_bool(a->w->conf, CONF_MBOX_DIRTY_SYNCS) ||
			       conf_bool(a->w->conf, CONF_MBOX_VERY_DIRTY_SYNCS),
		.very_dirty_syncs = conf_bool(a->w->conf, CONF_MBOX_VERY_DIRTY_SYNCS),
		.md5_all = conf_enum(a->w->conf, CONF_MBOX_MD5) == CONF_MBOX_MD5_ALL,
		.write_now = !conf_bool(a->w->conf, CONF_MBOX_LAZY_WRITES),
		.locker = doors_locker(a->w),
	};
}

static const char *plugin_value(const struct conf *c, const char *key)
{
	size_t n;
	const struct conf_pair *p = conf_plugin(c, &n);
	const char *value = "";
	for (size_t i = 0; i < n; i++)
		if (strcmp(p[i].key, key) == 0)
			value = p[i].value;
	return value;
}

static struct store_maildir_how maildir_config(const struct conf *c)
{
	struct store_maildir_how how = {
		.no_links = !conf_bool(c, CONF_MAILDIR_COPY_WITH_HARDLINKS),
		.very_dirty = conf_bool(c, CONF_MAILDIR_VERY_DIRTY_SYNCS),
		.no_sizes = conf_bool(c, CONF_MAILDIR_BROKEN_FILENAME_SIZES),
	};
	const char *save = conf_uses_plugin(c, "zlib") ? plugin_value(c, "zlib_save") : "";
	how.pack = pack_named(save);
	uint64_t level;
	if (span_u64(span_str(plugin_value(c, "zlib_save_level")), &level) && level <= 100)
		how.pack_level = (int)level;
	if (save[0] != '\0' && how.pack == PACK_NONE)
		log_warning("zlib_save = %s: this build cannot write that; messages are stored as they come", save);
	return how;
}

static enum acct_list list_of(const struct conf_namespace *n)
{
	return n->list == CONF_NS_LIST_NO    ? ACCT_LIST_NO
	       : n->list == CONF_NS_LIST_YES ? ACCT_LIST_YES
					     : ACCT_LIST_CHILDREN;
}

static enum acct_ns_type type_of(const struct conf_namespace *n)
{
	return n->type == CONF_NS_PRIVATE  ? ACCT_PRIVATE
	       : n->type == CONF_NS_SHARED ? ACCT_SHARED
					   : ACCT_PUBLIC;
}

/* Where the mail of loc is, and how it is kept. */
static struct store_config store_config_of(struct account *a, const struct conf_location *loc, bool inbox)
{
	bool mbox = loc->driver == CONF_DRIVER_MBOX;
	struct store_config c = {
		.root = loc->path,
		.inbox = loc->inbox,
		.control = loc->control,
		.seen = loc->index_private != NULL ? loc->index_private : loc->index,
		.seen_all = loc->index_private != NULL,
		.subscriptions = loc->subscriptions,
		.dirname = loc->dirname,
		.dirname_control = loc->dirname_control,
		.boxdir = loc->boxdir,
		.utf8 = loc->utf8,
		.prune = loc->prune,
		.folders_only = !inbox,
		.hostname = a->w->hostname,
		.sync = sync_mode(a->w->conf),
	};

	if (mbox)
		c.mbox = mbox_config(a);
	else
		c.maildir = maildir_config(a->w->conf);
	return c;
}

/* What lies at loc, as the namespace says. */
static enum err namespace_fill(struct account *a, const struct conf_namespace *n, const struct conf_location *loc,
			       struct acct_ns *ns, struct errtext *t)
{
	bool mbox = loc->driver == CONF_DRIVER_MBOX;

	*ns = (struct acct_ns){
		.ops = store_driver(mbox ? "mbox" : loc->layout == CONF_LAYOUT_FS ? "maildir-fs" : "maildir"),
		.prefix = arena_str(a->arena, n->prefix),
		.separator = n->separator[0],
		.inbox = n->inbox,
		.hidden = n->hidden,
		.subscriptions = n->subscriptions,
		.optional = n->type != CONF_NS_PRIVATE || n->ignore_on_failure,
		.list = list_of(n),
		.type = type_of(n),
		.store = store_config_of(a, loc, n->inbox),
		.empty_new = conf_bool(a->w->conf, CONF_MAILDIR_EMPTY_NEW),
		.mailbox = mailboxes(a->arena, n),
		.mailboxes = n->mailboxes_n,
	};
	if (mbox)
		a->config.lock_wait_ms = conf_u64(a->w->conf, CONF_MBOX_LOCK_TIMEOUT);
	return ns->mailbox != NULL ? ERR_OK
				   : err_say(t, ERR_CANNOT, "namespace %s: a mailbox name is not possible", n->name);
}

static enum err namespace_config(struct account *a, const struct conf_namespace *n, struct span extra,
				 struct acct_ns *ns, struct conf_location *loc, struct errtext *t)
{
	struct conf_owner owner = { a->user, a->home, a->mail };
	enum err e = conf_namespace_location(a->w->conf, n, &owner, msg_extra_location(extra, n->name),
					     a->arena, loc, t);
	return e == ERR_OK ? namespace_fill(a, n, loc, ns, t) : e;
}

/* --- other users' -------------------------------------------------------------------------- */

static bool share_match(void *ctx, const struct acct_share *share, struct span name, struct buf *user_r)
{
	const struct account *a = ctx;
	const struct conf_namespace *n = share->source;
	return conf_sharer_match(span_str(n->prefix), share->separator, span_str(a->user), name, user_r);
}

/* The permissions of his files say whether he shares. */
static enum err share_make(void *ctx, const struct acct_share *share, struct span user, struct arena *ar,
			   const struct acct_ns **ns_r, struct errtext *t)
{
	struct account a = *(struct account *)ctx;
	struct conf_namespace n = *(const struct conf_namespace *)share->source;
	const struct conf_owner owner = { a.user, a.home, a.mail };
	struct acct_ns *ns = arena_alloc(ar, sizeof(*ns));
	struct conf_location loc;

	if (ns == NULL)
		return ERR_MEMORY;
	a.arena = ar;
	enum err e = conf_sharer_prefix(&n, user, ar, &n.prefix, t);
	if (e == ERR_OK)
		e = conf_sharer_location(a.w->conf, &n, &owner, user, ar, &loc, t);
	if (e == ERR_OK)
		e = namespace_fill(&a, &n, &loc, ns, t);
	if (e != ERR_OK)
		return e;
	ns->store.folders_only = false;
	ns->foreign_inbox = !conf_bool(a.w->conf, CONF_MAIL_SHARED_EXPLICIT_INBOX);
	if (loc.index_private == NULL)
		ns->index_dir = loc.index;
	*ns_r = ns;
	return ERR_OK;
}

static bool share_config(struct account *a, const struct conf_namespace *n, struct acct_share *share)
{
	const char *variable = strstr(n->prefix, "%%");
	const char *sep = n->separator[0] != '\0' ? n->separator : n->prefix + strlen(n->prefix) - 1;

	*share = (struct acct_share){
		.prefix = arena_span(a->arena, span_of(n->prefix, (size_t)(variable - n->prefix))),
		.separator = *sep,
		.hidden = n->hidden,
		.list = list_of(n),
		.match = share_match,
		.make = share_make,
		.ctx = a,
		.source = n,
	};
	return share->prefix != NULL;
}

/* box counts what the kernel tells. */
static void *watcher_add(void *ctx, const char *dir, bool (*cares)(const char *name, bool dir), void (*changed)(void *arg),
			 void *arg)
{
	struct watch_set *set = ctx;
	struct watch *w;
	return watch_add(set, dir, cares, changed, arg, &w) == ERR_OK ? w : NULL;
}

static void watcher_remove(void *ctx, void *handle)
{
	struct watch *w = handle;
	watch_remove(&w);
}

static uint64_t watcher_count(void *ctx, void *handle)
{
	return watch_count(handle);
}

/* Where the index of a location lies: where Dovecot does not list it as a mailbox. */
static const char *index_place(struct arena *ar, const struct conf_location *loc, bool *flat_r)
{
	*flat_r = loc->index == NULL && loc->driver == CONF_DRIVER_MAILDIR && loc->layout == CONF_LAYOUT_FS;
	if (loc->index != NULL)
		return loc->index;
	if (*flat_r)
		return loc->path;
	if (loc->driver == CONF_DRIVER_MBOX)
		return arena_printf(ar, "%s/.imap/roost.index", loc->control ? loc->control : loc->path);
	return arena_printf(ar, "%s/roost.index", loc->path);
}

/* One environment for all who use the root: for whom the directory is, the index is. */
static void shared_index(struct account *a, const struct conf_location *loc, struct acct_ns *ns)
{
	struct stat st;

	if (!a->w->acl_told && stat(arena_printf(a->arena, "%s/dovecot-acl", loc->path), &st) == 0) {
		log_warning("%s/dovecot-acl is not read: the permissions of files alone say who may do what", loc->path);
		a->w->acl_told = true;
	}
	/* What each knows for himself cannot be in one for all. */
	if (loc->index_memory || loc->index_private != NULL)
		return;
	ns->index_dir = index_place(a->arena, loc, &ns->index_flat);
	if (stat(loc->index != NULL ? loc->index : loc->path, &st) == 0)
		ns->index_mode = 0600 | (st.st_mode & 0066);
}

static void own_index(struct account *a, const struct conf_location *loc)
{
	a->config.index_memory = loc->index_memory;
	a->config.scratch_dir = loc->index_memory ? loc->path : NULL;
	a->config.index_dir = loc->index_memory ? NULL : index_place(a->arena, loc, &a->config.index_flat);
}

/* The namespaces of the settings, with this user's directories. The index lies with the inbox. */
enum err account_config(struct account *a, struct span extra, struct errtext *t)
{
	const struct conf_owner owner = { a->user, a->home, a->mail };
	size_t n;
	const struct conf_namespace *c = conf_namespaces(a->w->conf, &n);
	struct acct_ns *ns = arena_array(a->arena, n, sizeof(*ns));
	struct acct_share *share = arena_array(a->arena, n, sizeof(*share));
	size_t spaces = 0, shares = 0;
	if (ns == NULL || share == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < n; i++) {
		if (conf_has_sharers(&c[i])) {
			/* Who may see what is in lists that we do not read. */
			if (conf_uses_plugin(a->w->conf, "acl"))
				continue;
			if (!share_config(a, &c[i], &share[shares++]))
				return ERR_MEMORY;
			continue;
		}
		struct conf_location loc;
		struct acct_ns *now = &ns[spaces++];
		enum err e = namespace_config(a, &c[i], extra, now, &loc, t);
		if (e != ERR_OK)
			return e;
		if (now->inbox)
			own_index(a, &loc);
		else if (now->type != ACCT_PRIVATE)
			shared_index(a, &loc, now);
	}
	if (a->w->watches != NULL)
		a->config.watcher = (struct acct_watcher){ watcher_add, watcher_remove, watcher_count, a->w->watches };
	a->config.pooled = a->w->kind == WORKER_POOLED;
	a->config.user = a->user;
	a->config.ns = ns;
	a->config.namespaces = spaces;
	a->config.share = share;
	a->config.shares = shares;
	a->config.index_cache_max = conf_u64(a->w->conf, CONF_MAIL_CACHE_MAX_SIZE);
	a->config.index_roll = &a->w->indexes;
	a->config.max_keyword_length = (unsigned)conf_u64(a->w->conf, CONF_MAIL_MAX_KEYWORD_LENGTH);
	return conf_index_fallback(a->w->conf, &owner, a->arena, &a->config.index_fallback, t);
}

enum err account_location(const struct account *a, const char *text, struct arena *ar, struct acct_config *config_r,
			  struct errtext *t)
{
	const struct conf_namespace n = {
		.name = "import", .prefix = "", .separator = "", .location = text, .inbox = true, .subscriptions = true,
		.list = CONF_NS_LIST_YES, .type = CONF_NS_PRIVATE,
	};
	struct account other = *a;
	struct acct_ns *ns = arena_alloc(ar, sizeof(*ns));
	struct conf_location loc;

	other.arena = ar;
	enum err e = ns != NULL ? namespace_config(&other, &n, (struct span){ NULL, 0 }, ns, &loc, t) : ERR_MEMORY;
	if (e != ERR_OK)
		return e;
	/* Opening would make it, and a slip of the pen would pass for an empty place. */
	if (access(ns->store.root, F_OK) != 0 && (ns->store.inbox == NULL || access(ns->store.inbox, F_OK) != 0))
		return err_say(t, ERR_NOTFOUND, "There is no mail at %s", text);
	*config_r = (struct acct_config){
		.user = a->user,
		.ns = ns,
		.namespaces = 1,
		.index_dir = a->config.index_dir,
		.index_memory = true,
		.scratch_dir = loc.path,
		.max_keyword_length = a->config.max_keyword_length,
	};
	return ERR_OK;
}
