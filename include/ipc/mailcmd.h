/*
 * The administrator's commands on mail: what roostadm and the worker both know of them, and the
 * records in which they speak. Who asks and who does it share nothing else: the worker knows no
 * format of output, roostadm no mailbox.
 *
 * A record is a line: fields parted by TAB, ended by LF. In a field "\\", "\t", "\n" stand for
 * backslash, TAB, LF. A field may be long; a reader need not hold it.
 *
 * roostadm sends one request:
 *	name  -x  -y value ...  --  argument ...
 * and, to a command that takes a message (MAILCMD_DATA), its bytes in pieces of "=LENGTH\n" and so many bytes;
 * "=0\n" ends them. Without that nothing is saved.
 *
 * The worker answers with any number of
 *	C  column ...           once, before the first row: names, each behind its enum column_flag as a digit
 *	R  cell ...
 *	P  done  goal  what     how far it is; goal 0: not known
 *	W  sentence             something is amiss; what can be done is done
 * and at last
 *	E  status               of sysexits.h; 0: all went well
 * roostadm ends the connection to give up: the worker stops at the next place where nothing is half done.
 *
 * From one user to another: two workers at once, of which neither may touch the other's mail, "relay give" and "relay
 * take". roostadm hands on what the one says to the other:
 *	F  mailbox  separator             messages of a mailbox follow
 *	M  flags  date  [keyword ...]     one, and behind it its bytes in pieces, as above
 *	B                                 those since F or the last B are to be saved: all of them, or none
 *	X                                 they are not: something was amiss; the message may have been in the middle
 *	E                                 no more (roostadm says this)
 * and back, to each B:
 *	A  1                              they are saved, durably
 *	A  0                              they are not; no more of this mailbox
 */
#ifndef IPC_MAILCMD_H
#define IPC_MAILCMD_H

#include "base/buf.h"

enum mailcmd_flag {
	MAILCMD_CHANGES = 0x1, /* knows --dry-run */
	MAILCMD_DATA = 0x2,    /* a message comes along */
	MAILCMD_PAGER = 0x4,   /* printed as pages unless -f says otherwise, others as lines */
	MAILCMD_STOPPED = 0x8, /* changes nothing while the server runs */
	MAILCMD_RELAY = 0x10,  /* half of a command of two users: roostadm's own, not for people */
};

enum column_flag {
	COLUMN_BARE = 0x1,   /* not titled where values stand by themselves (flow, table, pager) */
	COLUMN_NUMBER = 0x2, /* to the right, in a table */
	COLUMN_TEXT = 0x4,   /* lines: begins on a line of its own in a page */
	COLUMN_ALONE = 0x8,  /* the only one: no user's name in front, for a program reads it */
};

/* sysexits.h, and what doveadm adds. */
enum mailcmd_status {
	STATUS_OK = 0,
	STATUS_USAGE = 64,
	STATUS_DATA = 65,     /* cannot be done with what is there; verify: index and folder differ */
	STATUS_NOUSER = 67,
	STATUS_NOTFOUND = 68, /* no such mailbox or session */
	STATUS_DOWN = 69,
	STATUS_FAILED = 70,
	STATUS_QUOTA = 73,
	STATUS_TEMP = 75,
	STATUS_DENIED = 77,
	STATUS_CONFIG = 78,
};

struct mailcmd {
	const char *name;      /* one word or two */
	const char *options;   /* as getopt has them */
	const char *arguments; /* for people */
	int least, most;       /* arguments; most -1: any number */
	unsigned flags;        /* enum mailcmd_flag */
	const char *sentence;
};

/* Sorted by name; ended by a row whose name is NULL. */
extern const struct mailcmd mailcmds[];
const struct mailcmd *mailcmd_find(struct span name); /* NULL: no such */

/* A field of a record: escaped; the same undone into out. */
void record_add(struct buf *out, struct span field);
void record_read(struct span field, struct buf *out);

#endif
