/*
 * An account: opening and closing its stores, and the work that is owed to the disk. Not here: its indexes (shelf.c),
 * what a mailbox is (mailbox.c), what its folders are (folders.c).
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
	TODO_OTHER_MS = 50,
	HOUSE_MS = 60000,
};

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

void acct_passive(struct acct *a, bool on)
{
	a->passive = on;
}

const char *acct_note(struct acct *a)
{
	const char *note = a->note;

	a->note = NULL;
	return note;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Does another namespace lie in the same place (alias_for)? The one with the inbox is the true one. */
static struct space *find_twin(struct acct *a, const struct space *s)
{
	for (size_t i = 0; i < a->spaces; i++) {
		struct space *other = &a->space[i];
		const struct store_config *x = &other->ns->store, *y = &s->ns->store;

		if (other != s && !other->twin && (other->ns->inbox || other < s) && !s->ns->inbox &&
		    other->ns->ops == s->ns->ops && same_text(x->root, y->root) && same_text(x->inbox, y->inbox) &&
		    same_text(x->control, y->control))
			return other;
	}
	return NULL;
}

static enum err space_open(struct acct *a, struct space *s, struct errtext *t)
{
	enum err e;

	s->twin = find_twin(a, s);
	if (s->twin)
		return ERR_OK;
	e = s->ns->ops->open(&s->ns->store, &s->store, t);
	if (e && s->ns->optional)
		a->note = "a namespace cannot be opened and is left out: its directory is missing, or not for this user";
	return e && !s->ns->optional ? e : ERR_OK;
}

/* Takes out those that could not be opened, and with them their twins; the others' twins move up with the rest. */
static void spaces_settle(struct acct *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->spaces; i++)
		if (a->space[i].twin)
			a->space[i].store = a->space[i].twin->store;
	for (size_t i = 0; i < a->spaces; i++)
		if (a->space[i].store)
			a->space[n++] = a->space[i];
	a->spaces = n;
	for (size_t i = 0; i < n; i++)
		if (a->space[i].twin)
			a->space[i].twin = find_twin(a, &a->space[i]);
}

static enum err spaces_open(struct acct *a, struct errtext *t)
{
	const struct acct_config *c = a->config;
	enum err e = ERR_OK;

	must(c->namespaces > 0 && c->namespaces + c->shares < 256 && c->shares <= 32);
	/* Nothing of it ever moves. */
	a->space = mem_array(c->namespaces + (c->shares ? SHARERS_ROOM : 0), sizeof(*a->space));
	a->spaces = c->namespaces;
	for (size_t i = 0; i < c->namespaces; i++) {
		struct space *s = &a->space[i];

		s->acct = a;
		s->ns = &c->ns[i];
		s->number = (uint8_t)(i + 1);
		s->sep = s->ns->separator ? s->ns->separator : s->ns->ops->separator;
	}
	for (size_t i = 0; !e && i < c->namespaces; i++)
		e = space_open(a, &a->space[i], t);
	if (!e)
		spaces_settle(a);
	return e;
}

enum err acct_open(const struct acct_config *config, struct acct **a_r, struct errtext *t)
{
	struct acct *a = mem_alloc(sizeof(*a));
	enum err e;

	a->config = config;
	a->kept_at = clock_ms();
	e = spaces_open(a, t);
	if (!e)
		e = shelves_open(a, t);
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

	return shelf_owing(a, UINT64_MAX) || a->aging || arrivals_late(a) || rescan_due(a, UINT64_MAX) ||
	       mailbox_settles(a, UINT64_MAX, &mb);
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
	for (size_t i = 0; i < a->shelves; i++)
		if (a->shelf[i].idx)
			idx_check_readers(a->shelf[i].idx);
	learnt_age(a, now);
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
	for (size_t i = 0; i < a->shelves; i++)
		if (a->shelf[i].idx)
			idx_rest(a->shelf[i].idx);
}

/* A piece of what looks at one mailbox. STEP_WAITING: another program has its lock; STEP_DONE: there is nothing of that. */
static enum step look(struct acct *a, uint64_t now)
{
	struct mailbox *due = rescan_due(a, now);

	if (due)
		return rescan(due) == STEP_WAITING ? STEP_WAITING : STEP_SLICE;
	return a->aging ? aging_step(a) : STEP_DONE;
}

/* A piece of the to-do list. STEP_DONE: nothing can be done now. */
static enum step drain(struct acct *a, uint64_t now)
{
	struct shelf *s = shelf_owing(a, now);
	enum err e = ERR_OK;

	if (!s)
		return STEP_DONE;
	if (todo_drain(s, NULL, &e, NULL) == STEP_SLICE && !e)
		return STEP_SLICE;
	/* Something is left: of this one, or another process is at it. Meanwhile others have their turn. */
	if (s->todo)
		s->todo_at = now + (e ? TODO_RETRY_MS : TODO_OTHER_MS);
	return STEP_DONE;
}

enum step acct_work(struct acct *a)
{
	uint64_t now = clock_ms();
	struct mailbox *mb;
	enum step step;

	keep_house(a, now);
	if (arrivals_late(a)) {
		arrivals_flush_all(a);
		return STEP_SLICE;
	}
	/* A lock that another program holds on one mailbox keeps nothing from the others. */
	step = look(a, now);
	if (step == STEP_SLICE)
		return step;
	if (!shelf_owing(a, UINT64_MAX) && mailbox_settles(a, now, &mb))
		mailbox_settle(mb);
	return drain(a, now) == STEP_SLICE ? STEP_SLICE : step;
}

static void drain_for_close(struct acct *a)
{
	uint64_t end = clock_ms() + CLOSE_MS;

	a->closing = true;
	for (size_t i = 0; i < a->shelves; i++)
		a->shelf[i].todo_at = 0;
	while (clock_ms() < end)
		if (acct_work(a) != STEP_SLICE && !shelf_owing(a, clock_ms()))
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
	mailboxes_settle_now(c);
	/* What could not be written stays on the list of the index. */
	for (struct mailbox *mb = c->boxes, *next; mb; mb = next) {
		next = mb->next;
		mb->refs++;
		owing_forget(mb);
		mailbox_look_at(mb, 0);
		mailbox_close(&mb);
	}
	must(!c->boxes);
	shelves_close(c);
	for (size_t i = 0; i < c->spaces; i++) {
		if (c->space[i].store && !c->space[i].twin)
			c->space[i].ns->ops->close(c->space[i].store);
		free(c->space[i].sharer);
		arena_free(&c->space[i].arena);
	}
	sharers_free(c);
	mime_charsets_free(&c->charsets);
	threads_forget(c);
	free(c->space);
	free(c);
	*a = NULL;
}
