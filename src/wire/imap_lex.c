/*
 * The lexer: a state machine over bytes, one function a state. A state's function
 * takes some bytes off the front of its input (perhaps none, when it only changes
 * the state) and may leave an event. Cut tokens wait in tok; nothing is read twice.
 * What the words mean is not known here, with one exception: "BODY[" and kin.
 * Words, lists and lines are here; what comes by count, and what is skipped: imap_lex_literal.c.
 */
#include "lexing.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"

enum {
	TAG_MAX = 255,
	NAME_MAX_BYTES = 64,
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

void lex_set_state(struct imap_lex *lex, enum lex_state state)
{
	lex->state = state;
}

void lex_end_with(struct imap_lex *lex, enum imap_lex_event event, const char *why)
{
	if (!lex->why || (event == IMAP_LEX_FATAL && !*lex->why))
		lex->why = why;
	lex->event = event;
	lex_set_state(lex, LEX_ENDED);
	buf_free(&lex->tok);
}

size_t lex_fail(struct imap_lex *lex, const char *why)
{
	if (!lex->why)
		lex->why = why;
	lex_set_state(lex, LEX_SKIP);
	buf_free(&lex->tok);
	return 0;
}

size_t lex_fail_char(struct imap_lex *lex, char c, const char *why)
{
	if (c != '\0')
		return lex_fail(lex, why);
	lex_end_with(lex, IMAP_LEX_FATAL, "NUL byte in command");
	return 0;
}

/* The token so far, n bytes of in its last, is bad; what it ends with may belong to a literal's head. Takes those n bytes. */
static size_t fail_token(struct imap_lex *lex, struct span in, size_t n, const char *why)
{
	lex_tail_add(lex, buf_span(&lex->tok));
	lex_tail_add(lex, span_cut(in, 0, n));
	lex_fail(lex, why);
	return n;
}

/* The same because of the byte behind it. */
static size_t fail_token_at(struct imap_lex *lex, struct span in, size_t n, const char *why)
{
	return in.p[n] == '\0' ? n + lex_fail_char(lex, '\0', why) : fail_token(lex, in, n, why);
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
		lex_fail(lex, "Command too large");
	return ok;
}

struct imap_arg *lex_add_arg(struct imap_lex *lex, enum imap_arg_type type)
{
	struct imap_arg *a = arena_alloc(lex->arena, sizeof(*a));

	if (!a) {
		lex_fail(lex, "Command too large");
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

void lex_arg_done(struct imap_lex *lex)
{
	if (!lex->parent)
		lex->cmd.count++;
	lex_set_state(lex, LEX_AFTER);
}

static void open_level(struct imap_lex *lex, struct imap_arg *a)
{
	lex->parent = a;
	lex->last = NULL;
	lex->depth++;
	lex_set_state(lex, LEX_GAP);
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
		return lex_fail(lex, lex->parent->type == IMAP_ARG_LIST ? "Missing ')'" : "Missing ']'");
	lex->event = IMAP_LEX_COMMAND;
	lex_set_state(lex, LEX_ENDED);
	return 1;
}

/* What may stand both before and behind an argument: the end of its level or of the line. False: something else. */
static bool level_or_line_end(struct imap_lex *lex, char c, size_t *taken_r)
{
	*taken_r = 1;
	if (c == ')' && in_level(lex, IMAP_ARG_LIST)) {
		close_level(lex);
		lex_arg_done(lex);
	} else if (c == ']' && in_level(lex, IMAP_ARG_SECTION)) {
		close_level(lex);
		lex_set_state(lex, LEX_BRACKET);
	} else if (c == '\r') {
		lex_set_state(lex, LEX_CR);
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
		return c == '\r' || c == '\n' ? 1 : lex_fail_char(lex, c, "Invalid tag");
	if (c != ' ' && c != '\r' && c != '\n')
		return fail_token_at(lex, in, n, "Invalid tag");
	if (!token_end(lex, in, n, &lex->cmd.tag))
		return 0;
	if (c != ' ')
		return lex_fail(lex, "Missing command");
	lex_set_state(lex, LEX_NAME);
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
		return lex_fail(lex, "Command too large");
	for (size_t i = 0; i < name.n; i++)
		p[i] = ascii_upper(p[i]);
	lex->cmd.name = span_of(p, name.n);
	lex->sections = has_sections(lex->cmd.name);
	lex->event = IMAP_LEX_NAME;
	lex_set_state(lex, LEX_AFTER);
	return n;
}

static size_t on_open_list(struct imap_lex *lex)
{
	struct imap_arg *a;

	if (lex->depth >= lex->limits.depth_max)
		return lex_fail(lex, "Too many nested lists");
	a = lex_add_arg(lex, IMAP_ARG_LIST);
	if (!a)
		return 0;
	open_level(lex, a);
	return 1;
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
		return lex_fail(lex, "Too many arguments");
	if (c == '(')
		return on_open_list(lex);
	if (c == '"') {
		lex_set_state(lex, LEX_QUOTED);
	} else if (c == '{') {
		lex_literal_head(lex, false);
	} else if (c == '~') {
		lex_set_state(lex, LEX_TILDE);
	} else if (class[(uint8_t)c] & (C_ATOM | C_OPEN | C_CLOSE)) {
		lex_set_state(lex, LEX_ATOM);
		return 0;
	} else {
		return lex_fail_char(lex, c, (uint8_t)c >= 0x7f ? "8-bit data in atom" : "Invalid characters in atom");
	}
	return 1;
}

static size_t on_after(struct imap_lex *lex, struct span in)
{
	char c = in.p[0];
	size_t taken;

	if (c == ' ') {
		lex_set_state(lex, LEX_GAP);
		return 1;
	}
	if (level_or_line_end(lex, c, &taken))
		return taken;
	if (c == '(' && lex->last && lex->last->type == IMAP_ARG_ATOM) {
		lex_set_state(lex, LEX_GAP);
		return 0;
	}
	return lex_fail_char(lex, c, c == ')' ? "Unexpected ')'" : "Missing space between arguments");
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
	a = lex_add_arg(lex, IMAP_ARG_SECTION);
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
	a = lex_add_arg(lex, IMAP_ARG_ATOM);
	if (!a)
		return 0;
	a->s = text;
	lex_arg_done(lex);
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
	lex_arg_done(lex);
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
		lex_set_state(lex, LEX_ESCAPE);
		return n + 1;
	}
	if (in.p[n] != '"')
		return fail_token_at(lex, in, n, "Missing '\"'");
	if (!token_end(lex, in, n, &text))
		return 0;
	if (lex->limits.utf8 && !utf8_valid(text))
		return lex_fail(lex, "Quoted string is not UTF-8") + n + 1;
	a = lex_add_arg(lex, IMAP_ARG_QUOTED);
	if (!a)
		return 0;
	a->s = text;
	lex_arg_done(lex);
	return n + 1;
}

static size_t on_escape(struct imap_lex *lex, struct span in)
{
	if (in.p[0] != '"' && in.p[0] != '\\')
		return lex_fail_char(lex, in.p[0], "Invalid escape in quoted string");
	buf_add_char(&lex->tok, in.p[0]);
	lex_set_state(lex, LEX_QUOTED);
	return 1;
}

static size_t on_cr(struct imap_lex *lex, struct span in)
{
	if (in.p[0] != '\n')
		return lex_fail_char(lex, in.p[0], "CR without LF");
	return end_line(lex);
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
	[LEX_TILDE] = lex_on_tilde,
	[LEX_SIZE] = lex_on_size,
	[LEX_CLOSE] = lex_on_close,
	[LEX_HEAD_CR] = lex_on_head_cr,
	[LEX_HEAD_LF] = lex_on_head_lf,
	[LEX_LITERAL] = lex_on_literal,
	[LEX_CR] = on_cr,
	[LEX_SKIP] = lex_on_skip,
	[LEX_SKIP_LITERAL] = lex_on_skip_literal,
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
			lex_fail(lex, "Command line too long");
	}
	*used_r = used;
	return lex->event;
}

struct imap_lex *imap_lex_new(const struct imap_lex_limits *limits)
{
	struct imap_lex *lex = mem_alloc(sizeof(*lex));

	lex->limits = *limits;
	lex_set_state(lex, LEX_ENDED);
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
