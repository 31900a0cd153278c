/* SEARCH and UID SEARCH (RFC 3501 section 6.4.4): charset, running in slices, the answer. The keys
 * are in search_keys.c. */
#include "args.h"
#include "modules.h"
#include "search.h"

#include "base/clock.h"
#include "mime/decode.h"

static void search_free(void *arg)
{
	struct imap_search *s = arg;

	/* "A SEARCH command with the SAVE result option that caused the server to return the NO ... sets ... empty" */
	if (s->save && s->c->cond && s->c->cond[0] == 'N')
		set_clear(&s->c->s->saved);
	query_end(&s->run);
	set_free(&s->uids);
	set_free(&s->numbers);
	mime_charsets_free(&s->charsets);
}

/* "* SEARCH 1 2 3", in pieces: it may be long. */
static enum step write_result(struct imap_search *s)
{
	struct imap_session *ses = s->c->s;

	if (!s->range && !s->next)
		buf_add_str(imap_out(ses), "* SEARCH");
	for (; s->range < s->numbers.n; s->range++, s->next = 0) {
		const struct set_range *r = &s->numbers.r[s->range];

		for (uint32_t v = s->next ? s->next : r->first; v >= r->first && v <= r->last; v++) {
			struct buf *out = imap_out(ses);

			buf_add_char(out, ' ');
			buf_add_u64(out, v);
			if (v % 1024)
				continue;
			stream_push(ses->stream);
			s->next = v + 1;
			if (imap_out_full(ses))
				return STEP_OUTPUT_FULL;
		}
	}
	if (s->modseq && s->numbers.n)
		buf_printf(imap_out(ses), " (MODSEQ %llu)", (unsigned long long)s->max_modseq);
	buf_add_str(imap_out(ses), "\r\n");
	return STEP_DONE;
}

enum step imap_search_write_set(struct imap_search *s, const struct set *set)
{
	struct imap_session *ses = s->c->s;

	for (; s->range < set->n; s->range++) {
		const struct set_range *r = &set->r[s->range];
		struct buf *out = imap_out(ses);

		if (s->range)
			buf_add_char(out, ',');
		buf_add_u64(out, r->first);
		if (r->last > r->first) {
			buf_add_char(out, ':');
			buf_add_u64(out, r->last);
		}
		if (s->range % 512)
			continue;
		stream_push(ses->stream);
		if (imap_out_full(ses)) {
			s->range++;
			return STEP_OUTPUT_FULL;
		}
	}
	return STEP_DONE;
}

static void take_result(struct imap_search *s)
{
	s->found = true;
	s->max_modseq = s->modseq ? query_max_modseq(s->run) : 0;
	query_end(&s->run);
	if (s->save)
		set_copy(&s->c->s->saved, &s->uids);
	if (s->c->row->flags & IMAP_CMD_UID)
		set_copy(&s->numbers, &s->uids);
	else
		view_uids_to_seqs(s->c->s->view, &s->uids, &s->numbers);
}

/* The search, then what SORT or THREAD make of it: STEP_DONE without an answer when the result can be written. */
static enum step work_on(struct imap_search *s)
{
	struct imap_cmd *c = s->c;
	struct errtext t = { "" };
	enum err e = ERR_OK;
	enum step step;

	if (!s->found) {
		step = query_step(s->run, &s->uids, &e, &t);
		query_progress(s->run, &c->done, &c->goal);
		if (step != STEP_DONE)
			return step;
		if (e)
			return imap_fail(c, e, t.text);
		take_result(s);
	}
	return s->refine ? s->refine(s) : STEP_DONE;
}

/* Counts the time, which a client could ask for without end. */
static enum step work_limited(struct imap_search *s)
{
	uint64_t from = clock_cpu_us();
	enum step step = work_on(s);

	s->spent_us += clock_cpu_us() - from;
	if (step != STEP_DONE && s->spent_us >= s->c->s->cfg.settings.search_ms * 1000)
		return imap_fail(s->c, ERR_LIMIT, "The search takes too long.");
	return step;
}

static enum step search_step(struct imap_cmd *c)
{
	struct imap_search *s = c->state;
	enum step step = c->midway ? STEP_DONE : work_limited(s);

	if (step != STEP_DONE || c->cond)
		return step;
	c->midway = true;
	step = s->result ? s->result(s) : write_result(s);
	if (step != STEP_DONE)
		return step;
	c->midway = false;
	if (s->keep)
		s->keep(s);
	return imap_ok(c, NULL, s->done ? s->done : "Search completed.");
}

static enum step bad_charset(struct imap_cmd *c)
{
	return imap_fail(c, ERR_CHARSET, NULL);
}

/* US-ASCII and UTF-8 need no converter. */
bool imap_search_charset(struct imap_search *s, const struct imap_arg **a, bool optional)
{
	struct span name;

	if (!imap_arg_astring(*a, &name)) {
		imap_bad(s->c, "Invalid charset argument.");
		return false;
	}
	*a = (*a)->next;
	if (s->c->s->hooks.utf8 && (optional || !span_ieq_str(name, "UTF-8"))) {
		imap_bad(s->c, "Strings are UTF-8 since ENABLE UTF8=ACCEPT.");
		return false;
	}
	if (span_ieq_str(name, "UTF-8") || span_ieq_str(name, "US-ASCII"))
		return true;
	s->charsets = mime_charsets_new();
	s->charset = name;
	if (mime_charsets_known(s->charsets, name))
		return true;
	bad_charset(s->c);
	return false;
}

/* A modifier's word with its own arguments. */
bool imap_search_options(struct imap_search *s, const struct imap_arg **a)
{
	struct span word;

	while (imap_arg_atom(*a, &word)) {
		const struct imap_modifier *m = imap_modifier_find(s->c->s, word, IMAP_OF_SEARCH);
		enum err e;

		if (!m)
			return true;
		*a = (*a)->next;
		e = m->parse(s->c, s, a);
		if (e) {
			if (!s->c->cond)
				imap_fail(s->c, e, NULL);
			return false;
		}
	}
	return true;
}

struct imap_search *imap_search_new(struct imap_cmd *c)
{
	struct imap_search *s = imap_cmd_state(c, sizeof(*s));

	if (!s)
		return NULL;
	s->c = c;
	if (arena_cleanup(c->arena, search_free, s))
		return s;
	imap_fail(c, ERR_MEMORY, NULL);
	return NULL;
}

enum step imap_search_run(struct imap_search *s, const struct imap_arg *a)
{
	struct imap_cmd *c = s->c;
	struct errtext t = { "" };
	enum err e;

	if (!imap_search_parse(s, a))
		return STEP_DONE;
	e = query_start(c->s->view, s->query, NULL, &s->run, &t);
	if (e)
		return imap_fail(c, e, t.text);
	c->step = search_step;
	return search_step(c);
}

static enum step search_start(struct imap_cmd *c)
{
	struct imap_search *s = imap_search_new(c);
	const struct imap_arg *a = c->args;

	if (!s || !imap_search_options(s, &a))
		return STEP_DONE;
	if (imap_arg_word(a, "CHARSET")) {
		a = a->next;
		if (!imap_search_charset(s, &a, true))
			return STEP_DONE;
	}
	return imap_search_run(s, a);
}

static const struct imap_command_row commands[] = {
	{ "SEARCH", IMAP_SELECTED, IMAP_CMD_SEQUENCE, search_start, NULL },
	{ "UID SEARCH", IMAP_SELECTED, IMAP_CMD_UID, search_start, NULL },
	{ 0 },
};

const struct imap_module imap_searching = {
	.name = "search",
	.commands = commands,
};
