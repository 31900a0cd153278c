#include "ipc/mailcmd.h"

#define QUERY "SEARCH_QUERY"

const struct mailcmd mailcmds[] = {
	{ "adopt", "c", "[--check] [MAILBOX_MASK...]", 0, -1, 0,
	  "tell what clients will notice when this server takes over from another" },
	{ "copy", "", "DESTINATION [user SOURCE_USER] " QUERY, 2, -1, MAILCMD_CHANGES, "copy messages to a mailbox" },
	{ "dump", "t:", "[-t index|uidlist|mbox] MAILBOX_MASK", 1, 1, 0,
	  "print what the index, or the folder itself, has of each message" },
	{ "expunge", "dm", "[-d|-m] " QUERY, 1, -1, MAILCMD_CHANGES, "remove messages (-d, -m: then the mailbox, if empty)" },
	{ "fetch", "", "FIELDS " QUERY, 2, -1, MAILCMD_PAGER, "print messages, or what is known of them" },
	{ "flags add", "", "FLAGS " QUERY, 2, -1, MAILCMD_CHANGES, "give flags and keywords to messages" },
	{ "flags remove", "", "FLAGS " QUERY, 2, -1, MAILCMD_CHANGES, "take flags and keywords from messages" },
	{ "flags replace", "", "FLAGS " QUERY, 2, -1, MAILCMD_CHANGES, "give messages these flags and no others" },
	{ "force-resync", "f", "MAILBOX_MASK", 1, 1, MAILCMD_CHANGES,
	  "look at the folders again, whatever the index believes" },
	{ "import", "sU:", "[-U SOURCE_USER] [-s] SOURCE_LOCATION DEST_PARENT " QUERY, 3, -1, MAILCMD_CHANGES,
	  "copy messages from another mail location" },
	{ "index", "n:q", "[-q] [-n MAX_RECENT] MAILBOX_MASK", 1, 1, 0, "fill the index ahead of the clients" },
	{ "mailbox create", "sg:", "[-s] [-g GUID] MAILBOX...", 1, -1, MAILCMD_CHANGES, "make mailboxes" },
	{ "mailbox delete", "ersZ", "[-e] [-r] [-s] [-Z] MAILBOX...", 1, -1, MAILCMD_CHANGES, "remove mailboxes" },
	{ "mailbox list", "78s", "[-7|-8] [-s] [MAILBOX_MASK...]", 0, -1, 0, "list mailboxes" },
	{ "mailbox path", "t:", "[-t TYPE] MAILBOX", 1, 1, 0, "print where a mailbox lies" },
	{ "mailbox rename", "s", "[-s] OLD NEW", 2, 2, MAILCMD_CHANGES, "rename a mailbox" },
	{ "mailbox status", "t", "[-t] FIELDS MAILBOX_MASK...", 2, -1, 0, "print the state of mailboxes (-t: their sum)" },
	{ "mailbox subscribe", "", "MAILBOX...", 1, -1, MAILCMD_CHANGES, "subscribe to mailboxes" },
	{ "mailbox unsubscribe", "", "MAILBOX...", 1, -1, MAILCMD_CHANGES, "end subscriptions" },
	{ "mailbox update", "M:V:N:G:",
	  "[--mailbox-guid GUID] [--uid-validity NUMBER] [--min-next-uid UID] [--min-highest-modseq NUMBER] MAILBOX...", 1, -1,
	  MAILCMD_CHANGES,
	  "give mailboxes another identity; raise the numbers that they go on from" },
	{ "move", "", "DESTINATION [user SOURCE_USER] " QUERY, 2, -1, MAILCMD_CHANGES, "move messages to a mailbox" },
	{ "reindex", "", "[MAILBOX_MASK...]", 0, -1, MAILCMD_CHANGES, "build the index anew from the mail folders" },
	{ "relay give", "l:m", QUERY, 0, -1, MAILCMD_CHANGES | MAILCMD_DATA | MAILCMD_RELAY, "the one who is copied from" },
	{ "relay take", "ps", "MAILBOX", 1, 1, MAILCMD_CHANGES | MAILCMD_DATA | MAILCMD_RELAY, "the one who is copied to" },
	{ "release", "s", "[-s] [MAILBOX_MASK...]", 0, -1, MAILCMD_CHANGES | MAILCMD_STOPPED,
	  "tell what clients will notice when Dovecot takes over, and what to give it" },
	{ "save", "m:", "[-m MAILBOX] [FILE]", 0, 1, MAILCMD_CHANGES | MAILCMD_DATA,
	  "save a message, read from FILE or standard input" },
	{ "search", "", QUERY, 1, -1, 0, "list the messages that match" },
	{ "verify", "", "[MAILBOX_MASK...]", 0, -1, 0, "compare the index with the folders; status 65: they differ" },
	{ 0 },
};

const struct mailcmd *mailcmd_find(struct span name)
{
	for (const struct mailcmd *c = mailcmds; c->name; c++)
		if (span_eq_str(name, c->name))
			return c;
	return NULL;
}

static const char escaped[] = "\\\t\n", letter[] = "\\tn";

void record_add(struct buf *out, struct span field)
{
	size_t from = 0;

	for (size_t i = 0; i < field.n; i++) {
		const char *e = field.p[i] ? strchr(escaped, field.p[i]) : NULL;

		if (!e)
			continue;
		buf_add_span(out, span_cut(field, from, i - from));
		buf_add_char(out, '\\');
		buf_add_char(out, letter[e - escaped]);
		from = i + 1;
	}
	buf_add_span(out, span_from(field, from));
}

void record_read(struct span field, struct buf *out)
{
	for (size_t i = 0; i < field.n; i++) {
		const char *l = field.p[i] == '\\' && i + 1 < field.n && field.p[i + 1] ? strchr(letter, field.p[i + 1]) : NULL;

		if (l)
			i++;
		buf_add_char(out, l ? escaped[l - letter] : field.p[i]);
	}
}
