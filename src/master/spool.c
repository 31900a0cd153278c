/*
 * Inboxes in a directory where their owners may not write (/var/mail): roost-dotlock, which alone has
 * mail_privileged_group, makes the lock files there. A pair of sockets joins it with the worker of each user who has
 * such an inbox; which inbox a pair is for is said here, by the only process that both believe.
 */
#include "master.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "conf/expand.h"
#include "conf/location.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

enum { ARENA_MAX = 1 << 20 };

/* The inbox that a location gives a user; NULL: none, or no mbox. In the arena. */
static const char *inbox_of(const char *location, const char *user, const char *home, struct arena *a)
{
	struct expand_var vars[EXPAND_USER_VARS];
	struct conf_location loc;
	expand_user(vars, span_str(user), span_str(home));
	if (conf_location_parse(location, vars, home, a, &loc, NULL) != ERR_OK || loc.driver != CONF_DRIVER_MBOX)
		return NULL;
	return loc.inbox;
}

static const char *inbox_location(const struct conf *c)
{
	size_t n;
	const struct conf_namespace *ns = conf_namespaces(c, &n);
	for (size_t i = 0; i < n; i++)
		if (ns[i].inbox && ns[i].location[0] != '\0')
			return ns[i].location;
	return conf_str(c, CONF_MAIL_LOCATION);
}

/* What the inboxes of two users have in common, up to a slash. */
char *spool_dir(const struct conf *c)
{
	if (conf_str(c, CONF_MAIL_PRIVILEGED_GROUP)[0] == '\0')
		return NULL;
	struct arena *ar = arena_new(ARENA_MAX);
	const char *a = inbox_of(inbox_location(c), "a@a", "/a", ar), *b = inbox_of(inbox_location(c), "b@b", "/b", ar);
	size_t slash = 0;
	for (size_t i = 0; a != NULL && b != NULL && a[i] != '\0' && a[i] == b[i]; i++)
		if (a[i] == '/')
			slash = i;
	char *dir = slash > 0 ? span_dup(span_of(a, slash)) : NULL;
	arena_free(&ar);
	return dir;
}

gid_t spool_gid(const struct conf *c)
{
	const char *name = conf_str(c, CONF_MAIL_PRIVILEGED_GROUP);
	uint32_t number;
	if (span_u32(span_str(name), &number))
		return number;
	const struct group *gr = getgrnam(name);
	return gr != NULL ? gr->gr_gid : (gid_t)-1;
}

void spool_check(const struct conf *c)
{
	char *dir = spool_dir(c);
	if (dir != NULL && spool_gid(c) == (gid_t)-1)
		log_error("mail_privileged_group: no group %s on this system: no lock files in %s",
			  conf_str(c, CONF_MAIL_PRIVILEGED_GROUP), dir);
	free(dir);
}

/* The name of a file beneath dir; NULL: it lies elsewhere. */
static const char *beneath(const char *dir, const char *path)
{
	size_t n = strlen(dir);
	return strncmp(path, dir, n) == 0 && path[n] == '/' && path[n + 1] != '\0' ? path + n + 1 : NULL;
}

static struct child *locker_find(struct master *m)
{
	struct child *c;
	DL_FOREACH (m->children, c)
		if (c->row == PROC_DOTLOCK && c->gen == m->gen && !c->quitting && !chan_dead(c->chan))
			return c;
	return NULL;
}

static void join(struct master *m, struct child *locker, struct user *u)
{
	char *dir = spool_dir(m->gen->conf);
	const char *name = dir != NULL ? beneath(dir, u->inbox) : NULL;
	struct child *worker = u->worker->child;
	struct msg grant, door;
	int fd[2];
	if (name != NULL && chan_pair(fd) == ERR_OK) {
		msg_init(&grant, MSG_LOCK_GRANT, 0);
		msg_put_u32(&grant, (uint32_t)worker->pid);
		msg_put_str(&grant, name);
		chan_send_fds(locker->chan, &grant, &fd[0], 1);
		msg_init(&door, MSG_LOCK_DOOR, 0);
		msg_put_str(&door, u->inbox);
		chan_send_fds(worker->chan, &door, &fd[1], 1);
		u->door = worker->number;
	}
	free(dir);
}

void spool_renew(struct master *m)
{
	struct child *locker = locker_find(m);
	struct user *u, *next;
	HASH_ITER (hh, m->users, u, next)
		if (locker != NULL && u->inbox != NULL && u->worker != NULL && !chan_dead(u->worker->child->chan))
			join(m, locker, u);
}

/* As Dovecot does, an inbox that is missing is made: its owner could not. Only directly in the directory of inboxes. */
static void inbox_make(const char *dir, const char *name, const struct owner *o, gid_t gid)
{
	struct stat st;
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	if (at >= 0 && strchr(name, '/') == NULL && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
		fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && (fchown(fd, o->uid, gid) != 0 || fchmod(fd, 0660) != 0))
		log_error("cannot give %s/%s to its owner: %s", dir, name, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (at >= 0)
		close(at);
}

void spool_open(struct master *m, struct user *u, const struct owner *o)
{
	char *dir = m->root && o->inbox != NULL ? spool_dir(m->gen->conf) : NULL;
	const char *name = dir != NULL ? beneath(dir, o->inbox) : NULL;
	struct child *locker = name != NULL ? locker_find(m) : NULL;
	if (name != NULL)
		inbox_make(dir, name, o, spool_gid(m->gen->conf));
	if (name != NULL && (u->inbox == NULL || strcmp(u->inbox, o->inbox) != 0)) {
		free(u->inbox);
		u->inbox = mem_str(o->inbox);
		u->door = 0;
	}
	if (locker != NULL && u->door != u->worker->child->number)
		join(m, locker, u);
	free(dir);
}
