/* Whose mail: one user, those that a mask matches, those of a file, or all that the configuration's databases can list. */
#include "adm.h"

#include "base/mem.h"
#include "base/must.h"
#include "conf/conf.h"

#include <errno.h>
#include <fnmatch.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

enum { USERS_MAX = 10 << 20 };

static void add(struct users *u, struct span name)
{
	if (u->n == USERS_MAX)
		return;
	if ((u->n & (u->n - 1)) == 0)
		u->name = mem_grow(u->name, u->n ? 2 * u->n : 1, sizeof(*u->name));
	u->name[u->n++] = span_dup(name);
}

void users_free(struct users *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->name[i]);
	free(u->name);
	*u = (struct users){ .n = 0 };
}

/* Lines up to the first separator; empty ones and comments are none. */
static bool read_lines(struct users *u, const char *path, char separator)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while (f && (n = getline(&line, &cap, f)) >= 0) {
		struct span s = span_trim(span_of(line, (size_t)n)), name = s;

		if (separator)
			name = span_cut(s, 0, span_find(s, separator));
		if (name.n && name.p[0] != '#')
			add(u, name);
	}
	free(line);
	return f && fclose(f) == 0;
}

/* passwd-file: the path is the word that begins with '/'. */
static bool list_file(const struct adm *a, struct users *u, const char *args)
{
	struct span rest = span_str(args), word;
	bool ok = false;

	while (span_split(&rest, ' ', &word)) {
		char *path = word.n && word.p[0] == '/' ? span_dup(word) : NULL;

		if (path && !strchr(path, '%'))
			ok = read_lines(u, path, ':');
		if (path && !ok)
			fprintf(stderr, "%s: users of %s cannot be listed: %s\n", a->program, path,
				strchr(path, '%') ? "there is one file for each of many" : strerror(errno));
		free(path);
	}
	return ok;
}

static void list_system(const struct conf *c, struct users *u)
{
	uint64_t first = conf_u64(c, CONF_FIRST_VALID_UID), last = conf_u64(c, CONF_LAST_VALID_UID);
	const struct passwd *pw;

	setpwent();
	while ((pw = getpwent()))
		if (pw->pw_uid >= first && pw->pw_uid != 0 && (last == 0 || pw->pw_uid <= last))
			add(u, span_str(pw->pw_name));
	endpwent();
}

/* One database: false: it cannot list. */
static bool list_db(const struct adm *a, const struct conf *c, struct users *u, const char *driver, const char *args)
{
	if (strcmp(driver, "passwd-file") == 0)
		return list_file(a, u, args);
	if (strcmp(driver, "passwd") != 0)
		return false;
	list_system(c, u);
	return true;
}

/* A userdb that knows everybody (static) lists nobody: then those of the passdbs are the users. */
static bool list_all(const struct adm *a, const struct conf *c, struct users *u)
{
	size_t users, passes;
	const struct conf_userdb *ud = conf_userdbs(c, &users);
	const struct conf_passdb *pd = conf_passdbs(c, &passes);
	bool ok = false;

	for (size_t i = 0; i < users; i++)
		ok |= list_db(a, c, u, ud[i].driver, ud[i].args);
	for (size_t i = 0; !ok && i < passes; i++)
		ok |= list_db(a, c, u, pd[i].driver, pd[i].args);
	if (!ok)
		fprintf(stderr, "%s: no database of users in %s can list them: use -F\n", a->program, a->conf);
	return ok;
}

static int cmp_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each once, only those that mask matches. */
static void tidy(struct users *u, const char *mask)
{
	size_t n = 0;

	qsort(u->name, u->n, sizeof(*u->name), cmp_names);
	for (size_t i = 0; i < u->n; i++) {
		bool keep = (!mask || fnmatch(mask, u->name[i], 0) == 0) &&
			    (n == 0 || strcmp(u->name[n - 1], u->name[i]) != 0);

		if (keep)
			u->name[n++] = u->name[i];
		else
			free(u->name[i]);
	}
	u->n = n;
}

static int find_listed(const struct adm *a, const char *mask, struct users *u)
{
	struct conf *c = NULL;
	int status = adm_conf(a, &c);

	if (status == STATUS_OK && !list_all(a, c, u))
		status = STATUS_TEMP;
	conf_free(&c);
	if (status == STATUS_OK)
		tidy(u, mask);
	return status;
}

static int find_caller(const struct adm *a, struct users *u)
{
	const char *name = getenv("USER");
	const struct passwd *pw = name ? NULL : getpwuid(getuid());

	if (!name && pw)
		name = pw->pw_name;
	if (!name) {
		fprintf(stderr, "%s: USER environment is missing and -u option not used\n", a->program);
		return STATUS_USAGE;
	}
	add(u, span_str(name));
	return STATUS_OK;
}

int users_find(const struct adm *a, bool all, const char *file, const char *user, struct users *u_r)
{
	int status = STATUS_OK;

	*u_r = (struct users){ .many = all || file || (user && strpbrk(user, "*?")) };
	if (file) {
		if (!read_lines(u_r, file, '\0')) {
			fprintf(stderr, "%s: %s: %s\n", a->program, file, strerror(errno));
			status = STATUS_TEMP;
		}
	} else if (u_r->many) {
		status = find_listed(a, all ? NULL : user, u_r);
	} else if (user) {
		add(u_r, span_str(user));
	} else {
		status = find_caller(a, u_r);
	}
	if (status == STATUS_OK && u_r->n == 0) {
		fprintf(stderr, "%s: no such user\n", a->program);
		status = STATUS_NOUSER;
	}
	return status;
}
