/* mailbox list, status, create, delete, rename, subscribe, unsubscribe, path, update. */
#include "room.h"

#include "base/guid.h"
#include "base/must.h"
#include "box/patience.h"
#include "wire/imap_name.h"

/* --- list ------------------------------------------------------------------------------ */

static const char *const list_column[] = { "mailbox" };
static const unsigned bare[] = { COLUMN_BARE };

static enum err list_start(struct jobs *j, struct errtext *t)
{
	enum err e = job_choose_masks(j, j->arg, j->args, false, t);

	if (!e)
		job_columns(j, list_column, bare, 1);
	return e;
}

static enum step list_step(struct jobs *j)
{
	unsigned hidden = j->option['s'] ? 0 : FOLDER_NONEXISTENT;

	for (; j->at < j->folders && !job_slice_over(j); j->at++) {
		const struct folder *f = &j->folder[j->at];

		if (!j->chosen[j->at] || (f->flags & hidden) || (j->option['s'] && !(f->flags & FOLDER_SUBSCRIBED)))
			continue;
		job_row_begin(j);
		job_cell_str(j, j->option['7'] ? f->name : job_name_out(j->arena, f->name));
		job_row_end(j);
	}
	return j->at < j->folders ? job_yield(j) : STEP_DONE;
}

/* --- status ------------------------------------------------------------------------------ */

enum status_field {
	ST_MESSAGES, ST_RECENT, ST_UIDNEXT, ST_UIDVALIDITY, ST_UNSEEN, ST_MODSEQ, ST_VSIZE, ST_GUID, ST_FIRSTSAVED,
	ST_FIELDS
};

static const char *const status_names[ST_FIELDS] = {
	[ST_MESSAGES] = "messages",
	[ST_RECENT] = "recent",
	[ST_UIDNEXT] = "uidnext",
	[ST_UIDVALIDITY] = "uidvalidity",
	[ST_UNSEEN] = "unseen",
	[ST_MODSEQ] = "highestmodseq",
	[ST_VSIZE] = "vsize",
	[ST_GUID] = "guid",
	[ST_FIRSTSAVED] = "firstsaved",
};

enum { ST_SUMMED = 1 << ST_MESSAGES | 1 << ST_RECENT | 1 << ST_UNSEEN | 1 << ST_VSIZE, ST_ALL = (1 << ST_FIELDS) - 1 };

struct status {
	unsigned fields; /* bits of enum status_field */
	uint64_t sum[ST_FIELDS];
};

static enum err status_fields(struct span text, bool total, unsigned *fields_r, struct errtext *t)
{
	struct span w;

	*fields_r = 0;
	while (span_split(&text, ' ', &w)) {
		size_t i = 0;

		if (!w.n)
			continue;
		while (i < ST_FIELDS && !span_eq_str(w, status_names[i]))
			i++;
		if (i == ST_FIELDS && !span_eq_str(w, "all"))
			return err_say(t, ERR_CANNOT, "Unknown status field: %.*s", (int)w.n, w.p);
		*fields_r |= i < ST_FIELDS ? 1u << i : total ? ST_SUMMED : ST_ALL;
		if (total && (*fields_r & ~(unsigned)ST_SUMMED))
			return err_say(t, ERR_CANNOT, "Status field %.*s can't be used with -t", (int)w.n, w.p);
	}
	return *fields_r ? ERR_OK : err_say(t, ERR_CANNOT, "Missing status field");
}

static void status_columns(struct jobs *j, unsigned fields)
{
	const char *name[ST_FIELDS + 1] = { "mailbox" };
	unsigned flag[ST_FIELDS + 1] = { COLUMN_BARE };
	size_t n = j->option['t'] ? 0 : 1;

	for (size_t i = 0; i < ST_FIELDS; i++) {
		if (!(fields & 1u << i))
			continue;
		name[n] = status_names[i];
		flag[n++] = i == ST_GUID || i == ST_FIRSTSAVED ? 0 : COLUMN_NUMBER;
	}
	job_columns(j, name, flag, n);
}

static enum err status_start(struct jobs *j, struct errtext *t)
{
	struct status *st = job_state(j, sizeof(*st), NULL);
	enum err e = st ? status_fields(j->arg[0], j->option['t'], &st->fields, t) : ERR_MEMORY;

	if (e == ERR_CANNOT) {
		job_warn(j, STATUS_USAGE, "%s", t->text);
		return err_say(t, e, "see roostadm help");
	}
	if (!e)
		e = job_choose_masks(j, j->arg + 1, j->args - 1, j->args == 2, t); /* one alone must be there, as with doveadm */
	if (!e)
		status_columns(j, st->fields);
	return e;
}

static void status_drop(void *state)
{
	acct_status_free(state);
}

/* The save date of the first message, 0: there is none. */
static int64_t first_saved(struct jobs *j)
{
	struct set first = SET_EMPTY;
	struct message_facts f;
	struct view_walk *w = NULL;
	int64_t saved = 0;

	set_add(&first, set_min(view_uids(j->v)));
	if (view_uids(j->v)->n && view_walk_begin(j->v, &first, WANT_DATES, &w, NULL) == ERR_OK &&
	    view_walk_next(w, &f, NULL) == ERR_OK)
		saved = f.savedate;
	view_walk_end(&w);
	set_free(&first);
	return saved;
}

static void status_cell(struct jobs *j, const struct acct_status *s, enum status_field field, uint64_t n)
{
	char guid[GUID_TEXT + 1];

	guid_text(s->guid, guid);
	if (field == ST_GUID)
		job_cell_str(j, guid);
	else if (field == ST_FIRSTSAVED && !n)
		job_cell_str(j, "never");
	else
		job_cell_u64(j, n);
}

static enum step status_mailbox(struct jobs *j)
{
	struct status *st = j->state;
	struct acct_status *s = j->box_state;
	enum step step;

	if (!s) {
		s = job_box_state(j, sizeof(*s), status_drop);
		if (!s)
			return job_short(j);
		s->name = j->folder[j->at].name;
		s->sizes = st->fields & 1u << ST_VSIZE;
	}
	step = acct_status(j->cfg.acct, s);
	if (step != STEP_DONE)
		return step;
	if (s->err) {
		job_fail(j, s->err, &s->text, "Mailbox %s: Failed to lookup mailbox status", j->name);
		return STEP_DONE;
	}
	const uint64_t value[ST_FIELDS] = {
		[ST_MESSAGES] = s->messages,
		[ST_RECENT] = s->recent,
		[ST_UIDNEXT] = s->uidnext,
		[ST_UIDVALIDITY] = s->uidvalidity,
		[ST_UNSEEN] = s->unseen,
		[ST_MODSEQ] = s->highestmodseq,
		[ST_VSIZE] = s->size,
		[ST_FIRSTSAVED] = st->fields & 1u << ST_FIRSTSAVED ? (uint64_t)first_saved(j) : 0,
	};
	for (size_t i = 0; i < ST_FIELDS; i++)
		st->sum[i] += value[i];
	if (j->option['t'])
		return STEP_DONE;
	job_row_begin(j);
	job_cell_str(j, j->name);
	for (size_t i = 0; i < ST_FIELDS; i++)
		if (st->fields & 1u << i)
			status_cell(j, s, i, value[i]);
	job_row_end(j);
	return STEP_DONE;
}

static enum step status_last(struct jobs *j)
{
	const struct status *st = j->state;

	if (!j->option['t'])
		return STEP_DONE;
	job_row_begin(j);
	for (size_t i = 0; i < ST_FIELDS; i++)
		if (st->fields & 1u << i)
			job_cell_u64(j, st->sum[i]);
	job_row_end(j);
	return STEP_DONE;
}

/* --- what is done to names -------------------------------------------------------------------- */

static const char *argument(struct jobs *j, size_t i)
{
	return job_name(j, j->arg[i]);
}

static void subscribe(struct jobs *j, const char *name, bool on)
{
	struct errtext t = { "" };
	enum err e = acct_subscribe(j->cfg.acct, name, on, &t);

	if (e && !(e == ERR_NOTFOUND && !on))
		job_fail(j, e, &t, "Can't %s mailbox %s", on ? "subscribe" : "unsubscribe", job_name_out(j->arena, name));
}

static enum err names_start(struct jobs *j, struct errtext *t)
{
	return ERR_OK;
}

/* In any case, as doveadm has it. False: told; 16 zero bytes are none. */
static bool read_guid(struct jobs *j, const char *text, uint8_t guid[16], const uint8_t **guid_r)
{
	static const uint8_t none[16];
	char lower[GUID_TEXT + 1];
	size_t n = strlen(text);

	for (size_t i = 0; i < n && i < GUID_TEXT; i++)
		lower[i] = ascii_lower(text[i]);
	if (n != GUID_TEXT || !guid_read(span_of(lower, n), guid)) {
		job_warn(j, STATUS_USAGE, "Invalid GUID: %s", text);
		return false;
	}
	*guid_r = memcmp(guid, none, sizeof(none)) != 0 ? guid : NULL;
	return true;
}

struct creating {
	uint8_t guid[16];
	struct acct_identify identify; /* its name: the mailbox is made, and gets its GUID */
};

static void creating_drop(void *state)
{
	struct creating *c = state;

	acct_identify_free(&c->identify);
}

static enum err create_start(struct jobs *j, struct errtext *t)
{
	struct creating *c = job_state(j, sizeof(*c), creating_drop);

	if (!c)
		return ERR_MEMORY;
	if (j->option['g'] && j->args > 1)
		job_warn(j, STATUS_USAGE, "A GUID is one mailbox's");
	if (j->status == STATUS_OK && (!j->option['g'] || read_guid(j, j->option['g'], c->guid, &c->identify.guid)))
		return ERR_OK;
	return err_say(t, ERR_CANNOT, "nothing was done");
}

static enum err create_one(struct jobs *j, const char *name, struct errtext *t)
{
	enum err e;

	if (!j->dry)
		return acct_create(j->cfg.acct, name, NULL, t);
	e = acct_exists(j->cfg.acct, name, t);
	return e == ERR_OK ? err_say(t, ERR_EXISTS, "Mailbox already exists") : e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum step create_step(struct jobs *j)
{
	struct creating *c = j->state;
	struct errtext t = { "" };
	const char *name = c->identify.name ? c->identify.name : argument(j, j->at);
	enum step step = STEP_DONE;
	enum err e = name && !c->identify.name ? create_one(j, name, &t) : ERR_OK;

	if (name && !e && !j->dry && c->identify.guid) {
		c->identify.name = name;
		step = acct_identify(j->cfg.acct, &c->identify);
		e = c->identify.err;
		t = c->identify.text;
	}
	if (step != STEP_DONE)
		return step;
	/* A name that cannot be is wrong usage, as in Dovecot. */
	if (e)
		job_fail(j, e == ERR_CANNOT ? ERR_SYNTAX : e, &t, "Can't create mailbox %.*s", (int)j->arg[j->at].n,
			 j->arg[j->at].p);
	if (name && !e && !j->dry && j->option['s'])
		subscribe(j, name, true);
	return ++j->at < j->args ? STEP_SLICE : STEP_DONE;
}

static enum step subscribe_step(struct jobs *j)
{
	const char *name = argument(j, j->at);

	if (name && !j->dry)
		subscribe(j, name, strcmp(j->row->name, "mailbox subscribe") == 0);
	return ++j->at < j->args ? STEP_SLICE : STEP_DONE;
}

/* --- delete ------------------------------------------------------------------------------------- */

static bool below(const char *name, const char *parent, char separator)
{
	size_t n = strlen(parent);

	return strncmp(name, parent, n) == 0 && name[n] == separator;
}

/* May it go? With -e it must be empty. */
static enum err may_delete(struct jobs *j, const char *name, struct errtext *t)
{
	struct acct_status s = { .name = name };
	enum step step = STEP_DONE;

	if (!j->option['e'])
		return acct_exists(j->cfg.acct, name, t);
	while ((step = acct_status(j->cfg.acct, &s)) == STEP_SLICE)
		;
	if (step != STEP_DONE) {
		acct_status_free(&s);
		return ERR_INUSE;
	}
	if (s.err) {
		*t = s.text;
		return s.err;
	}
	return s.messages ? err_say(t, ERR_EXISTS, "Mailbox isn't empty") : ERR_OK;
}

static void delete_one(struct jobs *j, const char *name)
{
	struct errtext t = { "" };
	enum err e = may_delete(j, name, &t);

	if (!e && !j->dry)
		e = acct_delete(j->cfg.acct, name, &t);
	if (e)
		job_fail(j, e, &t, "Can't delete mailbox %s", job_name_out(j->arena, name));
	else if (j->option['s'] && !j->dry)
		subscribe(j, name, false);
}

static enum step delete_step(struct jobs *j)
{
	const char *name = argument(j, j->at);
	struct folder *f = NULL;
	struct errtext t;
	size_t n = 0;

	if (name && j->option['r'] && acct_folders(j->cfg.acct, j->arena, &f, &n, &t) != ERR_OK)
		n = 0;
	while (name && n-- > 0)
		if (below(f[n].name, name, f[n].separator) && !(f[n].flags & (FOLDER_NOSELECT | FOLDER_NONEXISTENT)))
			delete_one(j, f[n].name);
	if (name)
		delete_one(j, name);
	return ++j->at < j->args ? STEP_SLICE : STEP_DONE;
}

/* --- rename ------------------------------------------------------------------------------------- */

static void rename_drop(void *state)
{
	acct_rename_free(state);
}

static enum err rename_start(struct jobs *j, struct errtext *t)
{
	struct acct_rename *job = job_state(j, sizeof(*job), rename_drop);

	if (!job)
		return ERR_MEMORY;
	job->from = argument(j, 0);
	job->to = argument(j, 1);
	return job->from && job->to ? ERR_OK : err_say(t, ERR_CANNOT, "nothing was done");
}

static enum step rename_step(struct jobs *j)
{
	struct acct_rename *job = j->state;
	enum step step = STEP_DONE;

	if (!j->dry)
		step = acct_rename(j->cfg.acct, job);
	else
		job->err = acct_exists(j->cfg.acct, job->from, &job->text);
	if (step != STEP_DONE)
		return step;
	if (job->err)
		job_fail(j, job->err, &job->text, "Can't rename mailbox %s to %s", j->arg[0].p, j->arg[1].p);
	if (job->err || j->dry || !j->option['s'])
		return STEP_DONE;
	subscribe(j, job->from, false);
	subscribe(j, job->to, true);
	return STEP_DONE;
}

/* --- path ----------------------------------------------------------------------------------------- */

static const char *const path_column[] = { "path" };

static enum err path_start(struct jobs *j, struct errtext *t)
{
	job_columns(j, path_column, bare, 1);
	return ERR_OK;
}

static enum step path_step(struct jobs *j)
{
	static const struct {
		const char *type;
		enum acct_path_kind kind;
	} kinds[] = { { "mailbox", ACCT_PATH_MAIL },
		      { "dir", ACCT_PATH_MAIL },
		      { "control", ACCT_PATH_CONTROL },
		      { "index", ACCT_PATH_INDEX } };
	const char *type = j->option['t'] ? j->option['t'] : "mailbox", *name = argument(j, 0), *path = NULL;
	struct errtext t = { "" };
	size_t i = 0;

	while (i < ARRAY_LEN(kinds) && strcmp(kinds[i].type, type) != 0)
		i++;
	if (i == ARRAY_LEN(kinds))
		job_warn(j, STATUS_USAGE, "Unknown path type: %s (mailbox, dir, control, index)", type);
	if (i == ARRAY_LEN(kinds) || !name)
		return STEP_DONE;
	enum err e = acct_path(j->cfg.acct, name, kinds[i].kind, j->arena, &path, &t);
	if (e) {
		job_fail(j, e, &t, "Mailbox %s", j->arg[0].p);
		return STEP_DONE;
	}
	job_row_begin(j);
	job_cell_str(j, path);
	job_row_end(j);
	return STEP_DONE;
}

/* --- update --------------------------------------------------------------------------------------- */

/* What is asked for all mailboxes of the command. */
struct updates {
	uint64_t modseq;      /* at least */
	uint32_t uidvalidity; /* 0: stays */
	uint32_t uidnext;     /* at least */
	const uint8_t *guid;  /* of bytes; NULL: stays */
	uint8_t bytes[16];
};

struct updating {
	struct updates want;
	struct acct_status status;
	struct acct_identify identify;
	bool known, identified;
	uint64_t since;  /* clock_ms: this mailbox was begun */
};

static void updating_drop(void *state)
{
	struct updating *u = state;

	acct_status_free(&u->status);
	acct_identify_free(&u->identify);
}

static bool read_number(struct jobs *j, char letter, const char *what, uint32_t *n_r)
{
	const char *text = j->option[(unsigned char)letter];

	if (!text || span_u32(span_str(text), n_r))
		return true;
	job_warn(j, STATUS_USAGE, "Invalid value for %s: %s", what, text);
	return false;
}

static bool read_modseq(struct jobs *j, uint64_t *n_r)
{
	const char *text = j->option['M'];

	if (!text || (span_u64(span_str(text), n_r) && !(*n_r >> ACCT_MODSEQ_MOST_BITS)))
		return true;
	job_warn(j, STATUS_USAGE, "Invalid value for min-highest-modseq: %s", text);
	return false;
}

static enum err update_start(struct jobs *j, struct errtext *t)
{
	struct updating *u = job_state(j, sizeof(*u), updating_drop);
	struct updates *w = u ? &u->want : NULL;

	if (!u)
		return ERR_MEMORY;
	if (j->option['G'] && j->args > 1)
		job_warn(j, STATUS_USAGE, "A GUID is one mailbox's");
	if (j->status == STATUS_OK && read_modseq(j, &w->modseq) && read_number(j, 'V', "uid-validity", &w->uidvalidity) &&
	    read_number(j, 'N', "min-next-uid", &w->uidnext) &&
	    (!j->option['G'] || read_guid(j, j->option['G'], w->bytes, &w->guid)))
		return ERR_OK;
	return err_say(t, ERR_CANNOT, "nothing was done");
}

/* Whoever still has something under that number takes these messages for those. It is what was asked for, but said. */
static void warn_lower(struct jobs *j, const struct updating *u, const char *name)
{
	if (u->want.uidvalidity && u->want.uidvalidity < u->status.uidvalidity)
		job_warn(j, STATUS_OK,
			 "Mailbox %s: UIDVALIDITY goes back from %u to %u: clients that knew it may take messages for others",
			 job_name_out(j->arena, name), u->status.uidvalidity, u->want.uidvalidity);
}

/* STEP_DONE: the folder has the numbers, or err says why not. */
static enum step update_identity(struct jobs *j, struct updating *u, const char *name)
{
	const struct updates *w = &u->want;
	bool any = (w->uidvalidity && w->uidvalidity != u->status.uidvalidity) || w->uidnext > u->status.uidnext || w->guid;

	if (!any || u->identified || u->status.err)
		return STEP_DONE;
	if (!u->identify.name)
		warn_lower(j, u, name);
	u->identify.name = name;
	u->identify.uidvalidity = w->uidvalidity;
	u->identify.uidnext = w->uidnext;
	u->identify.guid = w->guid;
	enum step step = j->dry ? STEP_DONE : acct_identify(j->cfg.acct, &u->identify);
	u->identified = step == STEP_DONE;
	if (step == STEP_DONE && u->identify.err) {
		u->status.err = u->identify.err;
		u->status.text = u->identify.text;
	}
	return step;
}

static enum step update_one(struct jobs *j, struct updating *u, const char *name, enum err *e, struct errtext *t)
{
	enum step step = STEP_DONE;

	u->status.name = name;
	u->since = u->since ? u->since : clock_ms();
	if (!u->known)
		step = acct_status(j->cfg.acct, &u->status);
	if (step != STEP_DONE)
		return step;
	if (!u->known)
		u->since = clock_ms();
	u->known = true;
	step = update_identity(j, u, name);
	if (step != STEP_DONE)
		return step;
	*t = u->status.text;
	*e = u->status.err;
	if (!*e && !j->dry)
		*e = acct_raise_modseq(j->cfg.acct, name, u->want.modseq, t);
	return box_patient(*e, u->since) ? STEP_WAITING : STEP_DONE;
}

static enum step update_step(struct jobs *j)
{
	struct updating *u = j->state;
	struct errtext t = { "" };
	const char *name = argument(j, j->at);
	enum err e = ERR_OK;
	enum step step = name ? update_one(j, u, name, &e, &t) : STEP_DONE;

	if (step != STEP_DONE)
		return step;
	if (e)
		job_fail(j, e, &t, "Cannot update %.*s", (int)j->arg[j->at].n, j->arg[j->at].p);
	struct updates want = u->want;
	updating_drop(u);
	*u = (struct updating){ .want = want };
	if (want.guid)
		u->want.guid = u->want.bytes;
	return ++j->at < j->args ? STEP_SLICE : STEP_DONE;
}

const struct job_row job_rows_mailbox[] = {
	{ .name = "mailbox create", .start = create_start, .step = create_step },
	{ .name = "mailbox delete", .start = names_start, .step = delete_step },
	{ .name = "mailbox list", .start = list_start, .step = list_step },
	{ .name = "mailbox path", .start = path_start, .step = path_step },
	{ .name = "mailbox rename", .start = rename_start, .step = rename_step },
	{ .name = "mailbox status", .start = status_start, .mailbox = status_mailbox, .last = status_last },
	{ .name = "mailbox subscribe", .start = names_start, .step = subscribe_step },
	{ .name = "mailbox unsubscribe", .start = names_start, .step = subscribe_step },
	{ .name = "mailbox update", .start = update_start, .step = update_step },
	{ 0 },
};
