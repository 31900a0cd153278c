/*
 * import from a place that is nobody's mail here: an old home, a backup. The worker of him who gets the messages is confined
 * to his own; so another one reads that place, of a server that knows nothing else, as the owner of the files, and it is
 * copied as from another user (relay.c). No process has more rights than it needs for either side, and root parses no mail.
 */
#include "talk.h"

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/location.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOCATION_ARENA = 1 << 20 };

/* Only root can make a server run as somebody else. A path from the home is the user's own business. */
bool outside_location(const char *text)
{
	const char *colon = strchr(text, ':');

	return geteuid() == 0 && (text[0] == '/' || (colon && colon[1] == '/'));
}

/* The place, with variables expanded. */
static int parse(struct run *r, const struct conf *c, const char *user, struct arena *a, struct conf_location *loc_r)
{
	const struct conf_namespace n = { .name = "import", .location = r->outside, .inbox = true };
	const struct conf_owner owner = { .user = user, .home = "", .mail = "" };
	struct errtext t = { "" };
	enum err e = conf_namespace_location(c, &n, &owner, (struct span){ NULL, 0 }, a, loc_r, &t);

	if (e)
		run_fail(r, user, STATUS_TEMP, span_str(t.text[0] ? t.text : err_name(e)));
	return e ? STATUS_TEMP : STATUS_OK;
}

static int fail(struct run *r, const char *user, int status, const char *why, const char *path)
{
	char *text = mem_printf("%s: %s", path, why);

	run_fail(r, user, status, span_str(text));
	free(text);
	return status;
}

/*
 * Whose it is. Links are not followed: one that a user has made would lead root to the mail of another. Whatever
 * becomes of the path from now on, who reads it is the owner that it had.
 */
static bool look(const char *path, struct stat *st)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	bool ok = fd >= 0 && fstat(fd, st) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static int find_owner(struct run *r, const char *user, const struct conf_location *loc, struct stat *st)
{
	const char *path = loc->path;
	bool ok = look(path, st);

	if (!ok && errno == ENOENT && loc->inbox) {
		path = loc->inbox;
		ok = look(path, st);
	}
	if (!ok && errno == ELOOP)
		return fail(r, user, STATUS_DENIED, "A link is on the way: say where it really lies", path);
	if (!ok)
		return fail(r, user, errno == ENOENT || errno == ENOTDIR ? STATUS_NOTFOUND : STATUS_TEMP, strerror(errno), path);
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		return fail(r, user, STATUS_DENIED, "It has another name, which may be somebody else's", path);
	if (st->st_uid == 0)
		return fail(r, user, STATUS_DENIED, "It belongs to root, and root reads no mail: give it to a user", path);
	return STATUS_OK;
}

/* What cannot stand in a line of a configuration as it is. */
static bool plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || strchr("\"'#$\\", *text))
			return false;
	return true;
}

/* All that this server is told: no other mail, no other users; who its own processes are, as here. */
static int begin(struct run *r, const struct conf *c, const struct stat *st, struct server *s_r)
{
	char *settings = mem_printf("mail_location = %s:INDEX=MEMORY\nfirst_valid_uid = 1\nssl = no\nlog_path = /dev/stderr\n"
				    "default_login_user = %s\ndefault_internal_user = %s\nuserdb {\n  driver = static\n"
				    "  args = uid=%u gid=%u allow_all_users=yes\n}\n",
				    r->outside, conf_str(c, CONF_DEFAULT_LOGIN_USER), conf_str(c, CONF_DEFAULT_INTERNAL_USER),
				    (unsigned)st->st_uid, (unsigned)st->st_gid);
	int status = server_begin(r->a, settings, s_r);

	free(settings);
	return status;
}

int outside_begin(struct run *r, const char *user, struct server *s_r)
{
	struct arena *a = arena_new(LOCATION_ARENA);
	struct conf_location loc;
	struct conf *c = NULL;
	struct stat st;
	int status;

	*s_r = (struct server){ .dir_fd = -1 };
	status = plain(r->outside) ? adm_conf(r->a, &c)
				   : fail(r, user, STATUS_TEMP, "Quotes, backslashes, $ and # cannot be in it", r->outside);
	if (status == STATUS_OK)
		status = parse(r, c, user, a, &loc);
	if (status == STATUS_OK)
		status = find_owner(r, user, &loc, &st);
	if (status == STATUS_OK)
		status = begin(r, c, &st, s_r);
	conf_free(&c);
	arena_free(&a);
	return status;
}
