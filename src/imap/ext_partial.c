/*
 * PARTIAL (RFC 9394; for SEARCH first in RFC 5267 section 4.4): a range of a result, counted from
 * its begin or, with minus signs, from its end. Of UID FETCH it picks among the messages named that
 * are there, before other modifiers look at them (section 3.4).
 */
#include "args.h"
#include "esearch.h"
#include "fetch.h"
#include "modules.h"

/* One end, "17" or "-17". */
static bool read_end(struct span *rest, bool *minus_r, uint32_t *n_r)
{
	uint64_t n;

	*minus_r = rest->n && rest->p[0] == '-';
	*rest = span_from(*rest, *minus_r);
	if (!rest->n || rest->p[0] == '0' || !span_u64(*rest, &n) || n > UINT32_MAX)
		return false;
	*n_r = (uint32_t)n;
	return true;
}

/* "1:100" or "-1:-100", in either order. */
static bool read_range(const struct imap_arg **a, struct esearch_range *r_r)
{
	struct esearch_range r;
	struct span rest, end;
	bool minus;

	if (!imap_arg_atom(*a, &rest))
		return false;
	*a = (*a)->next;
	r.text = rest;
	if (!span_split(&rest, ':', &end) || !read_end(&end, &r.from_end, &r.first) ||
	    !read_end(&rest, &minus, &r.last) || minus != r.from_end)
		return false;
	if (r.first > r.last) {
		uint32_t first = r.last;

		r.last = r.first;
		r.first = first;
	}
	*r_r = r;
	return true;
}

static enum err return_partial(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	struct imap_search *s = state;
	struct esearch *es = s->option;

	if (es->items & ESEARCH_PARTIAL || !read_range(a, &es->partial))
		return ERR_SYNTAX;
	es->items |= ESEARCH_PARTIAL;
	return ERR_OK;
}

static enum err fetch_partial(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	struct imap_fetch *f = state;
	struct esearch_range r;
	uint64_t from, n;

	if (!(c->row->flags & IMAP_CMD_UID)) {
		imap_bad(c, "PARTIAL is for UID FETCH.");
		return ERR_SYNTAX;
	}
	if (f->partial || !read_range(a, &r))
		return ERR_SYNTAX;
	f->partial = true;
	imap_range_place(&r, set_count(&f->uids), &from, &n);
	set_slice(&f->uids, from, n);
	return ERR_OK;
}

static const struct imap_capability capabilities[] = {
	{ "PARTIAL", NULL },
	{ 0 },
};

static const struct imap_modifier modifiers[] = {
	{ "PARTIAL", IMAP_OF_RETURN, return_partial },
	{ "PARTIAL", IMAP_OF_FETCH, fetch_partial },
	{ 0 },
};

const struct imap_module imap_ext_partial = {
	.name = "partial",
	.capabilities = capabilities,
	.modifiers = modifiers,
};
