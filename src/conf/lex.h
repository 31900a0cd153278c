/*
 * One logical line of a configuration file to one statement. Pure: no files, no settings.
 */
#ifndef CONF_LEX_H
#define CONF_LEX_H

#include "base/buf.h"

enum stmt_kind {
	STMT_NONE,        /* blank or comment */
	STMT_SET,         /* key = value */
	STMT_SET_QUOTED,  /* key = "value": no $ references; escapes are resolved in value */
	STMT_SET_FILE,    /* key = <path: value is the path */
	STMT_SECTION,     /* key [value] { */
	STMT_END,         /* } */
	STMT_INCLUDE,     /* !include value */
	STMT_INCLUDE_TRY, /* !include_try value */
	STMT_BAD,         /* why says what is wrong */
};

struct stmt {
	enum stmt_kind kind;
	struct span key, value; /* into the line, or into scratch for what was unescaped */
	const char *why;        /* STMT_BAD: constant sentence */
};

/*
 * Takes one physical line (without its LF) and appends it to line, comment and blanks at its ends
 * removed. True when the line goes on (it ended in a backslash). *glued_r: a '#' without a blank
 * before it began a comment.
 */
bool lex_join(struct span physical, struct buf *line, bool *glued_r);

/* scratch is cleared and holds unescaped text until the next call. */
void lex_stmt(struct span line, struct buf *scratch, struct stmt *s_r);

#endif
