/* Typed readers that answer BAD (or NO) themselves: false means that the command is answered and start returns STEP_DONE. */
#ifndef IMAP_ARGS_H
#define IMAP_ARGS_H

#include "core.h"

bool imap_args_end(struct imap_cmd *c, const struct imap_arg *a); /* nothing may follow */

/*
 * A mailbox name for acct.h: INBOX in its one spelling, a trailing separator dropped. *name_r lives in the command's
 * arena. How the client spells it is names.h's matter; strict: a name to be made.
 */
bool imap_args_mailbox(struct imap_cmd *c, const struct imap_arg **a, bool strict, const char **name_r);

/*
 * A sequence set, of UIDs or of numbers as the command's row says, as UIDs of the view; *uids_r
 * (zeroed) is freed with the command's arena. Numbers beyond the mailbox are an error; UIDs that are not there are none.
 */
bool imap_args_set(struct imap_cmd *c, const struct imap_arg **a, struct set *uids_r);

/* Flags as wire reads them, the keywords as C strings for box; checked against the longest keyword. */
bool imap_args_flags(struct imap_cmd *c, const struct imap_arg *a, uint8_t *system_r,
		     const char *const **keywords_r, size_t *n_r);

/* The parameters of a command, "(NAME args NAME args)", to the modules that know them. */
bool imap_args_modifiers(struct imap_cmd *c, const struct imap_arg *list, enum imap_modifier_of of, void *state);

/* Frees the set with the arena. False: answered (the arena's limit). */
bool imap_args_own_set(struct imap_cmd *c, struct set *s);

/* The namespace that the client name belongs to, and its separator. */
const struct acct_ns *imap_args_namespace(const struct imap_session *s, struct span name);
char imap_args_separator(const struct imap_session *s, struct span name);

#endif
