/*
 * Disk work owed: the index knows it already, the folder not yet. A flag change becomes a rename, the message
 * record telling the flags and where the file is; an expunge that a crash interrupted is finished.
 * Everything here may be done twice.
 */
#include "owing.h"

#include "base/clock.h"
#include "base/mem.h"

enum {
	TODO_BATCH = 256, /* a slice of renames */
	TODO_TEXT = 1 << 20,
};

struct owed {
	uint64_t seq;
	uint32_t uid;
	enum idx_todo_kind kind;
	struct mail_flags flags;
	bool absent;              /* the record is gone, or the message left the arrivals: nothing to do */
	struct span key, hint;    /* arena */
	struct span hint_now;     /* arena; empty: as it was */
	enum err err;
};

struct batch {
	struct shelf *shelf;
	struct mailbox *only;     /* NULL: any */
	uint32_t box;             /* of all in the batch */
	char name[NAME_MAX_STORAGE + 1]; /* in the index */
	size_t name_n;
	struct owed *o;
	size_t n;
	struct arena *ar;         /* own */
	bool renamed, removed;    /* some */
};

/* --- reading a batch ---------------------------------------------------------------- */

static enum err take_one(struct idx_txn *x, const struct idx_todo *todo, struct owed *o, struct arena *ar)
{
	struct idx_msg m = { .key = todo->key, .hint = todo->hint, .flags = todo->flags };
	bool held[2];
	enum err e = ERR_OK;

	*o = (struct owed){ .seq = todo->seq, .uid = todo->uid, .kind = todo->kind };
	if (todo->kind != IDX_TODO_EXPUNGE)
		e = idx_msg_get(x, todo->box, todo->uid, &m);
	if (e == ERR_NOTFOUND || (!e && todo->kind == IDX_TODO_CLAIM && !hint_arrived(m.hint))) {
		o->absent = true;
		return ERR_OK;
	}
	if (e)
		return e;
	o->flags = m.flags;
	o->key = arena_copy(ar, m.key, &held[0]);
	o->hint = arena_copy(ar, m.hint, &held[1]);
	return held[0] && held[1] ? ERR_OK : ERR_MEMORY;
}

static enum err batch_read(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct batch *b = arg;
	struct idx_todo todo = { .seq = b->shelf->todo_after };
	struct idx_box box;
	uint32_t only = b->only ? b->only->id : 0;
	enum err e = ERR_OK;

	if (b->only)
		todo.seq = 0;
	b->box = only;
	while (b->n < TODO_BATCH && (e = idx_todo_next(x, only, todo.seq, &todo)) == ERR_OK) {
		if (b->box && todo.box != b->box)
			break;
		b->box = todo.box;
		e = take_one(x, &todo, &b->o[b->n], b->ar);
		if (e)
			return e;
		b->n++;
	}
	if (e && e != ERR_NOTFOUND)
		return e;
	if (!b->n)
		return ERR_OK;
	e = idx_box_get(x, b->box, &box);
	if (e || box.name.n >= sizeof(b->name))
		return e ? e : ERR_CORRUPT;
	memcpy(b->name, box.name.p, box.name.n);
	b->name_n = box.name.n;
	return ERR_OK;
}

/* Messages of a batch. */
struct seen {
	struct set done;
	struct set flagged; /* or going to be */
};

/* --- doing it ------------------------------------------------------------------------- */

/*
 * Later entries of the same message are covered by the first (seen): all have the record's flags. So is a claim by one for
 * flags, which takes it out of the arrivals, too (flagged).
 */
static enum err do_one(struct store_box *sb, struct batch *b, struct owed *o, struct seen *seen, struct errtext *t)
{
	if (o->kind == IDX_TODO_EXPUNGE) {
		b->removed = true;
		return sb->ops->expunge(sb, o->key, o->hint, t);
	}
	if (set_has(&seen->done, o->uid) || (o->kind == IDX_TODO_CLAIM && set_has(&seen->flagged, o->uid))) {
		o->absent = true;
		return ERR_OK;
	}
	set_add(&seen->done, o->uid);
	if (sb->readonly && sb->own_seen)
		return ERR_OK; /* nothing else can have changed */
	b->renamed = true;
	if (o->kind == IDX_TODO_CLAIM)
		return sb->ops->claim(sb, o->key, o->hint, b->ar, &o->hint_now, t);
	return sb->ops->set_flags(sb, o->key, o->hint, o->flags, b->ar, &o->hint_now, t);
}

/* What this user alone knows, all of the batch at once. */
static enum err do_seen(struct store_box *sb, const struct batch *b, struct errtext *t)
{
	struct set on = SET_EMPTY, off = SET_EMPTY;
	enum err e;

	for (size_t i = 0; sb->own_seen && i < b->n; i++)
		if (!b->o[i].absent && b->o[i].kind == IDX_TODO_FLAGS)
			set_add(b->o[i].flags.system & MAIL_SEEN ? &on : &off, b->o[i].uid);
	e = on.n || off.n ? sb->ops->set_seen(sb, &on, &off, t) : ERR_OK;
	set_free(&on);
	set_free(&off);
	return e;
}

static enum err do_batch(struct mailbox *mb, struct batch *b, struct errtext *t)
{
	struct seen seen = { SET_EMPTY, SET_EMPTY };
	struct store_box *sb;
	enum err e = mailbox_store(mb, &sb, t);

	if (!e)
		e = do_seen(sb, b, t);
	mailbox_guard(mb);
	for (size_t i = 0; i < b->n; i++)
		if (b->o[i].kind == IDX_TODO_FLAGS)
			set_add(&seen.flagged, b->o[i].uid);
	for (size_t i = 0; !e && i < b->n; i++) {
		struct owed *o = &b->o[i];

		if (o->absent)
			continue;
		o->err = do_one(sb, b, o, &seen, t);
		if (o->err == ERR_EXPUNGED || (o->err == ERR_NOTFOUND && o->kind != IDX_TODO_EXPUNGE)) {
			o->err = ERR_OK;
			o->absent = true;
			mailbox_look_again(mb);
		}
	}
	set_free(&seen.done);
	set_free(&seen.flagged);
	if (!e && b->renamed)
		e = sb->ops->flags_done(sb, t);
	if (!e && b->removed)
		e = sb->ops->expunge_done(sb, t);
	if (b->renamed || b->removed)
		mailbox_guarded(mb);
	return e;
}

static enum err put_hint(struct idx_txn *x, uint32_t box, const struct owed *o)
{
	struct idx_msg m;
	enum err e;

	if (o->absent || o->kind == IDX_TODO_EXPUNGE || !o->hint_now.n)
		return ERR_OK;
	e = idx_msg_get(x, box, o->uid, &m);
	if (e)
		return e == ERR_NOTFOUND ? ERR_OK : e;
	m.hint = o->hint_now;
	return idx_msg_put(x, box, &m);
}

static enum err batch_done(struct idx_txn *x, void *arg, struct errtext *t)
{
	const struct batch *b = arg;
	enum err e = ERR_OK;

	for (size_t i = 0; !e && i < b->n; i++) {
		if (b->o[i].err)
			continue;
		e = put_hint(x, b->box, &b->o[i]);
		if (!e)
			e = idx_todo_done(x, b->box, b->o[i].seq);
	}
	return e;
}

static enum err batch_void(struct idx_txn *x, void *arg, struct errtext *t)
{
	const struct batch *b = arg;
	enum err e = ERR_OK;

	for (size_t i = 0; !e && i < b->n; i++)
		e = idx_todo_done(x, b->box, b->o[i].seq);
	return e;
}

/* The mailbox that a batch belongs to, from its name in the index. ERR_NOTFOUND: it is no more. */
static enum err batch_mailbox(struct shelf *s, struct batch *b, struct mailbox **mb_r, struct errtext *t)
{
	const char *storage;
	struct space *space;

	b->name[b->name_n] = '\0';
	space = name_of_index(s, b->name, &storage);
	return space ? mailbox_open_storage(s->acct, space, storage, mb_r, t) : ERR_NOTFOUND;
}

/* What stays on the list stays for this: a lock, unless something worse is the matter. */
static void note_left(const struct batch *b, enum err e, enum err *left)
{
	if (e && (!*left || *left == ERR_INUSE))
		*left = e;
	for (size_t i = 0; i < b->n; i++)
		if (b->o[i].err && (!*left || *left == ERR_INUSE))
			*left = b->o[i].err;
}

/* What another process owed has become work of ours, which no watch will report. */
static bool of_another(const struct mailbox *mb, const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->o[i].kind != IDX_TODO_CLAIM && !owing_has(mb, b->o[i].seq))
			return true;
	return false;
}

/* *left_r: something could not be done now and stays on the list. */
static enum err run_batch(struct shelf *s, struct batch *b, enum err *left_r, struct errtext *t)
{
	struct mailbox *mb = NULL;
	enum err e = batch_mailbox(s, b, &mb, t);

	if (e == ERR_NOTFOUND)
		return shelf_update(s, batch_void, b, t);
	if (!e)
		e = do_batch(mb, b, t);
	if (!e)
		e = shelf_update(s, batch_done, b, t);
	note_left(b, e, left_r);
	if (mb && of_another(mb, b))
		mailbox_found(mb);
	if (!e && !*left_r)
		owing_written(mb, b->o[b->n - 1].seq);
	mailbox_close(&mb);
	/* What failed is passed over until the list is begun again. */
	if (!b->only)
		s->todo_after = b->o[b->n - 1].seq;
	return e;
}

static enum err next_batch(struct shelf *s, struct mailbox *mb, bool *empty_r, enum err *left_r, struct errtext *t)
{
	struct batch *b = mem_alloc(sizeof(*b));
	enum err e;

	b->shelf = s;
	b->only = mb;
	b->o = mem_array(TODO_BATCH, sizeof(*b->o));
	b->ar = arena_new(TODO_TEXT);
	e = shelf_read(s, batch_read, b, t);
	*empty_r = !e && !b->n;
	if (!e && b->n)
		e = run_batch(s, b, left_r, t);
	arena_free(&b->ar);
	free(b->o);
	free(b);
	return e;
}

/*
 * The list of all mailboxes is at its end: what failed is tried again after a while, from the front. If nothing did, all
 * is written, also what other processes have done.
 */
static enum err list_ended(struct shelf *s)
{
	bool failed = s->todo_failed;

	s->todo = failed;
	s->todo_failed = false;
	s->todo_after = 0;
	if (failed)
		return ERR_INUSE;
	owing_settled(s);
	return ERR_OK;
}

enum step todo_drain(struct shelf *s, struct mailbox *mb, enum err *err_r, struct errtext *t)
{
	uint64_t end = clock_us() + SLICE_US;
	enum err left = ERR_OK, e = shelf_open(s, t);
	bool empty = false;

	if (!e && !idx_turn(s->idx, s->acct->closing)) {
		*err_r = mb ? ERR_INUSE : ERR_OK; /* another process is at it */
		return STEP_DONE;
	}
	while (!e && !empty && !(mb && left) && clock_us() < end)
		e = next_batch(s, mb, &empty, &left, t);
	if (s->idx)
		idx_turn_end(s->idx);
	s->todo_failed |= left != ERR_OK;
	if (e == ERR_CORRUPT) {
		/* The list is gone with the index; what is owed is known in RAM (owing.c). */
		*err_r = shelf_repair(s, t);
		return *err_r ? STEP_DONE : STEP_SLICE;
	}
	if (!e && !mb && empty)
		e = list_ended(s);
	if (!e && mb)
		e = left;
	*err_r = e;
	return e || empty ? STEP_DONE : STEP_SLICE;
}
