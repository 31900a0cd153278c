/*
 * The settings of one role as bytes: the master writes them into a sealed memory file, the child
 * reads them back. A role gets the rows that name it and nothing else: the TLS key goes to login
 * only, password databases to auth only.
 */
#ifndef CONF_EXPORT_H
#define CONF_EXPORT_H

#include "base/buf.h"
#include "conf/conf.h"

enum { CONF_EXPORT_MAX = 4 * 1024 * 1024 };

/* Appends to out, whose maximum should be CONF_EXPORT_MAX. ERR_LIMIT when it does not fit. */
enum err conf_export(const struct conf *c, enum conf_role role, struct buf *out);

/*
 * Strict: anything but what conf_export writes for this very build is ERR_PROTO. Copies what it
 * keeps.
 */
enum err conf_import(struct span bytes, enum conf_role role, struct conf **c_r);

#endif
