/*
 * The lexer's states for literals, which come by count, and for bad lines, which are skipped to their end without
 * losing step: a literal that a skipped line ends with follows whatever was said.
 */
#include "lexing.h"

#include "base/must.h"

void lex_tail_add(struct imap_lex *lex, struct span s)
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

static void fail_literal(struct imap_lex *lex, const char *why)
{
	if (lex->lit.sync) {
		lex_end_with(lex, IMAP_LEX_BAD, why);
	} else if (lex->lit_left > lex->limits.skip_max) {
		lex_end_with(lex, IMAP_LEX_FATAL, "Literal too big");
	} else {
		lex_fail(lex, why);
		lex_set_state(lex, LEX_SKIP_LITERAL);
	}
}

void lex_literal_head(struct imap_lex *lex, bool literal8)
{
	lex->lit = (struct imap_literal){ .sync = true, .literal8 = literal8 };
	lex->size_seen = false;
	lex_set_state(lex, LEX_SIZE);
}

size_t lex_on_tilde(struct imap_lex *lex, struct span in)
{
	if (in.p[0] == '{') {
		lex_literal_head(lex, true);
		return 1;
	}
	buf_add_char(&lex->tok, '~');
	lex_set_state(lex, LEX_ATOM);
	return 0;
}

size_t lex_on_size(struct imap_lex *lex, struct span in)
{
	char c = in.p[0];

	if (ascii_isdigit(c)) {
		if (lex->lit.size > (INT64_MAX - 9) / 10) {
			lex_end_with(lex, IMAP_LEX_FATAL, "Literal too big");
			return 0;
		}
		lex->lit.size = lex->lit.size * 10 + (uint64_t)(c - '0');
		lex->size_seen = true;
		return 1;
	}
	if (!lex->size_seen || (c != '+' && c != '}'))
		return lex_fail_char(lex, c, "Invalid literal size");
	if (c == '+')
		lex->lit.sync = false;
	lex_set_state(lex, c == '+' ? LEX_CLOSE : LEX_HEAD_CR);
	return 1;
}

size_t lex_on_close(struct imap_lex *lex, struct span in)
{
	if (in.p[0] != '}')
		return lex_fail_char(lex, in.p[0], "Invalid literal size");
	lex_set_state(lex, LEX_HEAD_CR);
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
		lex_set_state(lex, LEX_HANDED);
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
	lex_set_state(lex, LEX_LITERAL);
	if (lex->lit.sync) {
		lex->sync_due = true;
		lex->event = IMAP_LEX_CONTINUE;
	}
}

size_t lex_on_head_cr(struct imap_lex *lex, struct span in)
{
	if (in.p[0] == '\r') {
		lex_set_state(lex, LEX_HEAD_LF);
		return 1;
	}
	if (in.p[0] != '\n')
		return lex_fail_char(lex, in.p[0], "Invalid literal size");
	literal_start(lex);
	return 1;
}

size_t lex_on_head_lf(struct imap_lex *lex, struct span in)
{
	if (in.p[0] != '\n')
		return lex_fail_char(lex, in.p[0], "CR without LF");
	literal_start(lex);
	return 1;
}

size_t lex_on_literal(struct imap_lex *lex, struct span in)
{
	size_t n = in.n < lex->lit_left ? in.n : (size_t)lex->lit_left;
	struct imap_arg *a;

	if (n > 0)
		memcpy(lex->lit_p + (lex->lit.size - lex->lit_left), in.p, n);
	lex->lit_left -= n;
	if (lex->lit_left > 0)
		return n;
	if (!lex->lit.literal8 && memchr(lex->lit_p, '\0', (size_t)lex->lit.size)) {
		lex_fail(lex, "NUL byte in literal");
		return n;
	}
	a = lex_add_arg(lex, lex->lit.literal8 ? IMAP_ARG_LITERAL8 : IMAP_ARG_LITERAL);
	if (a) {
		a->s = span_of(lex->lit_p, (size_t)lex->lit.size);
		lex_arg_done(lex);
	}
	return n;
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

size_t lex_on_skip(struct imap_lex *lex, struct span in)
{
	size_t n = span_find(in, '\n');
	uint64_t size = 0;
	bool known;

	if (n == SIZE_MAX) {
		lex_tail_add(lex, in);
		return in.n;
	}
	lex_tail_add(lex, span_cut(in, 0, n));
	if (!tail_literal(lex, &known, &size)) {
		lex_end_with(lex, IMAP_LEX_BAD, "");
	} else if (!known || size > lex->limits.skip_max) {
		lex_end_with(lex, IMAP_LEX_FATAL, "Literal too big");
	} else {
		lex->tail_n = 0;
		lex->lit_left = size;
		lex_set_state(lex, LEX_SKIP_LITERAL);
	}
	return n + 1;
}

size_t lex_on_skip_literal(struct imap_lex *lex, struct span in)
{
	size_t n = in.n < lex->lit_left ? in.n : (size_t)lex->lit_left;

	lex->lit_left -= n;
	if (lex->lit_left == 0)
		lex_set_state(lex, LEX_SKIP);
	return n;
}

/* ---- literals that the caller wants ---- */

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
	a = lex_add_arg(lex, lex->lit.literal8 ? IMAP_ARG_LITERAL8 : IMAP_ARG_LITERAL);
	if (!a)
		return false;
	a->streamed = true;
	a->s = span_of(NULL, (size_t)lex->lit.size);
	lex_arg_done(lex);
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
		lex_fail(lex, "");
		lex_set_state(lex, LEX_SKIP_LITERAL);
	} else {
		must(lex->state == LEX_AFTER);
		lex_fail(lex, "");
	}
	postpone_event(lex);
}
