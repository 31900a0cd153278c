/*
 * The lexer: a state machine over bytes, one function a state. A state's function
 * takes some bytes off the front of its input (perhaps none, when it only changes
 * the state) and may leave an event. Cut tokens wait in tok; nothing is read twice.
 * What the words mean is not known here, with one exception: "BODY[" and kin.
 *
 * Longer than a file should be: it is one machine, whose states all work on the same struct; each half of a cut one
 * would have to show the other all of it.
 */
#include "wire/imap_lex.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"

enum {
	TAG_MAX = 255,
	NAME_MAX_BYTES = 64,
	TAIL_MAX = 24, /* "{18446744073709551615+}" CR */
};

enum lex_state {
	LEX_TAG,
	LEX_NAME,
	LEX_GAP,    /* an argument may begin */
	LEX_AFTER,  /* an argument is complete */
	LEX_ATOM,
	LEX_BRACKET, /* behind the ']' of a section */
	LEX_QUOTED,
	LEX_ESCAPE,
	LEX_TILDE,
	LEX_SIZE,
	LEX_CLOSE,
	LEX_HEAD_CR,
	LEX_HEAD_LF,
	LEX_LITERAL,
	LEX_CR,
	LEX_SKIP,
	LEX_SKIP_LITERAL,
	LEX_HANDED, /* the caller has the stream: a literal he asked for */
	LEX_ENDED,
};

struct imap_lex {
	struct imap_lex_limits limits;
	struct arena *arena; /* borrowed */
	struct imap_command cmd;
	struct imap_arg *parent, *last; /* arena: where the next argument is hung */
	uint32_t depth, nargs;
	enum lex_state state;
	enum imap_lex_event event;
	enum imap_lex_event pending; /* came up outside of a feed; MORE: none */
	bool sections;  /* "BODY[" may be special in this command */
	bool streaming;
	bool sync_due;  /* CONTINUE was reported and not yet answered by a feed */
	bool size_seen; /* LEX_SIZE: at least one digit */
	uint32_t stream_min;
	size_t line_n;
	size_t literal_total; /* collected so far */
	struct imap_literal lit;
	char *lit_p;          /* arena: where its bytes go */
	uint64_t lit_left;
	struct buf tok;       /* own: the beginning of a cut token */
	const char *why;      /* constant */
	bool toobig;
	uint8_t tail_n;
	char tail[TAIL_MAX];  /* last bytes of a line being skipped */
};

const struct imap_lex_limits imap_lex_session = {
	.line_max = 1 << 20,
	.literal_max = 1 << 20,
	.skip_max = 1 << 30,
	.args_max = 10000,
	.depth_max = 32,
};

const struct imap_lex_limits imap_lex_preauth = {
	.line_max = 8192,
	.literal_max = 4096,
	.skip_max = 65536,
	.args_max = 70,
	.depth_max = 1,
};

enum { C_ATOM = 1, C_TAG = 2, C_QUOTED = 4, C_OPEN = 8, C_CLOSE = 16, C_WORD = C_ATOM | C_TAG | C_QUOTED };

static const uint8_t class[256] = {
	[0x01 ... 0x09] = C_QUOTED,
	[0x0b ... 0x0c] = C_QUOTED,
	[0x0e ... 0x20] = C_QUOTED,
	['!'] = C_WORD,
	['#' ... '$'] = C_WORD,
	['%'] = C_ATOM | C_QUOTED,
	['&' ... '\''] = C_WORD,
	['(' ... ')'] = C_QUOTED,
	['*' ... '+'] = C_ATOM | C_QUOTED,
	[',' ... 'Z'] = C_WORD,
	['['] = C_OPEN | C_TAG | C_QUOTED,
	['\\'] = C_ATOM, /* flags */
	[']'] = C_CLOSE | C_TAG | C_QUOTED,
	['^' ... 'z'] = C_WORD,
	['{'] = C_QUOTED,
	['|' ... '~'] = C_WORD,
	[0x7f ... 0xff] = C_QUOTED,
};

static size_t run_of(struct span in, uint8_t mask)
{
	size_t i = 0;

	while (i < in.n && (class[(uint8_t)in.p[i]] & mask))
		i++;
	return i;
}

static void set_state(struct imap_lex *lex, enum lex_state state)
{
	lex->state = state;
}

static void end_with(struct imap_lex *lex, enum imap_lex_event event, const char *why)
{
	if (!lex->why || (event == IMAP_LEX_FATAL && !*lex->why))
		lex->why = why;
	lex->event = event;
	set_state(lex, LEX_ENDED);
	buf_free(&lex->tok);
}

/* Keeps the last bytes of the line that is skipped, for the literal that may stand there. */
static void tail_add(struct imap_lex *lex, struct span s)
{
	size_t keep;

	if (s.n >= TAIL_MAX) {
		memcpy(lex->tail, s.p + s.n - TAIL_MAX, TAIL_MAX);
		lex->tail_n = TAIL_MAX;
		return;
	}
	keep = lex->tail_n + s.n > TAIL_MAX ? TAIL_MAX - s.n : lex->tail_n;
	memmove(lex->tail, lex->tail + (lex->tail_n - keep), keep);
	if (s.n > 0)
		memcpy(lex->tail + keep, s.p, s.n);
	lex->tail_n = (uint8_t)(keep + s.n);
}

/*
 * The line is bad from here on: nothing of it is kept, the stream is followed to its end.
 * Takes no byte (returns 0); what stood before the bad byte is taken by the caller.
 */
static size_t fail(struct imap_lex *lex, const char *why)
{
	if (!lex->why)
		lex->why = why;
	set_state(lex, LEX_SKIP);
	buf_free(&lex->tok);
	return 0;
}

static size_t fail_char(struct imap_lex *lex, char c, const char *why)
{
	if (c != '\0')
		return fail(lex, why);
	end_with(lex, IMAP_LEX_FATAL, "NUL byte in command");
	return 0;
}

/* The token so far, n bytes of in its last, is bad; what it ends with may belong to a literal's head. Takes those n bytes. */
static size_t fail_token(struct imap_lex *lex, struct span in, size_t n, const char *why)
{
	tail_add(lex, buf_span(&lex->tok));
	tail_add(lex, span_cut(in, 0, n));
	fail(lex, why);
	return n;
}

/* The same because of the byte behind it. */
static size_t fail_token_at(struct imap_lex *lex, struct span in, size_t n, const char *why)
{
	return in.p[n] == '\0' ? n + fail_char(lex, '\0', why) : fail_token(lex, in, n, why);
}

static void fail_literal(struct imap_lex *lex, const char *why)
{
	if (lex->lit.sync) {
		end_with(lex, IMAP_LEX_BAD, why);
	} else if (lex->lit_left > lex->limits.skip_max) {
		end_with(lex, IMAP_LEX_FATAL, "Literal too big");
	} else {
		fail(lex, why);
		set_state(lex, LEX_SKIP_LITERAL);
	}
}

/* The token is what waits in tok plus the n bytes at the front of in, copied to the arena. */
static bool token_end(struct imap_lex *lex, struct span in, size_t n, struct span *s_r)
{
	bool ok;

	if (lex->tok.n == 0) {
		*s_r = arena_copy(lex->arena, span_cut(in, 0, n), &ok);
	} else {
		buf_add(&lex->tok, in.p, n);
		*s_r = arena_copy(lex->arena, buf_span(&lex->tok), &ok);
		ok = ok && !lex->tok.failed;
		buf_free(&lex->tok);
	}
	if (!ok)
		fail(lex, "Command too large");
	return ok;
}

static struct imap_arg *add_arg(struct imap_lex *lex, enum imap_arg_type type)
{
	struct imap_arg *a = arena_alloc(lex->arena, sizeof(*a));

	if (!a) {
		fail(lex, "Command too large");
		return NULL;
	}
	a->type = type;
	a->parent = lex->parent;
	if (lex->last)
		lex->last->next = a;
	else if (lex->parent)
		lex->parent->child = a;
	else
		lex->cmd.args = a;
	if (lex->parent)
		lex->parent->count++;
	lex->last = a;
	lex->nargs++;
	return a;
}

static void arg_done(struct imap_lex *lex)
{
	if (!lex->parent)
		lex->cmd.count++;
	set_state(lex, LEX_AFTER);
}

static void open_level(struct imap_lex *lex, struct imap_arg *a)
{
	lex->parent = a;
	lex->last = NULL;
	lex->depth++;
	set_state(lex, LEX_GAP);
}

static void close_level(struct imap_lex *lex)
{
	lex->last = lex->parent;
	lex->parent = lex->parent->parent;
	lex->depth--;
}

static bool in_level(const struct imap_lex *lex, enum imap_arg_type type)
{
	return lex->parent && lex->parent->type == type;
}

static size_t end_line(struct imap_lex *lex)
{
	if (lex->parent)
		return fail(lex, lex->parent->type == IMAP_ARG_LIST ? "Missing ')'" : "Missing ']'");
	lex->event = IMAP_LEX_COMMAND;
	set_state(lex, LEX_ENDED);
	return 1;
}

/* What may stand both before and behind an argument: the end of its level or of the line. False: something else. */
static bool level_or_line_end(struct imap_lex *lex, char c, size_t *taken_r)
{
	*taken_r = 1;
	if (c == ')' && in_level(lex, IMAP_ARG_LIST)) {
		close_level(lex);
		arg_done(lex);
	} else if (c == ']' && in_level(lex, IMAP_ARG_SECTION)) {
		close_level(lex);
		set_state(lex, LEX_BRACKET);
	} else if (c == '\r') {
		set_state(lex, LEX_CR);
	} else if (c == '\n') {
		*taken_r = end_line(lex);
	} else {
		return false;
	}
	return true;
}

static size_t on_tag(struct imap_lex *lex, struct span in)
{
	size_t n = run_of(in, C_TAG);
	char c;

	if (lex->tok.n + n > TAG_MAX)
		return fail_token(lex, in, n, "Tag too long");
	if (n == in.n) {
		buf_add(&lex->tok, in.p, n);
		return n;
	}
	c = in.p[n];
	if (lex->tok.n + n == 0) /* empty lines between commands are nothing */
		return c == '\r' || c == '\n' ? 1 : fail_char(lex, c, "Invalid tag");
	if (c != ' ' && c != '\r' && c != '\n')
		return fail_token_at(lex, in, n, "Invalid tag");
	if (!token_end(lex, in, n, &lex->cmd.tag))
		return 0;
	if (c != ' ')
		return fail(lex, "Missing command");
	set_state(lex, LEX_NAME);
	return n + 1;
}

static bool name_in(struct span name, const char *const *names)
{
	while (*names && !span_ieq_str(name, *names))
		names++;
	return *names;
}

/* Commands in which an atom before '[' may be the beginning of a section. */
static bool has_sections(struct span name)
{
	static const char *const names[] = { "FETCH", "NOTIFY", "SEARCH", "SORT", "UID", NULL };

	return name_in(name, names);
}

/* And where: what searches has items in the list behind RETURN only, elsewhere it is a string. */
static bool section_place(const struct imap_lex *lex)
{
	static const char *const searches[] = { "SEARCH", "SORT", "THREAD", NULL };
	const struct imap_arg *a = lex->cmd.args, *top = lex->parent;
	bool by_uid = span_eq_str(lex->cmd.name, "UID") && a;

	if (!name_in(by_uid ? a->s : lex->cmd.name, searches))
		return true;
	if (by_uid)
		a = a->next;
	while (top && top->parent)
		top = top->parent;
	return a && top && a->next == top && span_ieq_str(a->s, "RETURN");
}

static size_t on_name(struct imap_lex *lex, struct span in)
{
	size_t n = run_of(in, C_TAG);
	struct span name;
	char *p;

	if (lex->tok.n + n > NAME_MAX_BYTES)
		return fail_token(lex, in, n, "Unknown command");
	if (n == in.n) {
		buf_add(&lex->tok, in.p, n);
		return n;
	}
	if (lex->tok.n + n == 0 || !(in.p[n] == ' ' || in.p[n] == '\r' || in.p[n] == '\n'))
		return fail_token_at(lex, in, n, "Invalid command name");
	if (!token_end(lex, in, n, &name))
		return 0;
	p = arena_span(lex->arena, name);
	if (!p)
		return fail(lex, "Command too large");
	for (size_t i = 0; i < name.n; i++)
		p[i] = ascii_upper(p[i]);
	lex->cmd.name = span_of(p, name.n);
	lex->sections = has_sections(lex->cmd.name);
	lex->event = IMAP_LEX_NAME;
	set_state(lex, LEX_AFTER);
	return n;
}

static size_t on_open_list(struct imap_lex *lex)
{
	struct imap_arg *a;

	if (lex->depth >= lex->limits.depth_max)
		return fail(lex, "Too many nested lists");
	a = add_arg(lex, IMAP_ARG_LIST);
	if (!a)
		return 0;
	open_level(lex, a);
	return 1;
}

static void literal_head(struct imap_lex *lex, bool literal8)
{
	lex->lit = (struct imap_literal){ .sync = true, .literal8 = literal8 };
	lex->size_seen = false;
	set_state(lex, LEX_SIZE);
}

static size_t on_gap(struct imap_lex *lex, struct span in)
{
	char c = in.p[0];
	size_t taken;

	if (c == ' ')
		return 1;
	if (level_or_line_end(lex, c, &taken))
		return taken;
	if (lex->nargs >= lex->limits.args_max)
		return fail(lex, "Too many arguments");
	if (c == '(')
		return on_open_list(lex);
	if (c == '"') {
		set_state(lex, LEX_QUOTED);
	} else if (c == '{') {
		literal_head(lex, false);
	} else if (c == '~') {
		set_state(lex, LEX_TILDE);
	} else if (class[(uint8_t)c] & (C_ATOM | C_OPEN | C_CLOSE)) {
		set_state(lex, LEX_ATOM);
		return 0;
	} else {
		return fail_char(lex, c, (uint8_t)c >= 0x7f ? "8-bit data in atom" : "Invalid characters in atom");
	}
	return 1;
}

static size_t on_after(struct imap_lex *lex, struct span in)
{
	char c = in.p[0];
	size_t taken;

	if (c == ' ') {
		set_state(lex, LEX_GAP);
		return 1;
	}
	if (level_or_line_end(lex, c, &taken))
		return taken;
	if (c == '(' && lex->last && lex->last->type == IMAP_ARG_ATOM) {
		set_state(lex, LEX_GAP);
		return 0;
	}
	return fail_char(lex, c, c == ')' ? "Unexpected ')'" : "Missing space between arguments");
}

static bool is_section_word(struct span s)
{
	static const char *const words[] = { "BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK", "BINARY.SIZE" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_ieq_str(s, words[i]))
			return true;
	}
	return false;
}

/* At '[': the word so far is n bytes of in behind tok. */
static size_t on_bracket_open(struct imap_lex *lex, struct span in, size_t n)
{
	struct imap_arg *a;
	struct span word;

	if (n > 0)
		buf_add(&lex->tok, in.p, n);
	if (!lex->sections || !is_section_word(buf_span(&lex->tok)) || !section_place(lex)) {
		buf_add_char(&lex->tok, '[');
		return n + 1;
	}
	if (lex->depth >= lex->limits.depth_max)
		return fail_token(lex, in, 0, "Too many nested lists") + n;
	if (!token_end(lex, SPAN(""), 0, &word))
		return 0;
	a = add_arg(lex, IMAP_ARG_SECTION);
	if (!a)
		return 0;
	a->s = word;
	open_level(lex, a);
	return n + 1;
}

static size_t on_atom(struct imap_lex *lex, struct span in)
{
	uint8_t mask = C_ATOM | (in_level(lex, IMAP_ARG_SECTION) ? 0 : C_CLOSE) | (lex->sections ? 0 : C_OPEN);
	size_t n = run_of(in, mask);
	struct imap_arg *a;
	struct span text;

	if (n == in.n) {
		buf_add(&lex->tok, in.p, n);
		return n;
	}
	if (class[(uint8_t)in.p[n]] & C_OPEN)
		return on_bracket_open(lex, in, n);
	if (!token_end(lex, in, n, &text))
		return 0;
	a = add_arg(lex, IMAP_ARG_ATOM);
	if (!a)
		return 0;
	a->s = text;
	arg_done(lex);
	return n;
}

static size_t on_bracket(struct imap_lex *lex, struct span in)
{
	size_t n = run_of(in, C_ATOM);

	if (n == in.n) {
		buf_add(&lex->tok, in.p, n);
		return n;
	}
	if (lex->tok.n + n > 0 && !token_end(lex, in, n, &lex->last->tail))
		return 0;
	arg_done(lex);
	return n;
}

static size_t on_quoted(struct imap_lex *lex, struct span in)
{
	size_t n = run_of(in, C_QUOTED);
	struct imap_arg *a;
	struct span text;

	if (n == in.n || in.p[n] == '\\') {
		buf_add(&lex->tok, in.p, n);
		if (n == in.n)
			return n;
		set_state(lex, LEX_ESCAPE);
		return n + 1;
	}
	if (in.p[n] != '"')
		return fail_token_at(lex, in, n, "Missing '\"'");
	if (!token_end(lex, in, n, &text))
		return 0;
	if (lex->limits.utf8 && !utf8_valid(text))
		return fail(lex, "Quoted string is not UTF-8") + n + 1;
	a = add_arg(lex, IMAP_ARG_QUOTED);
	if (!a)
		return 0;
	a->s = text;
	arg_done(lex);
	return n + 1;
}

static size_t on_escape(struct imap_lex *lex, struct span in)
{
	if (in.p[0] != '"' && in.p[0] != '\\')
		return fail_char(lex, in.p[0], "Invalid escape in quoted string");
	buf_add_char(&lex->tok, in.p[0]);
	set_state(lex, LEX_QUOTED);
	return 1;
}

static size_t on_tilde(struct imap_lex *lex, struct span in)
{
	if (in.p[0] == '{') {
		literal_head(lex, true);
		return 1;
	}
	buf_add_char(&lex->tok, '~');
	set_state(lex, LEX_ATOM);
	return 0;
}

static size_t on_size(struct imap_lex *lex, struct span in)
{
	char c = in.p[0];

	if (ascii_isdigit(c)) {
		if (lex->lit.size > (INT64_MAX - 9) / 10) {
			end_with(lex, IMAP_LEX_FATAL, "Literal too big");
			return 0;
		}
		lex->lit.size = lex->lit.size * 10 + (uint64_t)(c - '0');
		lex->size_seen = true;
		return 1;
	}
	if (!lex->size_seen || (c != '+' && c != '}'))
		return fail_char(lex, c, "Invalid literal size");
	if (c == '+')
		lex->lit.sync = false;
	set_state(lex, c == '+' ? LEX_CLOSE : LEX_HEAD_CR);
	return 1;
}

static size_t on_close(struct imap_lex *lex, struct span in)
{
	if (in.p[0] != '}')
		return fail_char(lex, in.p[0], "Invalid literal size");
	set_state(lex, LEX_HEAD_CR);
	return 1;
}

static void literal_start(struct imap_lex *lex)
{
	uint64_t size = lex->lit_left = lex->lit.size;

	if (!lex->lit.sync && lex->limits.plus_max && size > lex->limits.plus_max) {
		lex->toobig = true;
		fail_literal(lex, "Literal is too big to be non-synchronising");
		return;
	}
	if (lex->streaming && lex->cmd.count >= lex->stream_min) {
		set_state(lex, LEX_HANDED);
		lex->event = IMAP_LEX_LITERAL;
		return;
	}
	lex->lit_p = NULL;
	if (size <= lex->limits.literal_max - lex->literal_total)
		lex->lit_p = arena_alloc(lex->arena, (size_t)size + 1);
	if (!lex->lit_p) {
		fail_literal(lex, "Literal too big");
		return;
	}
	lex->literal_total += (size_t)size;
	set_state(lex, LEX_LITERAL);
	if (lex->lit.sync) {
		lex->sync_due = true;
		lex->event = IMAP_LEX_CONTINUE;
	}
}

static size_t on_head_cr(struct imap_lex *lex, struct span in)
{
	if (in.p[0] == '\r') {
		set_state(lex, LEX_HEAD_LF);
		return 1;
	}
	if (in.p[0] != '\n')
		return fail_char(lex, in.p[0], "Invalid literal size");
	literal_start(lex);
	return 1;
}

static size_t on_head_lf(struct imap_lex *lex, struct span in)
{
	if (in.p[0] != '\n')
		return fail_char(lex, in.p[0], "CR without LF");
	literal_start(lex);
	return 1;
}

static size_t on_literal(struct imap_lex *lex, struct span in)
{
	size_t n = in.n < lex->lit_left ? in.n : (size_t)lex->lit_left;
	struct imap_arg *a;

	if (n > 0)
		memcpy(lex->lit_p + (lex->lit.size - lex->lit_left), in.p, n);
	lex->lit_left -= n;
	if (lex->lit_left > 0)
		return n;
	if (!lex->lit.literal8 && memchr(lex->lit_p, '\0', (size_t)lex->lit.size)) {
		fail(lex, "NUL byte in literal");
		return n;
	}
	a = add_arg(lex, lex->lit.literal8 ? IMAP_ARG_LITERAL8 : IMAP_ARG_LITERAL);
	if (a) {
		a->s = span_of(lex->lit_p, (size_t)lex->lit.size);
		arg_done(lex);
	}
	return n;
}

static size_t on_cr(struct imap_lex *lex, struct span in)
{
	if (in.p[0] != '\n')
		return fail_char(lex, in.p[0], "CR without LF");
	return end_line(lex);
}

/* Does the skipped line end with "{n+}"? Then n bytes follow whatever was said. False: no literal. */
static bool tail_literal(const struct imap_lex *lex, bool *known_r, uint64_t *size_r)
{
	struct span t = span_of(lex->tail, lex->tail_n);
	size_t open, end;

	if (t.n > 0 && t.p[t.n - 1] == '\r')
		t.n--;
	if (!span_ends(t, SPAN("+}")))
		return false;
	end = open = t.n - 2;
	while (open > 0 && ascii_isdigit(t.p[open - 1]))
		open--;
	if (open == end || (open > 0 ? t.p[open - 1] != '{' : lex->tail_n < TAIL_MAX))
		return false;
	*known_r = open > 0 && span_u64(span_cut(t, open, end - open), size_r);
	return true;
}

static size_t on_skip(struct imap_lex *lex, struct span in)
{
	size_t n = span_find(in, '\n');
	uint64_t size = 0;
	bool known;

	if (n == SIZE_MAX) {
		tail_add(lex, in);
		return in.n;
	}
	tail_add(lex, span_cut(in, 0, n));
	if (!tail_literal(lex, &known, &size)) {
		end_with(lex, IMAP_LEX_BAD, "");
	} else if (!known || size > lex->limits.skip_max) {
		end_with(lex, IMAP_LEX_FATAL, "Literal too big");
	} else {
		lex->tail_n = 0;
		lex->lit_left = size;
		set_state(lex, LEX_SKIP_LITERAL);
	}
	return n + 1;
}

static size_t on_skip_literal(struct imap_lex *lex, struct span in)
{
	size_t n = in.n < lex->lit_left ? in.n : (size_t)lex->lit_left;

	lex->lit_left -= n;
	if (lex->lit_left == 0)
		set_state(lex, LEX_SKIP);
	return n;
}

static size_t on_ended(struct imap_lex *lex, struct span in)
{
	must(lex->state < LEX_HANDED); /* fed after the end of a command, or before imap_lex_taken */
	return 0;
}

static size_t (*const steps[])(struct imap_lex *, struct span) = {
	[LEX_TAG] = on_tag,
	[LEX_NAME] = on_name,
	[LEX_GAP] = on_gap,
	[LEX_AFTER] = on_after,
	[LEX_ATOM] = on_atom,
	[LEX_BRACKET] = on_bracket,
	[LEX_QUOTED] = on_quoted,
	[LEX_ESCAPE] = on_escape,
	[LEX_TILDE] = on_tilde,
	[LEX_SIZE] = on_size,
	[LEX_CLOSE] = on_close,
	[LEX_HEAD_CR] = on_head_cr,
	[LEX_HEAD_LF] = on_head_lf,
	[LEX_LITERAL] = on_literal,
	[LEX_CR] = on_cr,
	[LEX_SKIP] = on_skip,
	[LEX_SKIP_LITERAL] = on_skip_literal,
	[LEX_HANDED] = on_ended,
	[LEX_ENDED] = on_ended,
};

/* Bytes of these states do not count as line: literals have limits of their own, a literal's head is short. */
static bool counts_as_line(enum lex_state state)
{
	return !(state >= LEX_SIZE && state <= LEX_LITERAL) && state < LEX_SKIP;
}

enum imap_lex_event imap_lex_feed(struct imap_lex *lex, struct span in, size_t *used_r)
{
	size_t used = 0;

	lex->event = lex->pending;
	lex->pending = IMAP_LEX_MORE;
	if (lex->event == IMAP_LEX_MORE)
		lex->sync_due = false;
	while (used < in.n && lex->event == IMAP_LEX_MORE) {
		bool line = counts_as_line(lex->state);
		size_t most = line ? lex->limits.line_max + 1 - lex->line_n : in.n;
		size_t n = steps[lex->state](lex, span_cut(in, used, most));

		used += n;
		lex->line_n += line ? n : 0;
		if (lex->line_n > lex->limits.line_max && lex->event == IMAP_LEX_MORE && counts_as_line(lex->state))
			fail(lex, "Command line too long");
	}
	*used_r = used;
	return lex->event;
}

struct imap_lex *imap_lex_new(const struct imap_lex_limits *limits)
{
	struct imap_lex *lex = mem_alloc(sizeof(*lex));

	lex->limits = *limits;
	set_state(lex, LEX_ENDED);
	return lex;
}

void imap_lex_free(struct imap_lex **lex)
{
	if (!*lex)
		return;
	buf_free(&(*lex)->tok);
	free(*lex);
	*lex = NULL;
}

void imap_lex_start(struct imap_lex *lex, struct arena *arena)
{
	struct imap_lex_limits limits = lex->limits;

	buf_free(&lex->tok);
	*lex = (struct imap_lex){ .limits = limits, .arena = arena, .state = LEX_TAG };
	buf_init(&lex->tok, limits.line_max + 1);
}

void imap_lex_utf8(struct imap_lex *lex)
{
	lex->limits.utf8 = true;
}

const struct imap_command *imap_lex_command(const struct imap_lex *lex)
{
	return &lex->cmd;
}

const char *imap_lex_why(const struct imap_lex *lex)
{
	return lex->why ? lex->why : "";
}

const char *imap_lex_code(const struct imap_lex *lex)
{
	return lex->toobig ? "TOOBIG" : NULL;
}

bool imap_lex_idle(const struct imap_lex *lex)
{
	return lex->state == LEX_ENDED || (lex->state == LEX_TAG && lex->tok.n == 0);
}

void imap_lex_stream(struct imap_lex *lex, uint32_t min_args)
{
	lex->streaming = true;
	lex->stream_min = min_args;
}

struct imap_literal imap_lex_literal(const struct imap_lex *lex)
{
	return lex->lit;
}

const struct imap_arg *imap_lex_level(const struct imap_lex *lex)
{
	return lex->parent;
}

bool imap_lex_taken(struct imap_lex *lex)
{
	struct imap_arg *a;

	must(lex->state == LEX_HANDED);
	a = add_arg(lex, lex->lit.literal8 ? IMAP_ARG_LITERAL8 : IMAP_ARG_LITERAL);
	if (!a)
		return false;
	a->streamed = true;
	a->s = span_of(NULL, (size_t)lex->lit.size);
	arg_done(lex);
	return true;
}

/* An event that came up outside of a feed is reported by the next one. */
static void postpone_event(struct imap_lex *lex)
{
	lex->pending = lex->event;
	lex->event = IMAP_LEX_MORE;
}

void imap_lex_collect(struct imap_lex *lex)
{
	bool streaming = lex->streaming;

	must(lex->state == LEX_HANDED);
	lex->event = IMAP_LEX_MORE;
	lex->streaming = false;
	literal_start(lex);
	lex->streaming = streaming;
	postpone_event(lex);
}

void imap_lex_skip(struct imap_lex *lex)
{
	lex->why = "";
	lex->event = IMAP_LEX_MORE;
	if (lex->state == LEX_HANDED || lex->sync_due) {
		fail_literal(lex, "");
	} else if (lex->state == LEX_LITERAL) {
		fail(lex, "");
		set_state(lex, LEX_SKIP_LITERAL);
	} else {
		must(lex->state == LEX_AFTER);
		fail(lex, "");
	}
	postpone_event(lex);
}
