/*
 * storectl: drives a store from a shell. For tests that let other programs
 * change the same folder in between; not installed.
 *
 *	storectl ROOT list | subs | create BOX | remove BOX | rename BOX BOX | sub BOX | unsub BOX
 *	storectl ROOT show BOX            identity, then a line a message: uid flags size vsize key
 *	storectl ROOT number BOX          gives UIDs to what has none, then as show
 *	storectl ROOT add BOX [FLAG...]   a message from standard input; prints its uid
 *	storectl ROOT flags BOX UID [FLAG...]   system flags as \Seen, others are keywords
 *	storectl ROOT expunge BOX UID | cat BOX UID
 *
 * ROOT is a Maildir, fs:ROOT[:CONTROL=DIRECTORY][:DIRNAME=NAME], or mbox:ROOT[:INBOX=FILE].
 *
 * Exit status 0, or 1 with a sentence on standard error.
 */
#include "store/store.h"

#include <unistd.h>

enum { ARENA_MAX = 1 << 30 };

struct ctl {
	struct store *store;
	struct store_box *box;
	struct arena *arena;
	struct store_scan scan;
	struct errtext text;
	char **arg; /* what follows the mailbox */
};

static const struct {
	const char *name;
	uint8_t flag;
} system_flags[] = {
	{ "\\Answered", MAIL_ANSWERED }, { "\\Flagged", MAIL_FLAGGED },
	{ "\\Deleted", MAIL_DELETED },	 { "\\Seen", MAIL_SEEN },
	{ "\\Draft", MAIL_DRAFT },	 { "\\Recent", MAIL_RECENT },
};

static enum err read_flags(struct ctl *c, char **arg, struct mail_flags *f)
{
	for (; *arg; arg++) {
		unsigned bit = 0;
		uint8_t flag = 0;

		for (size_t i = 0; i < sizeof(system_flags) / sizeof(system_flags[0]); i++)
			if (strcmp(system_flags[i].name, *arg) == 0)
				flag = system_flags[i].flag;
		f->system |= flag;
		if (flag)
			continue;
		enum err e = c->box->ops->keyword_add(c->box, *arg, &bit, &c->text);
		if (e)
			return e;
		f->keywords |= UINT64_C(1) << bit;
	}
	return ERR_OK;
}

static void print_flags(struct mail_flags f, const char **names)
{
	const char *sep = "";

	printf("(");
	for (size_t i = 0; i < sizeof(system_flags) / sizeof(system_flags[0]); i++) {
		if (f.system & system_flags[i].flag) {
			printf("%s%s", sep, system_flags[i].name);
			sep = " ";
		}
	}
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		if (f.keywords >> i & 1) {
			printf("%s%s", sep, names[i] ? names[i] : "?");
			sep = " ";
		}
	}
	printf(")");
}

static enum err scan(struct ctl *c)
{
	return c->box->ops->scan(c->box, c->arena, &c->scan, &c->text);
}

static enum err show(struct ctl *c)
{
	const char *names[MAIL_KEYWORDS_MAX] = { NULL };
	struct store_identity id;
	enum err e = c->box->ops->identity(c->box, &id, &c->text);

	e = e ? e : scan(c);
	e = e ? e : c->box->ops->keywords(c->box, c->arena, names, &c->text);
	if (e)
		return e;
	printf("uidvalidity %u uidnext %u guid ", id.uidvalidity, id.uidnext);
	for (size_t i = 0; i < sizeof(id.guid); i++)
		printf("%02x", id.guid[i]);
	printf(" messages %zu%s%s\n", c->scan.n, id.note ? " note: " : "", id.note ? id.note : "");
	for (size_t i = 0; i < c->scan.n; i++) {
		const struct store_msg *m = &c->scan.msg[i];

		printf("%u ", m->uid);
		print_flags(m->flags, names);
		printf(" %lld %lld %.*s\n", (long long)m->size, (long long)m->vsize, (int)m->key.n,
		       m->key.p);
	}
	return ERR_OK;
}

static enum err number(struct ctl *c)
{
	struct store_identity id;
	enum err e = c->box->ops->identity(c->box, &id, &c->text);
	uint32_t next;

	e = e ? e : scan(c);
	if (e)
		return e;
	struct span *keys = arena_array(c->arena, c->scan.n + 1, sizeof(*keys));
	uint32_t *uids = arena_array(c->arena, c->scan.n + 1, sizeof(*uids));
	size_t n = 0;
	for (size_t i = 0; i < c->scan.n; i++)
		if (c->scan.msg[i].uid == 0)
			keys[n++] = c->scan.msg[i].key;
	e = c->box->ops->number(c->box, keys, n, true, uids, &next, c->arena, &c->text);
	return e ? e : show(c);
}

static enum err copy_in(int fd)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			return ERR_IO;
	return n < 0 ? ERR_IO : ERR_OK;
}

static enum err add(struct ctl *c)
{
	struct store_stage stage;
	struct store_commit commit = { .stage = &stage,
				       .vsize = STORE_SIZE_UNKNOWN,
				       .recent = true };
	uint32_t uid, next;
	enum err e = read_flags(c, c->arg, &commit.flags);

	e = e ? e : c->box->ops->stage(c->box, 0, &stage, &c->text);
	if (e)
		return e;
	e = copy_in(stage.fd);
	if (e) {
		c->box->ops->abort(&stage);
		return e;
	}
	e = c->box->ops->commit_many(c->box, &commit, 1, c->arena, &c->text);
	e = e ? e : c->box->ops->number(c->box, &commit.key, 1, true, &uid, &next, c->arena, &c->text);
	if (!e)
		printf("%u\n", uid);
	return e;
}

static enum err find(struct ctl *c, const struct store_msg **m_r)
{
	uint32_t uid = 0;
	enum err e = scan(c);

	if (e)
		return e;
	if (!c->arg[0] || !span_u32(span_str(c->arg[0]), &uid))
		return err_say(&c->text, ERR_SYNTAX, "a UID is needed");
	for (size_t i = 0; i < c->scan.n; i++) {
		if (c->scan.msg[i].uid == uid) {
			*m_r = &c->scan.msg[i];
			return ERR_OK;
		}
	}
	return err_say(&c->text, ERR_NOTFOUND, "no message has UID %u", uid);
}

static enum err flags(struct ctl *c)
{
	const struct store_msg *m;
	struct mail_flags f = { 0 };
	struct span hint;
	enum err e = find(c, &m);

	e = e ? e : read_flags(c, c->arg + 1, &f);
	e = e ? e : c->box->ops->set_flags(c->box, m->key, m->hint, f, c->arena, &hint, &c->text);
	return e ? e : c->box->ops->flags_done(c->box, &c->text);
}

static enum err expunge(struct ctl *c)
{
	const struct store_msg *m;
	enum err e = find(c, &m);

	e = e ? e : c->box->ops->expunge(c->box, m->key, m->hint, &c->text);
	return e ? e : c->box->ops->expunge_done(c->box, &c->text);
}

static enum err cat(struct ctl *c)
{
	const struct store_msg *m;
	struct store_object o;
	char buf[65536];
	enum err e = find(c, &m);

	e = e ? e : c->box->ops->locate(c->box, m->key, m->hint, &o, NULL, NULL, &c->text);
	if (e)
		return e;
	for (uint64_t done = 0; done < o.length;) {
		ssize_t n = pread(o.fd, buf, sizeof(buf), (off_t)(o.offset + done));
		if (n <= 0)
			break;
		fwrite(buf, 1, (size_t)n, stdout);
		done += (uint64_t)n;
	}
	close(o.fd);
	return ERR_OK;
}

static enum err list(struct ctl *c)
{
	struct store_folder *f;
	size_t n;
	enum err e = c->store->ops->list(c->store, c->arena, &f, &n, &c->text);

	for (size_t i = 0; !e && i < n; i++)
		printf("%s%s\n", f[i].name, f[i].selectable ? "" : " (level)");
	return e;
}

static enum err subs(struct ctl *c)
{
	const char **names;
	size_t n;
	enum err e = c->store->ops->subscriptions(c->store, c->arena, &names, &n, &c->text);

	for (size_t i = 0; !e && i < n; i++)
		printf("%s\n", names[i]);
	return e;
}

static const struct {
	const char *name;
	enum err (*run)(struct ctl *c);
} box_commands[] = {
	{ "add", add },	    { "cat", cat },	  { "expunge", expunge },
	{ "flags", flags }, { "number", number }, { "show", show },
};

static enum err on_box(struct ctl *c, const char *command, const char *name)
{
	for (size_t i = 0; i < sizeof(box_commands) / sizeof(box_commands[0]); i++) {
		if (strcmp(box_commands[i].name, command) != 0)
			continue;
		enum err e = c->store->ops->box_open(c->store, name, &c->box, &c->text);
		if (e)
			return e;
		e = box_commands[i].run(c);
		c->box->ops->box_close(c->box);
		return e;
	}
	return err_say(&c->text, ERR_SYNTAX, "no such command");
}

static enum err on_store(struct ctl *c, int argc, char **argv)
{
	const char *command = argv[2], *name = argc > 3 ? argv[3] : "";
	struct store *s = c->store;

	if (strcmp(command, "list") == 0)
		return list(c);
	if (strcmp(command, "subs") == 0)
		return subs(c);
	if (strcmp(command, "create") == 0)
		return s->ops->create(s, name, NULL, &c->text);
	if (strcmp(command, "remove") == 0)
		return s->ops->remove(s, name, &c->text);
	if (strcmp(command, "rename") == 0 && argc == 5)
		return s->ops->rename(s, name, argv[4], &c->text);
	if (strcmp(command, "sub") == 0)
		return s->ops->subscribe(s, name, true, &c->text);
	if (strcmp(command, "unsub") == 0)
		return s->ops->subscribe(s, name, false, &c->text);
	c->arg = argv + (argc > 3 ? 4 : 3);
	return on_box(c, command, name);
}

/* "ROOT", a Maildir, or "mbox:ROOT[:INBOX=FILE]". Writes into text. */
/* The value of a key, which ends the text before it; the last first. */
static const char *take_key(char *text, const char *key)
{
	char *at = strstr(text, key);

	if (!at)
		return NULL;
	*at = '\0';
	return at + strlen(key);
}

static const struct store_ops *location(char *text, struct store_config *config)
{
	config->root = text;
	if (strncmp(text, "fs:", 3) == 0) {
		config->root += 3;
		config->dirname = take_key(text, ":DIRNAME=");
		config->control = take_key(text, ":CONTROL=");
		return &store_maildir_fs;
	}
	if (strncmp(text, "mbox:", 5) != 0)
		return &store_maildir;
	config->root += 5;
	config->inbox = take_key(text, ":INBOX=");
	return &store_mbox;
}

int main(int argc, char **argv)
{
	char host[256] = "";
	struct ctl c = { .arena = arena_new(ARENA_MAX) };
	struct store_config config = { .hostname = host, .sync = STORE_SYNC_OPTIMIZED };
	const struct store_ops *ops = argc > 1 ? location(argv[1], &config) : NULL;
	enum err e = ERR_SYNTAX;

	gethostname(host, sizeof(host) - 1);
	if (argc < 3 || !ops)
		err_say(&c.text, e, "usage: storectl ROOT COMMAND [MAILBOX [ARGUMENT...]]");
	else
		e = ops->open(&config, &c.store, &c.text);
	if (!e) {
		e = on_store(&c, argc, argv);
		c.store->ops->close(c.store);
	}
	if (e)
		fprintf(stderr, "storectl: %s: %s\n", err_name(e), c.text.text);
	arena_free(&c.arena);
	return e ? 1 : 0;
}
