/*
 * An account: opening and closing its stores and index, rebuilding a damaged index, and the
 * work that is owed to the disk. Not here: what a mailbox is (mailbox.c), what its folders are (folders.c).
 */
#include "aging.h"
#include "arrive.h"
#include "owing.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "mime/decode.h"

enum {
	CLOSE_MS = 2000,
	TODO_RETRY_MS = 1000,
	HOUSE_MS = 60000,
};

/* The index where it belongs, else where one can be. */
static enum err open_somewhere(struct acct *a, bool *rebuilt_r, struct errtext *t)
{
	const struct acct_config *c = a->config;
	struct idx_config there = { .dir = c->index_dir, .memory = c->index_memory, .flat = c->index_flat,
				    .cache_max = c->index_cache_max };
	struct idx_config instead = { .dir = c->index_fallback, .cache_max = c->index_cache_max };
	enum err e = idx_open(&there, &a->idx, rebuilt_r, t);

	if (!c->index_fallback || (e != ERR_CANNOT && e != ERR_READONLY && e != ERR_PERM))
		return e;
	a->note = "the index directory is read-only or on a network file system: mail_index_fallback is used";
	return idx_open(&instead, &a->idx, rebuilt_r, t);
}

enum err acct_index(struct acct *a, struct errtext *t)
{
	bool rebuilt;
	enum err e;

	if (a->idx)
		return ERR_OK;
	e = open_somewhere(a, &rebuilt, t);
	if (e)
		return e;
	/* Whoever was open knew another environment. */
	for (struct mailbox *mb = a->boxes; mb; mb = mb->next) {
		mb->id = 0;
		place_knows(mb->place, KNOWN_NOT);
	}
	a->todo = !rebuilt;
	a->todo_after = 0;
	return ERR_OK;
}

enum err acct_repair(struct acct *a, struct errtext *t)
{
	acct_pause_walks(a);
	if (a->idx) {
		/* When its files cannot be removed, opening again says what is wrong. */
		(void)idx_destroy(a->idx, NULL);
		idx_close(&a->idx);
	}
	a->note = "the index was damaged or removed and is built anew from the folders";
	for (struct mailbox *mb = a->boxes; mb; mb = mb->next) {
		mb->id = 0;
		place_knows(mb->place, KNOWN_NOT);
		mb->epoch++;
		sync_free(&mb->sync);
		if (!mb->owing.n)
			continue;
		mb->owing.lost = true;
		mailbox_look_again(mb);
	}
	return acct_index(a, t);
}

void acct_owe(struct acct *a)
{
	a->todo = true;
}

enum err acct_update(struct acct *a, enum err (*fn)(struct idx_txn *x, void *arg, struct errtext *t), void *arg,
		     struct errtext *t)
{
	enum err e = acct_index(a, t);

	if (e)
		return e;
	acct_pause_walks(a);
	return idx_update(a->idx, fn, arg, t);
}

enum err acct_read(struct acct *a, enum err (*fn)(struct idx_txn *x, void *arg, struct errtext *t), void *arg,
		   struct errtext *t)
{
	struct idx_txn *x;
	enum err e = acct_index(a, t);

	if (e)
		return e;
	e = idx_read(a->idx, &x, t);
	if (e)
		return e;
	e = fn(x, arg, t);
	idx_abort(&x);
	return e;
}

struct mime_charsets *acct_charsets(struct acct *a)
{
	if (!a->charsets)
		a->charsets = mime_charsets_new();
	return a->charsets;
}

const struct acct_config *acct_config_of(const struct acct *a)
{
	return a->config;
}

const char *acct_note(struct acct *a)
{
	const char *note = a->note;

	a->note = NULL;
	return note;
}

static enum err spaces_open(struct acct *a, struct errtext *t)
{
	const struct acct_config *c = a->config;

	must(c->namespaces > 0 && c->namespaces < 256);
	a->space = mem_array(c->namespaces, sizeof(*a->space));
	for (size_t i = 0; i < c->namespaces; i++) {
		struct space *s = &a->space[i];
		enum err e;

		s->ns = &c->ns[i];
		s->number = (uint8_t)(i + 1);
		s->sep = s->ns->separator ? s->ns->separator : s->ns->ops->separator;
		e = s->ns->ops->open(&s->ns->store, &s->store, t);
		if (e)
			return e;
		a->spaces++;
	}
	return ERR_OK;
}

enum err acct_open(const struct acct_config *config, struct acct **a_r, struct errtext *t)
{
	struct acct *a = mem_alloc(sizeof(*a));
	enum err e;

	a->config = config;
	a->kept_at = clock_ms();
	e = spaces_open(a, t);
	if (!e)
		e = acct_index(a, t);
	if (e == ERR_CORRUPT)
		e = acct_repair(a, t);
	if (e) {
		acct_close(&a);
		return e;
	}
	*a_r = a;
	return ERR_OK;
}

static struct mailbox *rescan_due(const struct acct *a, uint64_t now)
{
	for (struct mailbox *mb = a->boxes; mb; mb = mb->next)
		if (mb->rescan_at && mb->rescan_at <= now)
			return mb;
	return NULL;
}

bool acct_busy(const struct acct *a)
{
	struct mailbox *mb;

	return a->todo || a->aging || arrivals_late(a) || rescan_due(a, UINT64_MAX) || mailbox_settles(a, UINT64_MAX, &mb);
}

/* A message was missed by one scan: the second look that tells whether it is gone. */
static enum step rescan(struct mailbox *mb)
{
	struct mailbox *held = mb;
	enum err e;
	enum step step;

	held->refs++;
	step = mailbox_sync(mb, true, &e, NULL);
	if (step == STEP_DONE && e)
		mailbox_look_at(mb, e == ERR_NOTFOUND ? 0 : clock_ms() + TODO_RETRY_MS);
	mailbox_close(&held);
	return step;
}

static void keep_house(struct acct *a, uint64_t now)
{
	if (now - a->kept_at < HOUSE_MS)
		return;
	a->kept_at = now;
	if (a->idx)
		idx_check_readers(a->idx);
	for (struct mailbox *mb = a->boxes; mb; mb = mb->next)
		for (struct view *v = mb->views; v; v = v->next)
			view_forget_msg(v);
}

bool acct_asked(struct acct *a, struct span name)
{
	char *place;

	for (size_t i = 0; i < ARRAY_LEN(a->asked); i++)
		if (span_ieq_str(name, a->asked[i]))
			return true;
	place = a->asked[a->asked_n++ % ARRAY_LEN(a->asked)];
	must(name.n < sizeof(a->asked[0]));
	memcpy(place, name.p, name.n);
	place[name.n] = '\0';
	return false;
}

void acct_rest(struct acct *a)
{
	threads_rest(a);
	if (a->idx)
		idx_rest(a->idx);
}

enum step acct_work(struct acct *a)
{
	uint64_t now = clock_ms();
	struct mailbox *due = rescan_due(a, now), *mb;
	enum err e = ERR_OK;

	keep_house(a, now);
	if (arrivals_late(a)) {
		arrivals_flush_all(a);
		return STEP_SLICE;
	}
	if (due)
		return rescan(due) == STEP_WAITING ? STEP_WAITING : STEP_SLICE;
	if (a->aging)
		return aging_step(a);
	if (!a->todo && mailbox_settles(a, now, &mb))
		mailbox_settle(mb);
	if (!a->todo || now < a->todo_at)
		return STEP_DONE;
	if (todo_drain(a, NULL, &e, NULL) == STEP_SLICE && !e)
		return STEP_SLICE;
	if (e)
		a->todo_at = now + TODO_RETRY_MS;
	return STEP_DONE;
}

static void drain_for_close(struct acct *a)
{
	uint64_t end = clock_ms() + CLOSE_MS;

	a->closing = true;
	a->todo_at = 0;
	while (a->idx && clock_ms() < end)
		if (acct_work(a) != STEP_SLICE)
			break;
}

void acct_close(struct acct **a)
{
	struct acct *c = *a;

	if (!c)
		return;
	arrivals_flush_all(c);
	drain_for_close(c);
	aging_end(c);
	/* What could not be written stays on the list of the index. */
	for (struct mailbox *mb = c->boxes, *next; mb; mb = next) {
		next = mb->next;
		mb->refs++;
		owing_forget(mb);
		mailbox_look_at(mb, 0);
		mailbox_settle_not(mb);
		mailbox_close(&mb);
	}
	must(!c->boxes);
	idx_close(&c->idx);
	for (size_t i = 0; i < c->spaces; i++)
		c->space[i].ns->ops->close(c->space[i].store);
	mime_charsets_free(&c->charsets);
	threads_forget(c);
	free(c->space);
	free(c);
	*a = NULL;
}
