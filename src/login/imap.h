/* IMAP before authentication: the front's parts. Private to login. */
#ifndef LOGIN_IMAP_H
#define LOGIN_IMAP_H

#include "logon.h"
#include "wire/imap_lex.h"

struct imap {
	struct logon logon;    /* first: client.state is a logon */
	struct client *c;      /* borrowed */
	struct imap_lex *lex;  /* own; while a command is being read */
	struct arena *arena;   /* own; the command's, until it is answered */
};

/* imap_text.c */
void imap_capability(const struct client *c, struct buf *out); /* the words, without CAPABILITY */
void imap_id_fields(const char *id_send, struct buf *out);      /* the list answered to ID, or NIL */
void imap_log_id(const struct imap *im, const struct imap_arg *list); /* as far as imap_id_log asks */

#endif
