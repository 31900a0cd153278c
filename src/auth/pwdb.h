/*
 * A database of driver passwd-file: its arguments, and the file (or files, when the path has
 * variables).
 */
#ifndef AUTH_PWDB_H
#define AUTH_PWDB_H

#include "conf/expand.h"
#include "pwfile.h"

struct pwdb;

/* args: [scheme=NAME] [username_format=FORMAT] /path. ERR_SYNTAX: t names the wrong word. */
enum err pwdb_new(const char *args, struct pwdb **p_r, struct errtext *t);
void pwdb_free(struct pwdb **p);

/* As pwfile_find, with the path and the key made from vars. */
enum err pwdb_find(struct pwdb *p, const struct expand_var *vars, struct pw_entry *e_r, struct errtext *t);

const char *pwdb_scheme(const struct pwdb *p);
const char *pwdb_path(const struct pwdb *p); /* as written, with variables */

#endif
