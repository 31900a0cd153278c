/*
 * Values of settings, type by type. Units are those of dovecot.conf 2.3: sizes in powers of 1024,
 * times without unit are seconds.
 */
#include "value.h"
#include "base/must.h"

struct span words_nth(const char *words, uint64_t n)
{
	struct span rest = span_str(words), word;

	while (span_split(&rest, ' ', &word))
		if (n-- == 0)
			return word;
	return SPAN("");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

static struct span next_word(struct span *rest)
{
	struct span word;

	while (rest->n > 0 && is_blank(*rest->p))
		*rest = span_from(*rest, 1);
	word = (struct span){ rest->p, 0 };
	while (word.n < rest->n && !is_blank(rest->p[word.n]))
		word.n++;
	*rest = span_from(*rest, word.n);
	return word;
}

static enum err parse_words(struct span text, struct arena *a, struct conf_value *v)
{
	struct span rest = text;
	const char **list;
	size_t n = 0, i;

	while (next_word(&rest).n > 0)
		n++;
	list = arena_array(a, n + 1, sizeof(*list));
	if (!list)
		return ERR_LIMIT;
	for (i = 0, rest = text; i < n; i++) {
		list[i] = arena_span(a, next_word(&rest));
		if (!list[i])
			return ERR_LIMIT;
	}
	v->words = list;
	return ERR_OK;
}

static enum err parse_bool(struct span text, struct conf_value *v, struct errtext *t)
{
	static const char *const yes[] = { "yes", "y", "true", "1" };
	static const char *const no[] = { "no", "n", "false", "0" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (span_ieq_str(text, yes[i]) || span_ieq_str(text, no[i])) {
			v->num = span_ieq_str(text, yes[i]);
			return ERR_OK;
		}
	}
	return err_say(t, ERR_SYNTAX, "yes or no expected, not \"%.*s\"", (int)text.n, text.p);
}

static enum err parse_enum(const struct conf_row *row, struct span text, struct conf_value *v,
			   struct errtext *t)
{
	struct span rest = span_str(row->words), word;

	for (uint64_t n = 0; span_split(&rest, ' ', &word); n++) {
		if (span_ieq(word, text)) {
			v->num = n;
			return ERR_OK;
		}
	}
	return err_say(t, ERR_SYNTAX, "one of \"%s\" expected, not \"%.*s\"", row->words,
		       (int)(text.n < 64 ? text.n : 64), text.p);
}

/* Digits, blanks, a unit: the parts, unit lower-cased by comparison later. */
static bool split_unit(struct span text, uint64_t *num_r, struct span *unit_r)
{
	size_t n = 0;

	while (n < text.n && ascii_isdigit(text.p[n]))
		n++;
	*unit_r = span_trim(span_from(text, n));
	return span_u64(span_cut(text, 0, n), num_r);
}

static bool multiply(uint64_t num, uint64_t factor, uint64_t *num_r)
{
	return !__builtin_mul_overflow(num, factor, num_r);
}

static enum err parse_size(struct span text, struct conf_value *v, struct errtext *t)
{
	static const char letters[] = "bkmgt";
	struct span unit;
	uint64_t num;
	const char *at;

	if (!split_unit(text, &num, &unit))
		return err_say(t, ERR_SYNTAX, "size expected, like \"64 k\", not \"%.*s\"",
			       (int)text.n, text.p);
	at = unit.n == 0 ? letters : memchr(letters, ascii_lower(*unit.p), sizeof(letters) - 1);
	unit = span_from(unit, 1);
	if (!at || !(unit.n == 0 || span_ieq_str(unit, "b") || span_ieq_str(unit, "ib")))
		return err_say(t, ERR_SYNTAX, "unknown unit in size \"%.*s\" (B, k, M, G, T)",
			       (int)text.n, text.p);
	if (!multiply(num, UINT64_C(1) << (10 * (at - letters)), &v->num))
		return err_say(t, ERR_SYNTAX, "size \"%.*s\" is too large", (int)text.n, text.p);
	return ERR_OK;
}

/* Longest first, so that a dump prints the largest unit that fits. */
static const struct {
	const char *name, *other; /* any beginning of either is the unit */
	uint64_t ms;
} time_units[] = {
	{ "weeks", "weeks", 7 * 86400000ull }, { "days", "days", 86400000 },
	{ "hours", "hours", 3600000 },	       { "mins", "minutes", 60000 },
	{ "secs", "seconds", 1000 },	       { "msecs", "milliseconds", 1 },
};

static uint64_t time_unit(struct span unit)
{
	if (unit.n == 0)
		return 1000;
	for (size_t i = 0; i < ARRAY_LEN(time_units); i++)
		if (span_istarts(span_str(time_units[i].name), unit) ||
		    span_istarts(span_str(time_units[i].other), unit))
			return time_units[i].ms;
	return 0;
}

static enum err parse_time(struct span text, struct conf_value *v, struct errtext *t)
{
	struct span unit;
	uint64_t num, factor;

	if (!split_unit(text, &num, &unit))
		return err_say(t, ERR_SYNTAX, "time expected, like \"30 secs\", not \"%.*s\"",
			       (int)text.n, text.p);
	factor = time_unit(unit);
	if (factor == 0)
		return err_say(
			t, ERR_SYNTAX,
			"unknown unit in time \"%.*s\" (msecs, secs, mins, hours, days, weeks)",
			(int)text.n, text.p);
	if (!multiply(num, factor, &v->num) || v->num > INT64_MAX)
		return err_say(t, ERR_SYNTAX, "time \"%.*s\" is too long", (int)text.n, text.p);
	return ERR_OK;
}

static enum err parse_mode(struct span text, struct conf_value *v, struct errtext *t)
{
	uint64_t mode = 0;

	for (size_t i = 0; i < text.n && mode <= 07777; i++) {
		if (text.p[i] < '0' || text.p[i] > '7')
			mode = UINT64_MAX;
		else
			mode = mode * 8 + (uint64_t)(text.p[i] - '0');
	}
	if (text.n == 0 || mode > 0777)
		return err_say(t, ERR_SYNTAX, "octal mode expected, like 0600, not \"%.*s\"",
			       (int)text.n, text.p);
	v->num = mode;
	return ERR_OK;
}

static enum err keep_text(struct span text, struct arena *a, struct conf_value *v)
{
	v->text = arena_span(a, text);
	v->len = text.n;
	return v->text ? ERR_OK : ERR_LIMIT;
}

static enum err parse_typed(const struct conf_row *row, struct span text, struct arena *a,
			    struct conf_value *v, struct errtext *t)
{
	enum err e;

	switch (row->type) {
	case CONF_T_BOOL:
		return parse_bool(text, v, t);
	case CONF_T_UINT:
		if (span_u64(text, &v->num))
			return ERR_OK;
		return err_say(t, ERR_SYNTAX, "number expected, not \"%.*s\"", (int)text.n, text.p);
	case CONF_T_SIZE:
		return parse_size(text, v, t);
	case CONF_T_TIME:
		return parse_time(text, v, t);
	case CONF_T_MODE:
		return parse_mode(text, v, t);
	case CONF_T_WORDS:
		return parse_words(text, a, v);
	case CONF_T_ENUM:
		e = parse_enum(row, text, v, t);
		return e ? e : keep_text(words_nth(row->words, v->num), a, v);
	case CONF_T_STRING:
	case CONF_T_FILE:
		return keep_text(text, a, v);
	}
	must(!"type of a row");
	return ERR_CANNOT;
}

enum err value_parse(const struct conf_row *row, struct span text, struct arena *a,
		     struct conf_value *v_r, struct errtext *t)
{
	struct conf_value v = { .text = "", .words = NULL };
	enum err e;

	if (text.n > 0 && memchr(text.p, 0, text.n))
		return err_say(t, ERR_SYNTAX, "it holds a NUL byte");
	if (text.n > 200 && row->type != CONF_T_STRING && row->type != CONF_T_FILE &&
	    row->type != CONF_T_WORDS)
		return err_say(t, ERR_SYNTAX, "it is too long");
	e = parse_typed(row, text, a, &v, t);
	if (e == ERR_LIMIT)
		return err_say(t, e, "the configuration is too large");
	if (!e)
		*v_r = v;
	return e;
}

/* ---- back to text ---- */

static bool needs_quotes(struct span s)
{
	if (s.n == 0)
		return false;
	if (memchr(" \t\r<", s.p[0], 4) || memchr(" \t\r\\", s.p[s.n - 1], 4))
		return true;
	for (size_t i = 0; i < s.n; i++) {
		if (memchr("#\"'", s.p[i], 3))
			return true;
		if (s.p[i] == '$' && (i == 0 || s.p[i - 1] == ' ' || s.p[i - 1] == '\t'))
			return true;
	}
	return false;
}

void value_print_text(struct span s, struct buf *out)
{
	if (!needs_quotes(s)) {
		buf_add_span(out, s);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, s.p[i]);
	}
	buf_add_char(out, '"');
}

static void print_time(uint64_t ms, struct buf *out)
{
	for (size_t i = 0; ms > 0 && i < ARRAY_LEN(time_units); i++) {
		if (ms % time_units[i].ms == 0) {
			buf_add_u64(out, ms / time_units[i].ms);
			buf_printf(out, " %s", time_units[i].name);
			return;
		}
	}
	buf_add_char(out, '0');
}

static void print_size(uint64_t size, struct buf *out)
{
	static const char *const units[] = { " B", " k", " M", " G", " T" };
	size_t i = 0;

	while (size > 0 && size % 1024 == 0 && i + 1 < ARRAY_LEN(units)) {
		size /= 1024;
		i++;
	}
	buf_add_u64(out, size);
	buf_add_str(out, size > 0 ? units[i] : "");
}

static void print_words(const char *const *words, struct buf *out)
{
	struct buf line;

	buf_init(&line, SIZE_MAX / 2);
	for (size_t i = 0; words[i]; i++) {
		if (i > 0)
			buf_add_char(&line, ' ');
		buf_add_str(&line, words[i]);
	}
	value_print_text(buf_span(&line), out);
	buf_free(&line);
}

void value_print(const struct conf_row *row, const struct conf_value *v, struct buf *out)
{
	if (v->file) {
		buf_printf(out, "<%s", v->file);
		return;
	}
	switch (row->type) {
	case CONF_T_BOOL:
		buf_add_str(out, v->num ? "yes" : "no");
		break;
	case CONF_T_UINT:
		buf_add_u64(out, v->num);
		break;
	case CONF_T_SIZE:
		print_size(v->num, out);
		break;
	case CONF_T_TIME:
		print_time(v->num, out);
		break;
	case CONF_T_MODE:
		buf_printf(out, "0%03o", (unsigned)v->num);
		break;
	case CONF_T_WORDS:
		print_words(v->words, out);
		break;
	case CONF_T_ENUM:
	case CONF_T_STRING:
	case CONF_T_FILE:
		value_print_text(span_of(v->text, v->len), out);
		break;
	}
}

static bool words_equal(const char *const *a, const char *const *b)
{
	size_t i;

	for (i = 0; a[i] && b[i]; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return a[i] == b[i];
}

bool value_equal(const struct conf_row *row, const struct conf_value *a, const struct conf_value *b)
{
	if ((a->file || b->file) && (!a->file || !b->file || strcmp(a->file, b->file) != 0))
		return false;
	switch (row->type) {
	case CONF_T_WORDS:
		return words_equal(a->words, b->words);
	case CONF_T_STRING:
	case CONF_T_FILE:
		return span_eq(span_of(a->text, a->len), span_of(b->text, b->len));
	default:
		return a->num == b->num;
	}
}

/* ---- fields of structs ---- */

void value_store(const struct conf_row *row, const struct conf_value *v, void *base)
{
	void *field = (char *)base + row->offset;

	switch (row->type) {
	case CONF_T_BOOL:
		*(bool *)field = v->num != 0;
		break;
	case CONF_T_ENUM:
		*(unsigned *)field = (unsigned)v->num;
		break;
	case CONF_T_STRING:
		*(const char **)field = v->text;
		break;
	case CONF_T_WORDS:
		*(const char *const **)field = v->words;
		break;
	default:
		must(row->type != CONF_T_FILE);
		*(uint64_t *)field = v->num;
	}
}

void value_fetch(const struct conf_row *row, const void *base, struct conf_value *v_r)
{
	const void *field = (const char *)base + row->offset;

	*v_r = (struct conf_value){ .text = "" };
	switch (row->type) {
	case CONF_T_BOOL:
		v_r->num = *(const bool *)field;
		break;
	case CONF_T_ENUM:
		v_r->num = *(const unsigned *)field;
		break;
	case CONF_T_STRING:
		v_r->text = *(const char *const *)field;
		v_r->len = strlen(v_r->text);
		break;
	case CONF_T_WORDS:
		v_r->words = *(const char *const *const *)field;
		break;
	default:
		v_r->num = *(const uint64_t *)field;
	}
}
