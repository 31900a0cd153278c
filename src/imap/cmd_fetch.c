/*
 * FETCH and UID FETCH (RFC 3501 section 6.4.5): the items are compiled once into a small array,
 * then one loop walks the messages. It knows no item. What the index answers comes first in each
 * response, bytes behind it.
 */
#include "args.h"
#include "fetch.h"
#include "modules.h"

enum { PUSH_BYTES = 32 << 10 }; /* how much is appended before the stream is asked whether it is full */

/* ---- compiling ---- */

static bool add_op(struct imap_fetch *f, const struct imap_fetch_item *item, const struct imap_arg **a)
{
	struct imap_fetch_op op = { .item = item };
	enum err e;

	for (size_t i = 0; i < f->ops; i++)
		if (f->op[i].item == item && !(item->flags & (IMAP_FETCH_SECTION | IMAP_FETCH_ARGS)))
			return true; /* asked for twice, answered once */
	if (f->ops == IMAP_FETCH_OPS_MAX) {
		imap_fail(f->c, ERR_LIMIT, "Too many FETCH items.");
		return false;
	}
	e = item->parse ? item->parse(f, a, &op) : ERR_OK;
	if (e) {
		if (!f->c->cond)
			imap_fail(f->c, e, "Invalid arguments of a FETCH item.");
		return false;
	}
	f->want |= item->want;
	f->seen |= item->flags & IMAP_FETCH_SEEN;
	f->op[f->ops++] = op;
	return true;
}

static bool add_named(struct imap_fetch *f, struct span name, bool section, const struct imap_arg **a)
{
	const struct imap_fetch_item *item = imap_fetch_item_find(f->c->s, name, section);

	if (item)
		return add_op(f, item, a);
	imap_bad(f->c, "Unknown FETCH item.");
	return false;
}

bool imap_fetch_add(struct imap_fetch *f, struct span name)
{
	const struct imap_arg *none = NULL;

	return add_named(f, name, false, &none);
}

static bool add_macro(struct imap_fetch *f, const struct imap_fetch_macro *macro)
{
	struct span rest = span_str(macro->items), name;

	while (span_split(&rest, ' ', &name))
		if (!imap_fetch_add(f, name))
			return false;
	return true;
}

/* One item, which moves *a behind itself and what it took. */
static bool add_item(struct imap_fetch *f, const struct imap_arg **a)
{
	const struct imap_arg *item = *a;
	bool section = item->type == IMAP_ARG_SECTION;

	if (item->type != IMAP_ARG_ATOM && !section) {
		imap_bad(f->c, "FETCH list contains non-atoms.");
		return false;
	}
	*a = item->next;
	return add_named(f, item->s, section, section ? &item : a);
}

/* A macro, an item or a list of items, behind which *a stands then. */
static bool add_items(struct imap_fetch *f, const struct imap_arg **a)
{
	const struct imap_arg *what = *a, *item = what->child;
	const struct imap_fetch_macro *macro =
		what->type == IMAP_ARG_ATOM ? imap_fetch_macro_find(f->c->s, what->s) : NULL;

	if (!macro && what->type != IMAP_ARG_LIST)
		return add_item(f, a);
	*a = what->next;
	if (macro)
		return add_macro(f, macro);
	if (!item) {
		imap_bad(f->c, "FETCH list is empty.");
		return false;
	}
	while (item)
		if (!add_item(f, &item))
			return false;
	return true;
}

/* Items without bytes to the front, in the order asked. */
static bool sort_ops(struct imap_fetch *f)
{
	struct imap_fetch_op *sorted = arena_array(f->c->arena, f->ops + 1, sizeof(*sorted));
	size_t n = 0;

	if (!sorted)
		return false;
	for (size_t i = 0; i < f->ops; i++)
		if (!(f->op[i].item->flags & IMAP_FETCH_BYTES))
			sorted[n++] = f->op[i];
	f->meta = n;
	for (size_t i = 0; i < f->ops; i++)
		if (f->op[i].item->flags & IMAP_FETCH_BYTES)
			sorted[n++] = f->op[i];
	f->op = sorted;
	for (size_t i = 0; i < f->meta; i++)
		f->has_flags |= f->op[i].item == imap_fetch_item_find(f->c->s, SPAN("FLAGS"), false);
	return true;
}

static bool add_modifiers(struct imap_fetch *f, const struct imap_arg *a)
{
	if (a && a->type == IMAP_ARG_LIST) {
		if (!imap_args_modifiers(f->c, a, IMAP_OF_FETCH, f))
			return false;
		a = a->next;
	}
	return imap_args_end(f->c, a);
}

/* What a FETCH that nobody asked for carries besides. */
static bool add_unsolicited(struct imap_fetch *f)
{
	const struct imap_fetch_item *const *item = f->c->s->hooks.unsolicited + 1;

	for (; *item; item++)
		if (!imap_fetch_add(f, span_str((*item)->name)))
			return false;
	return imap_fetch_add(f, SPAN("UID"));
}

static bool compile(struct imap_fetch *f, const struct imap_arg *a, bool modifiers)
{
	bool uid = f->c->row && f->c->row->flags & IMAP_CMD_UID;

	f->op = arena_array(f->c->arena, IMAP_FETCH_OPS_MAX, sizeof(*f->op));
	if (f->op && (!uid || imap_fetch_add(f, SPAN("UID"))) && add_items(f, &a) &&
	    (!f->unsolicited || add_unsolicited(f)) && (!modifiers || add_modifiers(f, a)) && sort_ops(f))
		return true;
	if (!f->c->cond)
		imap_fail(f->c, ERR_MEMORY, NULL);
	return false;
}

bool imap_fetch_compile(struct imap_fetch *f, const struct imap_arg *items)
{
	return compile(f, items, false);
}

static bool read_args(struct imap_fetch *f, const struct imap_arg *a)
{
	if (a)
		return compile(f, a, true);
	imap_bad(f->c, "FETCH items are missing.");
	return false;
}

/* ---- the walk ---- */

/* Sets \Seen where bodies were shown; when that fails, or a modseq goes with it, it is announced. */
static void apply_marks(struct imap_fetch *f)
{
	struct imap_session *s = f->c->s;
	struct view_store st = {
		.mode = VIEW_FLAGS_ADD,
		.system = MAIL_SEEN,
		.silent = true,
		.unchangedsince = UINT64_MAX,
	};

	if (!f->mark.n)
		return;
	if (view_store(s->view, &f->mark, &st, NULL) || imap_tells_own(s))
		set_add_set(&s->echo, &f->mark);
	set_free(&st.modified);
	set_clear(&f->mark);
	imap_session_busy(s);
}

static void pause_walk(struct imap_fetch *f)
{
	stream_push(f->c->s->stream);
	if (f->walk)
		view_walk_pause(f->walk);
	apply_marks(f);
}

/* True: the message is to be marked as seen. */
static bool write_meta(struct imap_fetch *f, struct buf *out)
{
	bool newly = f->seen && !(f->m.flags.system & MAIL_SEEN);
	bool later = imap_tells_own(f->c->s); /* with its modseq: this one's goes with the flags as they are */
	size_t n = 0;

	if (newly && !later)
		f->m.flags.system |= MAIL_SEEN;
	buf_add(out, "* ", 2);
	buf_add_u64(out, f->m.seq);
	buf_add(out, " FETCH (", 8);
	for (size_t i = 0; i < f->meta; i++) {
		buf_add(out, " ", n > 0);
		n++;
		f->op[i].item->emit(&f->emit, &f->m, out);
	}
	if (newly && !f->has_flags && !later) {
		buf_add(out, " ", n > 0);
		n++;
		imap_emit_flags(&f->emit, f->m.flags, out);
	}
	buf_add(out, " ", n > 0 && f->ops > f->meta);
	return newly;
}

/* The items with bytes of the present message, as far as the output takes them. */
static enum step write_bytes(struct imap_fetch *f)
{
	struct imap_session *s = f->c->s;

	while (f->at < f->ops) {
		enum step step = f->op[f->at].item->emit_bytes(f, &f->op[f->at]);

		if (step != STEP_DONE || s->phase == IMAP_ENDING)
			return step;
		f->at++;
		if (f->at == f->ops)
			break;
		buf_add_char(imap_out(s), ' ');
		if (imap_slice_over(f->c))
			return STEP_SLICE;
	}
	buf_add_str(imap_out(s), ")\r\n");
	stream_push(s->stream);
	message_close(&f->msg);
	return STEP_DONE;
}

static void hang_up(struct imap_session *s)
{
	imap_session_bye(s, IMAP_END_FAILED, NULL, "A message could not be read.");
}

/* As imap_fetch_failure says: the rest is sent and the answer is NO, or the client must not go on with half a mailbox. */
static void unreadable(struct imap_fetch *f, enum err e)
{
	struct imap_session *s = f->c->s;

	f->late = e;
	if (s->cfg.settings.fetch_failure == IMAP_FETCH_END_NOW) {
		f->err = e; /* nothing more is written */
		imap_session_end(s, IMAP_END_FAILED, "a message could not be read");
	} else if (s->cfg.settings.fetch_failure == IMAP_FETCH_END_AFTER)
		f->c->after = hang_up;
}

void imap_fetch_failed(struct imap_fetch *f, enum err e)
{
	if (e == ERR_EXPUNGED)
		f->gone = true;
	else if (e == ERR_CTE)
		f->late = e;
	else if (view_err_passes(e))
		unreadable(f, e);
	else if (e)
		f->err = e;
}

/* The next message: false at the end of the walk. What was expunged meanwhile or cannot be read is left out (RFC 2180
 * section 4.1.2). */
static bool next_message(struct imap_fetch *f)
{
	enum err e = view_walk_next(f->walk, &f->m, &f->text);

	while (view_err_passes(e)) {
		imap_fetch_failed(f, e);
		e = view_walk_next(f->walk, &f->m, &f->text);
	}
	f->again = e == ERR_AGAIN;
	if (e && e != ERR_NOTFOUND && !f->again)
		f->err = e;
	f->c->done += !f->again;
	return !e;
}

/* Opens what the present message's items need; false: this message is left out, or begun anew. */
static bool open_message(struct imap_fetch *f)
{
	enum err e;

	if (f->ops == f->meta)
		return true;
	e = message_open(f->c->s->view, f->m.uid, &f->opening, &f->text);
	f->again = e == ERR_AGAIN;
	if (f->again) {
		view_walk_back(f->walk);
		f->c->done--;
		return false;
	}
	f->msg = f->opening;
	f->opening = NULL;
	imap_fetch_failed(f, e);
	return !e;
}

static enum step fetch_done(struct imap_fetch *f)
{
	struct imap_cmd *c = f->c;

	view_walk_end(&f->walk);
	if (c->s->phase == IMAP_ENDING)
		return STEP_DONE;
	if (f->err)
		return imap_fail(c, f->err, f->text.text);
	if (f->late)
		return imap_fail(c, f->late, f->text.text);
	if (f->gone && !(c->row->flags & IMAP_CMD_UID)) /* a UID that is gone is no error (RFC 3501 section 6.4.8) */
		return imap_fail(c, ERR_EXPUNGED, NULL);
	return imap_ok(c, NULL, "Fetch completed.");
}

/*
 * The present message, but for its bytes. Nothing when it cannot be opened: that is tried last, for it may find the index damaged
 * or gone, and with it what the facts point to.
 */
static void write_message(struct imap_fetch *f, struct buf *out)
{
	size_t from = out->n;
	bool newly = write_meta(f, out);

	if (!open_message(f)) {
		out->n = from;
		return;
	}
	if (newly)
		set_add(&f->mark, f->m.uid);
	if (!f->msg)
		buf_add(out, ")\r\n", 3);
}

/* Messages until the output is full, the slice is used or there are no more. */
static enum step walk_on(struct imap_fetch *f)
{
	struct imap_session *s = f->c->s;
	struct buf *out = imap_out(s);
	size_t from = out->n;

	for (unsigned i = 1; next_message(f); i++) {
		if (f->m.new_keywords)
			imap_tell_keywords(s, &f->emit);
		write_message(f, out);
		if (f->msg) {
			f->at = f->meta;
			return STEP_OUTPUT_FULL; /* the caller goes on with its bytes */
		}
		if (f->err)
			return STEP_DONE;
		if (f->again)
			return STEP_SLICE;
		if (out->n - from < PUSH_BYTES && i % 32)
			continue;
		stream_push(s->stream);
		if (imap_out_full(s))
			return STEP_OUTPUT_FULL;
		if (imap_slice_over(f->c))
			return STEP_SLICE;
		out = imap_out(s);
		from = out->n;
	}
	return f->again ? STEP_SLICE : STEP_DONE;
}

/* What the modifiers do first; then the walk can begin. */
static enum step begin_walk(struct imap_fetch *f)
{
	enum step step = f->before ? f->before(f) : STEP_DONE;
	enum err e;

	if (step != STEP_DONE || f->c->cond)
		return step;
	f->seen = f->seen && (!view_state(f->c->s->view)->readonly || view_state(f->c->s->view)->seen_only);
	e = view_walk_begin(f->c->s->view, &f->uids, f->want, &f->walk, &f->text);
	imap_emit_init(&f->emit, f->c->s->view);
	f->c->goal = set_count(&f->uids);
	return e ? imap_fail(f->c, e, f->text.text) : STEP_DONE;
}

enum step imap_fetch_run(struct imap_fetch *f)
{
	struct imap_cmd *c = f->c;
	enum step step = f->walk ? STEP_DONE : begin_walk(f);

	if (step != STEP_DONE || c->cond)
		return step;
	do {
		if (f->msg)
			step = write_bytes(f);
		if (step == STEP_DONE && c->s->phase != IMAP_ENDING)
			step = walk_on(f);
	} while (step == STEP_OUTPUT_FULL && f->msg && !imap_out_full(c->s) && !imap_slice_over(c));
	pause_walk(f);
	c->midway = f->msg != NULL;
	if (step == STEP_OUTPUT_FULL && !imap_out_full(c->s))
		step = STEP_SLICE;
	return step;
}

static enum step fetch_step(struct imap_cmd *c)
{
	enum step step = imap_fetch_run(c->state);

	return step == STEP_DONE && !c->cond ? fetch_done(c->state) : step;
}

void imap_fetch_free(void *arg)
{
	struct imap_fetch *f = arg;

	view_walk_end(&f->walk);
	message_close(&f->opening);
	message_close(&f->msg);
	set_free(&f->mark);
}

static enum step fetch_start(struct imap_cmd *c)
{
	struct imap_fetch *f = imap_cmd_state(c, sizeof(*f));
	const struct imap_arg *a = c->args;

	if (!f)
		return STEP_DONE;
	f->c = c;
	if (!imap_args_set(c, &a, &f->uids) || !read_args(f, a))
		return STEP_DONE;
	if (!arena_cleanup(c->arena, imap_fetch_free, f))
		return imap_fail(c, ERR_MEMORY, NULL);
	c->step = fetch_step;
	return fetch_step(c);
}

static const struct imap_command_row commands[] = {
	{ "FETCH", IMAP_SELECTED, IMAP_CMD_SEQUENCE, fetch_start, NULL },
	{ "UID FETCH", IMAP_SELECTED, IMAP_CMD_UID, fetch_start, NULL },
	{ 0 },
};

const struct imap_module imap_fetching = {
	.name = "fetch",
	.commands = commands,
};
