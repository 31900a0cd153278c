/*
 * The lexer under arbitrary bytes: one piece and one byte at a time must give the same
 * events and the same trees. Streamed literals are taken, collected or skipped by the first byte.
 */
#include "base/buf.h"
#include "base/must.h"
#include "wire/imap_lex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct imap_lex_limits limits = {
	.line_max = 200, .literal_max = 64, .skip_max = 100, .args_max = 30, .depth_max = 4,
};

static void dump(const struct imap_arg *a, struct buf *out)
{
	while (a) {
		buf_printf(out, "%d%d%u", a->type, a->streamed, a->count);
		if (a->s.p)
			buf_add_span(out, a->s);
		buf_add_span(out, a->tail);
		if (a->child) {
			a = a->child;
			continue;
		}
		while (a && !a->next)
			a = a->parent;
		a = a ? a->next : NULL;
		buf_add_char(out, ' ');
	}
}

static void report(struct imap_lex *lex, enum imap_lex_event event, struct buf *out)
{
	const struct imap_command *cmd = imap_lex_command(lex);

	buf_printf(out, "\n%d ", event);
	if (event == IMAP_LEX_COMMAND)
		dump(cmd->args, out);
	if (event == IMAP_LEX_COMMAND || event == IMAP_LEX_BAD || event == IMAP_LEX_FATAL) {
		buf_add_span(out, cmd->tag);
		buf_add_str(out, imap_lex_why(lex));
	}
}

/* What the caller does with a literal of his own. Returns how many bytes he takes. */
static uint64_t own_literal(struct imap_lex *lex, int mode)
{
	uint64_t size = imap_lex_literal(lex).size;

	if (mode % 3 == 0) {
		imap_lex_skip(lex);
		return 0;
	}
	if (mode % 3 == 1) {
		imap_lex_collect(lex);
		return 0;
	}
	must(imap_lex_taken(lex));
	return size;
}

static void run(struct span in, size_t chunk, int mode, struct buf *out)
{
	struct imap_lex *lex = imap_lex_new(&limits);
	struct arena *arena = arena_new(1 << 20);
	bool more = true;
	size_t used;

	imap_lex_start(lex, arena);
	while (more) {
		enum imap_lex_event event = imap_lex_feed(lex, span_cut(in, 0, chunk), &used);

		must(used <= in.n);
		in = span_from(in, used);
		if (event != IMAP_LEX_MORE)
			report(lex, event, out);
		else
			more = in.n > 0;
		if (event == IMAP_LEX_NAME)
			imap_lex_stream(lex, (uint32_t)mode / 4 % 3);
		if (event == IMAP_LEX_LITERAL) {
			uint64_t n = own_literal(lex, mode);

			in = span_from(in, n < in.n ? (size_t)n : in.n);
		}
		if (event == IMAP_LEX_FATAL)
			break;
		if (event == IMAP_LEX_COMMAND || event == IMAP_LEX_BAD) {
			arena_reset(arena);
			imap_lex_start(lex, arena);
		}
	}
	imap_lex_free(&lex);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, bytes;
	struct span in;

	if (size < 1)
		return 0;
	in = span_of((const char *)data + 1, size - 1);
	buf_init(&whole, 1 << 24);
	buf_init(&bytes, 1 << 24);
	run(in, in.n + 1, data[0], &whole);
	run(in, 1, data[0], &bytes);
	must(span_eq(buf_span(&whole), buf_span(&bytes)));
	buf_free(&whole);
	buf_free(&bytes);
	return 0;
}
