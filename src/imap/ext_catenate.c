/*
 * CATENATE (RFC 4469) with URL-PARTIAL (RFC 5550 section 5.7.1): a message of literals and of what URLs name, octet
 * by octet as FETCH would give it. A mailbox that is not selected is looked into through a read-only view of its own.
 */
#include "append.h"
#include "section.h"

#include "base/mutf7.h"
#include "wire/imap_url.h"

/* Of the whole command. */
struct cat {
	struct view *view;           /* own: of the mailbox that the last URL named */
	const char *name;            /* arena: its client name */
	bool ready;                  /* it is up to date */
	struct message *msg;         /* own: being copied */
	bool found;                  /* and section too */
	struct imap_section section; /* what of it */
	bool room;                   /* has been asked for */
	struct buf piece;            /* own */
};

static void cat_free(void *arg)
{
	struct cat *cat = arg;

	message_close(&cat->msg);
	view_close(&cat->view);
	buf_free(&cat->piece);
}

static struct cat *cat_state(struct imap_cmd *c, struct imap_append *ap)
{
	struct cat *cat = ap->data;

	if (cat)
		return cat;
	cat = arena_alloc(c->arena, sizeof(*cat));
	if (!cat || !arena_cleanup(c->arena, cat_free, cat)) {
		imap_fail(c, ERR_MEMORY, NULL);
		return NULL;
	}
	buf_init(&cat->piece, 1 << 20);
	ap->data = cat;
	return cat;
}

/* ---- what a URL names ---- */

static enum step bad_url(struct imap_cmd *c, struct span text, const char *why)
{
	struct buf code;

	buf_init(&code, 4 * IMAP_URL_SHOWN);
	buf_add_str(&code, "BADURL ");
	imap_url_show(text, &code);
	imap_no(c, arena_span(c->arena, buf_span(&code)), arena_str(c->arena, why));
	buf_free(&code);
	return STEP_DONE;
}

/* In the arena: that of a view goes when another session renames it. URLs have UTF-8 (RFC 5092 section 8). NULL: nothing is
 * selected, or no name. */
static const char *mailbox_name(struct imap_cmd *c, const struct imap_url *url)
{
	const char *name = NULL;
	struct buf wire;

	if (!url->mailbox.n)
		return c->s->view ? arena_str(c->arena, view_state(c->s->view)->name) : NULL;
	buf_init(&wire, 1 << 20);
	if (mutf7_from_utf8(url->mailbox, &wire))
		name = arena_span(c->arena, buf_span(&wire));
	buf_free(&wire);
	return name;
}

/* STEP_WAITING, or *err_r tells. */
static enum step open_view(struct imap_cmd *c, struct cat *cat, const char *name, enum err *err_r,
			   struct errtext *t)
{
	struct view_changes changes;
	enum err e = ERR_OK;

	if (cat->view && strcmp(cat->name, name)) {
		view_close(&cat->view);
		cat->ready = false;
	}
	if (!cat->view) {
		e = view_open(c->s->cfg.acct, name, true, &cat->view, t);
		cat->name = name;
	}
	if (!e && !cat->ready) {
		if (view_refresh(cat->view, false, &e, t) == STEP_SLICE)
			return STEP_SLICE;
		if (!e)
			e = view_update(cat->view, true, c->arena, &changes, t);
		if (e == ERR_INUSE)
			return STEP_WAITING;
		if (!e)
			view_changes_free(&changes);
		cat->ready = !e;
	}
	*err_r = e;
	return STEP_DONE;
}

/* Errors that are the URL's, not ours. */
static bool is_badurl(enum err e)
{
	return e == ERR_NOTFOUND || e == ERR_CANNOT || e == ERR_EXPUNGED || e == ERR_SYNTAX;
}

static enum err find_part(struct imap_cmd *c, struct cat *cat, const struct imap_url *url, struct errtext *t)
{
	struct imap_section *s = &cat->section;
	enum err e;

	if (url->uidvalidity && url->uidvalidity != view_state(cat->view)->uidvalidity)
		return err_say(t, ERR_NOTFOUND, "The mailbox is not what it was.");
	if (!imap_section_from_text(c->arena, url->section, s))
		return err_say(t, ERR_SYNTAX, "Invalid section.");
	s->partial = url->partial;
	s->origin = url->origin;
	s->length = url->length ? url->length : UINT64_MAX;
	e = message_open(cat->view, url->uid, &cat->msg, t);
	if (e == ERR_EXPUNGED)
		return err_say(t, e, "There is no such message.");
	if (!e)
		e = imap_section_find(s, cat->msg, t);
	if (!e && s->bytes.nil)
		e = err_say(t, ERR_NOTFOUND, "The message has no such part.");
	return e;
}

/* STEP_DONE: cat->msg and cat->section are there, or c is answered. */
static enum step find(struct imap_cmd *c, struct cat *cat, struct span text)
{
	struct errtext t = { "Invalid URL." };
	const char *name = NULL;
	struct imap_url url;
	enum err e = imap_url_parse(text, c->arena, &url);
	enum step step;

	if (!e)
		name = mailbox_name(c, &url);
	if (!name)
		return bad_url(c, text, t.text);
	step = open_view(c, cat, name, &e, &t);
	if (step != STEP_DONE)
		return step;
	if (!e)
		e = find_part(c, cat, &url, &t);
	if (e == ERR_AGAIN)
		return STEP_SLICE;
	cat->found = !e;
	if (!e)
		return STEP_DONE;
	return is_badurl(e) ? bad_url(c, text, t.text) : imap_fail(c, e, t.text);
}

/* ---- copying ---- */

static enum step copy(struct imap_cmd *c, struct imap_append *ap, struct cat *cat)
{
	struct imap_section *s = &cat->section;
	struct errtext t = { "" };

	while (s->at < s->end && !ap->err) {
		enum err e;

		buf_clear(&cat->piece);
		e = imap_section_read(s, &cat->piece, &t);
		if (e)
			return imap_fail(c, e, t.text);
		imap_append_bytes(ap, buf_span(&cat->piece));
		if (s->at < s->end && imap_slice_over(c))
			return STEP_SLICE;
	}
	message_close(&cat->msg);
	buf_free(&cat->piece);
	cat->found = cat->room = false;
	return STEP_DONE;
}

static enum step take_url(struct imap_cmd *c, struct imap_append *ap, struct cat *cat, struct span text)
{
	enum step step = STEP_DONE;

	if (!cat->found)
		step = find(c, cat, text);
	if (step == STEP_DONE && !c->cond && !cat->room) {
		step = imap_append_more(c, ap, cat->section.end - cat->section.at);
		cat->room = step == STEP_DONE;
	}
	return step != STEP_DONE || c->cond ? step : copy(c, ap, cat);
}

static enum step catenate_parts(struct imap_cmd *c, struct imap_append *ap)
{
	struct cat *cat = cat_state(c, ap);
	const struct imap_arg *word;

	while (!c->cond && !ap->err && (word = ap->part ? ap->part->next : ap->list->child)) {
		bool text = imap_arg_word(word, "TEXT");
		const struct imap_arg *value = word->next;
		enum step step = STEP_DONE;
		struct span url;

		if (!text && !imap_arg_word(word, "URL"))
			return imap_bad(c, "CATENATE takes TEXT and URL.");
		ap->want = text ? IMAP_APPEND_BYTES : IMAP_APPEND_ARGUMENT;
		if (!value)
			return STEP_DONE;
		if (text ? !value->streamed : !imap_arg_astring(value, &url))
			return imap_bad(c, "Invalid part in CATENATE.");
		if (!text)
			step = take_url(c, ap, cat, url);
		if (step != STEP_DONE)
			return step;
		ap->part = value;
		ap->want = IMAP_APPEND_NONE;
	}
	return STEP_DONE;
}

static const struct imap_capability capabilities[] = {
	{ "CATENATE", NULL },
	{ "URL-PARTIAL", NULL },
	{ 0 },
};

static const struct imap_append_item append_items[] = {
	{ "CATENATE", catenate_parts },
	{ 0 },
};

const struct imap_module imap_ext_catenate = {
	.name = "catenate",
	.capabilities = capabilities,
	.append_items = append_items,
};
