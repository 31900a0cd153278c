/*
 * Userdbs: static, passwd-file, passwd (the name service), prefetch (the userdb_ fields that a
 * passdb gave). And what is shared with the chain of passdbs in users.c.
 */
#ifndef AUTH_USERDB_H
#define AUTH_USERDB_H

#include "base/log.h"
#include "users.h"

/* Numbers the results in the order result_success, result_failure, result_internalfail. */
enum found { FOUND_OK, FOUND_NO, FOUND_FAILED };

struct chain {
	bool ok, failed, done;
};

void chain_take(struct chain *ch, enum found found, const unsigned result[3]);

enum { WHO_VARS = EXPAND_USER_VARS + 3 };
void who_vars(const struct who *w, struct expand_var vars[WHO_VARS]); /* %u %n %d, %s service, %r rip, %l lip */
void who_log(enum log_level level, const struct who *w, const char *driver, const char *text);

struct userdb; /* all of them, in order */

struct userdb *userdb_new(const struct conf *c);
void userdb_free(struct userdb **u);
size_t userdb_count(const struct userdb *u);
const char *userdb_path(const struct userdb *u, size_t i); /* NULL: it has no file */
bool userdb_need_nss(const struct userdb *u);

/* Asked by a static userdb, which by itself knows everybody. */
typedef enum found userdb_exists_fn(void *ctx, struct who *w);

/*
 * Fills f with what the databases say (uid, gid, home, mail, ...); *driver_r: who said it last.
 * Logs failures.
 */
enum found userdb_find(const struct userdb *u, struct who *w, userdb_exists_fn *exists, void *ctx, struct fields *f,
		       const char **driver_r);

/*
 * Fields to an account: defaults from mail_uid, mail_gid, mail_home; names to numbers; ids
 * outside first_valid_uid and kin refused by a log line that names setting and value.
 */
enum err userdb_account(const struct conf *c, const struct who *w, const struct fields *f, const char *driver,
			struct account *a_r);

#endif
