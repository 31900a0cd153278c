/* Listening sockets: bound once, handed to every login process, kept over a reload. */
#include "master.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/listen.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

enum { SOCKETS_A_NAME = 16 };

#define CONTROL_SOCKET "control"
#define CONTROL_PROTOCOL "control"

static struct listener *listener_find(struct master *m, const char *key)
{
	struct listener *l;
	LL_FOREACH (m->listeners, l)
		if (strcmp(l->key, key) == 0)
			return l;
	return NULL;
}

static void listener_add(struct master *m, const char *key, const struct conf_listener *c, int fd,
			 unsigned generation)
{
	struct listener *l = mem_alloc(sizeof(*l));
	l->key = mem_str(key);
	l->protocol = mem_str(c->protocol);
	l->ssl = c->ssl;
	l->fd = fd;
	l->seen = generation;
	LL_APPEND(m->listeners, l);
}

/*
 * A socket that is bound already serves on, as what the new generation says of it. The logins of that
 * generation learn it; those of the old one keep what they were told. Twice in one generation is a mistake.
 */
enum known { KNOWN_NOT, KNOWN_WELL, KNOWN_TWICE };

static enum known still_there(struct master *m, const char *key, const struct conf_listener *c, unsigned generation)
{
	struct listener *l = listener_find(m, key);
	if (l == NULL)
		return KNOWN_NOT;
	if (l->seen == generation) {
		log_error("cannot listen for %s: %s is used twice", c->protocol, key);
		return KNOWN_TWICE;
	}
	for (; l != NULL; l = l->next) {
		if (strcmp(l->key, key) != 0)
			continue;
		l->seen = generation;
		l->ssl = c->ssl;
		free(l->protocol);
		l->protocol = mem_str(c->protocol);
	}
	return KNOWN_WELL;
}

static bool open_inet(struct master *m, const struct conf_listener *c, const char *address,
		      unsigned generation)
{
	char *key = mem_printf("%s:%u", address, (unsigned)c->port);
	enum known known = still_there(m, key, c, generation);
	bool ok = known == KNOWN_WELL;
	if (known == KNOWN_NOT) {
		int fd[SOCKETS_A_NAME];
		size_t n = 0;
		struct errtext why;
		ok = listen_tcp(address, (uint16_t)c->port, fd, SOCKETS_A_NAME, &n, &why) == ERR_OK;
		if (!ok)
			log_error("cannot listen for %s: %s", c->name, why.text);
		for (size_t i = 0; ok && i < n; i++)
			listener_add(m, key, c, fd[i], generation);
	}
	free(key);
	return ok;
}

/* The owner of a unix socket: names or numbers; "" is ours. */
static bool socket_owner(const struct conf_listener *c, uid_t *uid_r, gid_t *gid_r)
{
	uint32_t n;
	*uid_r = (uid_t)-1;
	*gid_r = (gid_t)-1;
	if (c->user != NULL && c->user[0] != '\0') {
		const struct passwd *pw = getpwnam(c->user);
		if (pw != NULL)
			*uid_r = pw->pw_uid;
		else if (span_u32(span_str(c->user), &n))
			*uid_r = n;
		else
			return false;
	}
	if (c->group != NULL && c->group[0] != '\0') {
		const struct group *gr = getgrnam(c->group);
		if (gr != NULL)
			*gid_r = gr->gr_gid;
		else if (span_u32(span_str(c->group), &n))
			*gid_r = n;
		else
			return false;
	}
	return true;
}

static bool open_unix(struct master *m, const struct conf_listener *c, unsigned generation)
{
	enum known known = still_there(m, c->name, c, generation);
	if (known == KNOWN_TWICE)
		return false;
	uid_t uid;
	gid_t gid;
	if (!socket_owner(c, &uid, &gid)) {
		log_error("unix_listener %s: no such user or group: %s %s", c->name, c->user,
			  c->group);
		return false;
	}
	if (!m->root) { /* an ordinary user cannot give files away */
		uid = (uid_t)-1;
		gid = (gid_t)-1;
	}
	int fd;
	struct errtext why;
	enum err e = known == KNOWN_WELL ? listen_set_access(c->name, (mode_t)c->mode, uid, gid, &why) :
					   listen_unix(c->name, (mode_t)c->mode, uid, gid, &fd, &why);
	if (e != ERR_OK) {
		log_error("cannot listen for %s: %s", c->protocol, why.text);
		return false;
	}
	if (known == KNOWN_NOT)
		listener_add(m, c->name, c, fd, generation);
	return true;
}

/* The administrator's socket: ours alone, whatever the configuration says. */
static unsigned open_control(struct master *m, const struct generation *g)
{
	char *path = mem_printf("%s/" CONTROL_SOCKET, conf_str(g->conf, CONF_BASE_DIR));
	const struct conf_listener c = { .kind = CONF_UNIX,
					 .name = path,
					 .protocol = CONTROL_PROTOCOL,
					 .mode = 0600,
					 .user = "",
					 .group = "" };
	bool ok = open_unix(m, &c, g->number);
	free(path);
	return !ok;
}

unsigned listeners_open(struct master *m, const struct generation *g)
{
	unsigned failed = open_control(m, g);
	size_t n;
	const struct conf_listener *c = conf_listeners(g->conf, &n);
	for (size_t i = 0; i < n; i++) {
		if (c[i].kind == CONF_UNIX) {
			failed += !open_unix(m, &c[i], g->number);
			continue;
		}
		for (const char *const *a = c[i].address; c[i].kind == CONF_INET && *a != NULL; a++)
			failed += !open_inet(m, &c[i], *a, g->number);
	}
	return failed;
}

static void listener_close(struct master *m, struct listener *l)
{
	LL_DELETE(m->listeners, l);
	if (l->key[0] == '/')
		unlink(l->key);
	close(l->fd);
	free(l->key);
	free(l->protocol);
	free(l);
}

void listeners_commit(struct master *m, const struct generation *g)
{
	struct listener *l, *next;
	LL_FOREACH_SAFE (m->listeners, l, next)
		if (l->seen != g->number)
			listener_close(m, l);
}

void listeners_close(struct master *m)
{
	while (m->listeners != NULL)
		listener_close(m, m->listeners);
}

void listeners_send(struct master *m, struct child *c)
{
	struct listener *l;
	LL_FOREACH (m->listeners, l) {
		if ((c->row == PROC_CONTROL) != (strcmp(l->protocol, CONTROL_PROTOCOL) == 0))
			continue;
		int fd = dup(l->fd);
		if (fd < 0) {
			log_error("cannot hand a listener to %s: %s", proc_rows[c->row].name,
				  strerror(errno));
			return;
		}
		struct msg msg;
		msg_init(&msg, MSG_LISTEN, 0);
		msg_put_str(&msg, l->protocol);
		msg_put_bool(&msg, l->ssl);
		chan_send_fds(c->chan, &msg, &fd, 1);
	}
}
