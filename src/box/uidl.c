#include "box/uidl.h"

#include "room.h"

#include "base/arena.h"
#include "base/mem.h"

enum { SCAN_ARENA = 1 << 30, TEXT_MAX = 256 << 20 };

struct note {
	uint32_t uid, order;
	size_t at, n; /* in text */
};

struct view_uidls {
	struct note *note; /* own; ascending by UID */
	size_t notes;
	struct buf text;   /* own */
};

static void take(struct view_uidls *u, const struct store_scan *scan)
{
	for (size_t i = 0; i < scan->n; i++)
		u->notes += scan->msg[i].uidl.n || scan->msg[i].pop3_order;
	u->note = mem_array(u->notes + 1, sizeof(*u->note));
	u->notes = 0;
	for (size_t i = 0; i < scan->n; i++) {
		const struct store_msg *m = &scan->msg[i];

		if (!m->uidl.n && !m->pop3_order)
			continue;
		u->note[u->notes++] = (struct note){ m->uid, m->pop3_order, u->text.n, m->uidl.n };
		buf_add_span(&u->text, m->uidl);
	}
}

enum err view_uidls_load(struct view *v, struct view_uidls **u_r, struct errtext *t)
{
	struct arena *ar = arena_new(SCAN_ARENA);
	struct view_uidls *u = mem_alloc(sizeof(*u));
	struct store_scan scan = { NULL };
	struct store_box *sb;
	enum err e = mailbox_store(v->mb, &sb, t);

	buf_init(&u->text, TEXT_MAX);
	if (!e)
		e = sb->ops->scan(sb, ar, &scan, t);
	if (!e)
		take(u, &scan);
	if (!e && u->text.failed)
		e = err_say(t, ERR_LIMIT, "The folder has too many POP3 UIDLs");
	arena_free(&ar);
	if (e)
		view_uidls_free(&u);
	else
		*u_r = u;
	return e;
}

bool view_uidls_find(const struct view_uidls *u, uint32_t uid, struct span *uidl_r, uint32_t *order_r)
{
	size_t low = 0, high = u->notes;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (u->note[mid].uid < uid)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == u->notes || u->note[low].uid != uid)
		return false;
	*uidl_r = span_cut(buf_span(&u->text), u->note[low].at, u->note[low].n);
	*order_r = u->note[low].order;
	return true;
}

void view_uidls_free(struct view_uidls **up)
{
	struct view_uidls *u = *up;

	*up = NULL;
	if (!u)
		return;
	free(u->note);
	buf_free(&u->text);
	free(u);
}
