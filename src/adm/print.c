/*
 * Rows to text, as doveadm's formatters have them:
 *	flow   name=value name=value        pager  name: value, a line each; rows parted by a form feed
 *	tab    a line of names; values between TABs as they are
 *	table  columns                      json   one array of objects, all values strings
 * All but table write a cell as it comes, however long.
 */
#include "adm.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>
#include <wchar.h>

enum { COLUMNS_MAX = 256, TABLE_ROWS = 100, CELL_MAX = 1 << 20, CELLS_MAX = 16 << 20 };

struct column {
	char *name; /* own */
	unsigned flags;
	size_t width;
};

struct format {
	const char *name;
	const char *user; /* title of the column of users */
	void (*header)(struct printer *p);
	void (*cell)(struct printer *p);
	void (*add)(struct printer *p, struct span piece);
	void (*row)(struct printer *p);
	void (*end)(struct printer *p);
};

struct printer {
	const struct format *format;
	FILE *to;
	struct column *column; /* own */
	size_t columns, at;    /* at: the cell under way is at - 1 */
	char *user;            /* own; NULL: none */
	size_t rows;
	struct buf cells;      /* own; table: of the rows that wait for widths, each ended by NUL */
	bool header_done, bad;
};

static const struct column *cell_column(const struct printer *p)
{
	return &p->column[p->at - 1];
}

static void put(struct printer *p, struct span s)
{
	if (fwrite(s.p, 1, s.n, p->to) != s.n)
		p->bad = true;
}

static void nothing(struct printer *p)
{
}

/* --- flow ---------------------------------------------------------------------------------- */

static void flow_cell(struct printer *p)
{
	if (p->at > 1)
		fputc(' ', p->to);
	if (!(cell_column(p)->flags & COLUMN_BARE))
		fprintf(p->to, "%s=", cell_column(p)->name);
}

static void line_row(struct printer *p)
{
	fputc('\n', p->to);
}

/* --- tab ----------------------------------------------------------------------------------- */

static void tab_header(struct printer *p)
{
	for (size_t i = 0; i < p->columns; i++)
		fprintf(p->to, "%s%s", i ? "\t" : "", p->column[i].name);
	fputc('\n', p->to);
}

static void tab_cell(struct printer *p)
{
	if (p->at > 1)
		fputc('\t', p->to);
}

/* --- pager --------------------------------------------------------------------------------- */

static void pager_end_cell(struct printer *p)
{
	if (!(cell_column(p)->flags & COLUMN_TEXT))
		fputc('\n', p->to);
}

static void pager_cell(struct printer *p)
{
	if (p->at > 1) {
		p->at--;
		pager_end_cell(p);
		p->at++;
	} else if (p->rows && !(cell_column(p)->flags & COLUMN_TEXT)) { /* as doveadm: lines that begin a row part it */
		fputs("\f\n", p->to);
	}
	if (cell_column(p)->flags & COLUMN_TEXT)
		fprintf(p->to, "%s:\n", cell_column(p)->name);
	else if (!(cell_column(p)->flags & COLUMN_BARE))
		fprintf(p->to, "%s: ", cell_column(p)->name);
}

static void pager_row(struct printer *p)
{
	if (p->at)
		pager_end_cell(p);
}

/* --- json ---------------------------------------------------------------------------------- */

static void json_text(struct printer *p, struct span s)
{
	size_t from = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 32 && c != '"' && c != '\\')
			continue;
		put(p, span_cut(s, from, i - from));
		if (c == '"' || c == '\\')
			fprintf(p->to, "\\%c", c);
		else if (c == '\n' || c == '\t' || c == '\r')
			fprintf(p->to, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
		else
			fprintf(p->to, "\\u%04x", c);
		from = i + 1;
	}
	put(p, span_from(s, from));
}

static void json_header(struct printer *p)
{
	fputc('[', p->to);
}

static void json_cell(struct printer *p)
{
	fputs(p->at > 1 ? "\",\"" : p->rows ? ",{\"" : "{\"", p->to);
	json_text(p, span_str(cell_column(p)->name));
	fputs("\":\"", p->to);
}

static void json_row(struct printer *p)
{
	fputs("\"}", p->to);
}

static void json_end(struct printer *p)
{
	if (p->header_done)
		fputs("]", p->to);
}

/* --- table --------------------------------------------------------------------------------- */

/* Columns on the screen; bytes where they are no text in this locale. */
static size_t width_of(const char *text)
{
	size_t n = mbstowcs(NULL, text, 0);
	wchar_t *wide = n == SIZE_MAX ? NULL : mem_array(n + 1, sizeof(*wide));
	int width = -1;

	if (wide && mbstowcs(wide, text, n + 1) == n)
		width = wcswidth(wide, n);
	free(wide);
	return width < 0 ? strlen(text) : (size_t)width;
}

static void table_put(struct printer *p, size_t i, const char *text)
{
	size_t used = width_of(text), pad = p->column[i].width > used ? p->column[i].width - used : 0;
	bool right = p->column[i].flags & COLUMN_NUMBER;

	if (i)
		fputc(' ', p->to);
	fprintf(p->to, "%*s%s", right ? (int)pad : 0, "", text);
	if (!right && i + 1 < p->columns)
		fprintf(p->to, "%*s", (int)pad, "");
}

/* Widths are those of the first rows; what is wider later stands out. */
static void table_widths(struct printer *p)
{
	struct span rest = buf_span(&p->cells), cell;
	bool titled = false;

	for (size_t i = 0; i < p->columns; i++) {
		p->column[i].width = width_of(p->column[i].name);
		titled |= !(p->column[i].flags & COLUMN_BARE);
	}
	for (size_t i = 0; span_split(&rest, '\0', &cell); i++) {
		size_t used = width_of(cell.p);

		if (used > p->column[i % p->columns].width)
			p->column[i % p->columns].width = used;
	}
	for (size_t i = 0; titled && i < p->columns; i++)
		table_put(p, i, p->column[i].name);
	if (titled)
		fputc('\n', p->to);
}

static void table_flush(struct printer *p)
{
	struct span rest = buf_span(&p->cells), cell;

	if (!p->columns || (!p->cells.n && !p->columns))
		return;
	if (p->rows <= TABLE_ROWS && !p->column[0].width)
		table_widths(p);
	for (size_t i = 0; span_split(&rest, '\0', &cell); i++) {
		table_put(p, i % p->columns, cell.p);
		if (i % p->columns + 1 == p->columns)
			fputc('\n', p->to);
	}
	p->bad |= p->cells.failed;
	buf_clear(&p->cells);
}

static void table_cell(struct printer *p)
{
	if (p->at > 1)
		buf_add_char(&p->cells, '\0');
}

static void table_add(struct printer *p, struct span piece)
{
	if (span_find(piece, '\n') != SIZE_MAX && !p->bad) {
		fputs("table formatter doesn't support multi-line values\n", stderr);
		p->bad = true;
	}
	if (!p->bad)
		buf_add_span(&p->cells, piece);
}

static void table_row(struct printer *p)
{
	buf_add_char(&p->cells, '\0');
	if (p->rows + 1 >= TABLE_ROWS)
		table_flush(p);
}

/* --- all ----------------------------------------------------------------------------------- */

static const struct format formats[] = {
	{ "flow", "Username", nothing, flow_cell, put, line_row, nothing },
	{ "json", "username", json_header, json_cell, json_text, json_row, json_end },
	{ "pager", "Username", nothing, pager_cell, put, pager_row, nothing },
	{ "tab", "Username", tab_header, tab_cell, put, line_row, nothing },
	{ "table", "Username", nothing, table_cell, table_add, table_row, table_flush },
};

struct printer *printer_new(const char *format, FILE *to)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		if (strcmp(format, formats[i].name) != 0)
			continue;
		struct printer *p = mem_alloc(sizeof(*p));
		p->format = &formats[i];
		p->to = to;
		buf_init(&p->cells, CELLS_MAX);
		return p;
	}
	return NULL;
}

static void add_column(struct printer *p, struct span name, unsigned flags)
{
	if (p->columns < COLUMNS_MAX)
		p->column[p->columns++] = (struct column){ .name = span_dup(name), .flags = flags };
}

void printer_columns(struct printer *p, struct span fields, const char *user)
{
	bool alone = fields.n && ((unsigned)(fields.p[0] - '0') & COLUMN_ALONE);
	struct span f;

	if (alone)
		user = NULL;
	free(p->user);
	p->user = user ? mem_str(user) : NULL;
	if (p->columns)
		return; /* the same for every user */
	p->column = mem_array(COLUMNS_MAX, sizeof(*p->column));
	if (user)
		add_column(p, span_str(p->format->user), COLUMN_BARE);
	while (span_split(&fields, '\t', &f))
		if (f.n)
			add_column(p, span_from(f, 1), (unsigned)(f.p[0] - '0'));
	p->format->header(p);
	p->header_done = true;
}

void printer_cell(struct printer *p)
{
	if (p->at == 0 && p->user) {
		p->at = 1;
		p->format->cell(p);
		p->format->add(p, span_str(p->user));
	}
	if (p->at >= p->columns) {
		p->bad = true;
		return;
	}
	p->at++;
	p->format->cell(p);
}

void printer_add(struct printer *p, struct span piece)
{
	if (p->columns && p->at)
		p->format->add(p, piece);
}

void printer_row(struct printer *p)
{
	if (!p->columns)
		return;
	while (p->at < p->columns) /* a row that was cut short */
		printer_cell(p);
	p->format->row(p);
	p->rows++;
	p->at = 0;
}

bool printer_end(struct printer **pp)
{
	struct printer *p = *pp;
	bool ok;

	p->format->end(p);
	ok = !p->bad && fflush(p->to) == 0 && !ferror(p->to);
	for (size_t i = 0; i < p->columns; i++)
		free(p->column[i].name);
	free(p->column);
	free(p->user);
	buf_free(&p->cells);
	free(p);
	*pp = NULL;
	return ok;
}
