/*
 * The open mailbox that all views and deliveries of this process share: one store handle, one
 * index number, the keyword names, the list of views to notify.
 */
#include "sync.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <strings.h>

enum { KEYWORD_MOST = 200 }; /* bytes of a name: what both stores take */

struct mailbox *mailbox_find(struct acct *a, const struct space *s, const char *storage)
{
	for (struct mailbox *mb = a->boxes; mb; mb = mb->next)
		if (mb->space == s && !mb->dead && strcmp(mb->name, storage) == 0)
			return mb;
	return NULL;
}

static struct mailbox *mailbox_new(struct acct *a, struct space *s, const char *storage, struct store_box *sb)
{
	struct mailbox *mb = mem_alloc(sizeof(*mb));

	mb->acct = a;
	mb->space = s;
	mb->name = mem_str(storage);
	mb->sb = sb;
	mb->readonly = sb->readonly;
	mb->own_seen = sb->own_seen;
	mb->refs = 1;
	mb->next = a->boxes;
	a->boxes = mb;
	place_enter(mb);
	return mb;
}

enum err mailbox_open_storage(struct acct *a, struct space *s, const char *storage, struct mailbox **mb_r,
			      struct errtext *t)
{
	struct mailbox *mb = mailbox_find(a, s, storage);
	struct store_box *sb;
	enum err e;

	if (mb) {
		mb->refs++;
		*mb_r = mb;
		return ERR_OK;
	}
	e = s->ns->ops->box_open(s->store, storage, &sb, t);
	if (!e)
		*mb_r = mailbox_new(a, s, storage, sb);
	return e;
}

/* INBOX is always there; others may be asked for by a mailbox {} section. */
static enum err make_missing(struct acct *a, const struct name *n, struct errtext *t)
{
	enum err e;

	if (name_is_inbox(n)) {
		if (a->passive || n->space->ns->store.readonly)
			return ERR_NOTFOUND;
		e = n->space->ns->ops->create(n->space->store, n->storage, NULL, t);
		return e == ERR_EXISTS ? ERR_OK : e;
	}
	if (n->space->made)
		return ERR_NOTFOUND;
	return space_make(a, n->space, t);
}

enum err mailbox_open(struct acct *a, const char *client, struct mailbox **mb_r, struct errtext *t)
{
	struct name n;
	enum err e = name_resolve(a, client, &n, t);

	if (e)
		return e;
	e = mailbox_open_storage(a, n.space, n.storage, mb_r, t);
	if (e != ERR_NOTFOUND)
		return e;
	e = make_missing(a, &n, t);
	if (!e)
		e = mailbox_open_storage(a, n.space, n.storage, mb_r, t);
	if (e == ERR_NOTFOUND)
		return err_say(t, e, "Mailbox doesn't exist: %.200s", client);
	return e;
}

static void mailbox_free(struct mailbox *mb)
{
	struct mailbox **link = &mb->acct->boxes;

	while (*link != mb)
		link = &(*link)->next;
	*link = mb->next;
	place_leave(mb);
	sync_free(&mb->sync);
	set_free(&mb->missing);
	if (mb->sb)
		mb->sb->ops->box_close(mb->sb);
	for (struct keyword *k = mb->pool, *next; k; k = next) {
		next = k->next;
		free(k);
	}
	free(mb->name);
	free(mb);
}

void mailbox_close(struct mailbox **mb)
{
	struct mailbox *m = *mb;

	*mb = NULL;
	if (!m)
		return;
	must(m->refs > 0);
	if (--m->refs == 0)
		mailbox_free(m);
}

static void tell_views(struct mailbox *mb, const struct view *except)
{
	for (struct view *v = mb->views; v; v = v->next)
		if (v != except && v->notify)
			v->notify(v->ctx, false);
}

void mailbox_notify(struct mailbox *mb, const struct view *except)
{
	tell_views(mb, except);
	place_tell(mb->place, false);
}

void mailbox_found(struct mailbox *mb)
{
	tell_views(mb, NULL);
	place_tell(mb->place, true);
}

void mailbox_stirred(struct mailbox *mb)
{
	for (struct view *v = mb->views; v; v = v->next)
		if (v->notify)
			v->notify(v->ctx, true);
}

enum err mailbox_store(struct mailbox *mb, struct store_box **b_r, struct errtext *t)
{
	enum err e = ERR_OK;

	if (mb->dead)
		return err_say(t, ERR_NOTFOUND, "Mailbox was deleted");
	if (!mb->sb)
		e = mb->space->ns->ops->box_open(mb->space->store, mb->name, &mb->sb, t);
	if (!e)
		*b_r = mb->sb;
	return e;
}

void mailbox_look_again(struct mailbox *mb)
{
	if (mb->sync)
		mb->sync->again = true;
	if (!mb->rescan_at)
		mailbox_look_at(mb, clock_ms());
}

void mailbox_look_at(struct mailbox *mb, uint64_t when)
{
	uint64_t before = mb->rescan_at;

	mb->rescan_at = when;
	if (!before && when)
		mb->refs++;
	else if (before && !when)
		mailbox_close(&mb);
}

bool mailbox_readonly(const struct mailbox *mb)
{
	return mb->space->ns->store.readonly || mb->readonly;
}

/* --- keywords ------------------------------------------------------------------- */

static const char *keyword_intern(struct mailbox *mb, struct span name)
{
	struct keyword *k;

	for (k = mb->pool; k; k = k->next)
		if (span_eq_str(name, k->name))
			return k->name;
	k = mem_alloc(sizeof(*k) + name.n + 1);
	memcpy(k->name, name.p, name.n);
	k->next = mb->pool;
	mb->pool = k;
	return k->name;
}

void mailbox_take_keywords(struct mailbox *mb, struct span names)
{
	const char *now[MAIL_KEYWORDS_MAX] = { NULL };
	struct span name;

	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX && span_split(&names, '\0', &name); i++)
		if (name.n)
			now[i] = keyword_intern(mb, name);
	if (memcmp(now, mb->keyword, sizeof(now)) == 0)
		return;
	memcpy(mb->keyword, now, sizeof(now));
	mb->keywords_serial++;
}

int mailbox_keyword(const struct mailbox *mb, const char *name)
{
	for (int i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if (mb->keyword[i] && strcasecmp(mb->keyword[i], name) == 0)
			return i;
	return -1;
}

struct keyword_new {
	const char *name;
	unsigned bit;
};

/* The record's list with one name more, in its slot. */
static enum err put_keyword(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	const struct keyword_new *k = arg;
	struct span rest = r->b.keywords, name;
	struct buf list;
	enum err e = ERR_LIMIT;

	buf_init(&list, REC_TEXT);
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX && (rest.n || i <= k->bit); i++) {
		name = (struct span){ NULL, 0 };
		(void)span_split(&rest, '\0', &name);
		if (i == k->bit)
			name = span_str(k->name);
		buf_add_span(&list, name);
		buf_add_char(&list, '\0');
	}
	r->b.keywords = buf_span(&list);
	if (!list.failed)
		e = idx_box_put(x, &r->b);
	buf_free(&list);
	return e;
}

static enum err take_record_keywords(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	return ERR_OK; /* rec_load has taken them */
}

static enum err keyword_add(struct mailbox *mb, const char *name, unsigned *bit_r, struct errtext *t)
{
	struct keyword_new k = { .name = name };
	int bit = mailbox_keyword(mb, name);
	struct store_box *sb;
	enum err e;

	if (bit >= 0) {
		*bit_r = (unsigned)bit;
		return ERR_OK;
	}
	if (!name[0] || strlen(name) > KEYWORD_MOST)
		return err_say(t, ERR_LIMIT, "Keyword name is too long");
	if (mailbox_readonly(mb))
		return err_say(t, ERR_READONLY, "Mailbox is read-only");
	e = mailbox_store(mb, &sb, t);
	if (!e)
		e = sb->ops->keyword_add(sb, name, &k.bit, t);
	if (!e)
		e = mailbox_update(mb, REC_NOTES, put_keyword, &k, t);
	if (!e)
		e = mailbox_peek(mb, take_record_keywords, NULL, t);
	if (!e)
		*bit_r = k.bit;
	return e;
}

/* Have all of them room? */
static enum err keywords_fit(const struct mailbox *mb, const char *const *names, size_t n, struct errtext *t)
{
	size_t room = 0;

	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++)
		room += !mb->keyword[i];
	for (size_t i = 0; i < n; i++)
		if (mailbox_keyword(mb, names[i]) < 0 && room-- == 0)
			return err_say(t, ERR_LIMIT, "A mailbox can have %d keywords", MAIL_KEYWORDS_MAX);
	return ERR_OK;
}

enum err mailbox_keywords_add(struct mailbox *mb, const char *const *names, size_t n, uint64_t *bits_r,
			      struct errtext *t)
{
	enum err e = keywords_fit(mb, names, n, t);
	uint64_t bits = 0;
	unsigned bit = 0;

	for (size_t i = 0; !e && i < n; i++) {
		e = keyword_add(mb, names[i], &bit, t);
		if (!e)
			bits |= UINT64_C(1) << bit;
	}
	if (!e)
		*bits_r = bits;
	return e;
}
