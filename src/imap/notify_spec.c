#include "notify_spec.h"
#include "args.h"
#include "fetch.h"

enum { NAMES_MAX = 2000 };

struct event_row {
	const char *name;
	unsigned event; /* 0: known, not supported */
};

static const struct event_row events[] = {
	{ "MessageNew", NOTIFY_NEW },
	{ "MessageExpunge", NOTIFY_EXPUNGE },
	{ "FlagChange", NOTIFY_FLAGS },
	{ "MailboxName", NOTIFY_NAME },
	{ "SubscriptionChange", NOTIFY_SUBSCRIPTION },
	{ 0 },
};

struct reading {
	struct imap_cmd *c;
	struct notify_spec *n;
	size_t names;
	bool has_selected;
	bool unsupported; /* an event that we do not have */
};

/* ---- filters ---- */

static bool bad(struct reading *r, const char *text)
{
	imap_bad(r->c, text);
	return false;
}

static bool add_name(struct reading *r, struct notify_group *g, const struct imap_arg **a)
{
	const char *name;

	if (!imap_args_mailbox(r->c, a, false, &name))
		return false;
	if (++r->names > NAMES_MAX) {
		imap_no(r->c, "NOTIFICATIONOVERFLOW", "Too many mailbox names.");
		return false;
	}
	g->name[g->names] = arena_str(r->n->arena, name);
	if (g->name[g->names++])
		return true;
	imap_fail(r->c, ERR_MEMORY, NULL);
	return false;
}

/* One name or a list of them. */
static bool read_names(struct reading *r, struct notify_group *g, const struct imap_arg **a)
{
	bool many = *a && (*a)->type == IMAP_ARG_LIST;
	const struct imap_arg *name = many ? (*a)->child : *a,
			      *end = many || !*a ? NULL : (*a)->next;

	if (!name)
		return bad(r, "Mailbox names are missing.");
	g->name = arena_array(r->n->arena, many ? (*a)->count : 1, sizeof(*g->name));
	if (!g->name) {
		imap_fail(r->c, ERR_MEMORY, NULL);
		return false;
	}
	while (name != end)
		if (!add_name(r, g, &name))
			return false;
	*a = (*a)->next;
	return true;
}

static bool read_filter(struct reading *r, struct notify_group *g, const struct imap_arg **a)
{
	static const struct {
		const char *name;
		enum notify_filter filter;
	} filters[] = {
		{ "selected", NOTIFY_SELECTED },     { "selected-delayed", NOTIFY_DELAYED },
		{ "inboxes", NOTIFY_PERSONAL },      { "personal", NOTIFY_PERSONAL },
		{ "subscribed", NOTIFY_SUBSCRIBED }, { "subtree", NOTIFY_SUBTREE },
		{ "mailboxes", NOTIFY_MAILBOXES },
	};

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		if (!imap_arg_word(*a, filters[i].name))
			continue;
		g->filter = filters[i].filter;
		*a = (*a)->next;
		return g->filter < NOTIFY_SUBTREE || read_names(r, g, a);
	}
	return bad(r, "Unknown mailbox filter.");
}

static bool is_selected(const struct notify_group *g)
{
	return g->filter == NOTIFY_SELECTED || g->filter == NOTIFY_DELAYED;
}

/* ---- events ---- */

static bool take_fetch(struct reading *r, const struct imap_arg *items)
{
	r->n->fetch = imap_arg_copy(items, r->n->arena);
	if (r->n->fetch)
		return imap_standing_try(r->c, items);
	imap_fail(r->c, ERR_LIMIT, "Too many FETCH items.");
	return false;
}

static bool read_event(struct reading *r, struct notify_group *g, const struct imap_arg **a)
{
	const struct event_row *e = events;
	struct span name;

	if (!imap_arg_atom(*a, &name))
		return bad(r, "Event names are expected.");
	while (e->name && !span_ieq_str(name, e->name))
		e++;
	g->events |= e->event;
	r->unsupported |= !e->event;
	*a = (*a)->next;
	if (e->event != NOTIFY_NEW || !*a || (*a)->type != IMAP_ARG_LIST)
		return true;
	if (!is_selected(g))
		return bad(r, "Only the selected mailbox can have FETCH items.");
	if (!take_fetch(r, *a))
		return false;
	*a = (*a)->next;
	return true;
}

/* "NONE", a list, or, as the examples of the RFC have it, the events themselves. */
static bool read_events(struct reading *r, struct notify_group *g, const struct imap_arg *a)
{
	unsigned both = NOTIFY_NEW | NOTIFY_EXPUNGE;

	if (imap_arg_word(a, "NONE") && !a->next)
		return true;
	if (a && a->type == IMAP_ARG_LIST) {
		if (a->next)
			return bad(r, "Nothing may follow the events.");
		a = a->child;
	}
	if (!a)
		return bad(r, "Events are missing.");
	while (a)
		if (!read_event(r, g, &a))
			return false;
	if ((g->events & NOTIFY_MESSAGE) && (g->events & both) != both)
		return bad(r, "MessageNew and MessageExpunge go together, and FlagChange only with "
			      "them.");
	if (is_selected(g) && g->events & ~(unsigned)NOTIFY_MESSAGE)
		return bad(r, "The selected mailbox has message events only.");
	return true;
}

/* ---- groups ---- */

static bool read_group(struct reading *r, const struct imap_arg *list)
{
	struct notify_group *g = &r->n->group[r->n->groups];
	const struct imap_arg *a;

	if (!imap_arg_list(list, &a) || !a)
		return bad(r, "Event groups are expected.");
	if (!read_filter(r, g, &a) || !read_events(r, g, a))
		return false;
	if (!is_selected(g)) {
		r->n->groups++;
		return true;
	}
	if (r->has_selected)
		return bad(r, "The selected mailbox is named twice.");
	r->has_selected = true;
	r->n->selected = g->events;
	r->n->delayed = g->filter == NOTIFY_DELAYED;
	*g = (struct notify_group){ .names = 0 };
	return true;
}

static bool refuse_events(struct imap_cmd *c)
{
	struct buf code;

	buf_init(&code, 1024);
	buf_add_str(&code, "BADEVENT (");
	for (const struct event_row *e = events; e->name; e++)
		buf_printf(&code, "%s%s", e == events ? "" : " ", e->name);
	buf_add_char(&code, ')');
	imap_no(c, arena_span(c->arena, buf_span(&code)), "Unsupported event.");
	buf_free(&code);
	return false;
}

bool notify_read(struct imap_cmd *c, const struct imap_arg *a, struct notify_spec *n)
{
	struct reading r = { .c = c, .n = n };
	size_t groups = 0;

	n->status = imap_arg_word(a, "STATUS");
	if (n->status)
		a = a->next;
	for (const struct imap_arg *g = a; g; g = g->next)
		groups++;
	if (!groups)
		return bad(&r, "Event groups are missing.");
	n->group = arena_array(n->arena, groups, sizeof(*n->group));
	if (!n->group) {
		imap_fail(c, ERR_LIMIT, "Too many event groups.");
		return false;
	}
	for (; a; a = a->next)
		if (!read_group(&r, a))
			return false;
	return !r.unsupported || refuse_events(c);
}

/* ---- matching ---- */

static bool below(const char *name, const char *top, char sep)
{
	size_t n = strlen(top);

	return strncmp(name, top, n) == 0 && (!name[n] || name[n] == sep);
}

static bool matches(const struct notify_group *g, const struct folder *f)
{
	if (g->filter == NOTIFY_PERSONAL)
		return f->type == ACCT_PRIVATE;
	if (g->filter == NOTIFY_SUBSCRIBED)
		return f->flags & FOLDER_SUBSCRIBED;
	for (size_t i = 0; i < g->names; i++)
		if (g->filter == NOTIFY_SUBTREE ? below(f->name, g->name[i], f->separator)
						: strcmp(f->name, g->name[i]) == 0)
			return true;
	return false;
}

unsigned notify_match(const struct notify_spec *n, const struct folder *f)
{
	unsigned found = 0;

	for (size_t i = 0; i < n->groups; i++)
		if (n->group[i].events & ~found && matches(&n->group[i], f))
			found |= n->group[i].events;
	return found;
}

unsigned notify_any(const struct notify_spec *n)
{
	unsigned any = 0;

	for (size_t i = 0; i < n->groups; i++)
		any |= n->group[i].events;
	return any;
}
