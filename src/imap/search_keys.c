/*
 * The search program (RFC 3501 section 6.4.4) as a tree. The keys are rows; NOT, OR and parentheses
 * are this parser's own. It keeps its own stack, so nesting costs arena memory and nothing else;
 * the tree stays shallow because AND within AND and OR within OR become one node with many
 * children.
 */
#include "args.h"
#include "modules.h"
#include "search.h"

#include "mime/decode.h"
#include "wire/imap_set.h"

enum {
	TREE_DEPTH_MAX = 64,    /* levels of the finished tree */
	SEARCH_TEXT_MAX = 64 << 10,
};

/* What is being put together: an AND (of a list, or of all), an OR of two, a NOT of one. */
struct frame {
	struct frame *up;
	struct query *node;
	struct query *last;            /* its last child */
	const struct imap_arg *
		*from; /* where its keys come from: its own list's rest, or that of a frame above */
	const struct imap_arg *rest;
	unsigned want;                 /* operands still to come; 0: an AND, as many as there are */
	unsigned depth;                /* of the tree below, so far */
};

/* ---- strings and numbers ---- */

enum err imap_search_text(struct imap_search *s, const struct imap_arg **a, struct span *text_r)
{
	struct mime_to_utf8 conv;
	struct buf utf8;
	struct span raw;
	char *copy;

	if (!imap_arg_astring(*a, &raw))
		return ERR_SYNTAX;
	*a = (*a)->next;
	*text_r = raw;
	if (raw.n > SEARCH_TEXT_MAX)
		return imap_no(s->c, "LIMIT", "The search text is too long."), ERR_LIMIT;
	if (!s->charset.n)
		return ERR_OK;
	buf_init(&utf8, 4 * SEARCH_TEXT_MAX);
	mime_to_utf8_init(&conv, s->charsets, s->charset);
	mime_to_utf8_add(&conv, raw, &utf8);
	mime_to_utf8_end(&conv, &utf8);
	copy = utf8.failed ? NULL : arena_span(s->c->arena, buf_span(&utf8));
	*text_r = span_of(copy, copy ? utf8.n : 0);
	buf_free(&utf8);
	return copy ? ERR_OK : ERR_MEMORY;
}

static enum err parse_none(struct imap_search *s, const struct imap_search_key *key,
			   const struct imap_arg **a, struct query *q)
{
	q->kind = key->kind;
	q->flag = key->flag;
	return ERR_OK;
}

static enum err parse_text(struct imap_search *s, const struct imap_search_key *key,
			   const struct imap_arg **a, struct query *q)
{
	q->kind = key->kind;
	return imap_search_text(s, a, &q->text);
}

static enum err parse_header(struct imap_search *s, const struct imap_search_key *key,
			     const struct imap_arg **a, struct query *q)
{
	q->kind = key->kind;
	if (!imap_arg_astring(*a, &q->name))
		return ERR_SYNTAX;
	*a = (*a)->next;
	return imap_search_text(s, a, &q->text);
}

static enum err parse_keyword(struct imap_search *s, const struct imap_search_key *key,
			      const struct imap_arg **a, struct query *q)
{
	q->kind = key->kind;
	if (!imap_arg_atom(*a, &q->text) || q->text.p[0] == '\\')
		return ERR_SYNTAX;
	*a = (*a)->next;
	return ERR_OK;
}

static enum err parse_date(struct imap_search *s, const struct imap_search_key *key,
			   const struct imap_arg **a, struct query *q)
{
	int64_t day;

	q->kind = key->kind;
	if (!imap_arg_date(*a, &day))
		return ERR_SYNTAX;
	q->day = (int32_t)day;
	*a = (*a)->next;
	return ERR_OK;
}

static enum err parse_number(struct imap_search *s, const struct imap_search_key *key,
			     const struct imap_arg **a, struct query *q)
{
	q->kind = key->kind;
	if (!imap_arg_number64(*a, &q->number))
		return ERR_SYNTAX;
	*a = (*a)->next;
	return ERR_OK;
}

/* NEW is (RECENT UNSEEN). */
static enum err parse_new(struct imap_search *s, const struct imap_search_key *key,
			  const struct imap_arg **a, struct query *q)
{
	struct query *child = arena_array(s->c->arena, 3, sizeof(*child));

	if (!child)
		return ERR_MEMORY;
	child[0] = (struct query){ .kind = Q_FLAG, .flag = MAIL_RECENT, .next = &child[1] };
	child[1] = (struct query){ .kind = Q_NOT, .first = &child[2] };
	child[2] = (struct query){ .kind = Q_FLAG, .flag = MAIL_SEEN };
	q->kind = Q_AND;
	q->first = child;
	return ERR_OK;
}

static enum err parse_uids(struct imap_search *s, struct span text, bool uid, struct query *q)
{
	struct view *v = s->c->s->view;
	uint32_t exists = view_state(v)->exists;
	struct set numbers = SET_EMPTY;
	enum err e = ERR_OK;

	q->kind = Q_UIDS;
	if (!imap_args_own_set(s->c, &q->uids))
		return ERR_MEMORY;
	if (span_eq_str(text, "$")) {
		set_copy(&q->uids, &s->c->s->saved);
		return ERR_OK;
	}
	s->c->numbers |= !uid;
	if (!imap_set_parse(text, uid ? set_max(view_uids(v)) : exists, &numbers) ||
	    (!uid && set_max(&numbers) > exists))
		e = ERR_SYNTAX;
	else if (uid)
		set_copy(&q->uids, &numbers);
	else
		view_seqs_to_uids(v, &numbers, &q->uids);
	set_free(&numbers);
	return e;
}

static enum err parse_uid(struct imap_search *s, const struct imap_search_key *key,
			  const struct imap_arg **a, struct query *q)
{
	struct span text;

	if (!imap_arg_atom(*a, &text))
		return ERR_SYNTAX;
	*a = (*a)->next;
	return parse_uids(s, text, true, q);
}

static const struct imap_search_key keys[] = {
	{ "ALL", parse_none, Q_ALL, 0, false },
	{ "ANSWERED", parse_none, Q_FLAG, MAIL_ANSWERED, false },
	{ "BCC", parse_text, Q_ADDRESS_BCC, 0, false },
	{ "BEFORE", parse_date, Q_BEFORE, 0, false },
	{ "BODY", parse_text, Q_BODY, 0, false },
	{ "CC", parse_text, Q_ADDRESS_CC, 0, false },
	{ "DELETED", parse_none, Q_FLAG, MAIL_DELETED, false },
	{ "DRAFT", parse_none, Q_FLAG, MAIL_DRAFT, false },
	{ "FLAGGED", parse_none, Q_FLAG, MAIL_FLAGGED, false },
	{ "FROM", parse_text, Q_ADDRESS_FROM, 0, false },
	{ "HEADER", parse_header, Q_HEADER, 0, false },
	{ "KEYWORD", parse_keyword, Q_KEYWORD, 0, false },
	{ "LARGER", parse_number, Q_LARGER, 0, false },
	{ "NEW", parse_new, Q_AND, 0, false },
	{ "OLD", parse_none, Q_FLAG, MAIL_RECENT, true },
	{ "ON", parse_date, Q_ON, 0, false },
	{ "RECENT", parse_none, Q_FLAG, MAIL_RECENT, false },
	{ "SEEN", parse_none, Q_FLAG, MAIL_SEEN, false },
	{ "SENTBEFORE", parse_date, Q_SENTBEFORE, 0, false },
	{ "SENTON", parse_date, Q_SENTON, 0, false },
	{ "SENTSINCE", parse_date, Q_SENTSINCE, 0, false },
	{ "SINCE", parse_date, Q_SINCE, 0, false },
	{ "SMALLER", parse_number, Q_SMALLER, 0, false },
	{ "SUBJECT", parse_text, Q_SUBJECT, 0, false },
	{ "TEXT", parse_text, Q_TEXT, 0, false },
	{ "TO", parse_text, Q_ADDRESS_TO, 0, false },
	{ "UID", parse_uid, Q_UIDS, 0, false },
	{ "UNANSWERED", parse_none, Q_FLAG, MAIL_ANSWERED, true },
	{ "UNDELETED", parse_none, Q_FLAG, MAIL_DELETED, true },
	{ "UNDRAFT", parse_none, Q_FLAG, MAIL_DRAFT, true },
	{ "UNFLAGGED", parse_none, Q_FLAG, MAIL_FLAGGED, true },
	{ "UNKEYWORD", parse_keyword, Q_KEYWORD, 0, true },
	{ "UNSEEN", parse_none, Q_FLAG, MAIL_SEEN, true },
	{ 0 },
};

const struct imap_module imap_search_keys = {
	.name = "search_keys",
	.search_keys = keys,
};

/* ---- the tree ---- */

static struct frame *push(struct imap_search *s, struct frame *up, enum query_kind kind, unsigned want)
{
	struct frame *f = arena_alloc(s->c->arena, sizeof(*f));
	struct query *node = arena_alloc(s->c->arena, sizeof(*node));

	if (!f || !node)
		return NULL;
	node->kind = kind;
	f->up = up;
	f->node = node;
	f->want = want;
	f->from = up ? up->from : &f->rest;
	return f;
}

static void append_child(struct frame *f, struct query *q)
{
	if (f->last)
		f->last->next = q;
	else
		f->node->first = q;
	f->last = q;
	while (f->last->next)
		f->last = f->last->next;
}

/* Adds a finished operand; children of an operand of the same kind become our own. False: the tree is too deep. */
static bool add_operand(struct frame *f, struct query *q, unsigned depth)
{
	bool same = q->kind == f->node->kind && (q->kind == Q_AND || q->kind == Q_OR) && q->first;

	if (!same)
		depth++;
	if (f->depth < depth)
		f->depth = depth;
	append_child(f, same ? q->first : q);
	if (f->want)
		f->want--;
	return f->depth <= TREE_DEPTH_MAX;
}

/* The value of a complete frame: an AND of one is that one, NOT NOT x is x. */
static struct query *frame_value(const struct frame *f)
{
	struct query *only = f->node->first;

	if (f->node->kind == Q_AND && only && !only->next)
		return only;
	if (f->node->kind == Q_NOT && only->kind == Q_NOT) {
		only = only->first;
		only->next = NULL;
		return only;
	}
	return f->node;
}

static bool frame_complete(const struct frame *f)
{
	bool op = f->node->kind == Q_OR || f->node->kind == Q_NOT;

	return op ? !f->want : !*f->from;
}

/* A key that is no operator: a row's, or a set of numbers. *q_r is what it means. */
static enum err parse_key(struct imap_search *s, const struct imap_arg **a, struct query **q_r)
{
	struct query *q = arena_alloc(s->c->arena, sizeof(*q)),
		     *not = arena_alloc(s->c->arena, sizeof(*not ));
	const struct imap_search_key *key;
	struct span word;
	enum err e;

	if (!q || !not)
		return ERR_MEMORY;
	if (!imap_arg_atom(*a, &word))
		return ERR_SYNTAX;
	*a = (*a)->next;
	*q_r = q;
	key = imap_search_key_find(s->c->s, word);
	if (!key)
		return imap_set_looks(word) ? parse_uids(s, word, false, q) : ERR_SYNTAX;
	e = key->parse(s, key, a, q);
	if (e || !key->negate)
		return e;
	not->kind = Q_NOT;
	not->first = q;
	*q_r = not;
	return ERR_OK;
}

/* Opens a frame for what stands at the front, or finishes a key into *q_r. */
static enum err take(struct imap_search *s, struct frame **top, struct query **q_r)
{
	const struct imap_arg **a = (*top)->from;
	const struct imap_arg *arg = *a;
	struct frame *f;

	*q_r = NULL;
	if (!arg)
		return ERR_SYNTAX;
	if (arg->type == IMAP_ARG_LIST) {
		if (!arg->child)
			return ERR_SYNTAX;
		*a = arg->next;
		f = push(s, *top, Q_AND, 0);
		if (!f)
			return ERR_MEMORY;
		f->rest = arg->child;
		f->from = &f->rest;
		*top = f;
		return ERR_OK;
	}
	if (!imap_arg_word(arg, "OR") && !imap_arg_word(arg, "NOT"))
		return parse_key(s, a, q_r);
	*a = arg->next;
	f = push(s, *top, imap_arg_word(arg, "OR") ? Q_OR : Q_NOT, imap_arg_word(arg, "OR") ? 2 : 1);
	if (!f)
		return ERR_MEMORY;
	*top = f;
	return ERR_OK;
}

/* Hands a finished value upwards through all frames that it completes. *top NULL: the program is complete, *q is it. */
static enum err give(struct frame **top, struct query **q, unsigned depth)
{
	for (;;) {
		if (!add_operand(*top, *q, depth))
			return ERR_LIMIT;
		if (!frame_complete(*top))
			return ERR_OK;
		*q = frame_value(*top);
		depth = (*top)->depth;
		*top = (*top)->up;
		if (!*top)
			return ERR_OK;
	}
}

bool imap_search_parse(struct imap_search *s, const struct imap_arg *a)
{
	struct frame *top = push(s, NULL, Q_AND, 0);
	struct query *q = NULL;
	enum err e = top ? ERR_OK : ERR_MEMORY;

	if (top)
		top->rest = a;
	while (!e && top) {
		e = take(s, &top, &q);
		if (!e && q)
			e = give(&top, &q, 0);
	}
	if (e) {
		if (!s->c->cond)
			imap_fail(s->c, e,
				  e == ERR_SYNTAX  ? "Invalid search program."
				  : e == ERR_LIMIT ? "Search program is nested too deeply."
						   : NULL);
		return false;
	}
	s->query = q;
	return true;
}
