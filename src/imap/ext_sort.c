/*
 * SORT and UID SORT (RFC 5256), SORT=DISPLAY (RFC 5957), and SORT RETURN (ESORT, RFC 5267 section
 * 3). A search whose result box sorts.
 */
#include "args.h"
#include "esearch.h"
#include "modules.h"

#include "base/mem.h"
#include "box/sort.h"

#include <stdlib.h>

struct sort {
	struct sort_by by[SORT_BY_MAX];
	size_t by_n;
	struct sort_run *run; /* own */
	uint32_t *order;      /* own: the result as answered */
	size_t n, at;         /* at: what is written next */
	struct imap_sorted sorted;
};

static const struct {
	const char *name;
	enum sort_key key;
} keys[] = {
	{ "ARRIVAL", SORT_ARRIVAL },
	{ "CC", SORT_CC },
	{ "DATE", SORT_DATE },
	{ "DISPLAYFROM", SORT_DISPLAYFROM },
	{ "DISPLAYTO", SORT_DISPLAYTO },
	{ "FROM", SORT_FROM },
	{ "SIZE", SORT_SIZE },
	{ "SUBJECT", SORT_SUBJECT },
	{ "TO", SORT_TO },
	{ NULL, SORT_KEYS },
};

static void sort_free(void *arg)
{
	struct sort *so = arg;

	sort_end(&so->run);
	free(so->order);
}

static bool add_key(struct sort *so, const struct imap_arg *a, bool reverse)
{
	size_t i = 0;

	while (keys[i].name && !imap_arg_word(a, keys[i].name))
		i++;
	if (!keys[i].name)
		return false;
	for (size_t k = 0; k < so->by_n; k++)
		if (so->by[k].key == keys[i].key)
			return true;
	so->by[so->by_n++] = (struct sort_by){ keys[i].key, reverse };
	return true;
}

/* "(REVERSE DATE SUBJECT)" */
static bool read_criteria(struct sort *so, const struct imap_arg **a)
{
	const struct imap_arg *k;

	if (!imap_arg_list(*a, &k) || !k)
		return false;
	for (; k; k = k->next) {
		bool reverse = imap_arg_word(k, "REVERSE");

		if (reverse)
			k = k->next;
		if (!k || !add_key(so, k, reverse))
			return false;
	}
	*a = (*a)->next;
	return true;
}

/* "* SORT 3 1 2", in pieces. */
static enum step write_sort(struct imap_search *s)
{
	struct imap_session *ses = s->c->s;
	struct sort *so = s->variant;

	if (!so->at)
		buf_add_str(imap_out(ses), "* SORT");
	while (so->at < so->n) {
		struct buf *out = imap_out(ses);

		buf_add_char(out, ' ');
		buf_add_u64(out, so->order[so->at++]);
		if (so->at % 1024)
			continue;
		stream_push(ses->stream);
		if (imap_out_full(ses))
			return STEP_OUTPUT_FULL;
	}
	if (s->modseq && so->n) /* RFC 7162 section 3.1.9 */
		buf_printf(imap_out(ses), " (MODSEQ %llu)", (unsigned long long)s->max_modseq);
	buf_add_str(imap_out(ses), "\r\n");
	stream_push(ses->stream);
	return STEP_DONE;
}

/* UIDs become what the client asked for; the same numbers as in s->numbers, in order. */
static void take_order(struct imap_search *s, struct sort *so)
{
	const uint32_t *uid = sort_result(so->run, &so->n);
	struct set_ranks ranks = { NULL, NULL };

	so->sorted = (struct imap_sorted){ so->by, so->by_n, uid, so->n };
	s->sorted = &so->sorted;
	so->order = mem_array(so->n + 1, sizeof(*so->order));
	if (s->c->row->flags & IMAP_CMD_UID) {
		memcpy(so->order, uid, so->n * sizeof(*uid));
	} else {
		set_ranks_init(&ranks, view_uids(s->c->s->view));
		for (size_t i = 0; i < so->n; i++)
			so->order[i] = (uint32_t)set_ranks_of(&ranks, uid[i]) + 1;
		set_ranks_free(&ranks);
	}
	if (s->option)
		((struct esearch *)s->option)->order = so->order;
}

static enum step sort_on(struct imap_search *s)
{
	struct sort *so = s->variant;
	struct errtext t = { "" };
	enum err e = ERR_OK;
	enum step step;

	if (!so->run)
		e = sort_start(s->c->s->view, &s->uids, so->by, so->by_n, &so->run, &t);
	if (e)
		return imap_fail(s->c, e, t.text);
	step = sort_step(so->run, &e, &t);
	if (step != STEP_DONE)
		return step;
	if (e)
		return imap_fail(s->c, e, t.text);
	take_order(s, so);
	return STEP_DONE;
}

static enum step sort_begin(struct imap_cmd *c)
{
	struct imap_search *s = imap_search_new(c);
	const struct imap_arg *a = c->args;
	struct sort *so;

	if (!s || !imap_search_options(s, &a))
		return STEP_DONE;
	so = arena_alloc(c->arena, sizeof(*so));
	if (!so || !arena_cleanup(c->arena, sort_free, so))
		return imap_fail(c, ERR_MEMORY, NULL);
	if (!read_criteria(so, &a))
		return imap_bad(c, "Invalid sort criteria.");
	if (!imap_search_charset(s, &a, false))
		return STEP_DONE;
	s->variant = so;
	s->refine = sort_on;
	if (!s->result)
		s->result = write_sort;
	s->done = "Sort completed.";
	return imap_search_run(s, a);
}

static const struct imap_capability capabilities[] = {
	{ "SORT", NULL },
	{ "SORT=DISPLAY", NULL },
	{ "ESORT", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "SORT", IMAP_SELECTED, IMAP_CMD_SEQUENCE, sort_begin, NULL },
	{ "UID SORT", IMAP_SELECTED, IMAP_CMD_UID, sort_begin, NULL },
	{ 0 },
};

const struct imap_module imap_ext_sort = {
	.name = "sort",
	.capabilities = capabilities,
	.commands = commands,
};
