/*
 * A store in RAM, for tests of what lies above. It keeps the contract of store.h to the letter and
 * is as simple as that allows: lists are walked, nothing is indexed. Its contents end with
 * store_ops.close.
 *
 * Names and levels as in Maildir (separator '.'). Bodies are reference-counted memory; descriptors
 * handed out are memfds of their own.
 *
 * Longer than a file should be, for it is a whole store: a function an operation, few lines each, one table at the end.
 */
#include "store/store.h"

#include "base/clock.h"
#include "base/mem.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct body {
	unsigned refs;
	char *p; /* own */
	size_t n;
	int64_t date, saved;
};

struct mem_msg {
	char key[40];
	uint32_t uid;
	struct mail_flags flags;
	bool recent;
	uint64_t vsize;
	uint8_t guid[16];
	struct body *body; /* a reference */
};

struct mem_mailbox {
	struct mem_mailbox *next;
	char *name;        /* own */
	char *special_use; /* own; NULL: none */
	unsigned open;     /* store_boxes on it */
	bool removed;
	uint32_t uidvalidity, uidnext;
	uint8_t guid[16];
	uint64_t floor, changes;
	char *keyword[MAIL_KEYWORDS_MAX]; /* own */
	struct mem_msg *msg; /* own */
	size_t n, cap;
};

struct mem_store {
	struct store head;
	struct mem_mailbox *first; /* own, all */
	char **subs;               /* own, and each */
	size_t n_subs;
	uint32_t uidvalidity, keys;
	bool readonly;
};

struct mem_box {
	struct store_box head;
	struct mem_mailbox *mb; /* counted in open */
};

static struct mem_store *store_of(struct store *s)
{
	return (struct mem_store *)s;
}

static struct mem_mailbox *mailbox_of(struct store_box *b)
{
	return ((struct mem_box *)b)->mb;
}

static bool readonly(struct store_box *b)
{
	return store_of(b->store)->readonly;
}

static void body_drop(struct body *b)
{
	if (b && --b->refs == 0) {
		free(b->p);
		free(b);
	}
}

static void mailbox_free(struct mem_mailbox *mb)
{
	for (size_t i = 0; i < mb->n; i++)
		body_drop(mb->msg[i].body);
	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++)
		free(mb->keyword[i]);
	free(mb->msg);
	free(mb->name);
	free(mb->special_use);
	free(mb);
}

/* --- roots and folders --- */

static enum err mem_probe(const struct store_config *config)
{
	return ERR_OK;
}

static enum err mem_open(const struct store_config *config, struct store **s_r, struct errtext *t)
{
	struct mem_store *s = mem_alloc(sizeof(*s));

	s->head.ops = &store_memory;
	s->readonly = config->readonly;
	s->uidvalidity = (uint32_t)clock_wall();
	*s_r = &s->head;
	return ERR_OK;
}

static void mem_close(struct store *sp)
{
	struct mem_store *s = store_of(sp);

	for (struct mem_mailbox *mb = s->first, *next; mb; mb = next) {
		next = mb->next;
		mailbox_free(mb);
	}
	for (size_t i = 0; i < s->n_subs; i++)
		free(s->subs[i]);
	free(s->subs);
	free(s);
}

static struct mem_mailbox *find(struct mem_store *s, const char *name)
{
	struct mem_mailbox *mb = s->first;

	while (mb && (mb->removed || strcmp(mb->name, name) != 0))
		mb = mb->next;
	return mb;
}

static bool below(const char *name, const char *top)
{
	size_t n = strlen(top);

	return strncmp(name, top, n) == 0 && name[n] == '.';
}

static bool listed(const struct store_folder *f, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(f[i].name, name) == 0)
			return true;
	return false;
}

static size_t count_levels(struct mem_store *s)
{
	size_t n = 1;

	for (struct mem_mailbox *mb = s->first; mb; mb = mb->next) {
		n++;
		for (const char *p = mb->name; *p; p++)
			n += *p == '.';
	}
	return n;
}

static enum err mem_list(struct store *sp, struct arena *a, struct store_folder **f_r, size_t *n_r,
			 struct errtext *t)
{
	struct mem_store *s = store_of(sp);
	struct store_folder *f = arena_array(a, count_levels(s), sizeof(*f));
	size_t n = 0;

	if (!f)
		return ERR_LIMIT;
	for (struct mem_mailbox *mb = s->first; mb; mb = mb->next)
		if (!mb->removed)
			f[n++] = (struct store_folder){
				arena_str(a, mb->name), true,
				mb->special_use ? arena_str(a, mb->special_use) : NULL
			};
	size_t boxes = n;
	for (size_t i = 0; i < boxes; i++) {
		for (const char *dot = f[i].name; (dot = strchr(dot, '.')); dot++) {
			char *level = arena_span(a, span_of(f[i].name, (size_t)(dot - f[i].name)));
			if (level && !listed(f, n, level))
				f[n++] = (struct store_folder){ level, false, NULL };
		}
	}
	*f_r = f;
	*n_r = n;
	return ERR_OK;
}

static enum err mem_create(struct store *sp, const char *name, const char *special_use,
			   struct errtext *t)
{
	struct mem_store *s = store_of(sp);

	if (s->readonly)
		return err_say(t, ERR_READONLY, "read-only");
	if (!store_name_valid(&store_memory, name))
		return err_say(t, ERR_CANNOT, "not a usable mailbox name");
	if (find(s, name))
		return err_say(t, ERR_EXISTS, "%s exists", name);
	struct mem_mailbox *mb = mem_alloc(sizeof(*mb));
	mb->name = mem_str(name);
	mb->special_use = special_use ? mem_str(special_use) : NULL;
	mb->uidvalidity = ++s->uidvalidity;
	mb->uidnext = 1;
	if (getrandom(mb->guid, sizeof(mb->guid), 0) < 0)
		mb->guid[0] = 1;
	mb->next = s->first;
	s->first = mb;
	return ERR_OK;
}

static enum err mem_remove(struct store *sp, const char *name, struct errtext *t)
{
	struct mem_store *s = store_of(sp);
	struct mem_mailbox *mb = find(s, name), **at = &s->first;

	if (s->readonly)
		return err_say(t, ERR_READONLY, "read-only");
	if (strcmp(name, "INBOX") == 0)
		return err_say(t, ERR_CANNOT, "INBOX cannot be removed");
	if (!mb)
		return err_say(t, ERR_NOTFOUND, "%s does not exist", name);
	mb->removed = true;
	if (mb->open > 0)
		return ERR_OK;
	while (*at != mb)
		at = &(*at)->next;
	*at = mb->next;
	mailbox_free(mb);
	return ERR_OK;
}

static enum err mem_rename(struct store *sp, const char *from, const char *to, struct errtext *t)
{
	struct mem_store *s = store_of(sp);
	size_t n = strlen(from), moved = 0;

	if (s->readonly)
		return err_say(t, ERR_READONLY, "read-only");
	if (strcmp(from, "INBOX") == 0 || !store_name_valid(&store_memory, to) || below(to, from))
		return err_say(t, ERR_CANNOT, "cannot be renamed so");
	if (find(s, to))
		return err_say(t, ERR_EXISTS, "%s exists", to);
	for (struct mem_mailbox *mb = s->first; mb; mb = mb->next) {
		if (mb->removed || (strcmp(mb->name, from) != 0 && !below(mb->name, from)))
			continue;
		char *name = mem_printf("%s%s", to, mb->name + n);
		free(mb->name);
		mb->name = name;
		moved++;
	}
	return moved ? ERR_OK : err_say(t, ERR_NOTFOUND, "%s does not exist", from);
}

static enum err mem_subscriptions(struct store *sp, struct arena *a, const char ***names_r,
				  size_t *n_r, struct errtext *t)
{
	struct mem_store *s = store_of(sp);
	const char **names = arena_array(a, s->n_subs + 1, sizeof(*names));

	if (!names)
		return ERR_LIMIT;
	for (size_t i = 0; i < s->n_subs; i++)
		names[i] = arena_str(a, s->subs[i]);
	*names_r = names;
	*n_r = s->n_subs;
	return ERR_OK;
}

static enum err mem_subscribe(struct store *sp, const char *name, bool on, struct errtext *t)
{
	struct mem_store *s = store_of(sp);
	size_t i = 0;

	if (s->readonly)
		return err_say(t, ERR_READONLY, "read-only");
	while (i < s->n_subs && strcmp(s->subs[i], name) != 0)
		i++;
	if (on && i == s->n_subs) {
		s->subs = mem_grow(s->subs, s->n_subs + 1, sizeof(*s->subs));
		s->subs[s->n_subs++] = mem_str(name);
	} else if (!on && i < s->n_subs) {
		free(s->subs[i]);
		s->subs[i] = s->subs[--s->n_subs];
	}
	return ERR_OK;
}

/* --- one mailbox --- */

static enum err mem_box_open(struct store *sp, const char *name, struct store_box **b_r,
			     struct errtext *t)
{
	struct mem_mailbox *mb = find(store_of(sp), name);

	if (!mb)
		return err_say(t, ERR_NOTFOUND, "%s does not exist", name);
	struct mem_box *b = mem_alloc(sizeof(*b));
	b->head = (struct store_box){ .ops = sp->ops, .store = sp };
	b->mb = mb;
	mb->open++;
	*b_r = &b->head;
	return ERR_OK;
}

static void mem_box_close(struct store_box *b)
{
	mailbox_of(b)->open--;
	free(b);
}

static enum err mem_identity(struct store_box *b, struct store_identity *id_r, struct errtext *t)
{
	struct mem_mailbox *mb = mailbox_of(b);

	*id_r = (struct store_identity){
		.uidvalidity = mb->uidvalidity,
		.uidnext = mb->uidnext,
		.modseq_floor = mb->floor,
	};
	memcpy(id_r->guid, mb->guid, sizeof(id_r->guid));
	return mb->removed ? err_say(t, ERR_NOTFOUND, "%s was removed", mb->name) : ERR_OK;
}

static enum err mem_identify(struct store_box *b, const struct store_identify *want, struct errtext *t)
{
	struct mem_mailbox *mb = mailbox_of(b);

	if (want->uidvalidity)
		mb->uidvalidity = want->uidvalidity;
	if (want->uidnext > mb->uidnext)
		mb->uidnext = want->uidnext;
	if (want->guid)
		memcpy(mb->guid, want->guid, sizeof(mb->guid));
	return mb->removed ? err_say(t, ERR_NOTFOUND, "%s was removed", mb->name) : ERR_OK;
}

static enum err mem_keywords(struct store_box *b, struct arena *a, const char **names,
			     struct errtext *t)
{
	struct mem_mailbox *mb = mailbox_of(b);

	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		names[i] = mb->keyword[i] ? arena_str(a, mb->keyword[i]) : NULL;
		if (mb->keyword[i] && !names[i])
			return ERR_LIMIT;
	}
	return ERR_OK;
}

static enum err mem_keyword_add(struct store_box *b, const char *name, unsigned *bit_r,
				struct errtext *t)
{
	struct mem_mailbox *mb = mailbox_of(b);
	unsigned i = 0;

	if (readonly(b))
		return err_say(t, ERR_READONLY, "read-only");
	for (; i < MAIL_KEYWORDS_MAX && mb->keyword[i]; i++)
		if (span_ieq_str(span_str(mb->keyword[i]), name))
			break;
	if (i == MAIL_KEYWORDS_MAX)
		return err_say(t, ERR_LIMIT, "no more keywords");
	if (!mb->keyword[i])
		mb->keyword[i] = mem_str(name);
	*bit_r = i;
	return ERR_OK;
}

static enum err mem_changed(struct store_box *b, struct span token, bool *changed_r)
{
	struct mem_mailbox *mb = mailbox_of(b);

	if (mb->removed)
		return ERR_NOTFOUND;
	*changed_r = token.n != sizeof(mb->changes) || memcmp(token.p, &mb->changes, token.n) != 0;
	return ERR_OK;
}

static struct span hint_of(const struct mem_msg *m)
{
	return m->recent ? SPAN("n") : SPAN("c");
}

static bool give_msg(const struct mem_msg *m, struct arena *a, struct store_msg *out)
{
	const char *key = arena_str(a, m->key);

	*out = (struct store_msg){
		.key = span_str(key),
		.hint = hint_of(m),
		.uid = m->uid,
		.flags = m->flags,
		.size = m->body->n,
		.vsize = m->vsize,
	};
	memcpy(out->guid, m->guid, sizeof(m->guid));
	if (m->recent)
		out->flags.system |= MAIL_RECENT;
	return key != NULL;
}

static int by_uid(const void *a, const void *b)
{
	const struct store_msg *x = a, *y = b;

	/* 0, not numbered, sorts last; keys are made in ascending order. */
	if (x->uid != y->uid)
		return x->uid - 1 < y->uid - 1 ? -1 : 1;
	return span_cmp(x->key, y->key);
}

static enum err mem_scan(struct store_box *b, struct arena *a, struct store_scan *scan_r,
			 struct errtext *t)
{
	struct mem_mailbox *mb = mailbox_of(b);
	struct store_msg *msg = arena_array(a, mb->n + 1, sizeof(*msg));
	bool ok = true;
	struct span token = arena_copy(a, span_of(&mb->changes, sizeof(mb->changes)), &ok);

	if (mb->removed)
		return err_say(t, ERR_NOTFOUND, "%s was removed", mb->name);
	for (size_t i = 0; msg && ok && i < mb->n; i++)
		ok = give_msg(&mb->msg[i], a, &msg[i]);
	if (!msg || !ok)
		return ERR_LIMIT;
	qsort(msg, mb->n, sizeof(*msg), by_uid);
	*scan_r = (struct store_scan){ .msg = msg, .n = mb->n, .settled = true, .token = token };
	return ERR_OK;
}

static struct mem_msg *find_msg(struct mem_mailbox *mb, struct span key)
{
	for (size_t i = 0; i < mb->n; i++)
		if (span_eq_str(key, mb->msg[i].key))
			return &mb->msg[i];
	return NULL;
}

static int body_fd(const struct body *body)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd >= 0 && pwrite(fd, body->p, body->n, 0) != (ssize_t)body->n) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static enum err mem_locate(struct store_box *b, struct span key, struct span hint,
			   struct store_object *o_r, struct arena *a, struct span *hint_r,
			   struct errtext *t)
{
	struct mem_msg *m = find_msg(mailbox_of(b), key);

	if (!m)
		return err_say(t, ERR_EXPUNGED, "the message is gone");
	int fd = body_fd(m->body);
	if (fd < 0)
		return err_sys(t, "memfd");
	*o_r = (struct store_object){
		.fd = fd,
		.length = m->body->n,
		.mtime = m->body->date,
		.ctime = m->body->saved,
	};
	if (a && hint_r)
		*hint_r = hint_of(m);
	return ERR_OK;
}

/* --- adding; priv of a stage is the body that link shares, or NULL --- */

static enum err mem_stage(struct store_box *b, uint64_t size_hint, struct store_stage *st_r,
			  struct errtext *t)
{
	if (readonly(b))
		return err_say(t, ERR_READONLY, "read-only");
	int fd = memfd_create("stage", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(t, "memfd");
	*st_r = (struct store_stage){ .box = b, .fd = fd };
	return ERR_OK;
}

static void mem_abort(struct store_stage *st)
{
	if (st->fd >= 0)
		close(st->fd);
	body_drop(st->priv);
	st->fd = -1;
	st->priv = NULL;
}

static enum err mem_link(struct store_box *from, struct span key, struct span hint,
			 struct store_box *to, struct store_stage *st_r, struct errtext *t)
{
	struct mem_msg *m = find_msg(mailbox_of(from), key);

	if (readonly(to))
		return err_say(t, ERR_READONLY, "read-only");
	if (!m)
		return err_say(t, ERR_EXPUNGED, "the message is gone");
	m->body->refs++;
	*st_r = (struct store_stage){ .box = to, .fd = -1, .priv = m->body };
	return ERR_OK;
}

static struct body *body_read(int fd, int64_t date)
{
	struct body *body = mem_alloc(sizeof(*body));
	struct stat st;

	body->refs = 1;
	body->saved = clock_wall();
	body->date = date ? date : body->saved;
	body->n = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
	body->p = mem_alloc(body->n + 1);
	if (pread(fd, body->p, body->n, 0) == (ssize_t)body->n)
		return body;
	body_drop(body);
	return NULL;
}

static enum err commit_one(struct mem_store *s, struct mem_mailbox *mb, struct store_commit *c,
			   struct arena *a)
{
	struct body *body =
		c->stage->fd < 0 ? c->stage->priv : body_read(c->stage->fd, c->internaldate);
	bool quiet = c->flags.system == 0 && c->flags.keywords == 0;
	struct mem_msg m = {
		.flags = c->flags, .vsize = c->vsize, .body = body, .recent = c->recent && quiet
	};

	if (!body)
		return ERR_IO;
	m.flags.system &= MAIL_SYSTEM;
	snprintf(m.key, sizeof(m.key), "%010u.mem", ++s->keys);
	char *key = arena_str(a, m.key);
	if (!key || mb->removed) {
		if (c->stage->fd >= 0)
			body_drop(body);
		return key ? ERR_NOTFOUND : ERR_LIMIT;
	}
	if (c->stage->fd < 0)
		body->refs++;
	if (!c->copy)
		store_guid(span_str(key), c->guid);
	memcpy(m.guid, c->guid, sizeof(m.guid));
	if (mb->n == mb->cap) {
		mb->cap = mb->cap ? mb->cap * 2 : 16;
		mb->msg = mem_grow(mb->msg, mb->cap, sizeof(*mb->msg));
	}
	mb->msg[mb->n++] = m;
	mb->changes++;
	c->key = span_str(key);
	c->hint = hint_of(&m);
	c->size = body->n;
	return ERR_OK;
}

static enum err mem_commit_many(struct store_box *b, struct store_commit *c, size_t n,
				struct arena *a, struct errtext *t)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < n; i++) {
		c[i].err = commit_one(store_of(b->store), mailbox_of(b), &c[i], a);
		if (c[i].err && !e)
			e = err_say(t, c[i].err, "a message cannot be added: %s",
				    err_name(c[i].err));
		mem_abort(c[i].stage);
	}
	return e;
}

static enum err mem_number(struct store_box *b, struct span *keys, size_t n, bool synced,
			   uint32_t *uids, uint32_t *next_r, struct arena *a, struct errtext *t)
{
	struct mem_mailbox *mb = mailbox_of(b);

	if (readonly(b))
		return err_say(t, ERR_READONLY, "read-only");
	for (size_t i = 0; i < n; i++) {
		struct mem_msg *m = find_msg(mb, keys[i]);

		if (m && m->uid == 0)
			m->uid = mb->uidnext++;
		/* as a folder does, that numbers names unseen */
		uids[i] = m ? m->uid : mb->uidnext++;
	}
	*next_r = mb->uidnext;
	return ERR_OK;
}

static enum err mem_nothing(struct store_box *b, struct errtext *t)
{
	return ERR_OK;
}

static enum err mem_expunge(struct store_box *b, struct span key, struct span hint,
			    struct errtext *t)
{
	struct mem_mailbox *mb = mailbox_of(b);
	struct mem_msg *m = find_msg(mb, key);

	if (readonly(b))
		return err_say(t, ERR_READONLY, "read-only");
	if (!m)
		return ERR_OK;
	body_drop(m->body);
	memmove(m, m + 1, (size_t)(mb->msg + mb->n - (m + 1)) * sizeof(*m));
	mb->n--;
	mb->changes++;
	return ERR_OK;
}

/* flags NULL: as they are. */
static enum err flag(struct store_box *b, struct span key, const struct mail_flags *flags, struct arena *a,
		     struct span *hint_r, struct errtext *t)
{
	struct mem_mailbox *mb = mailbox_of(b);
	struct mem_msg *m = find_msg(mb, key);

	if (readonly(b))
		return err_say(t, ERR_READONLY, "read-only");
	if (!m)
		return err_say(t, ERR_EXPUNGED, "the message is gone");
	if (flags)
		m->flags = (struct mail_flags){ flags->system & MAIL_SYSTEM, flags->keywords };
	m->recent = false;
	mb->changes++;
	if (a && hint_r)
		*hint_r = hint_of(m);
	return ERR_OK;
}

static enum err mem_set_flags(struct store_box *b, struct span key, struct span hint,
			      struct mail_flags flags, struct arena *a, struct span *hint_r,
			      struct errtext *t)
{
	return flag(b, key, &flags, a, hint_r, t);
}

static enum err mem_claim(struct store_box *b, struct span key, struct span hint, struct arena *a, struct span *hint_r,
			  struct errtext *t)
{
	return flag(b, key, NULL, a, hint_r, t);
}

static enum err mem_set_modseq_floor(struct store_box *b, uint64_t floor, struct errtext *t)
{
	struct mem_mailbox *mb = mailbox_of(b);

	if (floor > mb->floor)
		mb->floor = floor;
	return ERR_OK;
}

static size_t mem_watch(struct store_box *b, const char *paths[4])
{
	return 0;
}

const struct store_ops store_memory = {
	.driver = "memory",
	.separator = '.',
	.bad_chars = "./",
	.shared_keywords = MAIL_KEYWORDS_MAX,
	.probe = mem_probe,
	.open = mem_open,
	.close = mem_close,
	.list = mem_list,
	.create = mem_create,
	.remove = mem_remove,
	.rename = mem_rename,
	.subscriptions = mem_subscriptions,
	.subscribe = mem_subscribe,
	.box_open = mem_box_open,
	.box_close = mem_box_close,
	.identity = mem_identity,
	.identify = mem_identify,
	.keywords = mem_keywords,
	.keyword_add = mem_keyword_add,
	.changed = mem_changed,
	.scan = mem_scan,
	.locate = mem_locate,
	.stage = mem_stage,
	.commit_many = mem_commit_many,
	.abort = mem_abort,
	.link = mem_link,
	.number = mem_number,
	.sync_numbers = mem_nothing,
	.expunge = mem_expunge,
	.expunge_done = mem_nothing,
	.set_flags = mem_set_flags,
	.claim = mem_claim,
	.flags_done = mem_nothing,
	.set_modseq_floor = mem_set_modseq_floor,
	.watch = mem_watch,
};
