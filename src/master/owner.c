/*
 * As whom, and where: the ids that a worker may become and the trees that it may touch. The
 * checks of first_valid_uid and its kin live here, in the only process that could break them.
 */
#include "master.h"

#include "base/mem.h"
#include "base/must.h"
#include "conf/location.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARENA_MAX = 1 << 20 };

/* mail_uid, mail_gid: a name or a number; what the userdb said wins. */
static bool default_id(const char *text, bool group, uint32_t *id_r)
{
	if (text[0] == '\0')
		return false;
	if (span_u32(span_str(text), id_r))
		return true;
	if (group) {
		const struct group *gr = getgrnam(text);
		if (gr != NULL)
			*id_r = gr->gr_gid;
		return gr != NULL;
	}
	const struct passwd *pw = getpwnam(text);
	if (pw != NULL)
		*id_r = pw->pw_uid;
	return pw != NULL;
}

static enum err check_range(const char *what, uint32_t id, uint64_t first, uint64_t last,
			    struct errtext *e)
{
	if (id < first)
		return err_say(e, ERR_PERM, "%s %u is below first_valid_%s=%llu", what, id, what,
			       (unsigned long long)first);
	if (last != 0 && id > last)
		return err_say(e, ERR_PERM, "%s %u is above last_valid_%s=%llu", what, id, what,
			       (unsigned long long)last);
	return ERR_OK;
}

static enum err find_ids(const struct master *m, const struct ticket *t, struct owner *o,
			 struct errtext *e)
{
	const struct conf *c = m->gen->conf;
	o->uid = t->uid;
	o->gid = t->gid;
	if (o->uid == (uid_t)-1 && !default_id(conf_str(c, CONF_MAIL_UID), false, &o->uid))
		return err_say(e, ERR_PERM, "the userdb gives no uid and mail_uid is not set");
	if (o->gid == (gid_t)-1 && !default_id(conf_str(c, CONF_MAIL_GID), true, &o->gid))
		return err_say(e, ERR_PERM, "the userdb gives no gid and mail_gid is not set");
	enum err err = check_range("uid", o->uid, conf_u64(c, CONF_FIRST_VALID_UID),
				   conf_u64(c, CONF_LAST_VALID_UID), e);
	if (err == ERR_OK)
		err = check_range("gid", o->gid, conf_u64(c, CONF_FIRST_VALID_GID),
				  conf_u64(c, CONF_LAST_VALID_GID), e);
	if (err != ERR_OK)
		return err;
	if (o->uid == 0)
		return err_say(e, ERR_PERM, "uid 0 never reads mail");
	if (!m->root && o->uid != geteuid())
		return err_say(e, ERR_PERM, "cannot become uid %u: not running as root", o->uid);
	return ERR_OK;
}

static void add_root(struct owner *o, const char *path)
{
	if (path == NULL)
		return;
	for (size_t i = 0; i < o->roots; i++)
		if (strcmp(o->root[i], path) == 0)
			return;
	if (o->roots < ARRAY_LEN(o->root))
		o->root[o->roots++] = mem_str(path);
	else
		o->more_roots = true;
}

/* The inbox of mboxes is a file: its directory, for the lock file beside it. */
static void add_inbox(struct owner *o, const struct conf_location *loc, struct arena *a)
{
	const char *slash = loc->inbox ? strrchr(loc->inbox, '/') : NULL;

	if (loc->driver == CONF_DRIVER_MBOX && slash && slash != loc->inbox)
		add_root(o, arena_span(a, span_of(loc->inbox, (size_t)(slash - loc->inbox))));
	else
		add_root(o, loc->inbox);
}

static enum err find_groups(const struct master *m, struct owner *o, struct errtext *e)
{
	for (const char *const *word = conf_words(m->gen->conf, CONF_MAIL_ACCESS_GROUPS); *word != NULL; word++) {
		uint32_t gid;
		if (!default_id(*word, true, &gid))
			return err_say(e, ERR_PERM, "mail_access_groups: no group %s on this system", *word);
		if (o->groups == ARRAY_LEN(o->group))
			return err_say(e, ERR_LIMIT, "mail_access_groups: more than %zu groups", ARRAY_LEN(o->group));
		o->group[o->groups++] = gid;
	}
	return ERR_OK;
}

/* The directories that the sharers' are in: what stands before the first name of theirs. */
static const char *before_sharer(struct arena *a, const char *path)
{
	size_t n = path ? strcspn(path, "\001") : 0;

	if (!path || !path[n])
		return path;
	while (n > 0 && path[n] != '/')
		n--;
	return n ? arena_span(a, span_of(path, n)) : NULL;
}

static enum err find_location(const struct master *m, const struct conf_namespace *ns, const struct conf_owner *owner,
			      struct span extra, struct arena *a, struct conf_location *loc, struct errtext *e)
{
	enum err err;

	if (!conf_has_sharers(ns))
		return conf_namespace_location(m->gen->conf, ns, owner, msg_extra_location(extra, ns->name), a, loc, e);
	err = conf_sharer_location(m->gen->conf, ns, owner, SPAN("\001@\001"), a, loc, e);
	if (err != ERR_OK)
		return err;
	loc->path = before_sharer(a, loc->path);
	loc->inbox = before_sharer(a, loc->inbox);
	loc->index = before_sharer(a, loc->index);
	loc->index_private = before_sharer(a, loc->index_private);
	loc->control = before_sharer(a, loc->control);
	return ERR_OK;
}

/* Every directory that the namespaces of the user name. */
static enum err find_roots(const struct master *m, const struct ticket *t, struct owner *o,
			   struct errtext *e)
{
	struct arena *a = arena_new(ARENA_MAX);
	const struct conf_owner owner = { t->user, t->home, t->mail };
	const char *fallback = NULL;
	size_t n;
	const struct conf_namespace *ns = conf_namespaces(m->gen->conf, &n);
	enum err err = ERR_OK;
	for (size_t i = 0; err == ERR_OK && i < n; i++) {
		struct conf_location loc;
		err = find_location(m, &ns[i], &owner, span_of(t->extra, t->extra_n), a, &loc, e);
		if (err != ERR_OK)
			break;
		add_root(o, loc.path);
		add_inbox(o, &loc, a);
		if (ns[i].inbox && loc.driver == CONF_DRIVER_MBOX && loc.inbox != NULL && o->inbox == NULL)
			o->inbox = mem_str(loc.inbox);
		add_root(o, loc.index);
		add_root(o, loc.index_memory ? "/dev/shm" : NULL);
		add_root(o, loc.control);
		add_root(o, loc.index_private);
	}
	if (err == ERR_OK)
		err = conf_index_fallback(m->gen->conf, &owner, a, &fallback, e);
	add_root(o, fallback);
	arena_free(&a);
	if (err == ERR_OK && o->more_roots)
		err = err_say(e, ERR_LIMIT, "the namespaces name more than %zu directories", ARRAY_LEN(o->root));
	return err;
}

/* The directory that stands before the first variable of the homes, else the parent of this home.
 */
static char *find_pool_root(const struct master *m, const struct ticket *t)
{
	size_t n;
	const struct conf_userdb *u = conf_userdbs(m->gen->conf, &n);
	for (size_t i = 0; i < n; i++) {
		struct span word, rest = span_str(u[i].args);
		while (strcmp(u[i].driver, "static") == 0 && span_split(&rest, ' ', &word)) {
			if (!span_starts(word, SPAN("home=/")))
				continue;
			struct span home = span_from(word, 5);
			size_t end = span_find(home, '%');
			home = span_cut(home, 0, end == SIZE_MAX ? home.n : end);
			while (home.n > 1 && home.p[home.n - 1] != '/')
				home.n--;
			if (home.n > 1)
				return span_dup(span_cut(home, 0, home.n - 1));
		}
	}
	char *root = mem_str(t->home);
	char *slash = strrchr(root, '/');
	if (slash != NULL && slash != root)
		*slash = '\0';
	return root;
}

enum err owner_find(const struct master *m, const struct ticket *t, struct owner *o_r,
		    struct errtext *e)
{
	struct owner o = { 0 };
	enum err err = find_ids(m, t, &o, e);
	if (err == ERR_OK)
		err = find_roots(m, t, &o, e);
	if (err == ERR_OK)
		err = find_groups(m, &o, e);
	if (err != ERR_OK) {
		owner_free(&o);
		return err;
	}
	o.pool_root = find_pool_root(m, t);
	*o_r = o;
	return ERR_OK;
}

void owner_free(struct owner *o)
{
	for (size_t i = 0; i < o->roots; i++)
		free(o->root[i]);
	free(o->pool_root);
	free(o->inbox);
	*o = (struct owner){ 0 };
}
