#include "wire/imap_id.h"

#include "base/log.h"

enum { QUOTED_MAX = 300 };

static bool is_wanted(struct span wanted, struct span name)
{
	struct span word;

	while (span_split(&wanted, ' ', &word))
		if (span_eq_str(word, "*") || (word.n && span_ieq(word, name)))
			return true;
	return false;
}

static void add_quoted(struct buf *out, struct span text)
{
	char quoted[QUOTED_MAX];

	buf_add_str(out, log_quote(text, quoted, sizeof(quoted)));
}

void imap_id_pick(const struct imap_arg *list, struct span wanted, struct buf *out)
{
	const struct imap_arg *a;
	size_t from = out->n;

	if (!imap_arg_list(list, &a))
		return;
	while (a && a->next) {
		struct span name, value;
		bool nil;

		if (!imap_arg_string(a, &name) || !imap_arg_nstring(a->next, &value, &nil))
			return;
		a = a->next->next;
		if (!is_wanted(wanted, name))
			continue;
		if (out->n > from)
			buf_add_str(out, ", ");
		add_quoted(out, name);
		buf_add_char(out, '=');
		add_quoted(out, nil ? SPAN("NIL") : value);
	}
}
