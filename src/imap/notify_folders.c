/*
 * NOTIFY's folders (RFC 5465 sections 5.4 and 5.5): those that came, went, were renamed, subscribed, told of by LIST.
 */
#include "notify.h"
#include "args.h"
#include "list.h"

#include "base/mem.h"

#include <stdlib.h>
#include <utlist.h>

enum {
	NAMES_MAX = 1000, /* a client that does not listen to more has asked too much */
	FOLDER_MS = 300,  /* another program that makes a folder needs a moment for what is in it */
};

static struct named *named_new(unsigned event, const char *name, const char *old)
{
	struct named *d = mem_alloc(sizeof(*d) + strlen(name) + 1);

	d->event = event;
	d->old = old ? mem_str(old) : NULL;
	memcpy(d->name, name, strlen(name));
	return d;
}

static void named_free(struct named **list, struct named *d)
{
	DL_DELETE(*list, d);
	free(d->old);
	free(d);
}

static void names_clear(struct named **list)
{
	while (*list)
		named_free(list, *list);
}

void notify_folders_moved(struct imap_notify *n)
{
	named_free(&n->moved, n->moved);
}

void notify_folders_clear(struct imap_notify *n)
{
	loop_timer_stop(n->s->cfg.loop, &n->folder);
	names_clear(&n->names);
	names_clear(&n->moved);
	n->names_n = 0;
	acct_folders_unheed(&n->folders);
	n->look = false;
}

/* ---- what happens ---- */

static void push_name(struct imap_notify *n, unsigned event, const char *name, const char *old)
{
	struct named *d;

	DL_FOREACH (n->names, d)
		if (d->event == event && !d->old && !old && strcmp(d->name, name) == 0)
			return;
	if (n->names_n == NAMES_MAX) {
		n->overflow = true;
		return;
	}
	d = named_new(event, name, old);
	DL_APPEND(n->names, d);
	n->names_n++;
}

/* The level above is affected, too (section 5.4). */
static void push_parent(struct imap_notify *n, const char *name)
{
	char sep = imap_args_separator(n->s, span_str(name)), *parent = mem_str(name),
	     *end = strrchr(parent, sep);

	if (end && end > parent) {
		*end = '\0';
		push_name(n, NOTIFY_NAME, parent, NULL);
	}
	free(parent);
}

static void on_news(struct imap_notify *n, const struct folder_news *news)
{
	switch (news->kind) {
	case NEWS_CREATED:
	case NEWS_DELETED:
		push_name(n, NOTIFY_NAME, news->name, NULL);
		push_parent(n, news->name);
		break;
	case NEWS_RENAMED:
		push_name(n, NOTIFY_NAME, news->name, news->old);
		break;
	case NEWS_SUBSCRIBED:
	case NEWS_UNSUBSCRIBED:
		push_name(n, NOTIFY_SUBSCRIPTION, news->name, NULL);
		break;
	}
}

static void note_moved(struct imap_notify *n, const struct folder_news *news, bool own)
{
	struct named *d;
	size_t count;

	if (news->kind != NEWS_RENAMED || strcmp(news->old, "INBOX") == 0)
		return;
	DL_COUNT(n->moved, d, count);
	if (count == NAMES_MAX) {
		n->overflow = true;
		return;
	}
	d = named_new(own ? 0 : NOTIFY_NAME, news->name, news->old);
	DL_APPEND(n->moved, d);
}

static void on_folder_timer(void *ctx)
{
	struct imap_notify *n = ctx;

	n->look = true;
	notify_due(n);
}

static void on_folders(void *ctx, const struct folder_news *news)
{
	struct imap_notify *n = ctx;

	if (!news) {
		n->look = true;
		if (!loop_timer_armed(&n->folder))
			loop_timer_set(n->s->cfg.loop, &n->folder, FOLDER_MS, on_folder_timer, n);
	} else {
		bool own = n->s->acting && !n->looking;

		n->resolve = true;
		note_moved(n, news, own);
		if (!own) /* what the client does itself it knows */
			on_news(n, news);
	}
	notify_due(n);
}

enum err notify_folders_heed(struct imap_notify *n, struct errtext *t)
{
	return acct_folders_heed(n->s->cfg.acct, on_folders, n, &n->folders, t);
}

void notify_folders_look(struct imap_notify *n)
{
	if (!n->look)
		return;
	n->look = false;
	n->looking = true;
	(void)acct_folders_look(n->s->cfg.acct, true, NULL);
	n->looking = false;
}

/* ---- LIST ---- */

static const struct folder *folder_find(const struct folder *f, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(f[i].name, name) == 0)
			return &f[i];
	return NULL;
}

/* One that is not listed (any more). */
static struct folder folder_gone(const struct imap_session *s, const char *name)
{
	const struct acct_ns *ns = imap_args_namespace(s, span_str(name));

	return (struct folder){
		.name = name,
		.flags = FOLDER_NONEXISTENT,
		.separator = imap_args_separator(s, span_str(name)),
		.prefix = ns->prefix,
		.type = ns->type,
	};
}

static struct folder folder_now(const struct imap_session *s, const char *name, const struct folder *f, size_t count)
{
	const struct folder *there = folder_find(f, count, name);

	return there ? *there : folder_gone(s, name);
}

bool notify_folders_tells(const struct imap_notify *n, const struct named *d, const struct folder *f, size_t count)
{
	struct folder now = folder_now(n->s, d->name, f, count);
	struct folder old = folder_gone(n->s, d->old ? d->old : d->name);

	return (notify_match(&n->spec, &now) | notify_match(&n->spec, &old)) & d->event;
}

static void write_name(struct imap_notify *n, const struct named *d, const struct folder *f,
		       size_t count)
{
	struct folder now = folder_now(n->s, d->name, f, count);

	if (notify_folders_tells(n, d, f, count))
		imap_list_write(n->s, &now, d->old);
	stream_push(n->s->stream);
}

enum step notify_folders_tell(struct imap_notify *n)
{
	struct arena *ar;
	struct folder *f;
	size_t count;

	if (!n->names)
		return STEP_DONE;
	ar = arena_new(NOTIFY_LIST_ARENA);
	if (acct_folders(n->s->cfg.acct, ar, &f, &count, NULL)) {
		n->overflow = true;
		names_clear(&n->names);
	}
	while (n->names && !imap_out_full(n->s)) {
		write_name(n, n->names, f, count);
		named_free(&n->names, n->names);
		n->names_n--;
	}
	arena_free(&ar);
	return n->names ? STEP_OUTPUT_FULL : STEP_DONE;
}
