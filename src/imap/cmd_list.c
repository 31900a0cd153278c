/*
 * LIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9), the syntax of LIST-EXTENDED (RFC 5258) whose
 * options are the modules' rows, and XLIST for old clients. Special uses and \HasChildren are told
 * in all of them, asked for or not.
 */
#include "args.h"
#include "list.h"
#include "modules.h"
#include "names.h"

#include "wire/imap_name.h"
#include "wire/imap_write.h"

enum { PATTERNS_MAX = 1000 };

/* ---- arguments ---- */

static bool read_options(struct imap_list *l, const struct imap_arg *list,
			 enum imap_list_option_kind kind)
{
	const struct imap_arg *a;

	if (!imap_arg_list(list, &a)) {
		imap_bad(l->c, "Invalid list options.");
		return false;
	}
	while (a) {
		struct span name;
		const struct imap_list_option *o =
			imap_arg_atom(a, &name) ? imap_list_option_find(l->c->s, name, kind) : NULL;
		enum err e;

		if (!o) {
			imap_bad(l->c, "Unknown list option.");
			return false;
		}
		a = a->next;
		e = o->parse ? o->parse(l, &a) : ERR_OK;
		if (e) {
			if (!l->c->cond)
				imap_fail(l->c, e, NULL);
			return false;
		}
	}
	l->extended = true;
	return true;
}

/* list-mailbox allows wildcards as atoms; anything else is a string. */
static bool pattern_text(const struct imap_arg *a, struct span *s_r)
{
	return imap_arg_astring(a, s_r) && s_r->n <= IMAP_PATTERN_MAX;
}

static bool join(struct imap_list *l, struct span reference, struct span pattern, struct span *out)
{
	char *p = arena_alloc(l->c->arena, reference.n + pattern.n + 1);

	if (!p)
		return false;
	if (imap_name_is_inbox(pattern) && !reference.n) {
		*out = SPAN("INBOX");
		return true;
	}
	if (reference.n)
		memcpy(p, reference.p, reference.n);
	if (pattern.n)
		memcpy(p + reference.n, pattern.p, pattern.n);
	*out = span_of(p, reference.n + pattern.n);
	return true;
}

static bool read_patterns(struct imap_list *l, struct span reference, const struct imap_arg *a)
{
	bool many = a->type == IMAP_ARG_LIST;
	const struct imap_arg *first = many ? a->child : a, *end = many ? NULL : a->next;
	struct span *pattern = arena_array(l->c->arena, many ? a->count + 1 : 1, sizeof(*pattern)),
		    text;

	if (!pattern || (many && a->count > PATTERNS_MAX)) {
		imap_fail(l->c, ERR_LIMIT, "Too many patterns.");
		return false;
	}
	l->extended |= many;
	for (const struct imap_arg *p = first; p != end; p = p->next) {
		if (!pattern_text(p, &text) || !join(l, reference, text, &pattern[l->patterns])) {
			imap_bad(l->c, "Invalid list pattern.");
			return false;
		}
		l->patterns++;
	}
	l->pattern = pattern;
	return true;
}

/* [options] reference pattern [RETURN options]. *root_r: the pattern is empty, only the separator is asked for. */
static bool read_args(struct imap_list *l, struct span *reference_r, bool *root_r)
{
	const struct imap_arg *a = l->c->args;
	struct span text;

	if (a && a->type == IMAP_ARG_LIST && l->kind == LIST_PLAIN) {
		if (!read_options(l, a, IMAP_LIST_SELECT))
			return false;
		a = a->next;
	}
	if (!imap_arg_astring(a, reference_r) || !a->next || reference_r->n > IMAP_PATTERN_MAX) {
		imap_bad(l->c, "Invalid reference or missing pattern.");
		return false;
	}
	a = a->next;
	*root_r = a->type != IMAP_ARG_LIST && imap_arg_astring(a, &text) && !text.n;
	if (!read_patterns(l, *reference_r, a))
		return false;
	a = a->next;
	if (imap_arg_word(a, "RETURN") && l->kind == LIST_PLAIN) {
		a = a->next;
		if (!read_options(l, a, IMAP_LIST_RETURN))
			return false;
		a = a->next;
	}
	*root_r = *root_r && !l->extended;
	if (l->recursive && !(l->need & FOLDER_SUBSCRIBED)) {
		imap_bad(l->c, "RECURSIVEMATCH needs SUBSCRIBED."); /* list-select-base-opt */
		return false;
	}
	return imap_args_end(l->c, a);
}

/* ---- selecting ---- */

bool imap_list_matches(const struct imap_list *l, const struct folder *f)
{
	struct span name = span_str(l->told[f - l->folder]), hidden = SPAN("");

	if (f->flags & FOLDER_UNLISTED)
		hidden = span_str(f->prefix);
	for (size_t i = 0; i < l->patterns; i++)
		if (span_starts(l->pattern[i], hidden) && imap_name_match(l->pattern[i], name, f->separator))
			return true;
	return false;
}

/*
 * LSUB "%": a level above subscribed mailboxes that the pattern itself does not reach is shown,
 * with \Noselect (RFC 3501 section 6.3.9).
 */
static bool stands_for_child(const struct imap_list *l, const struct folder *f)
{
	size_t n = strlen(f->name);

	if (!(f->flags & FOLDER_SUBSCRIBED_CHILD))
		return false;
	for (size_t i = 0; i < l->folders; i++) {
		const struct folder *g = &l->folder[i];

		if (g->flags & FOLDER_SUBSCRIBED && !strncmp(g->name, f->name, n) &&
		    g->name[n] == f->separator && !imap_list_matches(l, g))
			return true;
	}
	return false;
}

bool imap_list_meets(const struct imap_list *l, const struct folder *f)
{
	if (f->flags & FOLDER_NONEXISTENT && !(l->need & FOLDER_SUBSCRIBED))
		return false;
	if ((f->flags & l->need) != l->need)
		return false;
	return !l->need_special || f->special_use;
}

static bool wanted(const struct imap_list *l, size_t i)
{
	const struct folder *f = &l->folder[i];

	if (!imap_list_matches(l, f))
		return false;
	if (l->kind == LIST_LSUB)
		return f->flags & FOLDER_SUBSCRIBED || stands_for_child(l, f);
	return imap_list_meets(l, f) || (l->recursive && l->below[i] & LIST_BELOW_HIDDEN);
}

/* ---- writing ---- */

static void attribute(struct buf *out, bool *first, const char *name)
{
	buf_add_str(out, *first ? name : " ");
	if (!*first)
		buf_add_str(out, name);
	*first = false;
}

/* The names that XLIST had before RFC 6154 gave them others. */
static void xlist_attributes(struct buf *out, bool *first, const struct folder *f)
{
	if (!strcmp(f->name, "INBOX"))
		attribute(out, first, "\\Inbox");
	if (!f->special_use)
		return;
	if (strstr(f->special_use, "\\Junk"))
		attribute(out, first, "\\Spam");
	if (strstr(f->special_use, "\\Flagged"))
		attribute(out, first, "\\Starred");
	if (strstr(f->special_use, "\\All"))
		attribute(out, first, "\\AllMail");
}

static void write_attributes(enum imap_list_kind kind, bool extended, const struct folder *f, struct buf *out)
{
	bool first = true, level = kind == LIST_LSUB && !(f->flags & FOLDER_SUBSCRIBED);
	bool none = f->flags & (FOLDER_NOSELECT | FOLDER_NONEXISTENT);

	/* A level that is no mailbox, too (RFC 5258 section 3.5). */
	if (extended ? none : kind == LIST_LSUB && f->flags & FOLDER_NONEXISTENT)
		attribute(out, &first, "\\NonExistent");
	if (level || none || f->flags & FOLDER_REFUSED)
		attribute(out, &first, "\\Noselect");
	if (f->flags & FOLDER_NOINFERIORS)
		attribute(out, &first, "\\Noinferiors");
	else
		attribute(out, &first,
			  f->flags & FOLDER_CHILDREN ? "\\HasChildren" : "\\HasNoChildren");
	/* Never \Unmarked: other programs deliver too, and a client may believe it. */
	if (!level && f->flags & FOLDER_MARKED)
		attribute(out, &first, "\\Marked");
	if (extended && f->flags & FOLDER_SUBSCRIBED)
		attribute(out, &first, "\\Subscribed");
	if (f->special_use)
		attribute(out, &first, f->special_use);
	if (kind == LIST_XLIST)
		xlist_attributes(out, &first, f);
}

static void write_separator(struct buf *out, char sep)
{
	buf_add_str(out, ") ");
	imap_write_string(out, span_of(&sep, 1));
	buf_add_char(out, ' ');
}

static void write_folder(struct imap_list *l, const struct folder *f)
{
	struct buf *out = imap_out(l->c->s);

	buf_printf(out, "* %s (", l->c->row->name);
	write_attributes(l->kind, l->extended, f, out);
	write_separator(out, f->separator);
	imap_name_write(l->c->s, out, f->name);
	if (l->recursive && l->below[f - l->folder] & LIST_BELOW)
		buf_add_str(out, " (CHILDINFO (\"SUBSCRIBED\"))");
	buf_add_str(out, "\r\n");
}

void imap_list_write(struct imap_session *s, const struct folder *f, const char *old)
{
	struct buf *out = imap_out(s);

	buf_add_str(out, "* LIST (");
	write_attributes(LIST_PLAIN, true, f, out);
	write_separator(out, f->separator);
	imap_name_write(s, out, f->name);
	if (old) {
		buf_add_str(out, " (\"OLDNAME\" (");
		imap_name_write(s, out, old);
		buf_add_str(out, "))");
	}
	buf_add_str(out, "\r\n");
}

void imap_list_write_as(struct imap_session *s, const struct folder *f, const char *attributes)
{
	struct buf *out = imap_out(s);

	buf_printf(out, "* LIST (%s", attributes);
	write_separator(out, f->separator);
	imap_name_write(s, out, f->name);
	buf_add_str(out, "\r\n");
}

/* An empty pattern asks for the separator and the root of the reference (RFC 3501 section 6.3.8). */
static enum step write_root(struct imap_list *l, struct span reference, const char *done)
{
	struct buf *out = imap_out(l->c->s);
	char sep = imap_args_separator(l->c->s, reference);
	size_t n = span_find(reference, sep);
	struct errtext t = { "" };
	const char *root = "";
	enum err e = ERR_OK;

	if (n != SIZE_MAX)
		e = imap_name_heard(l->c, span_cut(reference, 0, n + 1), false, &root, &t);
	if (e)
		return imap_fail(l->c, e, t.text);
	buf_printf(out, "* %s (\\Noselect", l->c->row->name);
	write_separator(out, sep);
	imap_name_write_string(l->c->s, out, root);
	buf_add_str(out, "\r\n");
	return imap_ok(l->c, NULL, done);
}

static const char *done_text(const struct imap_list *l)
{
	return l->kind == LIST_LSUB    ? "Lsub completed."
	       : l->kind == LIST_XLIST ? "Xlist completed."
				       : "List completed.";
}

static enum step one_folder(struct imap_list *l, struct folder *f)
{
	bool asked = imap_list_meets(l, f);
	enum step step = l->look && asked ? l->look(l, f) : STEP_DONE;

	if (step != STEP_DONE)
		return step;
	write_folder(l, f);
	if (l->show && asked)
		l->show(l, f);
	stream_push(l->c->s->stream);
	return STEP_DONE;
}

static enum step list_step(struct imap_cmd *c)
{
	struct imap_list *l = c->state;

	for (; l->at < l->folders; l->at++) {
		enum step step;

		if (imap_out_full(c->s))
			return STEP_OUTPUT_FULL;
		if (!wanted(l, l->at))
			continue;
		step = one_folder(l, &l->folder[l->at]);
		if (step != STEP_DONE)
			return step;
		if ((l->look || l->at % 64 == 63) && imap_slice_over(c)) {
			l->at++;
			return STEP_SLICE;
		}
	}
	return imap_ok(c, NULL, done_text(l));
}

/* Patterns are compared with the names as the client knows them. */
static enum err tell_names(struct imap_list *l)
{
	const char **told = arena_array(l->c->arena, l->folders + 1, sizeof(*told));

	for (size_t i = 0; told && i < l->folders; i++) {
		told[i] = imap_name_told(l->c->s, l->c->arena, l->folder[i].name);
		if (!told[i])
			return ERR_MEMORY;
	}
	l->told = told;
	return told ? ERR_OK : ERR_MEMORY;
}

static enum step start(struct imap_cmd *c, enum imap_list_kind kind)
{
	struct imap_list *l = imap_cmd_state(c, sizeof(*l));
	struct errtext t = { "" };
	struct span reference;
	bool root;
	enum err e;

	if (!l)
		return STEP_DONE;
	l->c = c;
	l->kind = kind;
	if (!read_args(l, &reference, &root))
		return STEP_DONE;
	if (root)
		return write_root(l, reference, done_text(l));
	l->listed_ms = loop_now(c->s->cfg.loop);
	e = acct_folders(c->s->cfg.acct, c->arena, &l->folder, &l->folders, &t);
	if (!e)
		e = tell_names(l);
	if (e)
		return imap_fail(c, e, t.text);
	if (l->recursive && !imap_list_mark_below(l))
		return imap_fail(c, ERR_MEMORY, NULL);
	c->step = list_step;
	return list_step(c);
}

static enum step list_start(struct imap_cmd *c)
{
	return start(c, LIST_PLAIN);
}

static enum step lsub_start(struct imap_cmd *c)
{
	return start(c, LIST_LSUB);
}

static enum step xlist_start(struct imap_cmd *c)
{
	return start(c, LIST_XLIST);
}

/* RFC 3348: \HasChildren and \HasNoChildren. */
static const struct imap_capability capabilities[] = {
	{ "CHILDREN", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "LIST", IMAP_ANY, 0, list_start, NULL },
	{ "LSUB", IMAP_ANY, 0, lsub_start, NULL },
	{ "XLIST", IMAP_ANY, 0, xlist_start, NULL },
	{ 0 },
};

const struct imap_module imap_listing = {
	.name = "list",
	.base = true,
	.capabilities = capabilities,
	.commands = commands,
};
