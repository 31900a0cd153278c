/*
 * Reads configuration files: the grammar of dovecot.conf 2.3. Only the master (and `roost -n`)
 * does this.
 *
 * A statement is a line: "key = value", "section [name] {", "}", "!include path", "!include_try
 * path". A line that ends in a backslash goes on in the next. "#" begins a comment. A value may
 * stand in quotes, be "<path" (the content of that file), and refer to settings as "$name" at its
 * beginning or after a blank. Relative paths start at the file that names them.
 *
 * Limits: a file 1 MiB, all together 8 MiB and 1,000 files, includes 16 deep, sections 16 deep.
 */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "base/buf.h"
#include "conf/conf.h"

enum conf_load_flags {
	CONF_LOAD_NO_CONTENT = 1, /* "<path" is kept as a name, not read (roost -n) */
	CONF_LOAD_NO_FILES = 2,   /* nothing else is opened at all: an include is an error (tests, fuzzing) */
};

/*
 * errors and warnings get one line "file:line: sentence\n" for each; all errors of all files are
 * reported, not only the first. ERR_SYNTAX when there was any error, then *c_r is not written.
 * The caller logs the warnings.
 */
enum err conf_load(const char *path, unsigned flags, struct conf **c_r, struct buf *errors, struct buf *warnings);

/*
 * The same for text in memory; name stands for the file in messages, includes are relative to its
 * directory.
 */
enum err conf_load_text(struct span text, const char *name, unsigned flags, struct conf **c_r, struct buf *errors,
			struct buf *warnings);

#endif
