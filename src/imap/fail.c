/*
 * What a kind of error says to an IMAP client: condition, response code (RFC 5530 and the RFCs of the
 * extensions), and a sentence for when nobody below had one.
 */
#include "core.h"

static const struct imap_failure failures[] = {
	[ERR_OK] = { "OK", NULL, "Done." },
	[ERR_SYNTAX] = { "BAD", NULL, "Invalid arguments." },
	[ERR_NOTFOUND] = { "NO", "NONEXISTENT", "Mailbox doesn't exist." },
	[ERR_EXISTS] = { "NO", "ALREADYEXISTS", "Mailbox already exists." },
	[ERR_PERM] = { "NO", "NOPERM", "Permission denied." },
	[ERR_CANNOT] = { "NO", "CANNOT", "This is not possible." },
	[ERR_LIMIT] = { "NO", "LIMIT", "A limit of this server is reached." },
	[ERR_OVERQUOTA] = { "NO", "OVERQUOTA", "Quota exceeded." },
	[ERR_NOSPACE] = { "NO", "OVERQUOTA", "Not enough disk space." },
	[ERR_IO] = { "NO", "SERVERBUG", "Reading or writing the mailbox failed." },
	[ERR_CORRUPT] = { "NO", "CORRUPTION", "The mailbox is damaged; it will be repaired." },
	[ERR_INUSE] = { "NO", "INUSE", "Mailbox is locked by another program; try again." },
	[ERR_EXPUNGED] = { "NO", "EXPUNGEISSUED", "Some of the requested messages no longer exist." },
	[ERR_TEMP] = { "NO", "UNAVAILABLE", "Temporary failure; try again." },
	[ERR_MEMORY] = { "NO", "LIMIT", "The command needs too much memory." },
	[ERR_PROTO] = { "NO", "SERVERBUG", "Internal error." },
	[ERR_CLOSED] = { "NO", "UNAVAILABLE", "Connection lost." },
	[ERR_AUTH] = { "NO", "AUTHENTICATIONFAILED", "Authentication failed." },
	[ERR_CHARSET] = { "NO", "BADCHARSET (US-ASCII UTF-8)", "Unknown charset." },
	[ERR_CTE] = { "NO", "UNKNOWN-CTE", "This transfer encoding is unknown, or not possible here." },
	[ERR_READONLY] = { "NO", "READ-ONLY", "Mailbox is read-only." },
	[ERR_AGAIN] = { "NO", "UNAVAILABLE", "Temporary failure; try again." },
};

const struct imap_failure *imap_failure(enum err e)
{
	return &failures[(size_t)e < sizeof(failures) / sizeof(failures[0]) ? e : ERR_PROTO];
}
