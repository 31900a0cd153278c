/* A configuration as text, from the tree that was read. */
#include "conf/dump.h"
#include "finish.h"
#include "model.h"
#include "value.h"
#include "base/mem.h"
#include "base/must.h"

struct dump {
	struct buf *out;
	struct arena *a; /* for defaults */
	bool all;
	unsigned depth;
};

static void indent(struct dump *d)
{
	for (unsigned i = 0; i < d->depth; i++)
		buf_add_str(d->out, "  ");
}

static void dump_row(struct dump *d, const struct conf_row *row, const struct conf_value *v)
{
	if ((row->flags & ROW_NOEFFECT) || row_idle_plugins(row, v)) {
		indent(d);
		buf_add_str(d->out, "# accepted, no effect here:\n");
	}
	indent(d);
	buf_printf(d->out, "%s = ", row->name);
	value_print(row, v, d->out);
	buf_add_char(d->out, '\n');
}

/*
 * Where a value equal to the row's default says nothing: not in filters, nor over built-in
 * values.
 */
static bool defaults_are_silent(const struct node *n)
{
	return !n->builtin && !(n->kind != SECT_ROOT && (sects[n->kind].flags & SECT_SETTINGS));
}

static bool says_something(struct dump *d, const struct node *n, const struct set_value *set)
{
	struct conf_value v;

	if (set->builtin)
		return false;
	if (!set->row || !defaults_are_silent(n))
		return true;
	return value_parse(set->row, span_str(set->row->def), d->a, &v, NULL) != ERR_OK ||
	       !value_equal(set->row, &v, &set->value);
}

static void dump_verbatim(struct dump *d, const struct set_value *set)
{
	indent(d);
	buf_printf(d->out, "%s = ", set->key);
	if (set->value.file)
		buf_printf(d->out, "<%s", set->value.file);
	else
		value_print_text(span_of(set->value.text, set->value.len), d->out);
	buf_add_char(d->out, '\n');
}

static void dump_default(struct dump *d, const struct conf_row *row)
{
	struct conf_value v;

	if (value_parse(row, span_str(row->def), d->a, &v, NULL) == ERR_OK)
		dump_row(d, row, &v);
}

static int by_name(const void *a, const void *b)
{
	const struct conf_row *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void dump_rows(struct dump *d, const struct node *n)
{
	const struct sect *sect = &sects[n->kind];
	bool all = d->all && (n->kind == SECT_ROOT || !(sect->flags & SECT_SETTINGS));
	const struct conf_row **rows = mem_array(sect->rows_n + 1, sizeof(*rows));

	for (size_t i = 0; i < sect->rows_n; i++)
		rows[i] = &sect->rows[i];
	qsort(rows, sect->rows_n, sizeof(*rows), by_name);
	for (size_t i = 0; i < sect->rows_n; i++) {
		const struct set_value *set = node_find(n, rows[i]->name);

		if (set && (d->all || says_something(d, n, set)))
			dump_row(d, rows[i], &set->value);
		else if (!set && all)
			dump_default(d, rows[i]);
	}
	free(rows);
	for (const struct set_value *set = n->sets; set; set = set->next)
		if (!set->row)
			dump_verbatim(d, set);
}

static bool has_content(struct dump *d, const struct node *n)
{
	for (const struct set_value *set = n->sets; set; set = set->next)
		if (says_something(d, n, set))
			return true;
	return false;
}

static const struct node *after(const struct node *n, const struct node *top)
{
	while (n != top && !n->next)
		n = n->parent;
	return n == top ? NULL : n->next;
}

/* A section is shown when it was written, or when something in it was. */
static bool is_shown(struct dump *d, const struct node *top)
{
	const struct node *n = top;

	while (n) {
		if (d->all || !n->builtin || has_content(d, n))
			return true;
		n = n->child ? n->child : after(n, top);
	}
	return false;
}

static void dump_name(struct dump *d, const char *name)
{
	if (!*name)
		return;
	buf_add_char(d->out, ' ');
	if (!name[strcspn(name, " \t\"'#{\\")]) {
		buf_add_str(d->out, name);
		return;
	}
	buf_add_char(d->out, '"');
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			buf_add_char(d->out, '\\');
		buf_add_char(d->out, *name);
	}
	buf_add_char(d->out, '"');
}

static void dump_open(struct dump *d, const struct node *n)
{
	indent(d);
	buf_add_str(d->out, sects[n->kind].name);
	dump_name(d, n->name);
	buf_add_str(d->out, " {\n");
	d->depth++;
	dump_rows(d, n);
}

static void dump_close(struct dump *d)
{
	d->depth--;
	indent(d);
	buf_add_str(d->out, "}\n");
}

void conf_dump(const struct conf *c, bool all, struct buf *out)
{
	struct dump d = { out, arena_new(CONF_ARENA_MAX), all, 0 };
	const struct node *n = c->root;

	must(n);
	dump_rows(&d, n);
	n = n->child;
	while (n) {
		if (is_shown(&d, n)) {
			dump_open(&d, n);
			if (n->child) {
				n = n->child;
				continue;
			}
			dump_close(&d);
		}
		for (; n && !n->next; n = n->parent == c->root ? NULL : n->parent)
			if (n->parent != c->root)
				dump_close(&d);
		n = n ? n->next : NULL;
	}
	arena_free(&d.a);
}
