#include "userdb.h"
#include "base/mem.h"
#include "base/must.h"
#include "pwdb.h"

#include <errno.h>
#include <pwd.h>

struct ask {
	const struct conf_userdb *conf;
	struct pwdb *pw; /* NULL unless passwd-file with good args */
	struct who *w;
	struct fields *f; /* of this database alone */
	const struct expand_var *vars;
	userdb_exists_fn *exists;
	void *ctx;
};

typedef enum found lookup_fn(struct ask *q, struct errtext *t);

static enum found failed(enum err e, struct errtext *t)
{
	if (e && !*t->text)
		err_say(t, e, "%s", err_name(e));
	return e ? FOUND_FAILED : FOUND_OK;
}

static enum found lookup_static(struct ask *q, struct errtext *t)
{
	const struct fields_how how = { "", q->vars, false };
	enum err e = fields_add(q->f, span_str(q->conf->args), &how, t);
	const char *all = fields_get(q->f, "allow_all_users");

	if (e)
		return failed(e, t);
	return all && strcmp(all, "yes") == 0 ? FOUND_OK : q->exists(q->ctx, q->w);
}

static enum err set_unless_empty(struct fields *f, const char *key, struct span value)
{
	return value.n > 0 ? fields_set(f, span_str(key), value) : ERR_OK;
}

static enum found lookup_passwd_file(struct ask *q, struct errtext *t)
{
	const struct fields_how how = { "userdb_", NULL, false };
	struct pw_entry entry;
	enum err e;

	if (!q->pw)
		return failed(err_say(t, ERR_TEMP, "its args are wrong"), t);
	e = pwdb_find(q->pw, q->vars, &entry, t);
	if (e == ERR_NOTFOUND)
		return FOUND_NO;
	if (!e)
		e = set_unless_empty(q->f, "uid", entry.uid);
	if (!e)
		e = set_unless_empty(q->f, "gid", entry.gid);
	if (!e)
		e = set_unless_empty(q->f, "home", entry.home);
	if (!e)
		e = fields_add(q->f, entry.extra, &how, t);
	return failed(e, t);
}

static enum err set_number(struct fields *f, const char *key, unsigned long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", n);
	return fields_set(f, span_str(key), span_str(text));
}

enum { NSS_BUF = 65536 };

/* A home is empty rather than missing. work: NSS_BUF bytes. */
static int get_user(const char *name, struct passwd *pw, char *work, struct passwd **found)
{
	int rc;

	do
		rc = getpwnam_r(name, pw, work, NSS_BUF, found);
	while (rc == EINTR);
	/* These mean "not found" to some modules. */
	return rc == ENOENT || rc == ESRCH || rc == EPERM ? 0 : rc;
}

static enum found lookup_passwd(struct ask *q, struct errtext *t)
{
	const struct fields_how how = { "", q->vars, false };
	char *work = mem_alloc(NSS_BUF);
	struct passwd pw, *found = NULL;
	int rc = get_user(q->w->user, &pw, work, &found);
	enum err e = ERR_OK;

	if (rc != 0)
		e = err_say(t, ERR_TEMP, "getpwnam failed: %s", strerror(rc));
	if (found)
		e = set_number(q->f, "uid", found->pw_uid);
	if (found && !e)
		e = set_number(q->f, "gid", found->pw_gid);
	if (found && !e)
		e = fields_set(q->f, SPAN("home"), span_str(found->pw_dir));
	if (found && !e)
		e = fields_add(q->f, span_str(q->conf->args), &how, t);
	free(work);
	if (!e && !found)
		return FOUND_NO;
	return failed(e, t);
}

static enum found lookup_prefetch(struct ask *q, struct errtext *t)
{
	enum found found = FOUND_NO;

	for (const struct field *i = q->w->passdb.first; i; i = i->next) {
		struct span key = span_str(i->key);

		if (!span_starts(key, SPAN("userdb_")))
			continue;
		if (fields_set(q->f, span_from(key, 7), span_str(i->value)))
			return failed(ERR_MEMORY, t);
		found = FOUND_OK;
	}
	return found;
}

static const struct {
	const char *driver;
	lookup_fn *fn;
} drivers[] = {
	{ "passwd", lookup_passwd },
	{ "passwd-file", lookup_passwd_file },
	{ "prefetch", lookup_prefetch },
	{ "static", lookup_static },
};

struct db {
	const struct conf_userdb *conf; /* borrowed */
	lookup_fn *fn;
	struct pwdb *pw; /* own */
};

struct userdb {
	struct db *db;
	size_t n;
};

struct userdb *userdb_new(const struct conf *c)
{
	struct userdb *u = mem_alloc(sizeof(*u));
	const struct conf_userdb *conf = conf_userdbs(c, &u->n);

	u->db = mem_array(u->n + 1, sizeof(*u->db));
	for (size_t i = 0; i < u->n; i++) {
		struct db *db = &u->db[i];
		struct errtext t;

		db->conf = &conf[i];
		for (size_t d = 0; d < ARRAY_LEN(drivers); d++)
			if (strcmp(drivers[d].driver, db->conf->driver) == 0)
				db->fn = drivers[d].fn;
		must(db->fn); /* the configuration was checked for that */
		if (db->fn == lookup_passwd_file && pwdb_new(db->conf->args, &db->pw, &t))
			log_error("userdb passwd-file: args: %s", t.text);
	}
	return u;
}

void userdb_free(struct userdb **u)
{
	if (!*u)
		return;
	for (size_t i = 0; i < (*u)->n; i++)
		pwdb_free(&(*u)->db[i].pw);
	free((*u)->db);
	free(*u);
	*u = NULL;
}

size_t userdb_count(const struct userdb *u)
{
	return u->n;
}

const char *userdb_path(const struct userdb *u, size_t i)
{
	return u->db[i].pw ? pwdb_path(u->db[i].pw) : NULL;
}

bool userdb_need_nss(const struct userdb *u)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->db[i].fn == lookup_passwd)
			return true;
	return false;
}

/* Defaults under what the database says, overrides over it; kept only when it knows the user. */
static enum found find_one(const struct db *db, struct ask *q, struct fields *f, struct errtext *t)
{
	const struct fields_how weak = { "", q->vars, true }, strong = { "", q->vars, false };
	struct fields said = { .a = f->a };
	enum found found;
	enum err e;

	q->conf = db->conf;
	q->pw = db->pw;
	q->f = &said;
	found = db->fn(q, t);
	if (found != FOUND_OK)
		return found;
	e = fields_add(&said, span_str(db->conf->default_fields), &weak, t);
	if (!e)
		e = fields_add(&said, span_str(db->conf->override_fields), &strong, t);
	for (const struct field *i = said.first; i && !e; i = i->next)
		e = fields_set(f, span_str(i->key), span_str(i->value));
	return failed(e, t);
}

static bool is_skipped(const struct db *db, const struct chain *ch)
{
	/* The words of the row: never, found, notfound. */
	return (db->conf->skip == 1 && ch->ok) || (db->conf->skip == 2 && !ch->ok);
}

enum found userdb_find(const struct userdb *u, struct who *w, userdb_exists_fn *exists, void *ctx,
		       struct fields *f, const char **driver_r)
{
	struct expand_var vars[WHO_VARS];
	struct ask q = { .w = w, .vars = vars, .exists = exists, .ctx = ctx };
	struct chain ch = { 0 };

	who_vars(w, vars);
	for (size_t i = 0; i < u->n && !ch.done; i++) {
		const struct conf_userdb *conf = u->db[i].conf;
		const unsigned result[3] = { conf->result_success, conf->result_failure,
					     conf->result_internalfail };
		struct errtext t = { "" };
		enum found found;

		if (is_skipped(&u->db[i], &ch))
			continue;
		found = find_one(&u->db[i], &q, f, &t);
		if (found == FOUND_FAILED && *t.text)
			who_log(LOG_LVL_ERROR, w, conf->driver, t.text);
		if (found == FOUND_OK)
			*driver_r = conf->driver;
		chain_take(&ch, found, result);
	}
	return ch.ok ? FOUND_OK : ch.failed ? FOUND_FAILED : FOUND_NO;
}
