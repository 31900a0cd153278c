/* The list of modules, and lookups over it. A new extension is one line here. */
#include "modules.h"
#include "core.h"

#include "base/must.h"
#include "wire/imap_words.h"

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
	X(creating)          \
	X(folders)           \
	X(ext_namespace)     \
	X(ext_list_extended) \
	X(ext_list_status)   \
	X(ext_status_size)   \
	X(ext_multiappend)   \
	X(ext_appendlimit)   \
	X(ext_catenate)      \
	X(ext_replace)       \
	X(ext_savedate)      \
	X(ext_preview)       \
	X(ext_objectid)      \
	X(ext_compress)      \
	X(ext_binary)        \
	X(ext_special_use)   \
	X(ext_create_use)    \
	X(ext_uidplus)       \
	X(ext_unselect)      \
	X(ext_move)          \
	X(ext_esearch)       \
	X(ext_searchres)     \
	X(ext_within)        \
	X(ext_sort)          \
	X(ext_utf8)          \
	X(ext_thread)        \
	X(ext_partial)       \
	X(ext_context)       \
	X(ext_inprogress)    \
	X(ext_i18nlevel)     \
	X(ext_notify)        \
	X(ext_condstore)     \
	X(ext_qresync)

#define MODULE_EXTERN(name) extern const struct imap_module imap_##name;
#define MODULE_ADDRESS(name) &imap_##name,

IMAP_MODULES(MODULE_EXTERN)

const struct imap_module *const imap_modules[] = { IMAP_MODULES(MODULE_ADDRESS) NULL };

enum { MODULES = ARRAY_LEN(imap_modules) - 1 };

_Static_assert(MODULES <= (int)IMAP_MODULES_MAX, "the session's mask holds a bit for each module");

/* Walks the rows of one table through all modules; "row" is the row, the body returns it when it fits. */
#define FOR_ALL_ROWS(type, table, row)                                                    \
	for (size_t m_ = 0; m_ < MODULES; m_++)                                           \
		for (const struct type *row = imap_modules[m_]->table; row && row->name; row++)

static bool is_there(const struct imap_session *s, size_t module)
{
	return !(s->masked[module / 64] >> module % 64 & 1);
}

/* The same through the modules that session s has. */
#define FOR_ROWS(s, type, table, row)         \
	FOR_ALL_ROWS(type, table, row)        \
		if (is_there(s, m_))

const struct imap_command_row *imap_row_find(const struct imap_session *s, struct span name)
{
	FOR_ROWS(s, imap_command_row, commands, row)
		if (span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_fetch_item *imap_fetch_item_find(const struct imap_session *s, struct span name, bool section)
{
	FOR_ROWS(s, imap_fetch_item, fetch_items, row)
		if (!(row->flags & IMAP_FETCH_SECTION) == !section && span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_fetch_macro *imap_fetch_macro_find(const struct imap_session *s, struct span name)
{
	FOR_ROWS(s, imap_fetch_macro, fetch_macros, row)
		if (span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_search_key *imap_search_key_find(const struct imap_session *s, struct span name)
{
	FOR_ROWS(s, imap_search_key, search_keys, row)
		if (span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_append_item *imap_append_item_find(const struct imap_session *s, struct span name)
{
	FOR_ROWS(s, imap_append_item, append_items, row)
		if (span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_status_item *imap_status_item_find(const struct imap_session *s, struct span name)
{
	FOR_ROWS(s, imap_status_item, status_items, row)
		if (span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_list_option *imap_list_option_find(const struct imap_session *s, struct span name,
						     enum imap_list_option_kind kind)
{
	FOR_ROWS(s, imap_list_option, list_options, row)
		if (row->kind == kind && span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_modifier *imap_modifier_find(const struct imap_session *s, struct span name, enum imap_modifier_of of)
{
	FOR_ROWS(s, imap_modifier, modifiers, row)
		if (row->of == of && span_ieq_str(name, row->name))
			return row;
	return NULL;
}

const struct imap_enable *imap_enable_find(const struct imap_session *s, struct span name)
{
	FOR_ROWS(s, imap_enable, enables, row)
		if (span_ieq_str(name, row->name))
			return row;
	return NULL;
}

void imap_hooks_default(struct imap_session *s)
{
	s->hooks.vanished = imap_vanished_expunge;
	s->hooks.unsolicited[0] = imap_fetch_item_find(s, SPAN("FLAGS"), false);
	s->hooks.unsolicited[1] = NULL;
}

/* ---- capabilities ---- */

static void capability_ours(const struct imap_settings *settings, struct buf *out)
{
	struct buf value;

	buf_init(&value, 256);
	FOR_ALL_ROWS(imap_capability, capabilities, row) {
		buf_clear(&value);
		if (!row->when || row->when(settings, &value))
			buf_printf(out, "%s%s%s", out->n ? " " : "", row->name, buf_cstr(&value));
	}
	buf_free(&value);
}

void imap_capability_text(const struct imap_settings *settings, struct buf *out)
{
	struct buf ours;

	buf_init(&ours, 8192);
	capability_ours(settings, &ours);
	imap_words_apply(buf_span(&ours), span_str(settings->capability), out);
	buf_free(&ours);
}

bool imap_word(const struct imap_session *s, const char *word)
{
	struct buf text;
	bool there;

	buf_init(&text, 8192);
	imap_capability_text(&s->cfg.settings, &text);
	there = imap_words_has(buf_span(&text), span_str(word));
	buf_free(&text);
	return there;
}

/* Is a word of the row, whatever its value, in list? */
static bool row_in(const struct imap_capability *row, struct span list)
{
	struct span name = span_str(row->name), word;

	while (span_split(&list, ' ', &word))
		if (span_istarts(word, name) &&
		    (word.n == name.n || (row->when && word.p[name.n] == '=')))
			return true;
	return false;
}

/* Does the module say something of its own accord, and nothing of it is left? */
static bool is_masked(const struct imap_module *m, struct span ours, struct span left)
{
	bool has = false;

	for (const struct imap_capability *row = m->capabilities; row && row->name; row++) {
		if (row_in(row, left))
			return false;
		has = has || row_in(row, ours);
	}
	return has && !m->base;
}

void imap_modules_mask(struct imap_session *s)
{
	struct buf ours, left;

	if (!*s->cfg.settings.capability)
		return;
	buf_init(&ours, 8192);
	buf_init(&left, 8192);
	capability_ours(&s->cfg.settings, &ours);
	imap_words_apply(buf_span(&ours), span_str(s->cfg.settings.capability), &left);
	for (size_t i = 0; i < MODULES; i++)
		if (is_masked(imap_modules[i], buf_span(&ours), buf_span(&left)))
			s->masked[i / 64] |= UINT64_C(1) << i % 64;
	buf_free(&ours);
	buf_free(&left);
}
