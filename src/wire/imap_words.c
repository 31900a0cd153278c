#include "wire/imap_words.h"

static void add_word(struct buf *out, size_t from, struct span word)
{
	if (word.n == 0 || imap_words_has(span_from(buf_span(out), from), word))
		return;
	if (out->n > from)
		buf_add_char(out, ' ');
	buf_add_span(out, word);
}

/* Takes word out of what stands in out behind from. */
static void drop_word(struct buf *out, size_t from, struct span word)
{
	struct span rest, w;
	struct buf all;

	buf_init(&all, out->max);
	buf_add_span(&all, span_from(buf_span(out), from));
	buf_truncate(out, from);
	rest = buf_span(&all);
	while (span_split(&rest, ' ', &w))
		if (!span_ieq(w, word))
			add_word(out, from, w);
	buf_free(&all);
}

bool imap_words_replaced(struct span setting)
{
	setting = span_trim(setting);
	return setting.n > 0 && setting.p[0] != '+' && setting.p[0] != '-';
}

void imap_words_apply(struct span ours, struct span setting, struct buf *out)
{
	bool replaced = imap_words_replaced(setting);
	size_t from = out->n;
	struct span word;

	if (!replaced)
		buf_add_span(out, ours);
	while (span_split(&setting, ' ', &word)) {
		word = span_trim(word);
		if (replaced || word.n == 0 || (word.p[0] != '+' && word.p[0] != '-'))
			add_word(out, from, word);
		else if (word.p[0] == '+')
			add_word(out, from, span_from(word, 1));
		else
			drop_word(out, from, span_from(word, 1));
	}
	if (imap_words_has(span_from(buf_span(out), from), SPAN("LITERAL-")))
		drop_word(out, from, SPAN("LITERAL+"));
}

bool imap_words_has(struct span list, struct span word)
{
	struct span w;

	while (span_split(&list, ' ', &w))
		if (span_ieq(w, word))
			return true;
	return false;
}
