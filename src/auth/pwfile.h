/*
 * Files like passwd(5): user:password:uid:gid:gecos:home:shell:extra fields. Read whole, kept in
 * memory, read again when time, size or inode have changed. Empty lines and lines that begin with
 * '#' or ':' do not count.
 */
#ifndef AUTH_PWFILE_H
#define AUTH_PWFILE_H

#include "base/err.h"
#include "base/span.h"

struct pw_entry {
	struct span user, password, uid, gid, home, extra; /* empty where the line ends before */
};

/* One line without its LF. False: it names no user. Pure. */
bool pw_parse(struct span line, struct pw_entry *e_r);

enum { PWFILE_MAX = 64 * 1024 * 1024 };

struct pwfile;

struct pwfile *pwfile_new(const char *path); /* nothing is opened yet */
void pwfile_free(struct pwfile **f);         /* NULL allowed; nulls; wipes */
const char *pwfile_path(const struct pwfile *f);

/*
 * The entry of user; valid until the next call. ERR_NOTFOUND: no such user (*e_r is then the
 * file's first entry, to spend the same time on; empty when there is none). Other errors: the
 * file cannot be read, t says why.
 */
enum err pwfile_find(struct pwfile *f, struct span user, struct pw_entry *e_r, struct errtext *t);

#endif
