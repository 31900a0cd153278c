/*
 * Statements to a tree. One loop over lines; sections nest by a pointer to the open one, not by
 * recursion.
 */
#include "parse.h"
#include "lex.h"
#include "source.h"
#include "value.h"
#include "base/mem.h"
#include "base/must.h"
#include "conf/load.h"

#include <stdarg.h>

enum {
	SECTIONS_DEEP = 16,
	SECTIONS_MAX = 20000,
	VALUE_MAX = 64 * 1024,
};

/*
 * What stands there without being written: listeners that a file may change piece by piece.
 */
static const char builtin_text[] = "service imap-login {\n"
				   "inet_listener imap {\nport = 143\n}\n"
				   "inet_listener imaps {\nport = 993\nssl = yes\n}\n"
				   "}\n"
				   "service imap {\nprocess_limit = 1024\n}\n"
				   "service lmtp {\nunix_listener lmtp {\nmode = 0666\n}\n}\n"
				   "service auth {\n}\n"
				   "service auth-worker {\n}\n";

struct parser {
	struct arena *a;
	struct notes *notes;
	struct source source;
	unsigned flags;
	struct node *root, *open; /* open: the section that statements belong to */
	unsigned depth;           /* of open */
	unsigned skip;            /* sections open inside one that was refused */
	unsigned sections;
	bool builtin;
	unsigned line;      /* of the statement */
	struct buf value;   /* own: with references resolved */
	struct buf scratch; /* own: the lexer's */
};

static void fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct parser *p, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	note_error(p->notes, source_top(&p->source)->path, p->line, "%s", text);
}

static void *fail_full(struct parser *p)
{
	fail(p, "the configuration is too large");
	return NULL;
}

/* For messages: what a peer of the administrator may have typed, cut to a bearable length. */
#define SHOWN(s) (int)((s).n < 100 ? (s).n : 100), (s).p

struct set_value *node_find(const struct node *n, const char *key)
{
	for (struct set_value *s = n->sets; s; s = s->next)
		if (strcmp(s->key, key) == 0)
			return s;
	return NULL;
}

/* ---- names ---- */

static const struct conf_row *find_row(const struct sect *sect, struct span key)
{
	for (size_t i = 0; i < sect->rows_n; i++)
		if (span_eq_str(key, sect->rows[i].name))
			return &sect->rows[i];
	return NULL;
}

static const struct conf_row *find_row24(struct span key)
{
	for (size_t i = 0; i < CONF_N; i++)
		if (conf_rows[i].name24 && span_eq_str(key, conf_rows[i].name24))
			return &conf_rows[i];
	return NULL;
}

static void fail_unknown(struct parser *p, struct span key)
{
	const struct sect *sect = &sects[p->open->kind];
	struct nearest near = { .word = key };
	const struct conf_row *row;

	if (span_eq_str(key, "dovecot_config_version")) {
		fail(p,
		     "this file is written for Dovecot 2.4; only the grammar of 2.3 is read here");
		return;
	}
	row = find_row24(key);
	if (row) {
		fail(p, "unknown setting \"%.*s\": that is the name in Dovecot 2.4 of %s",
		     SHOWN(key), row->name);
		return;
	}
	if (!(sect->flags & SECT_SETTINGS) && find_row(&sects[SECT_ROOT], key)) {
		fail(p, "setting \"%.*s\" cannot stand in a %s section", SHOWN(key), sect->name);
		return;
	}
	for (size_t i = 0; i < sect->rows_n; i++)
		nearest_try(&near, sect->rows[i].name);
	fail(p, "unknown setting \"%.*s\"%s%s; the nearest known name is \"%s\"", SHOWN(key),
	     *sect->name ? " in section " : "", sect->name, near.best);
}

/* ---- values ---- */

/* Appends the present value of a setting as the text that would set it. */
static bool append_ref(struct parser *p, struct span name)
{
	const struct conf_row *row = find_row(&sects[SECT_ROOT], name);
	char *key = arena_span(p->a, name);

	for (const struct node *n = p->open; n && key; n = n->parent) {
		const struct set_value *set = node_find(n, key);
		struct conf_value v;

		if (!set)
			continue;
		v = set->value;
		v.file = NULL;
		if (v.words) {
			for (size_t i = 0; v.words[i]; i++)
				buf_printf(&p->value, "%s%s", i > 0 ? " " : "", v.words[i]);
		} else if (!set->row || set->row->type == CONF_T_STRING) {
			buf_add(&p->value, v.text, v.len);
		} else if (set->row->type == CONF_T_FILE) {
			return false;
		} else {
			value_print(set->row, &v, &p->value);
		}
		return true;
	}
	if (row)
		buf_add_str(&p->value, row->def);
	return row != NULL;
}

static bool is_white(char c)
{
	return c == ' ' || c == '\t';
}

/* "$name" at the beginning or after a blank, up to the next blank. */
static bool resolve_refs(struct parser *p, struct span s)
{
	buf_clear(&p->value);
	for (size_t i = 0; i < s.n;) {
		struct span name = { s.p + i + 1, 0 };

		if (s.p[i] != '$' || (i > 0 && !is_white(s.p[i - 1]))) {
			buf_add_char(&p->value, s.p[i++]);
			continue;
		}
		while (i + 1 + name.n < s.n && !is_white(name.p[name.n]))
			name.n++;
		if (!append_ref(p, name)) {
			fail(p, "\"$%.*s\" refers to no setting", SHOWN(name));
			return false;
		}
		i += 1 + name.n;
	}
	return true;
}

/* Content of "<path" into p->value; *path_r in the arena. */
static bool read_file_value(struct parser *p, struct span path, const char **path_r)
{
	struct errtext t;

	buf_clear(&p->value);
	if (path.n == 0) {
		fail(p, "a path is missing behind \"<\"");
		return false;
	}
	*path_r = source_path(&p->source, path);
	if (!*path_r)
		return fail_full(p);
	if (p->flags & (CONF_LOAD_NO_CONTENT | CONF_LOAD_NO_FILES))
		return true;
	if (read_whole(*path_r, &p->value, NULL, &t)) {
		fail(p, "%s", t.text);
		return false;
	}
	return true;
}

static bool file_fits(struct parser *p, const struct conf_row *row, const struct stmt *s)
{
	bool is_file = s->kind == STMT_SET_FILE;

	if (!row)
		return true;
	if (is_file && row->type != CONF_T_STRING && row->type != CONF_T_FILE) {
		fail(p, "%s cannot be read from a file", row->name);
		return false;
	}
	if (!is_file && row->type == CONF_T_FILE && s->value.n > 0 && *s->value.p != '$') {
		fail(p, "%s must be the content of a file: write %s = </path", row->name,
		     row->name);
		return false;
	}
	return true;
}

/* A value that is one reference to what came from a file comes from that file too. */
static const struct conf_value *whole_file_ref(struct parser *p, const struct stmt *s)
{
	char *key;

	if (s->kind != STMT_SET || s->value.n < 2 || *s->value.p != '$')
		return NULL;
	key = arena_span(p->a, span_from(s->value, 1));
	for (const struct node *n = p->open; n && key; n = n->parent) {
		const struct set_value *set = node_find(n, key);

		if (set)
			return set->value.file ? &set->value : NULL;
	}
	return NULL;
}

/* The text of a statement's value, in p->value, and the file that it came from. */
static bool value_text(struct parser *p, const struct stmt *s, const char **path_r)
{
	*path_r = NULL;
	if (s->kind == STMT_SET_FILE)
		return read_file_value(p, s->value, path_r);
	if (s->kind == STMT_SET)
		return resolve_refs(p, s->value);
	buf_clear(&p->value);
	buf_add_span(&p->value, s->value);
	return true;
}

static bool make_value(struct parser *p, const struct conf_row *row, const struct stmt *s,
		       struct conf_value *v_r)
{
	static const struct conf_row verbatim = { .type = CONF_T_STRING };
	const struct conf_value *same = whole_file_ref(p, s);
	struct conf_value v;
	struct errtext t;
	const char *path;

	if (!file_fits(p, row, s))
		return false;
	if (same && (!row || row->type == CONF_T_STRING || row->type == CONF_T_FILE)) {
		*v_r = *same;
		return true;
	}
	if (!value_text(p, s, &path))
		return false;
	if (p->value.failed || (!path && p->value.n > VALUE_MAX)) {
		fail(p, "the value of %.*s is too long", SHOWN(s->key));
		return false;
	}
	if (value_parse(row ? row : &verbatim, buf_span(&p->value), p->a, &v, &t)) {
		fail(p, "%.*s: %s", SHOWN(s->key), t.text);
		return false;
	}
	v.file = path;
	*v_r = v;
	return true;
}

static struct set_value *find_or_add(struct parser *p, const struct conf_row *row, struct span name)
{
	struct node *n = p->open;
	const char *key = row ? row->name : arena_span(p->a, name);
	struct set_value *set = key ? node_find(n, key) : NULL;

	if (set || !key)
		return set;
	set = arena_alloc(p->a, sizeof(*set));
	if (!set)
		return NULL;
	set->row = row;
	set->key = key;
	*n->sets_end = set;
	n->sets_end = &set->next;
	return set;
}

/* Keys that a dump could not write back unchanged are refused. */
static bool plain_key(struct span key)
{
	for (size_t i = 0; i < key.n; i++)
		if ((unsigned char)key.p[i] <= ' ' || memchr("\"'#{}$\\<", key.p[i], 8))
			return false;
	return key.n > 0 && key.n <= 256 && *key.p != '!';
}

static void do_set(struct parser *p, const struct stmt *s)
{
	const struct sect *sect = &sects[p->open->kind];
	const struct conf_row *row = find_row(sect, s->key);
	struct conf_value v;
	struct set_value *set;

	if (!row && !(sect->flags & SECT_VERBATIM)) {
		fail_unknown(p, s->key);
		return;
	}
	if (!row && !plain_key(s->key)) {
		fail(p, "\"%.*s\" cannot be a name", SHOWN(s->key));
		return;
	}
	if (!make_value(p, row, s, &v))
		return;
	set = find_or_add(p, row, s->key);
	if (!set) {
		fail_full(p);
		return;
	}
	set->value = v;
	set->file = source_top(&p->source)->path;
	set->line = p->line;
	set->builtin = p->builtin;
}

/* ---- sections ---- */

static void fail_section(struct parser *p, struct span key)
{
	struct nearest near = { .word = key };
	const char *in = sects[p->open->kind].name;

	for (int k = SECT_NAMESPACE; k < SECT_N; k++) {
		if (span_eq_str(key, sects[k].name)) {
			fail(p, "section \"%s\" cannot stand %s%s", sects[k].name,
			     *in ? "in a section " : "here", in);
			return;
		}
		nearest_try(&near, sects[k].name);
	}
	fail(p, "unknown section \"%.*s\"; the nearest known name is \"%s\"", SHOWN(key),
	     near.best);
}

static bool known_protocol(struct parser *p, struct span name)
{
	struct nearest near = { .word = name };

	if (name.n > 0 && *name.p == '!')
		near.word = name = span_from(name, 1);
	for (size_t i = 0; conf_protocols_known[i]; i++) {
		if (span_eq_str(name, conf_protocols_known[i]))
			return true;
		nearest_try(&near, conf_protocols_known[i]);
	}
	fail(p, "unknown protocol \"%.*s\"; the nearest known name is \"%s\"", SHOWN(name),
	     near.best);
	return false;
}

/* Addresses with an optional /bits, or host names; several parted by blanks. */
static bool filter_name(struct parser *p, enum sect_kind kind, struct span name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    ".:-_*/[] ,";

	for (size_t i = 0; i < name.n; i++) {
		if (!memchr(plain, name.p[i], sizeof(plain) - 1)) {
			fail(p, "\"%.*s\" is no %s", SHOWN(name),
			     kind == SECT_LOCAL_NAME ? "host name" : "address or network");
			return false;
		}
	}
	return true;
}

static bool name_fits(struct parser *p, enum sect_kind kind, struct span name)
{
	const struct sect *sect = &sects[kind];

	if (name.n == 0 && (sect->flags & SECT_NAMED))
		fail(p, "section \"%s\" needs a name", sect->name);
	else if (name.n > 0 && (sect->flags & SECT_ANONYMOUS))
		fail(p, "section \"%s\" takes no name", sect->name);
	else if (name.n > 1024)
		fail(p, "the name of the section is too long");
	else if (kind == SECT_PROTOCOL)
		return known_protocol(p, name);
	else if (kind == SECT_LOCAL || kind == SECT_REMOTE || kind == SECT_LOCAL_NAME)
		return filter_name(p, kind, name);
	else
		return true;
	return false;
}

/* A second section of the same name goes on with the first. */
static struct node *find_section(const struct node *in, enum sect_kind kind, struct span name)
{
	bool merge = name.n > 0 || (sects[kind].flags & SECT_ANONYMOUS);

	for (struct node *n = in->child; merge && n; n = n->next)
		if (n->kind == kind && span_eq_str(name, n->name))
			return n;
	return NULL;
}

static struct node *new_node(struct parser *p, struct node *parent, enum sect_kind kind,
			     struct span name)
{
	struct node *n = arena_alloc(p->a, sizeof(*n));

	if (n)
		n->name = arena_span(p->a, name);
	if (!n || !n->name || ++p->sections > SECTIONS_MAX)
		return fail_full(p);
	n->kind = kind;
	n->parent = parent;
	n->sets_end = &n->sets;
	n->child_end = &n->child;
	if (parent) {
		*parent->child_end = n;
		parent->child_end = &n->next;
	}
	return n;
}

static struct node *enter_section(struct parser *p, const struct stmt *s)
{
	enum sect_kind kind = SECT_NAMESPACE;
	struct node *n;

	while (kind < SECT_N && !(span_eq_str(s->key, sects[kind].name) &&
				  (sects[kind].parents & 1u << p->open->kind)))
		kind++;
	if (kind == SECT_N) {
		fail_section(p, s->key);
		return NULL;
	}
	if (!name_fits(p, kind, s->value))
		return NULL;
	if (p->depth >= SECTIONS_DEEP) {
		fail(p, "sections are deeper than %d", SECTIONS_DEEP);
		return NULL;
	}
	n = find_section(p->open, kind, s->value);
	if (!n)
		n = new_node(p, p->open, kind, s->value);
	if (!n)
		return NULL;
	if (!n->file)
		n->builtin = p->builtin;
	if (!n->file || (n->builtin && !p->builtin)) {
		n->file = source_top(&p->source)->path;
		n->line = p->line;
	}
	n->opened = p->line;
	return n;
}

static void do_section(struct parser *p, const struct stmt *s)
{
	struct node *n = p->skip > 0 ? NULL : enter_section(p, s);

	if (!n) {
		p->skip++;
		return;
	}
	p->open = n;
	p->depth++;
}

static void do_end(struct parser *p)
{
	if (p->skip > 0) {
		p->skip--;
	} else if (p->open == source_top(&p->source)->mark) {
		fail(p, "\"}\" without an open section in this file");
	} else {
		p->open = p->open->parent;
		p->depth--;
	}
}

/* ---- the loop ---- */

static void do_stmt(struct parser *p, const struct stmt *s)
{
	bool in_refused = p->skip > 0;

	switch (s->kind) {
	case STMT_NONE:
		break;
	case STMT_SECTION:
		do_section(p, s);
		break;
	case STMT_END:
		do_end(p);
		break;
	case STMT_BAD:
		fail(p, "%s", s->why);
		break;
	case STMT_INCLUDE:
	case STMT_INCLUDE_TRY:
		if (!in_refused)
			source_include(&p->source, s->value, s->kind == STMT_INCLUDE_TRY, p->line);
		break;
	default:
		if (!in_refused)
			do_set(p, s);
	}
}

static void end_file(struct parser *p)
{
	const struct frame *f = source_top(&p->source);

	while (p->open != f->mark) {
		note_error(p->notes, f->path, p->open->opened, "section \"%s\" is never closed",
			   sects[p->open->kind].name);
		p->open = p->open->parent;
		p->depth--;
	}
	p->skip = 0;
	source_pop(&p->source);
}

static void read_all(struct parser *p)
{
	enum source_event ev;
	struct span line;
	struct stmt s;

	while ((ev = source_next(&p->source, p->open, &line, &p->line)) != SOURCE_DONE) {
		if (ev == SOURCE_EOF) {
			end_file(p);
			continue;
		}
		if (line.n > 0 && memchr(line.p, 0, line.n)) {
			fail(p, "the line holds a NUL byte");
			continue;
		}
		lex_stmt(line, &p->scratch, &s);
		do_stmt(p, &s);
	}
}

struct node *parse_tree(const char *path, const struct span *text, unsigned flags, struct arena *a,
			struct notes *notes)
{
	struct parser p = { .a = a, .notes = notes, .flags = flags };

	source_init(&p.source, a, notes, flags & CONF_LOAD_NO_FILES);
	buf_init(&p.value, SOURCE_FILE_MAX + 16384);
	buf_init(&p.scratch, SOURCE_LINE_MAX);
	p.builtin = true;
	source_push_text(&p.source, "built-in", span_str(builtin_text), NULL);
	p.root = p.open = new_node(&p, NULL, SECT_ROOT, SPAN(""));
	if (p.root) {
		source_top(&p.source)->mark = p.root;
		read_all(&p);
		p.builtin = false;
		if (text)
			source_push_text(&p.source, path, *text, p.root);
		else
			source_push_file(&p.source, path, path, 0, p.root);
		read_all(&p);
	}
	source_free(&p.source);
	if (p.value.cap > 0)
		mem_wipe(p.value.p, p.value.cap);
	buf_free(&p.value);
	buf_free(&p.scratch);
	return p.root;
}
