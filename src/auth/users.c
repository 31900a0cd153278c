/* Chains of databases: order, skip, result_*; what a password buys. */
#include "users.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "names.h"
#include "pwdb.h"
#include "scheme.h"
#include "userdb.h"

struct passdb {
	const struct conf_passdb *conf; /* borrowed */
	struct pwdb *pw;                /* own; NULL: its args are wrong */
};

struct users {
	const struct conf *conf;
	struct passdb *passdb;
	size_t passdb_n;
	struct userdb *userdb; /* own */
};

void who_vars(const struct who *w, struct expand_var vars[WHO_VARS])
{
	const struct expand_var more[] = {
		{ 's', "service", span_str(w->service), false },
		{ 'r', "rip", span_str(w->rip), false },
		{ 'l', "lip", span_str(w->lip), false },
		{ 0, NULL, SPAN(""), false },
	};

	expand_user(vars, span_str(w->user), SPAN(""));
	memcpy(vars + EXPAND_USER_VARS - 1, more, sizeof(more));
}

void who_log(enum log_level level, const struct who *w, const char *driver, const char *text)
{
	char user[256], session[128];

	log_write(level, "%s(%s,%s,<%s>): %s", driver,
		  log_quote(span_str(w->user), user, sizeof(user)), w->rip,
		  log_quote(span_str(w->session), session, sizeof(session)), text);
}

struct users *users_new(const struct conf *c)
{
	struct users *u = mem_alloc(sizeof(*u));
	const struct conf_passdb *p = conf_passdbs(c, &u->passdb_n);

	u->conf = c;
	u->passdb = mem_array(u->passdb_n + 1, sizeof(*u->passdb));
	for (size_t i = 0; i < u->passdb_n; i++) {
		struct errtext t;

		u->passdb[i].conf = &p[i];
		if (pwdb_new(p[i].args, &u->passdb[i].pw, &t))
			log_error("passdb %s: args: %s", p[i].driver, t.text);
	}
	u->userdb = userdb_new(c);
	return u;
}

void users_free(struct users **u)
{
	if (!*u)
		return;
	for (size_t i = 0; i < (*u)->passdb_n; i++)
		pwdb_free(&(*u)->passdb[i].pw);
	userdb_free(&(*u)->userdb);
	free((*u)->passdb);
	free(*u);
	*u = NULL;
}

/* ---- chains ---- */

void chain_take(struct chain *ch, enum found found, const unsigned result[3])
{
	switch (result[found]) {
	case CONF_RETURN_OK:
		ch->ok = true;
		ch->done = true;
		break;
	case CONF_RETURN:
		ch->done = true;
		break;
	case CONF_RETURN_FAIL:
		ch->ok = false;
		ch->done = true;
		break;
	case CONF_CONTINUE_OK:
		ch->ok = true;
		break;
	case CONF_CONTINUE_FAIL:
		ch->ok = false;
		break;
	default:
		break;
	}
	if (found == FOUND_FAILED)
		ch->failed = true;
}

/* ---- passdb ---- */

static bool passdb_fits(const struct passdb *p, const struct who *w, const struct chain *ch)
{
	const char *const *mech = p->conf->mechanisms;
	bool fits = !mech[0] || !*w->mech;

	for (size_t i = 0; !fits && mech[i]; i++)
		fits = span_ieq_str(span_str(mech[i]), w->mech);
	if (p->conf->skip == CONF_SKIP_AUTHENTICATED && ch->ok)
		return false;
	return fits && !(p->conf->skip == CONF_SKIP_UNAUTHENTICATED && !ch->ok);
}

static bool is_verbose(const struct users *u, const struct passdb *p)
{
	unsigned own = p->conf->auth_verbose;

	return own == 0 ? conf_bool(u->conf, CONF_AUTH_VERBOSE) : own == 1;
}

static enum found find_entry(const struct passdb *p, const struct who *w, struct pw_entry *entry)
{
	struct expand_var vars[WHO_VARS];
	struct errtext t;
	enum err e;

	if (!p->pw)
		return FOUND_FAILED;
	who_vars(w, vars);
	e = pwdb_find(p->pw, vars, entry, &t);
	if (e == ERR_NOTFOUND)
		return FOUND_NO;
	if (e)
		who_log(LOG_LVL_ERROR, w, p->conf->driver, t.text);
	return e ? FOUND_FAILED : FOUND_OK;
}

/* What the database adds: defaults, the entry's own fields, overrides. */
static enum err take_fields(const struct passdb *p, struct who *w, struct span extra,
			    struct errtext *t)
{
	struct expand_var vars[WHO_VARS];
	const struct fields_how weak = { "", vars, true }, own = { "", NULL, false },
				strong = { "", vars, false };
	enum err e;

	who_vars(w, vars);
	e = fields_add(&w->passdb, extra, &own, t);
	if (!e)
		e = fields_add(&w->passdb, span_str(p->conf->default_fields), &weak, t);
	return e ? e : fields_add(&w->passdb, span_str(p->conf->override_fields), &strong, t);
}

/* Fields that change who may come in, once the password is right. */
static enum found obey_fields(const struct passdb *p, struct who *w)
{
	const char *nets = fields_get(&w->passdb, "allow_nets");
	const char *user = fields_get(&w->passdb, "user");
	static const char *const unserved[] = { "proxy", "proxy_maybe", "allow_real_nets",
						"delay_until" };

	for (size_t i = 0; i < ARRAY_LEN(unserved); i++) {
		if (fields_get(&w->passdb, unserved[i])) {
			who_log(LOG_LVL_ERROR, w, p->conf->driver,
				"the entry has a field that is not served here (proxy, "
				"allow_real_nets, delay_until)");
			return FOUND_FAILED;
		}
	}
	if (nets && !nets_allow(nets, w->rip)) {
		who_log(LOG_LVL_INFO, w, p->conf->driver,
			"allow_nets check failed: address is not in allowed networks");
		return FOUND_NO;
	}
	if (user && *user)
		w->user = user;
	return FOUND_OK;
}

static enum found verify_entry(const struct users *u, const struct passdb *p, struct who *w,
			       const struct pw_entry *entry, struct span password)
{
	struct errtext t = { "" };
	bool match;
	enum err e = scheme_verify(entry->password, pwdb_scheme(p->pw), password, &match, &t);

	if (!e && !match) {
		if (is_verbose(u, p))
			who_log(LOG_LVL_INFO, w, p->conf->driver, "Password mismatch");
		return FOUND_NO;
	}
	if (!e)
		e = take_fields(p, w, entry->extra, &t);
	if (e) {
		who_log(LOG_LVL_ERROR, w, p->conf->driver, *t.text ? t.text : err_name(e));
		return FOUND_FAILED;
	}
	return obey_fields(p, w);
}

static enum found verify_one(const struct users *u, const struct passdb *p, struct who *w,
			     struct span password)
{
	struct pw_entry entry;
	enum found found = find_entry(p, w, &entry);

	if (found == FOUND_OK)
		return verify_entry(u, p, w, &entry, password);
	if (found == FOUND_NO) {
		scheme_pretend(entry.password, pwdb_scheme(p->pw), password);
		if (is_verbose(u, p))
			who_log(LOG_LVL_INFO, w, p->conf->driver, "unknown user");
	}
	return found;
}

/* A passdb with deny = yes: whoever stands in it is turned away. */
static void deny_one(const struct passdb *p, const struct who *w, struct chain *ch)
{
	struct pw_entry entry;
	enum found found = find_entry(p, w, &entry);

	if (found == FOUND_NO)
		return;
	if (found == FOUND_OK)
		who_log(LOG_LVL_INFO, w, p->conf->driver, "the user is denied");
	ch->failed = found == FOUND_FAILED;
	ch->ok = false;
	ch->done = true;
}

enum verdict users_verify(struct users *u, struct who *w, struct span password,
			  const char **reason_r)
{
	struct chain ch = { 0 };
	const char *reason;

	*reason_r = "";
	for (size_t i = 0; i < u->passdb_n && !ch.done; i++) {
		const struct passdb *p = &u->passdb[i];
		const unsigned result[3] = { p->conf->result_success, p->conf->result_failure,
					     p->conf->result_internalfail };

		if (!passdb_fits(p, w, &ch))
			continue;
		if (p->conf->deny)
			deny_one(p, w, &ch);
		else
			chain_take(&ch, verify_one(u, p, w, password), result);
	}
	if (!ch.ok)
		return ch.failed ? VERDICT_TEMP : VERDICT_BAD;
	if (!fields_get(&w->passdb, "nologin"))
		return VERDICT_OK;
	reason = fields_get(&w->passdb, "reason");
	*reason_r = reason ? reason : "";
	return VERDICT_DISABLED;
}

/* Without a password only user= counts. */
static enum found take_user(const struct passdb *p, struct who *w, struct span extra)
{
	struct errtext t = { "" };
	const char *user;

	if (take_fields(p, w, extra, &t)) {
		who_log(LOG_LVL_ERROR, w, p->conf->driver, t.text);
		return FOUND_FAILED;
	}
	user = fields_get(&w->passdb, "user");
	if (user && *user)
		w->user = user;
	return FOUND_OK;
}

/* Whether any passdb knows the user. */
static enum found passdb_knows(const struct users *u, struct who *w)
{
	struct chain ch = { 0 };

	for (size_t i = 0; i < u->passdb_n && !ch.done; i++) {
		const struct passdb *p = &u->passdb[i];
		struct pw_entry entry;
		enum found found;

		if (p->conf->deny) {
			deny_one(p, w, &ch);
			continue;
		}
		found = find_entry(p, w, &entry);
		if (found == FOUND_OK)
			found = take_user(p, w, entry.extra);
		ch.failed = ch.failed || found == FOUND_FAILED;
		ch.ok = ch.done = found == FOUND_OK;
	}
	return ch.ok ? FOUND_OK : ch.failed ? FOUND_FAILED : FOUND_NO;
}

/* ---- the account ---- */

struct asking {
	const struct users *u;
	bool authenticated;
};

static enum found exists(void *ctx, struct who *w)
{
	const struct asking *q = ctx;

	return q->authenticated ? FOUND_OK : passdb_knows(q->u, w);
}

enum verdict users_account(struct users *u, struct who *w, bool authenticated, struct account *a_r)
{
	struct asking q = { u, authenticated };
	struct fields f = { .a = w->a };
	const char *driver = "";

	switch (userdb_find(u->userdb, w, exists, &q, &f, &driver)) {
	case FOUND_NO:
		if (authenticated)
			who_log(LOG_LVL_ERROR, w, "userdb",
				"the user has a password, but no userdb knows him");
		return authenticated ? VERDICT_TEMP : VERDICT_UNKNOWN;
	case FOUND_FAILED:
		return VERDICT_TEMP;
	case FOUND_OK:
		break;
	}
	return userdb_account(u->conf, w, &f, driver, a_r) ? VERDICT_TEMP : VERDICT_OK;
}

/* ---- for the confinement ---- */

static const char *dir_of(struct arena *a, const char *path)
{
	size_t n = strcspn(path, "%");

	while (n > 1 && path[n - 1] != '/')
		n--;
	while (n > 1 && path[n - 1] == '/')
		n--;
	return arena_span(a, span_of(path, n));
}

/* Where the path says, and where the file is when the path leads there by a symbolic link. */
static size_t add_dirs(struct arena *a, const char *path, const char **dirs)
{
	char *real = realpath(path, NULL);
	size_t n = 0;

	dirs[n++] = dir_of(a, path);
	if (real && strcmp(real, path) != 0)
		dirs[n++] = dir_of(a, real);
	free(real);
	return n;
}

const char **users_dirs(const struct users *u, struct arena *a)
{
	size_t max = 2 * (u->passdb_n + userdb_count(u->userdb)), n = 0;
	const char **dirs = arena_array(a, max + 1, sizeof(*dirs));

	must(dirs);
	for (size_t i = 0; i < u->passdb_n; i++)
		if (u->passdb[i].pw)
			n += add_dirs(a, pwdb_path(u->passdb[i].pw), dirs + n);
	for (size_t i = 0; i < userdb_count(u->userdb); i++)
		if (userdb_path(u->userdb, i))
			n += add_dirs(a, userdb_path(u->userdb, i), dirs + n);
	return dirs;
}

bool users_need_nss(const struct users *u)
{
	return userdb_need_nss(u->userdb);
}
