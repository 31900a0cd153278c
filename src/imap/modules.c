/* The list of modules, and lookups over it. A new extension is one line here. */
#include "modules.h"
#include "core.h"

/* One line a module; lookups take the first match. */
#define IMAP_MODULES(X)      \
	X(base)              \
	X(ext_literal)       \
	X(ext_id)            \
	X(ext_enable)        \
	X(ext_idle)          \
	X(selecting)         \
	X(fetching)          \
	X(fetch_meta)        \
	X(fetch_body)        \
	X(searching)         \
	X(search_keys)       \
	X(storing)           \
	X(expunging)         \
	X(copying)           \
	X(appending)         \
	X(status)            \
	X(listing)           \
	X(folders)           \
	X(ext_namespace)     \
	X(ext_list_extended) \
	X(ext_list_status)   \
	X(ext_status_size)   \
	X(ext_multiappend)   \
	X(ext_appendlimit)   \
	X(ext_savedate)      \
	X(ext_preview)       \
	X(ext_compress)      \
	X(ext_binary)        \
	X(ext_special_use)   \
	X(ext_uidplus)       \
	X(ext_unselect)      \
	X(ext_move)          \
	X(ext_esearch)       \
	X(ext_searchres)     \
	X(ext_within)        \
	X(ext_sort)          \
	X(ext_thread)        \
	X(ext_i18nlevel)     \
	X(ext_condstore)     \
	X(ext_qresync)

#define MODULE_EXTERN(name) extern const struct imap_module imap_##name;
#define MODULE_ADDRESS(name) &imap_##name,

IMAP_MODULES(MODULE_EXTERN)

const struct imap_module *const imap_modules[] = { IMAP_MODULES(MODULE_ADDRESS) NULL };

/* Walks the rows of one table through all modules; "row" is the row, the body returns it when it
 * fits. */
#define FOR_ROWS(type, table, row)                                                        \
	for (const struct imap_module *const *m_ = imap_modules; *m_; m_++)               \
		for (const struct type *row = (*m_)->table; row && row->name; row++)

const struct imap_command_row *imap_row_find(struct span name)
{
	FOR_ROWS(imap_command_row, commands, row)
		if (span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_fetch_item *imap_fetch_item_find(struct span name, bool section)
{
	FOR_ROWS(imap_fetch_item, fetch_items, row)
		if (!(row->flags & IMAP_FETCH_SECTION) == !section && span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_fetch_macro *imap_fetch_macro_find(struct span name)
{
	FOR_ROWS(imap_fetch_macro, fetch_macros, row)
		if (span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_search_key *imap_search_key_find(struct span name)
{
	FOR_ROWS(imap_search_key, search_keys, row)
		if (span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_status_item *imap_status_item_find(struct span name)
{
	FOR_ROWS(imap_status_item, status_items, row)
		if (span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_list_option *imap_list_option_find(struct span name, enum imap_list_option_kind kind)
{
	FOR_ROWS(imap_list_option, list_options, row)
		if (row->kind == kind && span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_modifier *imap_modifier_find(struct span name, enum imap_modifier_of of)
{
	FOR_ROWS(imap_modifier, modifiers, row)
		if (row->of == of && span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_enable *imap_enable_find(struct span name)
{
	FOR_ROWS(imap_enable, enables, row)
		if (span_ieq_str(name, row->name))
			return row;
	return NULL;
}

void imap_hooks_default(struct imap_hooks *h)
{
	h->vanished = imap_vanished_expunge;
	h->unsolicited[0] = imap_fetch_item_find(SPAN("FLAGS"), false);
	h->unsolicited[1] = NULL;
}

/* ---- capabilities ---- */

static void capability_add(struct buf *out, size_t from, const char *word, struct span value)
{
	if (out->n > from)
		buf_add_char(out, ' ');
	buf_add_str(out, word);
	buf_add_span(out, value);
}

static void capability_ours(const struct imap_settings *settings, struct buf *out)
{
	size_t from = out->n;
	struct buf value;

	buf_init(&value, 256);
	FOR_ROWS(imap_capability, capabilities, row) {
		buf_clear(&value);
		if (!row->when || row->when(settings, &value))
			capability_add(out, from, row->name, buf_span(&value));
	}
	buf_free(&value);
}

/* Takes word out of the blank-separated text in out[from..]. */
static void capability_remove(struct buf *out, size_t from, struct span word)
{
	struct buf kept;
	struct span rest = { out->p + from, out->n - from }, w;

	buf_init(&kept, out->max);
	while (span_split(&rest, ' ', &w)) {
		if (span_ieq(w, word))
			continue;
		if (kept.n)
			buf_add_char(&kept, ' ');
		buf_add_span(&kept, w);
	}
	buf_truncate(out, from);
	buf_add_span(out, buf_span(&kept));
	buf_free(&kept);
}

/* imap_capability: empty: ours; words beginning with + or -: ours changed; else: exactly those. */
void imap_capability_text(const struct imap_settings *settings, struct buf *out)
{
	struct span rest = span_trim(span_str(settings->capability)), word;
	size_t from = out->n;

	if (rest.n && rest.p[0] != '+' && rest.p[0] != '-') {
		buf_add_span(out, rest);
		return;
	}
	capability_ours(settings, out);
	while (span_split(&rest, ' ', &word)) {
		if (!word.n || span_eq_str(word, "+") || span_eq_str(word, "-"))
			continue;
		if (word.p[0] == '-') {
			capability_remove(out, from, span_from(word, 1));
			continue;
		}
		if (word.p[0] == '+')
			word = span_from(word, 1);
		buf_add_char(out, ' ');
		buf_add_span(out, word);
	}
}
