/*
 * ESEARCH (RFC 4731): SEARCH RETURN (MIN MAX ALL COUNT), answered in one line; and the same of SORT
 * (ESORT, RFC 5267 section 3), where MIN and MAX are the first and the last in the order asked for.
 */
#include "args.h"
#include "esearch.h"
#include "modules.h"

#include "wire/imap_write.h"

enum { ORDER_PIECE = 1024 }; /* numbers written between looks at the water mark */

static uint64_t count(const struct imap_search *s)
{
	return set_count(&s->numbers);
}

static uint32_t first(const struct imap_search *s, const struct esearch *es)
{
	return es->order ? es->order[0] : set_min(&s->numbers);
}

static uint32_t last(const struct imap_search *s, const struct esearch *es)
{
	return es->order ? es->order[count(s) - 1] : set_max(&s->numbers);
}

static void add_item(struct buf *out, const char *name, uint64_t value)
{
	buf_add_char(out, ' ');
	buf_add_str(out, name);
	buf_add_char(out, ' ');
	buf_add_u64(out, value);
}

void imap_range_place(const struct esearch_range *r, uint64_t n, uint64_t *from_r, uint64_t *n_r)
{
	uint64_t last = r->last < n ? r->last : n;

	*n_r = r->first <= last ? last - r->first + 1 : 0;
	*from_r = r->from_end ? n - last : r->first - 1;
}

/* The results of PARTIAL's range. */
static void add_partial(const struct imap_search *s, const struct esearch *es, struct set *numbers)
{
	struct set part = SET_EMPTY;
	uint64_t from, n;

	imap_range_place(&es->partial, count(s), &from, &n);
	for (uint64_t i = 0; es->order && i < n; i++)
		set_add(numbers, es->order[from + i]);
	if (es->order)
		return;
	set_copy(&part, &s->numbers);
	set_slice(&part, from, n);
	set_add_set(numbers, &part);
	set_free(&part);
}

/* What of the result is shown, as UIDs; with MIN, MAX and PARTIAL alone. */
static void find_shown(const struct imap_search *s, const struct esearch *es, struct set *shown_r)
{
	struct set numbers = SET_EMPTY;

	if (es->items & ESEARCH_MIN)
		set_add(&numbers, first(s, es));
	if (es->items & ESEARCH_MAX)
		set_add(&numbers, last(s, es));
	if (es->items & ESEARCH_PARTIAL)
		add_partial(s, es, &numbers);
	if (s->c->row->flags & IMAP_CMD_UID)
		set_copy(shown_r, &numbers);
	else
		view_seqs_to_uids(s->c->s->view, &numbers, shown_r);
	set_free(&numbers);
}

/*
 * With nothing but MIN, MAX and PARTIAL, the messages shown are the result: what "$" becomes
 * (RFC 5182 section 2.4, RFC 9394 section 3.2), and whose modseq is told (RFC 4731 section 3.2).
 */
static void narrow(struct imap_search *s, const struct esearch *es)
{
	const unsigned some = ESEARCH_MIN | ESEARCH_MAX | ESEARCH_PARTIAL;
	struct set shown = SET_EMPTY;
	struct view_walk *w = NULL;
	struct message_facts m;

	if (!s->numbers.n || !(es->items & some) || es->items & (ESEARCH_ALL | ESEARCH_COUNT))
		return;
	find_shown(s, es, &shown);
	if (s->save)
		set_copy(&s->c->s->saved, &shown);
	if (s->max_modseq && !view_walk_begin(s->c->s->view, &shown, 0, &w, NULL)) {
		s->max_modseq = 0;
		while (!view_walk_next(w, &m, NULL))
			s->max_modseq = m.modseq > s->max_modseq ? m.modseq : s->max_modseq;
		view_walk_end(&w);
	}
	set_free(&shown);
}

void imap_esearch_head(struct buf *out, struct span tag, bool uid)
{
	buf_add_str(out, "* ESEARCH (TAG ");
	imap_write_string(out, tag);
	buf_add_char(out, ')');
	if (uid)
		buf_add_str(out, " UID");
}

/* What of the numbers is listed: all, or PARTIAL's range of them. */
static void begin_list(struct imap_search *s, struct esearch *es, struct buf *out)
{
	uint64_t from = 0, n = count(s);

	if (es->items & ESEARCH_PARTIAL) {
		imap_range_place(&es->partial, n, &from, &n);
		set_slice(&s->numbers, from, n);
		buf_add_str(out, " PARTIAL (");
		buf_add_span(out, es->partial.text);
		buf_add_str(out, n ? " " : " NIL");
	} else if (n) {
		buf_add_str(out, " ALL ");
	}
	es->at = (size_t)from;
	es->end = (size_t)(from + n);
}

/* Everything but the list, which may be long and comes last. */
static void write_head(struct imap_search *s, struct esearch *es)
{
	struct buf *out = imap_out(s->c->s);
	bool any = s->numbers.n > 0;

	es->begun = true;
	narrow(s, es);
	imap_esearch_head(out, s->c->tag, s->c->row->flags & IMAP_CMD_UID);
	if (any && es->items & ESEARCH_MIN)
		add_item(out, "MIN", first(s, es));
	if (any && es->items & ESEARCH_MAX)
		add_item(out, "MAX", last(s, es));
	if (es->items & ESEARCH_COUNT)
		add_item(out, "COUNT", count(s));
	if (s->max_modseq)
		add_item(out, "MODSEQ", s->max_modseq);
	if (es->items & (ESEARCH_ALL | ESEARCH_PARTIAL))
		begin_list(s, es, out);
}

/* The set as sorted; runs that ascend by one become ranges (RFC 5267 section 3.2). */
static enum step write_order(struct imap_search *s, struct esearch *es)
{
	for (size_t done = 0; es->at < es->end; done++) {
		size_t i = es->at, end = i + 1;
		struct buf *out = imap_out(s->c->s);

		if (done == ORDER_PIECE) {
			stream_push(s->c->s->stream);
			if (imap_out_full(s->c->s))
				return STEP_OUTPUT_FULL;
			done = 0;
		}
		while (end < es->end && es->order[end] == es->order[end - 1] + 1)
			end++;
		if (es->comma)
			buf_add_char(out, ',');
		es->comma = true;
		buf_add_u64(out, es->order[i]);
		if (end > i + 1) {
			buf_add_char(out, ':');
			buf_add_u64(out, es->order[end - 1]);
		}
		es->at = end;
	}
	return STEP_DONE;
}

static enum step write_esearch(struct imap_search *s)
{
	struct esearch *es = s->option;
	enum step step = STEP_DONE;

	if (!es->begun)
		write_head(s, es);
	if (es->items & (ESEARCH_ALL | ESEARCH_PARTIAL))
		step = es->order ? write_order(s, es) : imap_search_write_set(s, &s->numbers);
	if (step == STEP_DONE)
		buf_add_str(imap_out(s->c->s), es->items & ESEARCH_PARTIAL ? ")\r\n" : "\r\n");
	stream_push(s->c->s->stream);
	return step;
}

/* SAVE alone answers nothing (RFC 5182 section 2.1). */
static enum step write_nothing(struct imap_search *s)
{
	return STEP_DONE;
}

static enum err parse_return(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	struct imap_search *s = state;
	struct esearch *es = arena_alloc(c->arena, sizeof(*es));

	if (!es)
		return ERR_MEMORY;
	s->option = es;
	if (!imap_args_modifiers(c, *a, IMAP_OF_RETURN, s))
		return ERR_SYNTAX;
	*a = (*a)->next;
	if (es->items & ESEARCH_ALL && es->items & ESEARCH_PARTIAL)
		return ERR_SYNTAX;
	if (!es->items && !s->save)
		es->items = ESEARCH_ALL;
	s->result = es->items ? write_esearch : write_nothing;
	return ERR_OK;
}

static enum err ask(void *state, enum esearch_item item)
{
	struct imap_search *s = state;
	struct esearch *es = s->option;

	es->items |= item;
	return ERR_OK;
}

static enum err parse_min(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	return ask(state, ESEARCH_MIN);
}

static enum err parse_max(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	return ask(state, ESEARCH_MAX);
}

static enum err parse_all(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	return ask(state, ESEARCH_ALL);
}

static enum err parse_count(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	return ask(state, ESEARCH_COUNT);
}

static const struct imap_capability capabilities[] = {
	{ "ESEARCH", NULL },
	{ 0 },
};

static const struct imap_modifier modifiers[] = {
	{ "RETURN", IMAP_OF_SEARCH, parse_return },
	{ "MIN", IMAP_OF_RETURN, parse_min },
	{ "MAX", IMAP_OF_RETURN, parse_max },
	{ "ALL", IMAP_OF_RETURN, parse_all },
	{ "COUNT", IMAP_OF_RETURN, parse_count },
	{ 0 },
};

const struct imap_module imap_ext_esearch = {
	.name = "esearch",
	.capabilities = capabilities,
	.modifiers = modifiers,
};
