/*
 * A view's life and its numbers. How it learns what happened: update.c.
 */
#include "room.h"

#include "base/mem.h"

void view_name(struct view *v)
{
	struct buf client;

	buf_init(&client, 2 * NAME_MAX_STORAGE);
	name_client(v->mb->space, v->mb->name, &client);
	free(v->name);
	v->state.name = v->name = mem_str(buf_cstr(&client));
	buf_free(&client);
}

enum err view_open(struct acct *a, const char *name, bool readonly, struct view **v_r, struct errtext *t)
{
	struct mailbox *mb;
	struct view *v;
	enum err e = mailbox_open(a, name, &mb, t);

	if (e)
		return e;
	v = mem_alloc(sizeof(*v));
	v->mb = mb;
	view_name(v);
	v->readonly = readonly || mailbox_readonly(mb);
	v->sure = true;
	v->state.readonly = v->readonly;
	v->state.seen_only = !readonly && v->readonly && mb->own_seen;
	v->state.keywords = v->keyword;
	v->next = mb->views;
	mb->views = v;
	*v_r = v;
	return ERR_OK;
}

void view_name_keywords(struct view *v)
{
	v->named = 0;
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		v->keyword[i] = v->mb->keyword[i];
		if (v->keyword[i])
			v->named |= UINT64_C(1) << i;
	}
}

void view_close(struct view **v)
{
	struct view *c = *v, **link;

	if (!c)
		return;
	view_forget_msg(c);
	for (link = &c->mb->views; *link != c; link = &(*link)->next)
		;
	*link = c->next;
	mailbox_close(&c->mb);
	set_free(&c->uids);
	set_free(&c->recent);
	set_free(&c->gone);
	set_free(&c->flags);
	set_free(&c->waiting);
	set_free(&c->waiting_recent);
	free(c->name);
	free(c);
	*v = NULL;
}

void view_set_notify(struct view *v, void (*fn)(void *ctx, bool look), void *ctx)
{
	v->notify = fn;
	v->ctx = ctx;
}

void view_leave_recent(struct view *v)
{
	v->leave_recent = true;
}

void view_hold(struct view *v, bool fresh, bool flags)
{
	v->hold = fresh;
	v->hold_flags = flags;
}

/* With force, a scan that begins after the call: one that is under way already does not count. */
enum step view_refresh(struct view *v, bool force, enum err *err_r, struct errtext *t)
{
	enum step step;

	force |= v->sure && v->mb->unsure;
	if (!v->refreshing) {
		v->refreshing = true;
		v->want_scans = v->mb->scans + 1 + (v->mb->sync != NULL);
	}
	step = mailbox_sync(v->mb, force && v->mb->scans < v->want_scans, err_r, t);
	if (step != STEP_DONE)
		return step;
	if (force && !*err_r && v->mb->scans < v->want_scans)
		return STEP_SLICE;
	v->refreshing = false;
	if (v->sure && !*err_r && v->mb->unsure) /* as this very look has shown */
		return STEP_SLICE;
	v->sure = false;
	return STEP_DONE;
}

void view_make_sure(struct view *v)
{
	v->sure = true;
}

bool view_watch(struct view *v)
{
	return mailbox_watch(v->mb);
}

const struct view_state *view_state(const struct view *v)
{
	return &v->state;
}

/* --- numbers --------------------------------------------------------------------- */

uint32_t view_uid(const struct view *v, uint32_t seq)
{
	return seq ? set_at(&v->uids, seq - 1) : 0;
}

uint32_t view_seq(const struct view *v, uint32_t uid)
{
	return uid && set_has(&v->uids, uid) ? (uint32_t)set_rank(&v->uids, uid) + 1 : 0;
}

const struct set *view_uids(const struct view *v)
{
	return &v->uids;
}

const struct set *view_gone(const struct view *v)
{
	return &v->gone;
}

/* Adds the members of from whose positions (1 = smallest) are first..last; pos is that of *range's first member. */
void view_seqs_to_uids(const struct view *v, const struct set *seqs, struct set *uids_r)
{
	uint64_t pos = 1;
	size_t k = 0;

	set_clear(uids_r);
	for (size_t i = 0; i < v->uids.n && k < seqs->n; i++) {
		struct set_range u = v->uids.r[i];
		uint64_t end = pos + (u.last - u.first); /* position of u.last */

		for (; k < seqs->n && seqs->r[k].first <= end; k++) {
			uint64_t from = seqs->r[k].first > pos ? seqs->r[k].first : pos;
			uint64_t to = seqs->r[k].last < end ? seqs->r[k].last : end;

			if (from <= to)
				set_add_range(uids_r, u.first + (uint32_t)(from - pos), u.first + (uint32_t)(to - pos));
			if (seqs->r[k].last > end)
				break;
		}
		pos = end + 1;
	}
}

void view_uids_to_seqs(const struct view *v, const struct set *uids, struct set *seqs_r)
{
	uint64_t pos = 1;
	size_t k = 0;

	set_clear(seqs_r);
	for (size_t i = 0; i < v->uids.n && k < uids->n; i++) {
		struct set_range u = v->uids.r[i];

		while (k < uids->n && uids->r[k].last < u.first)
			k++;
		for (; k < uids->n && uids->r[k].first <= u.last; k++) {
			uint32_t from = uids->r[k].first > u.first ? uids->r[k].first : u.first;
			uint32_t to = uids->r[k].last < u.last ? uids->r[k].last : u.last;

			set_add_range(seqs_r, (uint32_t)(pos + (from - u.first)), (uint32_t)(pos + (to - u.first)));
			if (uids->r[k].last > u.last)
				break;
		}
		pos += (uint64_t)(u.last - u.first) + 1;
	}
}
