/*
 * `roost -n` and `roost -a`: a configuration as text that conf_load reads back into an equal one.
 * Settings without effect carry a comment that says so. Contents of files are shown as "<path",
 * never as content.
 */
#ifndef CONF_DUMP_H
#define CONF_DUMP_H

#include "base/buf.h"
#include "conf/conf.h"

/*
 * all: every setting; else those that differ from the defaults. Only for what conf_load made.
 * Check out->failed.
 */
void conf_dump(const struct conf *c, bool all, struct buf *out);

#endif
