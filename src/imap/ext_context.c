/*
 * CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267 section 4): results that are kept up to date with ADDTO
 * and REMOVEFROM. A context remembers the search program and the UIDs that the client knows to be
 * in the result; in each round of announcements the messages that changed since its modseq are
 * searched again. What left is told before EXPUNGE, under the old numbers; what came, behind
 * EXISTS.
 *
 * Results in mailbox order have position 0, for the client can place them itself; sorted ones have
 * the place where they stand. Time alone (OLDER, YOUNGER) changes no result.
 *
 * As there is NOTIFY, UPDATE may name items to be FETCHed of new messages that come into the result
 * (RFC 5465 section 7); they go between EXISTS and ADDTO.
 */
#include "args.h"
#include "esearch.h"
#include "fetch.h"
#include "modules.h"

#include "base/clock.h"
#include "base/mem.h"
#include "box/sort.h"
#include "wire/imap_write.h"

#include <stdlib.h>

enum {
	CONTEXTS_MAX = 10,          /* a session */
	CONTEXT_MEMORY = 256 << 10, /* search program of one */
	LINE_NUMBERS = 500,         /* numbers or ranges in one response */
};

struct context {
	struct context *next;
	struct arena *arena; /* own: holds this, too */
	struct span tag;
	bool uid;
	const struct query *query;
	const struct sort_by *by; /* NULL: mailbox order */
	size_t by_n;
	const struct imap_arg *items; /* what is FETCHed of new messages; NULL: nothing */
	uint64_t modseq;              /* changes up to here are in found */
	struct set found;             /* own: UIDs */
	uint32_t *order;              /* own: found as sorted; with by only */
	size_t n;                     /* of order */

	/* The round under way. */
	bool looking, telling, fetched;
	struct set look, removed, added; /* own: UIDs */
	struct query_run *run;           /* own */
	struct sort_run *sort;           /* own */
	struct imap_standing fetch;      /* own */
	uint64_t spent_us;
	size_t at, told; /* at: the next range, or place in order; told: numbers so far */
};

/* s->followed */
struct contexts {
	struct context *first;
	struct context *at; /* the one whose turn it is in the round */
	bool begun;
	struct set numbered;    /* own: all messages as the client numbers them now */
	struct set_ranks ranks; /* of numbered */
};

/* ---- life ---- */

static void context_free(struct context *x)
{
	struct arena *arena = x->arena;

	query_end(&x->run);
	sort_end(&x->sort);
	imap_standing_end(&x->fetch);
	set_free(&x->found);
	set_free(&x->look);
	set_free(&x->removed);
	set_free(&x->added);
	free(x->order);
	arena_free(&arena);
}

static struct context **find(struct imap_session *s, struct span tag)
{
	struct contexts *cs = s->followed;
	struct context **link = cs ? &cs->first : NULL;

	while (link && *link && !span_eq((*link)->tag, tag))
		link = &(*link)->next;
	return link && *link ? link : NULL;
}

static void drop_one(struct context **link)
{
	struct context *x = *link;

	*link = x->next;
	context_free(x);
}

static unsigned count(const struct imap_session *s)
{
	const struct contexts *cs = s->followed;
	unsigned n = 0;

	for (const struct context *x = cs ? cs->first : NULL; x; x = x->next)
		n++;
	return n;
}

static void say_noupdate(struct imap_session *s, struct span tag, const char *why)
{
	struct buf code;

	buf_init(&code, IMAP_LINE_MAX);
	buf_add_str(&code, "NOUPDATE ");
	imap_write_string(&code, tag);
	imap_write_status(imap_out(s), (struct span){ NULL, 0 }, "NO", buf_cstr(&code), why);
	buf_free(&code);
}

static void end_numbers(struct contexts *cs)
{
	set_free(&cs->numbered);
	set_ranks_free(&cs->ranks);
}

static void drop(struct imap_session *s)
{
	struct contexts *cs = s->followed;

	while (cs->first)
		drop_one(&cs->first);
	end_numbers(cs);
	free(cs);
	s->followed = NULL;
}

/* ---- telling ---- */

static uint32_t number(const struct contexts *cs, const struct context *x, uint32_t uid)
{
	return x->uid ? uid : (uint32_t)set_ranks_of(&cs->ranks, uid) + 1;
}

static void begin_line(struct imap_session *s, const struct context *x, const char *word)
{
	struct buf *out = imap_out(s);

	imap_esearch_head(out, x->tag, x->uid);
	buf_add_char(out, ' ');
	buf_add_str(out, word);
	buf_add_str(out, " (");
}

static void end_line(struct imap_session *s)
{
	buf_add_str(imap_out(s), ")\r\n");
	stream_push(s->stream);
}

/* "ADDTO (0 1:3,7)", as many as it takes. */
static enum step tell_set(struct imap_session *s, struct context *x, const char *word,
			  const struct set *uids)
{
	const struct contexts *cs = s->followed;

	while (x->at < uids->n) {
		struct set part = SET_EMPTY;

		if (imap_out_full(s))
			return STEP_OUTPUT_FULL;
		for (int i = 0; i < LINE_NUMBERS && x->at < uids->n; i++, x->at++) {
			const struct set_range *r = &uids->r[x->at];

			set_add_range(&part, number(cs, x, r->first), number(cs, x, r->last));
		}
		begin_line(s, x, word);
		buf_add_str(imap_out(s), "0 ");
		imap_write_set(imap_out(s), &part);
		end_line(s);
		set_free(&part);
	}
	return STEP_DONE;
}

/*
 * Runs of neighbours in the order, each behind its place: "ADDTO (1 7,3 5 4)". Each pair takes the
 * ones before it as done: what is removed no longer counts, what is added does.
 */
static void write_places(struct imap_session *s, struct context *x, const struct set *uids,
			 bool removing)
{
	const struct contexts *cs = s->followed;
	struct buf *out = imap_out(s);
	size_t last = SIZE_MAX, n = 0;

	for (; x->at < x->n && n < LINE_NUMBERS; x->at++) {
		if (!set_has(uids, x->order[x->at]))
			continue;
		if (n && last + 1 == x->at) {
			buf_add_char(out, ',');
		} else {
			buf_add_str(out, n ? " " : "");
			buf_add_u64(out, x->at + 1 - (removing ? x->told : 0));
			buf_add_char(out, ' ');
		}
		buf_add_u64(out, number(cs, x, x->order[x->at]));
		last = x->at;
		n++;
		x->told++;
	}
}

static enum step tell_order(struct imap_session *s, struct context *x, const char *word,
			    const struct set *uids, bool removing)
{
	size_t all = (size_t)set_count(uids);

	while (x->told < all) {
		if (imap_out_full(s))
			return STEP_OUTPUT_FULL;
		begin_line(s, x, word);
		write_places(s, x, uids, removing);
		end_line(s);
	}
	return STEP_DONE;
}

/* ---- what changed ---- */

static void begin_look(struct imap_session *s, struct context *x, const struct view_changes *c)
{
	const struct view_state *st = view_state(s->view);
	struct view_since since = { .modseq = x->modseq };

	set_copy(&x->removed, &c->vanished);
	set_add_set(&x->removed, view_gone(s->view));
	set_clear(&x->look);
	if ((st->behind || st->highestmodseq != x->modseq) && !view_since(s->view, &since, NULL)) {
		set_copy(&x->look, &since.changed);
		set_remove_set(&x->look, &x->removed);
		x->modseq = st->highestmodseq;
	}
	view_since_free(&since);
	set_intersect(&x->removed, &x->found);
	set_clear(&x->added);
	x->spent_us = 0;
	x->looking = true;
	x->fetched = false;
}

/* The messages in look that match are match. */
static void take_matches(struct context *x, const struct set *match)
{
	set_copy(&x->added, match);
	set_remove_set(&x->added, &x->found);
	set_intersect(&x->look, &x->found);
	set_remove_set(&x->look, match);
	set_add_set(&x->removed, &x->look);
}

/* ERR_OK with STEP_DONE: removed and added are known. */
static enum step look(struct imap_session *s, struct context *x, enum err *e)
{
	struct set match = SET_EMPTY;
	uint64_t from = clock_cpu_us();
	enum step step;

	if (!x->look.n)
		return STEP_DONE;
	if (!x->run)
		*e = query_start(s->view, x->query, &x->look, &x->run, NULL);
	if (*e)
		return STEP_DONE;
	step = query_step(x->run, &match, e, NULL);
	x->spent_us += clock_cpu_us() - from;
	if (step != STEP_DONE && x->spent_us < s->cfg.settings.search_ms * 1000)
		return step;
	if (step != STEP_DONE)
		*e = ERR_LIMIT;
	query_end(&x->run);
	if (!*e)
		take_matches(x, &match);
	set_free(&match);
	return STEP_DONE;
}

/* The order without what was removed; found as it will be when all is told. */
static void settle(struct context *x)
{
	size_t kept = 0;

	for (size_t i = 0; i < x->n; i++)
		if (!set_has(&x->removed, x->order[i]))
			x->order[kept++] = x->order[i];
	x->n = kept;
	set_remove_set(&x->found, &x->removed);
	set_add_set(&x->found, &x->added);
	x->looking = x->telling = false;
}

static enum step tell_removed(struct imap_session *s, struct context *x)
{
	if (!x->telling)
		x->at = x->told = 0;
	x->telling = true;
	if (x->by)
		return tell_order(s, x, "REMOVEFROM", &x->removed, true);
	return tell_set(s, x, "REMOVEFROM", &x->removed);
}

static enum step remove_from(struct imap_session *s, struct context *x,
			     const struct view_changes *c, enum err *e)
{
	enum step step = STEP_DONE;

	if (!x->looking)
		begin_look(s, x, c);
	if (!x->telling)
		step = look(s, x, e);
	if (step == STEP_DONE && !*e)
		step = tell_removed(s, x);
	if (step == STEP_DONE && !*e)
		settle(x);
	return step;
}

/* ---- what came ---- */

/* What was there keeps its order among itself: only then do the places fit. */
static bool fits(const struct context *x, const uint32_t *order, size_t n)
{
	size_t old = 0;

	for (size_t i = 0; i < n; i++) {
		if (set_has(&x->added, order[i]))
			continue;
		if (old == x->n || x->order[old++] != order[i])
			return false;
	}
	return old == x->n;
}

static enum err take_order(struct context *x)
{
	size_t n;
	const uint32_t *order = sort_result(x->sort, &n);

	if (!fits(x, order, n))
		return ERR_CORRUPT;
	free(x->order);
	x->order = mem_array(n + 1, sizeof(*x->order));
	memcpy(x->order, order, n * sizeof(*order));
	x->n = n;
	return ERR_OK;
}

static enum step sort_again(struct imap_session *s, struct context *x, enum err *e)
{
	enum step step;

	if (!x->sort)
		*e = sort_start(s->view, &x->found, x->by, x->by_n, &x->sort, NULL);
	if (*e)
		return STEP_DONE;
	step = sort_step(x->sort, e, NULL);
	if (step != STEP_DONE)
		return step;
	if (!*e)
		*e = take_order(x);
	sort_end(&x->sort);
	return STEP_DONE;
}

/* Not of those that only have other flags now. */
static enum step fetch_news(struct imap_session *s, struct context *x, const struct set *news)
{
	struct set came = SET_EMPTY;
	enum step step = STEP_DONE;

	if (!x->items || x->fetched)
		return STEP_DONE;
	set_copy(&came, &x->added);
	set_intersect(&came, news);
	if (came.n)
		step = imap_standing_run(s, &x->fetch, x->items, &came);
	x->fetched = step == STEP_DONE;
	set_free(&came);
	return step;
}

static enum step add_to(struct imap_session *s, struct context *x, const struct set *news,
			enum err *e)
{
	enum step step;

	if (!x->added.n)
		return STEP_DONE;
	step = fetch_news(s, x, news);
	if (s->phase == IMAP_ENDING) /* perhaps within a literal */
		return STEP_DONE;
	if (step == STEP_DONE && !x->telling && x->by)
		step = sort_again(s, x, e);
	if (step != STEP_DONE || *e)
		return step;
	if (!x->telling)
		x->at = x->told = 0;
	x->telling = true;
	step = x->by ? tell_order(s, x, "ADDTO", &x->added, false)
		     : tell_set(s, x, "ADDTO", &x->added);
	if (step == STEP_DONE)
		x->telling = false;
	return step;
}

/* ---- the round ---- */

static void begin_half(struct imap_session *s, const struct view_changes *c)
{
	struct contexts *cs = s->followed;

	if (cs->begun)
		return;
	cs->begun = true;
	cs->at = cs->first;
	set_copy(&cs->numbered, view_uids(s->view));
	if (c)
		set_add_set(&cs->numbered, &c->vanished);
	set_ranks_init(&cs->ranks, &cs->numbered);
}

/* Both halves of a round: c is of the first, news of the second. One that can no longer be kept up
 * is given up. */
static enum step half(struct imap_session *s, const struct view_changes *c, const struct set *news)
{
	struct contexts *cs = s->followed;

	begin_half(s, c);
	while (cs->at) {
		struct context *x = cs->at;
		enum err e = ERR_OK;
		enum step step = c ? remove_from(s, x, c, &e) : add_to(s, x, news, &e);

		if (step != STEP_DONE || s->phase == IMAP_ENDING)
			return step;
		cs->at = x->next;
		if (!e)
			continue;
		say_noupdate(s, x->tag, "This result is no longer kept up to date.");
		drop_one(find(s, x->tag));
	}
	end_numbers(cs);
	cs->begun = false;
	return STEP_DONE;
}

static enum step removed(struct imap_session *s, const struct view_changes *c)
{
	return half(s, c, NULL);
}

static enum step added(struct imap_session *s, const struct set *news)
{
	return half(s, NULL, news);
}

static const struct imap_follow following = { removed, added, drop };

/* ---- RETURN (UPDATE) ---- */

static bool take_program(struct context *x, const struct imap_search *s)
{
	const struct imap_sorted *so = s->sorted;
	const struct esearch *es = s->option;
	struct sort_by *by = so ? arena_array(x->arena, so->by_n, sizeof(*by)) : NULL;
	bool ok;

	x->uid = s->c->row->flags & IMAP_CMD_UID;
	x->tag = arena_copy(x->arena, s->c->tag, &ok);
	x->query = query_copy(s->query, x->arena);
	x->items = es->update ? imap_arg_copy(es->update, x->arena) : NULL;
	if (!ok || !x->query || (so && !by) || (es->update && !x->items))
		return false;
	if (so)
		memcpy(by, so->by, so->by_n * sizeof(*by));
	x->by = by;
	x->by_n = so ? so->by_n : 0;
	return true;
}

static void take_result(struct context *x, const struct imap_search *s)
{
	const struct imap_sorted *so = s->sorted;

	x->modseq = view_state(s->c->s->view)->highestmodseq;
	set_copy(&x->found, &s->uids);
	if (!so)
		return;
	x->order = mem_array(so->n + 1, sizeof(*x->order));
	memcpy(x->order, so->uid, so->n * sizeof(*x->order));
	x->n = so->n;
}

/* The search has its result: from now on it is kept up to date. */
static void keep(struct imap_search *s)
{
	struct imap_session *ses = s->c->s;
	struct arena *arena = arena_new(CONTEXT_MEMORY);
	struct context *x = arena_alloc(arena, sizeof(*x));
	struct contexts *cs;

	if (x)
		x->arena = arena;
	if (!x || !take_program(x, s)) {
		arena_free(&arena);
		say_noupdate(ses, s->c->tag, "The search is too long to be kept.");
		return;
	}
	take_result(x, s);
	if (!ses->followed)
		ses->followed = mem_alloc(sizeof(struct contexts));
	cs = ses->followed;
	x->next = cs->first;
	cs->first = x;
	ses->hooks.follow = &following;
}

static enum err return_update(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	struct imap_search *s = state;
	struct esearch *es = s->option;

	if (find(c->s, c->tag)) {
		imap_bad(c, "The tag is that of another search that is kept up to date.");
		return ERR_SYNTAX;
	}
	es->items |= ESEARCH_UPDATE;
	if (*a && (*a)->type == IMAP_ARG_LIST) {
		if (!imap_standing_try(c, *a))
			return ERR_SYNTAX;
		es->update = *a;
		*a = (*a)->next;
	}
	if (count(c->s) < CONTEXTS_MAX)
		s->keep = keep;
	else if (!s->keep)
		say_noupdate(c->s, c->tag, "Too many contexts");
	return ERR_OK;
}

/* A hint; what may be used again is cached in any case. */
static enum err return_context(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	return ERR_OK;
}

/* ---- CANCELUPDATE ---- */

static enum step cancel_start(struct imap_cmd *c)
{
	const struct imap_arg *a = c->args;
	bool unknown = false;
	struct span tag;

	for (; a && imap_arg_string(a, &tag); a = a->next) {
		struct context **link = find(c->s, tag);

		unknown |= !link;
		if (link)
			drop_one(link);
	}
	if (a || !c->args)
		return imap_bad(c, "Tags in quotes are expected.");
	return unknown ? imap_no(c, NULL, "Unknown tag.") : imap_ok(c, NULL, "No further updates.");
}

static const struct imap_capability capabilities[] = {
	{ "CONTEXT=SEARCH", NULL },
	{ "CONTEXT=SORT", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "CANCELUPDATE", IMAP_SELECTED, 0, cancel_start, NULL },
	{ 0 },
};

static const struct imap_modifier modifiers[] = {
	{ "UPDATE", IMAP_OF_RETURN, return_update },
	{ "CONTEXT", IMAP_OF_RETURN, return_context },
	{ 0 },
};

const struct imap_module imap_ext_context = {
	.name = "context",
	.capabilities = capabilities,
	.commands = commands,
	.modifiers = modifiers,
};
