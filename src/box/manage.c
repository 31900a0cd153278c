/* CREATE, DELETE, RENAME, SUBSCRIBE: the store does it, the index and the open mailboxes follow. */
#include "room.h"

#include "base/mem.h"

enum { LIST_ARENA = 64 << 20 };

enum err acct_exists(struct acct *a, const char *name, struct errtext *t)
{
	struct mailbox *mb;
	enum err e = mailbox_open(a, name, &mb, t);

	if (!e)
		mailbox_close(&mb);
	return e;
}

enum err acct_path(struct acct *a, const char *name, enum acct_path_kind kind, struct arena *ar, const char **path_r,
		   struct errtext *t)
{
	const char *path = NULL;
	struct name n;
	enum err e = name_resolve(a, name, &n, t);

	if (e)
		return e;
	if (kind == ACCT_PATH_INDEX)
		path = n.space->shelf->dir ? arena_str(ar, n.space->shelf->dir) : NULL;
	else if (n.space->ns->ops->path)
		path = n.space->ns->ops->path(n.space->store, n.storage,
					      kind == ACCT_PATH_CONTROL ? STORE_PATH_CONTROL : STORE_PATH_MAIL, ar);
	if (!path)
		return err_say(t, ERR_CANNOT, "It has no path");
	*path_r = path;
	return ERR_OK;
}

static enum err writable(const struct name *n, struct errtext *t)
{
	if (n->space->ns->store.readonly)
		return err_say(t, ERR_PERM, "The namespace is read-only");
	return ERR_OK;
}

/* renamed: to be told as the new name of this one; or NULL. */
static enum err create(struct acct *a, const char *name, const char *special_use, const char *renamed, struct errtext *t)
{
	struct name n;
	struct buf told;
	enum err e = name_resolve(a, name, &n, t);

	if (!e)
		e = writable(&n, t);
	if (e)
		return e;
	folders_changing(a);
	e = n.space->ns->ops->create(n.space->store, n.storage, special_use, t);
	buf_init(&told, 4 * NAME_MAX_STORAGE);
	name_client(n.space, n.storage, &told);
	if (!e)
		folders_changed(a, renamed, buf_cstr(&told));
	buf_free(&told);
	return e == ERR_EXISTS ? err_say(t, e, "Mailbox already exists") : e;
}

enum err acct_create(struct acct *a, const char *name, const char *special_use, struct errtext *t)
{
	return create(a, name, special_use, NULL, t);
}

/* --- DELETE ------------------------------------------------------------------------- */

struct forgetting {
	struct space *space;
	const char *storage;
};

static enum err forget_run(struct idx_txn *x, void *arg, struct errtext *t)
{
	const struct forgetting *f = arg;
	char name[NAME_MAX_STORAGE + 1];
	struct idx_box b;
	enum err e = idx_box_find(x, name_index(f->space, f->storage, name), &b);

	if (!e)
		e = idx_box_remove(x, b.id);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

static void end_views(struct mailbox *mb)
{
	sync_free(&mb->sync);
	mb->dead = true;
	mb->id = 0;
	mailbox_notify(mb, NULL);
}

enum err acct_delete(struct acct *a, const char *name, struct errtext *t)
{
	struct forgetting f;
	struct mailbox *mb;
	struct name n;
	enum err e = name_resolve(a, name, &n, t);

	if (!e && name_is_inbox(&n))
		e = err_say(t, ERR_CANNOT, "INBOX cannot be deleted");
	if (!e)
		e = writable(&n, t);
	folders_changing(a);
	if (!e)
		e = n.space->ns->ops->remove(n.space->store, n.storage, t);
	if (e)
		return e == ERR_NOTFOUND ? err_say(t, e, "Mailbox doesn't exist: %.200s", name) : e;
	mb = mailbox_find(a, n.space, n.storage);
	if (mb)
		end_views(mb);
	/* A record left behind is harmless: a mailbox of that name made later has another UIDVALIDITY. */
	f = (struct forgetting){ n.space, n.storage };
	if (shelf_update(n.space->shelf, forget_run, &f, NULL) == ERR_CORRUPT)
		(void)shelf_repair(n.space->shelf, NULL);
	folders_changed(a, name, NULL);
	return ERR_OK;
}

/* --- RENAME ------------------------------------------------------------------------- */

struct renaming {
	struct space *space;
	const char *from, *to; /* storage names */
};

/* "a/b" with from "a" and to "c": "c/b". False when storage is not from or below it. */
static bool renamed(const struct renaming *r, struct span storage, char sep, struct buf *out)
{
	struct span from = span_str(r->from);

	if (!span_starts(storage, from) || (storage.n > from.n && storage.p[from.n] != sep))
		return false;
	buf_clear(out);
	buf_add_str(out, r->to);
	buf_add_span(out, span_from(storage, from.n));
	return true;
}

/* The first box of the index at or below from. */
static enum err find_below(struct idx_txn *x, const struct renaming *r, struct idx_box *b_r, struct buf *to)
{
	char name[NAME_MAX_STORAGE + 1];
	struct span after = name_index(r->space, r->from, name);
	enum err e = idx_box_find(x, after, b_r);

	if (e == ERR_NOTFOUND)
		e = idx_box_next(x, after, b_r);
	for (; !e; e = idx_box_next(x, b_r->name, b_r)) {
		if (!span_starts(b_r->name, after))
			return ERR_NOTFOUND;
		if (renamed(r, span_from(b_r->name, name_index_head(r->space)), r->space->ns->ops->separator, to))
			return ERR_OK;
	}
	return e;
}

static enum err rename_run(struct idx_txn *x, void *arg, struct errtext *t)
{
	const struct renaming *r = arg;
	char name[NAME_MAX_STORAGE + 1];
	struct idx_box b, old;
	struct buf to;
	enum err e;

	buf_init(&to, STORE_NAME_MAX);
	while ((e = find_below(x, r, &b, &to)) == ERR_OK) {
		struct span key = name_index(r->space, buf_cstr(&to), name);

		if (to.failed) {
			e = idx_box_remove(x, b.id); /* made just now: nobody can name it anymore */
		} else {
			if (idx_box_find(x, key, &old) == ERR_OK)
				e = idx_box_remove(x, old.id);
			if (!e)
				e = idx_box_rename(x, b.id, key);
		}
		if (e)
			break;
	}
	buf_free(&to);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

/* Open mailboxes go on under their new names. */
static void rename_open(struct acct *a, const struct renaming *r)
{
	struct buf to;
	bool watched;

	buf_init(&to, STORE_NAME_MAX);
	for (struct mailbox *mb = a->boxes; mb; mb = mb->next) {
		if (mb->space != r->space || !renamed(r, span_str(mb->name), r->space->ns->ops->separator, &to))
			continue;
		if (to.failed) {
			end_views(mb);
			continue;
		}
		watched = mb->place->watches > 0;
		place_leave(mb);
		free(mb->name);
		mb->name = mem_str(buf_cstr(&to));
		sync_free(&mb->sync);
		if (mb->sb)
			mb->sb->ops->box_close(mb->sb);
		mb->sb = NULL;
		place_enter(mb);
		if (watched)
			mailbox_watch(mb);
		for (struct view *v = mb->views; v; v = v->next) {
			view_forget_msg(v);
			view_name(v);
		}
	}
	buf_free(&to);
}

/* A mailbox below that became too long a name would be lost to clients: they could not even name it to rename it back. */
static enum err names_fit(const struct renaming *r, struct errtext *t)
{
	const struct acct_ns *ns = r->space->ns;
	struct store_folder *f;
	struct arena *ar;
	struct buf to;
	size_t n;
	enum err e;

	if (strlen(r->to) <= strlen(r->from))
		return ERR_OK;
	ar = arena_new(LIST_ARENA);
	buf_init(&to, STORE_NAME_MAX);
	e = ns->ops->list(r->space->store, ar, &f, &n, t);
	for (size_t i = 0; !e && i < n; i++)
		if (renamed(r, span_str(f[i].name), ns->ops->separator, &to) && to.failed)
			e = err_say(t, ERR_CANNOT, "The name of a mailbox below it would be too long");
	buf_free(&to);
	arena_free(&ar);
	return e;
}

static enum err rename_folder(struct acct *a, const struct name *from, const struct name *to, struct errtext *t)
{
	struct renaming r = { from->space, from->storage, to->storage };
	struct buf ignored;
	bool inside;
	enum err e;

	if (from->space != to->space)
		return err_say(t, ERR_CANNOT, "Mailboxes cannot be renamed across namespaces");
	buf_init(&ignored, 2 * NAME_MAX_STORAGE);
	inside = renamed(&r, span_str(to->storage), from->space->ns->ops->separator, &ignored);
	buf_free(&ignored);
	if (strcmp(from->storage, to->storage) == 0)
		return err_say(t, ERR_EXISTS, "Mailbox already exists");
	if (inside)
		return err_say(t, ERR_CANNOT, "A mailbox cannot be renamed into itself");
	e = writable(from, t);
	if (!e)
		e = names_fit(&r, t);
	if (!e)
		e = from->space->ns->ops->rename(from->space->store, from->storage, to->storage, t);
	if (e)
		return e;
	if (shelf_update(r.space->shelf, rename_run, &r, NULL) == ERR_CORRUPT)
		(void)shelf_repair(r.space->shelf, NULL);
	rename_open(a, &r);
	return ERR_OK;
}

/* INBOX stays: its messages move into the new mailbox. */
struct inbox_rename {
	struct view *v;
	struct view_copy move;
	struct arena *ar;      /* own */
	bool refreshed;
};

static void inbox_rename_free(void *arg)
{
	struct inbox_rename *r = arg;

	view_copy_free(&r->move);
	view_close(&r->v);
	arena_free(&r->ar);
	free(r);
}

static enum err inbox_begin(struct acct *a, struct acct_rename *job)
{
	struct inbox_rename *r;
	struct view *v;
	enum err e = create(a, job->to, NULL, "INBOX", &job->text);

	if (!e)
		e = view_open(a, "INBOX", false, &v, &job->text);
	if (e)
		return e;
	r = mem_alloc(sizeof(*r));
	r->v = v;
	r->ar = arena_new(64 << 20);
	r->move = (struct view_copy){ .dest = job->to, .move = true };
	job->priv = r;
	return ERR_OK;
}

static enum step inbox_refresh(struct inbox_rename *r, struct acct_rename *job)
{
	struct view_changes c;
	enum step step = view_refresh(r->v, true, &job->err, &job->text);

	if (step != STEP_DONE || job->err)
		return step;
	job->err = view_update(r->v, true, r->ar, &c, &job->text);
	if (job->err)
		return STEP_DONE;
	view_changes_free(&c);
	r->refreshed = true;
	r->move.uids = view_uids(r->v);
	return STEP_SLICE;
}

static enum step rename_inbox(struct acct *a, struct acct_rename *job)
{
	struct inbox_rename *r;
	enum step step;

	if (!job->priv) {
		job->err = inbox_begin(a, job);
		if (job->err)
			return STEP_DONE;
	}
	r = job->priv;
	if (!r->refreshed) {
		step = inbox_refresh(r, job);
	} else {
		step = view_copy(r->v, &r->move);
		job->err = r->move.err;
		job->text = r->move.text;
	}
	if (step == STEP_DONE)
		acct_rename_free(job);
	return step;
}

void acct_rename_free(struct acct_rename *job)
{
	if (job->priv)
		inbox_rename_free(job->priv);
	job->priv = NULL;
}

enum step acct_rename(struct acct *a, struct acct_rename *job)
{
	struct name from, to;

	job->err = name_resolve(a, job->from, &from, &job->text);
	a->spaces_stay = true; /* that of from */
	if (!job->err)
		job->err = name_resolve(a, job->to, &to, &job->text);
	a->spaces_stay = false;
	if (job->err)
		return STEP_DONE;
	if (name_is_inbox(&to)) {
		job->err = err_say(&job->text, ERR_EXISTS, "Mailbox already exists");
		return STEP_DONE;
	}
	if (name_is_inbox(&from))
		return rename_inbox(a, job);
	job->err = rename_folder(a, &from, &to, &job->text);
	if (!job->err)
		folders_changed(a, job->from, job->to);
	return STEP_DONE;
}

enum err acct_subscribe(struct acct *a, const char *name, bool on, struct errtext *t)
{
	struct name n;
	enum err e = name_subscription(a, name, &n, t);

	if (!e)
		e = writable(&n, t);
	folders_changing(a);
	if (!e)
		e = n.space->ns->ops->subscribe(n.space->store, n.storage, on, t);
	if (!e)
		folders_subscribed(a, n.space, n.storage, on);
	return e;
}
