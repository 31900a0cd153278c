/* verify, adopt, release, dump: reports. No message is changed by them. */
#include "room.h"

#include "base/guid.h"

#include <inttypes.h>

/* --- verify -------------------------------------------------------------------------------- */

static const char *const verify_columns[] = { "mailbox", "uid", "difference" };
static const unsigned verify_flags[] = { COLUMN_BARE, COLUMN_BARE, COLUMN_BARE };

static enum err verify_start(struct jobs *j, struct errtext *t)
{
	job_columns(j, verify_columns, verify_flags, 3);
	return job_choose_masks(j, j->arg, j->args, true, t);
}

static void verify_found(void *ctx, uint32_t uid, const char *what)
{
	struct jobs *j = ctx;

	job_row_begin(j);
	job_cell_str(j, j->name);
	job_cell_u64(j, uid);
	job_cell_str(j, what);
	job_row_end(j);
	if (j->status == STATUS_OK)
		j->status = STATUS_DATA;
}

static void verify_drop(void *state)
{
	acct_verify_free(state);
}

static enum step verify_folder(struct jobs *j)
{
	struct acct_verify *job = j->box_state;
	enum step step;

	if (!job) {
		job = job_box_state(j, sizeof(*job), verify_drop);
		if (!job)
			return job_short(j);
		job->name = j->folder[j->at].name;
		job->found = verify_found;
		job->ctx = j;
	}
	step = acct_verify(j->acct, job);
	job_progress(j, job->done, job->goal, j->name);
	if (step == STEP_DONE && job->err && job->err != ERR_NOTFOUND)
		job_fail(j, job->err, &job->text, "Mailbox %s", j->name);
	return step;
}

/* --- adopt and release --------------------------------------------------------------------- */

static const char *const adopt_columns[] = { "mailbox",	 "uidvalidity", "messages",   "lastuid",
					     "keywords", "subscribed",	"clientswill" };
static const char *const release_columns[] = { "mailbox",  "uidvalidity", "messages",	 "lastuid", "keywords",
					       "subscribed", "clientswill", "highestmodseq", "command" };

enum { SEEN_RANGES = 500, COMMANDS_MAX = 32 << 20 };

static enum err adopt_start(struct jobs *j, struct errtext *t)
{
	static const unsigned flags[9] = { COLUMN_BARE, COLUMN_NUMBER, COLUMN_NUMBER, COLUMN_NUMBER, COLUMN_NUMBER };
	static const unsigned alone = COLUMN_BARE | COLUMN_ALONE;
	bool release = strcmp(j->cmd->name, "release") == 0;

	if (!release && !j->option['c'])
		return err_say(t, ERR_CANNOT, "adopt only reports: say --check. The server adopts folders when they are opened");
	if (release && j->option['s'])
		job_columns(j, &release_columns[8], &alone, 1);
	else
		job_columns(j, release ? release_columns : adopt_columns, flags, release ? 9 : 7);
	return job_choose_masks(j, j->arg, j->args, true, t);
}

static void survey_row(struct jobs *j, const struct acct_survey *s, const char *notice)
{
	job_row_begin(j);
	job_cell_str(j, j->name);
	if (s->uidvalidity)
		job_cell_u64(j, s->uidvalidity);
	else
		job_cell_str(j, "-");
	job_cell_u64(j, s->messages);
	job_cell_u64(j, s->last_uid);
	job_cell_u64(j, s->keywords);
	job_cell_str(j, j->folder[j->at].flags & FOLDER_SUBSCRIBED ? "yes" : "no");
	job_cell_str(j, notice);
}

static enum step adopt_folder(struct jobs *j)
{
	struct acct_survey s = { .name = j->folder[j->at].name };
	struct errtext t = { "" };
	enum err e = acct_survey(j->acct, &s, &t);
	const char *notice = "notice nothing";

	if (e) {
		job_fail(j, e, &t, "Mailbox %s", j->name);
		return STEP_DONE;
	}
	if (s.note)
		notice = s.note;
	else if (s.messages && s.unnumbered == s.messages)
		notice = "see a mailbox without UIDs: everything is new to them";
	else if (s.unnumbered)
		notice = arena_printf(j->box_arena, "notice %u new messages", s.unnumbered);
	survey_row(j, &s, notice ? notice : "");
	job_row_end(j);
	return STEP_DONE;
}

/* In single quotes, for a shell. */
static const char *quoted(struct jobs *j, const char *text)
{
	struct buf b;
	const char *out;

	buf_init(&b, 8192);
	buf_add_char(&b, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_add_str(&b, "'\\'");
		buf_add_char(&b, *text);
	}
	buf_add_char(&b, '\'');
	out = b.failed ? NULL : arena_span(j->box_arena, buf_span(&b));
	buf_free(&b);
	return out ? out : "";
}

struct releasing {
	struct acct_status status;
	struct acct_release release;
	bool counted;
};

static void release_drop(void *state)
{
	struct releasing *g = state;

	acct_status_free(&g->status);
	acct_release_free(&g->release);
	set_free(&g->release.seen);
}

/*
 * What makes Dovecot (2.3 and 2.4) tell a client that knows our modseqs all that it missed. Its index goes: flags that changed
 * and changed back here would look to it as they were. Then its modseqs begin above ours, and every message gets one of those.
 * Last, its log is removed, too, and begun anew there: only where no log reaches back to the client's modseq does Dovecot compare
 * UIDs and tell all that are gone, also those which came and went while it did not look. (-f: for without it the index of an
 * empty mailbox is nothing but its log.)
 */
static void add_commands(struct buf *out, const char *user, const char *name, uint64_t modseq)
{
	buf_printf(
		out,
		"i=$(doveadm mailbox path -u %s -t index %s) && [ -n \"$i\" ] && "
		"rm -f \"$i\"/dovecot.index \"$i\"/dovecot.index.log \"$i\"/dovecot.index.log.2 && "
		"doveadm mailbox update -u %s --min-highest-modseq %" PRIu64 " %s && doveadm force-resync -f -u %s %s && "
		"rm \"$i\"/dovecot.index.log && rm -f \"$i\"/dovecot.index.log.2 && doveadm force-resync -u %s %s",
		user, name, user, modseq, name, user, name, user, name);
}

/* Where \Seen is each user's own no folder tells Dovecot. Commands of a length that every shell takes. */
static void add_seen(struct buf *out, const char *user, const char *name, const struct set *seen)
{
	buf_printf(out, " && doveadm flags remove -u %s '\\Seen' mailbox %s all", user, name);
	for (size_t i = 0; i < seen->n; i++) {
		if (i % SEEN_RANGES == 0)
			buf_printf(out, " && doveadm flags add -u %s '\\Seen' mailbox %s uid ", user, name);
		else
			buf_add_char(out, ',');
		buf_printf(out, "%u:%u", seen->r[i].first, seen->r[i].last);
	}
}

static const char *dovecot_commands(struct jobs *j, const struct acct_release *r)
{
	const char *user = quoted(j, j->cfg.user), *name = quoted(j, j->name), *text;
	struct buf out;

	buf_init(&out, COMMANDS_MAX);
	add_commands(&out, user, name, r->raise);
	if (r->own_seen)
		add_seen(&out, user, name, &r->seen);
	text = out.failed ? NULL : arena_span(j->box_arena, buf_span(&out));
	buf_free(&out);
	return text ? text : "";
}

static void release_row(struct jobs *j, const struct releasing *g, const struct acct_survey *s)
{
	if (j->option['s']) {
		job_row_begin(j);
	} else {
		survey_row(j, s, s->keywords_ours ? "miss the keywords beyond the first 26" : "notice nothing");
		job_cell_u64(j, g->status.highestmodseq);
	}
	job_cell_str(j, dovecot_commands(j, &g->release));
	job_row_end(j);
}

static enum step release_mailbox(struct jobs *j)
{
	struct acct_survey s = { .name = j->folder[j->at].name };
	struct releasing *g = j->box_state;
	struct errtext t = { "" };
	enum step step;
	enum err e;

	if (!g) {
		g = job_box_state(j, sizeof(*g), release_drop);
		if (!g)
			return job_short(j);
		g->status.name = g->release.name = s.name;
		g->release.note = !j->dry;
	}
	if (!g->counted) {
		step = acct_status(j->acct, &g->status);
		if (step != STEP_DONE)
			return step;
		g->counted = true;
	}
	step = g->status.err ? STEP_DONE : acct_release(j->acct, &g->release);
	job_progress(j, g->release.done, g->release.goal, j->name);
	if (step != STEP_DONE)
		return step;
	e = g->status.err ? g->status.err : g->release.err ? g->release.err : acct_survey(j->acct, &s, &t);
	if (e) {
		job_fail(j, e, g->status.err ? &g->status.text : g->release.err ? &g->release.text : &t, "Mailbox %s", j->name);
		return STEP_DONE;
	}
	s.uidvalidity = g->status.uidvalidity;
	release_row(j, g, &s);
	return STEP_DONE;
}

/* --- dump ------------------------------------------------------------------------------------- */

static const char *const index_columns[] = { "uid", "modseq", "flags", "received", "saved", "size", "vsize", "emailid", "key" };
static const char *const folder_columns[] = { "uid", "flags", "keywords", "size", "vsize", "uidl", "key", "hint" };

static bool dumps_index(const struct jobs *j)
{
	return !j->option['t'] || strcmp(j->option['t'], "index") == 0;
}

static enum err dump_start(struct jobs *j, struct errtext *t)
{
	const char *type = j->option['t'];

	if (!dumps_index(j) && strcmp(type, "uidlist") != 0 && strcmp(type, "mbox") != 0)
		return err_say(t, ERR_CANNOT, "Unknown type: %s (index, uidlist, mbox)", type);
	if (dumps_index(j))
		job_columns(j, index_columns, NULL, 9);
	else
		job_columns(j, folder_columns, NULL, 8);
	return job_choose_masks(j, j->arg, j->args, true, t);
}

static void size_cell(struct jobs *j, uint64_t n)
{
	if (n == UINT64_MAX)
		job_cell_str(j, "-");
	else
		job_cell_u64(j, n);
}

static void dump_folder_message(void *ctx, const struct store_msg *m)
{
	struct jobs *j = ctx;
	char bits[24];

	snprintf(bits, sizeof(bits), "%" PRIx64, m->flags.keywords);
	job_row_begin(j);
	job_cell_u64(j, m->uid);
	job_cell_u64(j, m->flags.system);
	job_cell_str(j, bits);
	size_cell(j, m->size);
	size_cell(j, m->vsize);
	job_cell(j, m->uidl);
	job_cell(j, m->key);
	job_cell(j, m->hint);
	job_row_end(j);
}

static enum step dump_folder(struct jobs *j)
{
	struct acct_survey s = { .name = j->folder[j->at].name, .message = dump_folder_message, .ctx = j };
	struct errtext t = { "" };
	enum err e = dumps_index(j) ? ERR_OK : acct_survey(j->acct, &s, &t);

	if (e)
		job_fail(j, e, &t, "Mailbox %s", j->name);
	return STEP_DONE;
}

static void walk_drop(void *state)
{
	view_walk_end(state);
}

static void dump_message(struct jobs *j, const struct message_facts *m)
{
	char id[GUID_TEXT + 1];
	struct buf flags;

	buf_init(&flags, 16384);
	job_flags_write(view_state(j->v), m->flags, &flags);
	guid_text(m->emailid, id);
	job_row_begin(j);
	job_cell_u64(j, m->uid);
	job_cell_u64(j, m->modseq);
	job_cell(j, buf_span(&flags));
	job_cell_u64(j, (uint64_t)m->internaldate);
	job_cell_u64(j, (uint64_t)m->savedate);
	size_cell(j, m->size);
	size_cell(j, m->vsize);
	job_cell_str(j, id);
	job_cell(j, m->key);
	job_row_end(j);
	buf_free(&flags);
}

/* The records as they are: nothing is asked that would have to be made. */
static enum step dump_mailbox(struct jobs *j)
{
	struct view_walk **w = j->box_state;
	struct message_facts m;
	struct errtext t = { "" };
	enum err e = ERR_OK;

	if (!dumps_index(j))
		return STEP_DONE;
	if (!w) {
		w = job_box_state(j, sizeof(*w), walk_drop);
		e = w ? view_walk_begin(j->v, &j->uids, 0, w, &t) : ERR_MEMORY;
	}
	while (!e && !job_slice_over(j)) {
		e = view_walk_next(*w, &m, &t);
		if (!e)
			dump_message(j, &m);
		else if (view_err_passes(e))
			e = ERR_OK;
	}
	if (w && *w)
		view_walk_pause(*w);
	if (e && e != ERR_NOTFOUND)
		job_fail(j, e, &t, "Mailbox %s", j->name);
	return e ? STEP_DONE : job_yield(j);
}

const struct job_row job_rows_dump[] = {
	{ .name = "adopt", .start = adopt_start, .before = adopt_folder, .looks = true },
	{ .name = "dump", .start = dump_start, .before = dump_folder, .mailbox = dump_mailbox },
	{ .name = "release", .start = adopt_start, .mailbox = release_mailbox },
	{ .name = "verify", .start = verify_start, .before = verify_folder },
	{ 0 },
};
