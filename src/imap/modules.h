/*
 * Lookups over the tables of the modules that a session has; names compare without regard to ASCII case. NULL: no such
 * row. A module all of whose words imap_capability has taken away is not there: what it adds is unknown.
 */
#ifndef IMAP_MODULES_H
#define IMAP_MODULES_H

#include "imap/module.h"

const struct imap_command_row *imap_row_find(const struct imap_session *s, struct span name);
const struct imap_fetch_item *imap_fetch_item_find(const struct imap_session *s, struct span name, bool section);
const struct imap_fetch_macro *imap_fetch_macro_find(const struct imap_session *s, struct span name);
const struct imap_search_key *imap_search_key_find(const struct imap_session *s, struct span name);
const struct imap_append_item *imap_append_item_find(const struct imap_session *s, struct span name);
const struct imap_status_item *imap_status_item_find(const struct imap_session *s, struct span name);
const struct imap_list_option *imap_list_option_find(const struct imap_session *s, struct span name,
						     enum imap_list_option_kind kind);
const struct imap_modifier *imap_modifier_find(const struct imap_session *s, struct span name, enum imap_modifier_of of);
const struct imap_enable *imap_enable_find(const struct imap_session *s, struct span name);

/* ext_literal.c: the largest literal that may be non-synchronising; 0: any. */
uint64_t imap_literal_plus_max(const struct imap_session *s);

/* The hooks of base IMAP: EXPUNGE lines, FETCH FLAGS. */
void imap_hooks_default(struct imap_session *s);

/* Notes which modules imap_capability masks; at the session's birth, before any lookup. */
void imap_modules_mask(struct imap_session *s);

#endif
