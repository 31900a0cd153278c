/* From the fields of the userdbs to an account: numbers, bounds, paths. */
#include "base/must.h"
#include "base/mem.h"
#include "userdb.h"

#include <grp.h>
#include <pwd.h>

enum { NSS_BUF = 65536 };

static bool uid_of(const char *text, uint32_t *id_r)
{
	char *work = mem_alloc(NSS_BUF);
	struct passwd pw, *found = NULL;

	if (getpwnam_r(text, &pw, work, NSS_BUF, &found) == 0 && found)
		*id_r = found->pw_uid;
	free(work);
	return found != NULL;
}

static bool gid_of(const char *text, uint32_t *id_r)
{
	char *work = mem_alloc(NSS_BUF);
	struct group gr, *found = NULL;

	if (getgrnam_r(text, &gr, work, NSS_BUF, &found) == 0 && found)
		*id_r = found->gr_gid;
	free(work);
	return found != NULL;
}

/* The two kinds of id differ in these. */
static const struct kind {
	const char *key;
	enum conf_id fallback, first, last;
	bool (*by_name)(const char *text, uint32_t *id_r);
} kinds[] = {
	{ "uid", CONF_MAIL_UID, CONF_FIRST_VALID_UID, CONF_LAST_VALID_UID, uid_of },
	{ "gid", CONF_MAIL_GID, CONF_FIRST_VALID_GID, CONF_LAST_VALID_GID, gid_of },
};

static enum err in_bounds(const struct conf *c, const struct kind *k, uint32_t id, const char *from,
			  struct errtext *t)
{
	uint64_t first = conf_u64(c, k->first), last = conf_u64(c, k->last);

	if (id == UINT32_MAX)
		return err_say(t, ERR_PERM, "%s %u is no id (from %s)", k->key, id, from);
	if (id < first)
		return err_say(t, ERR_PERM, "%s %u is below first_valid_%s=%llu (from %s)", k->key,
			       id, k->key, (unsigned long long)first, from);
	if (last != 0 && id > last)
		return err_say(t, ERR_PERM, "%s %u is above last_valid_%s=%llu (from %s)", k->key,
			       id, k->key, (unsigned long long)last, from);
	if (id == 0)
		return err_say(t, ERR_PERM, "%s 0 is root; mail is never served as root (from %s)",
			       k->key, from);
	return ERR_OK;
}

static enum err take_id(const struct conf *c, const struct kind *k, const struct fields *f,
			const char *driver, uint32_t *id_r, struct errtext *t)
{
	const char *text = fields_get(f, k->key), *from = driver;
	uint32_t id = 0;

	if (!text || !*text) {
		text = conf_str(c, k->fallback);
		from = k->key[0] == 'u' ? "mail_uid" : "mail_gid";
	}
	if (!*text)
		return err_say(t, ERR_CANNOT, "no %s from userdb %s, and mail_%s is not set",
			       k->key, driver, k->key);
	if (!span_u32(span_str(text), &id) && !k->by_name(text, &id))
		return err_say(t, ERR_CANNOT,
			       "%s \"%.60s\" is neither a number nor a known name (from %s)",
			       k->key, text, from);
	*id_r = id;
	return in_bounds(c, k, id, from, t);
}

static enum err take_home(const struct conf *c, const struct who *w, const struct fields *f,
			  const char **home_r, struct errtext *t)
{
	const char *home = fields_get(f, "home");
	struct expand_var vars[WHO_VARS];
	struct buf out;
	enum err e = ERR_OK;

	buf_init(&out, 4096);
	if (!home || !*home) {
		who_vars(w, vars);
		e = expand_path(span_str(conf_str(c, CONF_MAIL_HOME)), vars, &out, t);
		home = buf_cstr(&out);
	}
	if (!e && *home && *home != '/')
		e = err_say(t, ERR_CANNOT, "home \"%.100s\" is not an absolute path", home);
	if (!e && !(*home_r = arena_str(w->a, home)))
		e = err_say(t, ERR_MEMORY, "no memory");
	buf_free(&out);
	return e;
}

/* Fields that are not part of the account itself. */
static enum err take_extra(const struct who *w, const struct fields *f, struct span *extra_r,
			   struct errtext *t)
{
	static const char *const own[] = { "uid",     "gid",  "home",
					   "mail",    "user", "allow_all_users",
					   "blocking" };
	struct buf out;
	bool ok = true;

	buf_init(&out, ACCOUNT_EXTRA_MAX);
	for (const struct field *i = f->first; i; i = i->next) {
		bool is_own = false;

		for (size_t j = 0; j < ARRAY_LEN(own); j++)
			is_own = is_own || strcmp(i->key, own[j]) == 0;
		if (is_own)
			continue;
		buf_printf(&out, "%s=%s", i->key, i->value);
		buf_add_char(&out, '\0');
	}
	if (!out.failed)
		*extra_r = arena_copy(w->a, buf_span(&out), &ok);
	ok = ok && !out.failed;
	buf_free(&out);
	return ok ? ERR_OK : err_say(t, ERR_LIMIT, "the extra fields are too long");
}

enum err userdb_account(const struct conf *c, const struct who *w, const struct fields *f,
			const char *driver, struct account *a_r)
{
	const char *user = fields_get(f, "user"), *mail = fields_get(f, "mail");
	struct account a = { .user = user && *user ? user : w->user, .mail = mail ? mail : "" };
	struct errtext t;
	enum err e = take_id(c, &kinds[0], f, driver, &a.uid, &t);

	if (!e)
		e = take_id(c, &kinds[1], f, driver, &a.gid, &t);
	if (!e)
		e = take_home(c, w, f, &a.home, &t);
	if (!e)
		e = take_extra(w, f, &a.extra, &t);
	if (e) {
		char name[256];

		log_error("user %s: %s", log_quote(span_str(w->user), name, sizeof(name)), t.text);
		return e;
	}
	*a_r = a;
	return ERR_OK;
}
