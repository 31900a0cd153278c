/* Going through the mailboxes that a command concerns: choosing, opening, searching, one after the other. */
#include "query.h"
#include "room.h"

#include "base/clock.h"
#include "base/mutf7.h"
#include "wire/imap_name.h"

enum { BOX_ARENA = 64 << 20, NAME_MAX_TEXT = 4096, REOPENED_MOST = 3 };

/* --- names -------------------------------------------------------------------------------- */

static const char *convert(struct arena *a, struct span name, bool (*fn)(struct span, struct buf *))
{
	struct buf b;
	const char *out;

	buf_init(&b, NAME_MAX_TEXT);
	out = fn(name, &b) && !b.failed ? arena_span(a, buf_span(&b)) : NULL;
	buf_free(&b);
	return out;
}

const char *job_name_in(struct arena *a, struct span utf8)
{
	return convert(a, utf8, mutf7_from_utf8);
}

const char *job_name(struct jobs *j, struct span utf8)
{
	const char *name = utf8.n ? job_name_in(j->arena, utf8) : NULL;

	if (!utf8.n)
		job_warn(j, STATUS_USAGE, "Invalid mailbox name: Name is empty");
	else if (!name)
		job_warn(j, STATUS_USAGE, "Invalid mailbox name: Not valid UTF-8: %.*s", (int)utf8.n, utf8.p);
	return name;
}

/* What is no modified UTF-7 is shown as it is. */
const char *job_name_out(struct arena *a, const char *mutf7)
{
	const char *out = convert(a, span_str(mutf7), mutf7_to_utf8);

	return out ? out : mutf7;
}

static bool same_name(const char *a, const char *b)
{
	if (imap_name_is_inbox(span_str(a)))
		return imap_name_is_inbox(span_str(b));
	return strcmp(a, b) == 0;
}

static bool has_folder(const struct jobs *j, const char *name)
{
	for (size_t i = 0; i < j->folders; i++)
		if (same_name(j->folder[i].name, name) &&
		    !(j->folder[i].flags & (FOLDER_NOSELECT | FOLDER_NONEXISTENT)))
			return true;
	return false;
}

/* A mailbox of this name that the list does not show (a hidden namespace): a folder of its own. */
static enum err add_hidden(struct jobs *j, const char *name, struct errtext *t)
{
	struct folder *f = arena_array(j->arena, j->folders + 1, sizeof(*f));
	enum err e = acct_exists(j->acct, name, t);

	if (e)
		return e;
	if (!f)
		return ERR_MEMORY;
	memcpy(f, j->folder, j->folders * sizeof(*f));
	f[j->folders++] = (struct folder){ .name = name, .separator = '.' };
	j->folder = f;
	return ERR_OK;
}

/* --- choosing ------------------------------------------------------------------------------ */

static enum err list(struct jobs *j, struct errtext *t)
{
	return acct_folders(j->acct, j->arena, &j->folder, &j->folders, t);
}

/* Names that are not there are told of; the others are seen to. */
static enum err need_name(struct jobs *j, struct span utf8, struct errtext *t)
{
	const char *name = job_name(j, utf8);
	enum err e = ERR_OK;

	if (!name || has_folder(j, name))
		return ERR_OK;
	e = add_hidden(j, name, t);
	if (e == ERR_NOTFOUND || e == ERR_CANNOT) {
		job_warn(j, STATUS_NOTFOUND, "Mailbox doesn't exist: %.*s", (int)utf8.n, utf8.p);
		return ERR_OK;
	}
	return e;
}

static bool wild(struct span mask)
{
	return span_find(mask, '*') != SIZE_MAX || span_find(mask, '%') != SIZE_MAX;
}

static bool masked(struct jobs *j, const struct folder *f, const struct span *mask, size_t n)
{
	const char *name = job_name_out(j->arena, f->name);

	for (size_t i = 0; i < n; i++)
		if (imap_name_match(mask[i], span_str(name), f->separator))
			return true;
	return n == 0;
}

enum err job_choose_masks(struct jobs *j, const struct span *mask, size_t n, bool strict, struct errtext *t)
{
	enum err e = list(j, t);

	for (size_t i = 0; !e && i < n; i++)
		if (!wild(mask[i]) && strict)
			e = need_name(j, mask[i], t);
	j->chosen = e ? NULL : arena_array(j->arena, j->folders + 1, sizeof(*j->chosen));
	if (e || !j->chosen)
		return e ? e : ERR_MEMORY;
	for (size_t i = 0; i < j->folders; i++)
		j->chosen[i] = masked(j, &j->folder[i], mask, n);
	return ERR_OK;
}

enum err job_choose_query(struct jobs *j, const struct span *word, size_t n, bool bound, struct errtext *t)
{
	static const struct span all = { "all", 3 };
	const char *verb = j->cmd->flags & MAILCMD_RELAY ? "move" : j->cmd->name;
	struct jobs_place any = { .now = clock_wall() };
	struct jobs_query q;
	struct span name;
	size_t at = 0;
	enum err e;

	if (!n) { /* copy DESTINATION user SOURCE_USER, as doveadm has it */
		word = &all;
		n = 1;
	}
	e = jobs_query_parse(word, n, &any, j->arena, &q, t);
	if (e)
		return e;
	if (bound && !q.bound) {
		job_warn(j, STATUS_USAGE, "%s: To avoid accidents, search query must contain MAILBOX in all search branches",
			 verb);
		return err_say(t, ERR_CANNOT, "nothing was done");
	}
	if (bound && !q.narrow) {
		job_warn(j, STATUS_USAGE,
			 "%s: To avoid accidents, search query must say in all branches which messages, if only by ALL",
			 verb);
		return err_say(t, ERR_CANNOT, "nothing was done");
	}
	e = list(j, t);
	while (!e && jobs_query_names(word, n, &at, &name))
		e = need_name(j, name, t);
	j->query = word;
	j->query_n = n;
	j->chosen = e ? NULL : arena_array(j->arena, j->folders + 1, sizeof(*j->chosen));
	for (size_t i = 0; !e && j->chosen && i < j->folders; i++) {
		struct jobs_place here = { .name = span_str(job_name_out(j->arena, j->folder[i].name)),
					   .separator = j->folder[i].separator,
					   .now = any.now };

		e = jobs_query_parse(word, n, &here, j->arena, &q, t);
		j->chosen[i] = !q.never;
	}
	return e || j->chosen ? e : ERR_MEMORY;
}

/* --- one mailbox ------------------------------------------------------------------------------ */

static void box_drop(struct jobs *j)
{
	query_end(&j->run);
	view_close(&j->v);
	set_clear(&j->uids);
}

void job_box_close(struct jobs *j)
{
	if (j->box_arena)
		arena_reset(j->box_arena);
	j->box_state = NULL;
	box_drop(j);
	j->phase = BOX_NONE;
}

/* False: there is no other. */
static bool next_chosen(struct jobs *j)
{
	while (j->at < j->folders &&
	       (!j->chosen[j->at] || (j->folder[j->at].flags & (FOLDER_NOSELECT | FOLDER_NONEXISTENT))))
		j->at++;
	return j->at < j->folders;
}

static enum err open_box(struct jobs *j, struct errtext *t)
{
	enum err e = view_open(j->acct, j->folder[j->at].name, !j->writes, &j->v, t);
	if (!e)
		view_leave_recent(j->v);
	return e;
}

static enum err start_query(struct jobs *j, struct errtext *t)
{
	const struct view_state *st = view_state(j->v);
	struct jobs_place here = { .name = span_str(j->name),
				   .separator = j->folder[j->at].separator,
				   .guid = st->guid,
				   .view = j->v,
				   .now = clock_wall() };
	struct jobs_query q;
	enum err e;

	if (!j->query) {
		set_copy(&j->uids, view_uids(j->v));
		return ERR_OK;
	}
	e = jobs_query_parse(j->query, j->query_n, &here, j->box_arena, &q, t);
	if (!e && !q.never)
		e = query_start(j->v, q.query, NULL, &j->run, t);
	return e;
}

static enum step open_step(struct jobs *j, enum err *e, struct errtext *t)
{
	struct view_changes c;
	enum step step;

	if (!j->v) {
		*e = open_box(j, t);
		if (*e)
			return STEP_DONE;
	}
	step = view_refresh(j->v, false, e, t);
	if (step != STEP_DONE || *e)
		return step;
	*e = view_update(j->v, true, j->box_arena, &c, t);
	if (*e == ERR_INUSE) {
		*e = ERR_OK;
		return STEP_WAITING;
	}
	if (*e)
		return STEP_DONE;
	view_changes_free(&c);
	*e = start_query(j, t);
	j->phase = BOX_SEARCHING;
	return *e ? STEP_DONE : STEP_SLICE;
}

static enum step search_step(struct jobs *j, enum err *e, struct errtext *t)
{
	enum step step = j->run ? query_step(j->run, &j->uids, e, t) : STEP_DONE;

	if (step != STEP_DONE || *e)
		return step;
	query_end(&j->run);
	j->phase = BOX_READY;
	return STEP_SLICE;
}

/* Progress in one mailbox, or its end. */
static enum step one_step(struct jobs *j)
{
	struct errtext t = { "" };
	enum err e = ERR_OK;
	enum step step;

	if (j->phase == BOX_READY)
		return j->row->mailbox(j);
	if (j->phase == BOX_NONE) {
		if (!j->box_arena)
			j->box_arena = arena_new(BOX_ARENA);
		j->name = job_name_out(j->box_arena, j->folder[j->at].name);
		j->phase = BOX_BEFORE;
		j->reopened = 0;
	}
	if (j->phase == BOX_BEFORE) {
		step = j->row->before ? j->row->before(j) : STEP_DONE;
		if (step != STEP_DONE || !j->row->mailbox)
			return step;
		arena_reset(j->box_arena);
		j->name = job_name_out(j->box_arena, j->folder[j->at].name);
		j->box_state = NULL;
		j->phase = BOX_OPENING;
	}
	step = j->phase == BOX_OPENING ? open_step(j, &e, &t) : search_step(j, &e, &t);
	if (e == ERR_NOTFOUND && acct_exists(j->acct, j->folder[j->at].name, NULL) != ERR_OK)
		return step; /* it went since it was listed */
	if (e == ERR_NOTFOUND && j->reopened++ < REOPENED_MOST) { /* it is another's record that went: the index is made anew */
		box_drop(j);
		j->phase = BOX_OPENING;
		return STEP_SLICE;
	}
	if (e)
		job_fail(j, e, &t, "Mailbox %s", j->name);
	return step;
}

enum step job_mailboxes(struct jobs *j)
{
	enum step step;

	if (!next_chosen(j))
		return j->row->last ? j->row->last(j) : STEP_DONE;
	step = one_step(j);
	if (step != STEP_DONE)
		return step;
	job_box_close(j);
	j->at++;
	return STEP_SLICE;
}
