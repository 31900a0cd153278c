/*
 * The files being read: a stack of them, because of includes. Hands out logical lines.
 *
 * Not here: what a line means. A file that includes itself, directly or not, is an error.
 */
#ifndef CONF_SOURCE_H
#define CONF_SOURCE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/buf.h"
#include "notes.h"

#include <sys/types.h>

enum {
	SOURCE_DEPTH = 16,
	SOURCE_FILES = 1000,
	SOURCE_FILE_MAX = 1024 * 1024,
	SOURCE_TOTAL_MAX = 8 * 1024 * 1024,
	SOURCE_LINE_MAX = 256 * 1024,
};

struct frame {
	const char *path;  /* arena */
	struct buf text;   /* own */
	struct span rest;  /* of text, not yet read */
	unsigned line;     /* lines read */
	dev_t dev;
	ino_t ino;
	char **pending;    /* arena: files that an include still has to open */
	size_t pending_n;
	void *mark;        /* for the reader: what was open when this file began */
};

struct source {
	struct arena *a;     /* borrowed */
	struct notes *notes; /* borrowed */
	bool no_files;
	struct frame stack[SOURCE_DEPTH];
	size_t depth;
	size_t files, total;
	struct buf physical; /* own: the logical line being put together */
};

enum source_event {
	SOURCE_LINE, /* line_r and line number of the top frame's statement */
	SOURCE_EOF,  /* the top frame ended: call source_pop */
	SOURCE_DONE, /* nothing left */
};

void source_init(struct source *s, struct arena *a, struct notes *notes, bool no_files);
void source_free(struct source *s);

/* Text in memory as a file. mark is the reader's. */
bool source_push_text(struct source *s, const char *path, struct span text, void *mark);

/*
 * Opens a file as the next to be read; says why in the notes when it cannot (as an error at
 * file:line).
 */
bool source_push_file(struct source *s, const char *path, const char *file, unsigned line, void *mark);

/* Files that pattern names (relative to the top frame) are read next. try: none is no error. */
void source_include(struct source *s, struct span pattern, bool try, unsigned line);

/*
 * line_r is valid until the next call; *number_r is the number of its first physical line. mark:
 * for files opened by includes.
 */
enum source_event source_next(struct source *s, void *mark, struct span *line_r, unsigned *number_r);
void source_pop(struct source *s);

static inline struct frame *source_top(struct source *s)
{
	return &s->stack[s->depth - 1];
}

/* path as seen from the directory of the top frame, in the arena; NULL at its limit. */
const char *source_path(struct source *s, struct span path);

/* Reads a whole regular file of at most SOURCE_FILE_MAX bytes into out. st_r may be NULL. */
struct stat;
enum err read_whole(const char *path, struct buf *out, struct stat *st_r, struct errtext *t);

#endif
