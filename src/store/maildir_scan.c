/*
 * Listing a whole mailbox: dovecot-uidlist, new/, cur/, in this order, joined by base name.
 *
 * new/ is read before cur/, so that a message that moves meanwhile is seen twice rather than not at
 * all. What one pass misses (readdir may, while others rename) is not gone: the stamp tells whether
 * the pass can be trusted. No stat per message: sizes come from names or the list, or are unknown.
 */
#include "extra.h"
#include "file.h"
#include "maildir.h"

#include "base/clock.h"
#include "base/guid.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* --- the directories --- */

static bool is_message_file(int dir_fd, const struct dirent *d)
{
	struct stat st;

	if (d->d_type == DT_REG)
		return true;
	return d->d_type == DT_UNKNOWN &&
	       fstatat(dir_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

enum err maildir_readdir(struct maildir_box *b, char dir, readdir_visit *fn, void *arg)
{
	int fd = openat(maildir_dir_fd(b, dir), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct span base, rest;
	struct dirent *de;
	enum err e = ERR_OK;

	if (!d) {
		e = err_from_errno(errno);
		if (fd >= 0)
			close(fd);
		return e;
	}
	while (!e && (de = file_readdir(d, &e)))
		if (maildir_name_split(span_str(de->d_name), &base, &rest) &&
		    is_message_file(fd, de))
			e = fn(arg, dir, base, rest);
	closedir(d);
	return e;
}

/* --- tokens --- */

/*
 * What new/ and the list held at a scan. Names in new/ that had a UID had one from low on, and what was listed later got
 * next or more: so as long as cur/ stays as it was, the UIDs of all that can be met in new/ are in the list from low on,
 * whoever wrote it anew meanwhile. A name that is only listed before is that of a message that was gone: should it come
 * back, it gets a new UID, as in Dovecot.
 */
struct arrived {
	uint32_t low, next; /* 0: not known */
};

/*
 * A token: "2", struct stamp and struct arrived as they stand; never leaves this machine's index, and a token
 * that is not ours or of another layout only costs a scan.
 */
static const char TOKEN_KIND = '2';

enum { TOKEN_SIZE = 1 + sizeof(struct stamp) + sizeof(struct arrived) };

static struct span token_make(struct arena *a, const struct stamp *s, const struct arrived *n)
{
	char *p = arena_alloc(a, TOKEN_SIZE);

	if (!p)
		return span_of(NULL, 0);
	p[0] = TOKEN_KIND;
	memcpy(p + 1, s, sizeof(*s));
	memcpy(p + 1 + sizeof(*s), n, sizeof(*n));
	return span_of(p, TOKEN_SIZE);
}

static bool token_read(struct span token, struct stamp *s_r, struct arrived *n_r)
{
	if (token.n != TOKEN_SIZE || token.p[0] != TOKEN_KIND)
		return false;
	memcpy(s_r, token.p + 1, sizeof(*s_r));
	memcpy(n_r, token.p + 1 + sizeof(*s_r), sizeof(*n_r));
	return true;
}

/* Did cur/ change so lately that others may have changed it once more in the same tick? Not where there are no others. */
static bool cur_young(const struct maildir *m, const struct stamp *s)
{
	return s->cur_young && !m->how.very_dirty;
}

static bool token_stale(const struct maildir *m, struct span token, const struct stamp *now)
{
	struct arrived any;
	struct stamp then;

	return !token_read(token, &then, &any) || cur_young(m, &then) || then.new_young ||
	       !maildir_stamp_same(&then, now);
}

enum err maildir_glance(struct store *s, const char *name, uint64_t seen, struct span token, bool *changed_r)
{
	struct stamp now;
	enum err e = maildir_stamp_at(maildir_of(s), name, seen, &now);

	if (!e)
		*changed_r = token_stale(maildir_of(s), token, &now) || maildir_seen_elsewhere(maildir_of(s), name);
	return e;
}

enum err maildir_changed(struct store_box *sb, struct span token, bool *changed_r)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct stamp now;
	enum err e = maildir_stamp(b, &now);

	maildir_names_drop(b);
	if (e)
		return e;
	*changed_r = token_stale(b->m, token, &now) || maildir_seen_news(b);
	return ERR_OK;
}

static enum err met_one(void *arg, char dir, struct span base, struct span rest)
{
	return ERR_EXISTS;
}

/* Where no name is in new/, what will be there is listed behind the end, wherever the token so far began. */
static void arrived_go_on(struct maildir_box *b, struct arrived *n)
{
	uint32_t next = b->list.head.next;

	if (next > n->low && maildir_readdir(b, 'n', met_one, NULL) == ERR_OK)
		n->low = n->next = next;
}

enum err maildir_token(struct store_box *sb, struct span before, struct arena *a, struct span *token_r)
{
	struct arrived arrived = { 0 };
	struct stamp now, then;
	struct maildir_box *b = maildir_box_of(sb);
	enum err e = maildir_stamp(b, &now);

	if (e)
		return e;
	if (cur_young(b->m, &now) || now.new_young)
		return ERR_INUSE;
	if (token_read(before, &then, &arrived) && arrived.low)
		arrived_go_on(b, &arrived);
	*token_r = token_make(a, &now, &arrived);
	return token_r->n ? ERR_OK : ERR_MEMORY;
}

/* --- the pass --- */

struct entry {
	uint32_t uid;        /* 0: not listed */
	uint32_t order;      /* POP3's */
	char dir;            /* 0: no file met */
	bool arrived;        /* met in new/, be it in cur/, too */
	struct span rest;    /* in pool */
	struct span uidl;    /* in pool */
	struct span guid;    /* in pool: what the list says; empty: nothing */
	uint64_t size, vsize; /* as the list tells; or unknown */
};

struct twin {
	struct span base, rest;
	char dir;
};

struct pass {
	struct maildir_box *b;
	struct keytab tab;    /* listed base names first, in the list's order */
	struct entry *entry;  /* own; by number in tab */
	size_t cap, listed, found;
	bool disordered;      /* a name was listed twice: entries are not in UID order */
	struct pool pool;
	struct twin *twin;    /* own; second files of one base name */
	size_t twins;
	struct stamp before, after;
	struct arrived then;  /* of the token */
};

enum { PASS_TWINS_MAX = 1000, PASS_MESSAGES_MAX = 16 << 20 };

static struct entry *pass_entry(struct pass *p, struct span base, bool *new_r)
{
	size_t k = keytab_add(&p->tab, base, new_r);

	if (*new_r)
		p->tab.key[k] = pool_copy(&p->pool, base);
	if (k >= p->cap) {
		p->cap = p->cap ? p->cap * 2 : 256;
		p->entry = mem_grow(p->entry, p->cap, sizeof(*p->entry));
	}
	if (*new_r)
		p->entry[k] =
			(struct entry){ .size = STORE_SIZE_UNKNOWN, .vsize = STORE_SIZE_UNKNOWN };
	return &p->entry[k];
}

static void pass_listed(void *arg, const struct uidlist_record *r)
{
	struct pass *p = arg;
	struct span v;
	bool fresh;

	if (p->tab.n >= PASS_MESSAGES_MAX)
		return;
	struct entry *e = pass_entry(p, r->base, &fresh);
	p->disordered = p->disordered || !fresh;
	e->uid = r->uid;
	if (r->keys.n == 0)
		return;
	if (uidlist_record_key(r, 'S', &v))
		span_u64(v, &e->size);
	if (uidlist_record_key(r, 'W', &v))
		span_u64(v, &e->vsize);
	if (uidlist_record_key(r, 'P', &v))
		e->uidl = v.n ? pool_copy(&p->pool, v) : p->tab.key[e - p->entry];
	if (uidlist_record_key(r, 'O', &v))
		span_u32(v, &e->order);
	if (uidlist_record_key(r, 'G', &v))
		e->guid = pool_copy(&p->pool, v);
}

static void pass_twin(struct pass *p, char dir, struct span base, struct span rest)
{
	if (p->twins == PASS_TWINS_MAX)
		return;
	if ((p->twins & (p->twins - 1)) == 0)
		p->twin = mem_grow(p->twin, p->twins ? p->twins * 2 : 1, sizeof(*p->twin));
	p->twin[p->twins++] = (struct twin){ base, pool_copy(&p->pool, rest), dir };
}

/* A file met. The second of a name: cur/ goes before new/, the later before the earlier. */
static enum err pass_found(void *arg, char dir, struct span base, struct span rest)
{
	struct pass *p = arg;
	bool fresh;

	if (p->tab.n >= PASS_MESSAGES_MAX)
		return ERR_LIMIT;
	struct entry *e = pass_entry(p, base, &fresh);
	e->arrived |= dir == 'n';
	if (e->dir == dir && span_eq(e->rest, rest))
		return ERR_OK;
	if (e->dir)
		pass_twin(p, e->dir, p->tab.key[e - p->entry], e->rest);
	else
		p->found++;
	e->dir = dir;
	e->rest = pool_copy(&p->pool, rest);
	return ERR_OK;
}

static enum err pass_read(struct pass *p, bool whole, struct errtext *t)
{
	struct maildir_box *b = p->b;
	enum err e = maildir_stamp(b, &p->before);

	if (!e && whole) {
		e = maildir_uidlist_read(b, true, pass_listed, p, t);
		if (e)
			return e;
		p->listed = p->tab.n;
		/* What a scan tells may leave the server: it must outlive a power cut. */
		e = maildir_sync_numbers(&b->head, t);
		if (e)
			return e;
	}
	if (!e)
		e = maildir_readdir(b, 'n', pass_found, p);
	if (!e && whole)
		e = maildir_readdir(b, 'c', pass_found, p);
	if (!e)
		e = maildir_stamp(b, &p->after);
	return e ? err_say(t, e, "%s cannot be listed: %s", b->name, err_name(e)) : ERR_OK;
}

static void pass_end(struct pass *p)
{
	keytab_free(&p->tab);
	free(p->entry);
	free(p->twin);
	pool_free(&p->pool);
}

/* --- twins: two files of one base name --- */

static bool other_file(const struct pass *p, const struct twin *w, const struct entry *e,
		       char name[MAILDIR_NAME_MAX + 1])
{
	char kept[MAILDIR_NAME_MAX + 1];
	struct stat st[2];

	snprintf(name, MAILDIR_NAME_MAX + 1, "%.*s%.*s", (int)w->base.n, w->base.p, (int)w->rest.n,
		 w->rest.p ? w->rest.p : "");
	snprintf(kept, sizeof(kept), "%.*s%.*s", (int)w->base.n, w->base.p, (int)e->rest.n,
		 e->rest.p ? e->rest.p : "");
	/*
	 * Mostly it is one file that was renamed while we read: then one of the names is gone, or
	 * both are one file.
	 */
	return fstatat(maildir_dir_fd(p->b, w->dir), name, &st[0], AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(maildir_dir_fd(p->b, e->dir), kept, &st[1], AT_SYMLINK_NOFOLLOW) == 0 &&
	       st[0].st_ino != st[1].st_ino && S_ISREG(st[0].st_mode) && S_ISREG(st[1].st_mode);
}

/*
 * Gives the second of two different files a base name of its own, so that its message can be seen.
 */
static void pass_part(struct pass *p, const struct twin *w)
{
	struct maildir *m = p->b->m;
	size_t k = keytab_find(&p->tab, w->base);
	char old[MAILDIR_NAME_MAX + 1], unique[MAILDIR_NAME_MAX + 1], name[2 * MAILDIR_NAME_MAX];

	if (k == SIZE_MAX || p->b->head.readonly || !other_file(p, w, &p->entry[k], old))
		return;
	maildir_name_unique(unique, sizeof(unique), m->counter++, m->random, m->host);
	int n = snprintf(name, sizeof(name), "%s%.*s", unique, (int)w->rest.n,
			 w->rest.p ? w->rest.p : "");
	int fd = maildir_dir_fd(p->b, w->dir);
	if (n > MAILDIR_NAME_MAX || file_rename_new(fd, old, fd, name) < 0)
		return;
	pass_found(p, w->dir, span_str(unique), w->rest);
}

/* --- the result --- */

/* What the name says, then what the list says, then the name itself. */
static void entry_guid(const struct entry *e, struct span base, uint8_t guid_r[16])
{
	struct span text = maildir_name_guid(base);

	if (text.n != GUID_TEXT)
		text = e->guid;
	store_guid(text.n ? text : base, guid_r);
}

static uint64_t name_size(const struct pass *p, struct span base, char letter)
{
	return p->b->m->how.no_sizes ? STORE_SIZE_UNKNOWN : maildir_name_size(base, letter);
}

static bool give_msg(struct pass *p, size_t k, struct arena *a, struct store_msg *msg)
{
	const struct entry *e = &p->entry[k];
	struct span base = p->tab.key[k];
	char *s = arena_alloc(a, base.n + 1 + e->rest.n + e->uidl.n);

	if (!s)
		return false;
	memcpy(s, base.p, base.n);
	s[base.n] = e->dir;
	if (e->rest.n)
		memcpy(s + base.n + 1, e->rest.p, e->rest.n);
	if (e->uidl.n)
		memcpy(s + base.n + 1 + e->rest.n, e->uidl.p, e->uidl.n);

	*msg = (struct store_msg){
		.key = span_of(s, base.n),
		.hint = span_of(s + base.n, 1 + e->rest.n),
		.uid = e->uid,
		.flags = maildir_name_flags(e->rest),
		.size = name_size(p, base, 'S'),
		.vsize = name_size(p, base, 'W'),
		.uidl = span_of(s + base.n + 1 + e->rest.n, e->uidl.n),
		.pop3_order = e->order,
	};
	entry_guid(e, base, msg->guid);
	if (p->b->head.own_seen) {
		msg->flags.system &= (uint8_t)~MAIL_SEEN;
		msg->flags.system |= maildir_seen_has(p->b, e->uid) ? MAIL_SEEN : 0;
	}
	p->b->letters_seen |= (uint32_t)msg->flags.keywords;
	msg->flags.keywords |= extra_keywords_of(p->b->extra, base);
	if (e->dir == 'n')
		msg->flags.system |= MAIL_RECENT;
	if (msg->size == STORE_SIZE_UNKNOWN)
		msg->size = e->size;
	if (msg->vsize == STORE_SIZE_UNKNOWN)
		msg->vsize = e->vsize;
	return true;
}

static int by_uid(const void *a, const void *b)
{
	uint32_t x = ((const struct store_msg *)a)->uid, y = ((const struct store_msg *)b)->uid;

	return (x > y) - (x < y);
}

static int by_arrival(const void *a, const void *b)
{
	return maildir_name_cmp(((const struct store_msg *)a)->key,
				((const struct store_msg *)b)->key);
}

static struct arrived pass_arrived(const struct pass *p)
{
	struct arrived n = { .next = p->b->list.head.next };

	n.low = n.next;
	for (size_t k = 0; k < p->tab.n; k++)
		if (p->entry[k].arrived && p->entry[k].uid && p->entry[k].uid < n.low)
			n.low = p->entry[k].uid;
	return n;
}

static enum err pass_give(struct pass *p, struct arena *a, struct store_scan *scan)
{
	struct store_msg *msg = arena_array(a, p->found ? p->found : 1, sizeof(*msg));
	struct arrived arrived = pass_arrived(p);
	size_t n = 0, numbered;

	if (!msg)
		return ERR_LIMIT;
	for (size_t k = 0; k < p->tab.n; k++)
		if (p->entry[k].dir && p->entry[k].uid && !give_msg(p, k, a, &msg[n++]))
			return ERR_LIMIT;
	numbered = n;
	for (size_t k = 0; k < p->tab.n; k++)
		if (p->entry[k].dir && !p->entry[k].uid && !give_msg(p, k, a, &msg[n++]))
			return ERR_LIMIT;
	if (p->disordered)
		qsort(msg, numbered, sizeof(*msg), by_uid);
	if (n > numbered)
		qsort(msg + numbered, n - numbered, sizeof(*msg), by_arrival);
	scan->msg = msg;
	scan->n = n;
	scan->settled = maildir_stamp_same(&p->before, &p->after) && !p->before.cur_young &&
			!p->before.new_young;
	scan->token = token_make(a, &p->before, &arrived);
	return scan->token.n ? ERR_OK : ERR_LIMIT;
}

/* From now on the list is known up to its end, for the keys that may yet move or need numbers. */
static void pass_note_in_play(struct pass *p, bool whole)
{
	struct list_state *u = &p->b->list;

	if (!u->known || !u->present)
		return;
	if (whole)
		keymap_free(&u->in_play);
	for (size_t k = 0; k < p->tab.n; k++)
		if (p->entry[k].dir == 'n' || (p->entry[k].dir && p->entry[k].uid == 0))
			keymap_set(&u->in_play, p->tab.key[k], p->entry[k].uid);
}

static enum err pass_finish(struct pass *p, bool whole, struct arena *a, struct store_scan *scan_r,
			    struct errtext *t)
{
	struct store_scan scan = { 0 };
	enum err e = maildir_extra(p->b, t);

	if (!e)
		e = maildir_seen_refresh(p->b, t);
	if (e)
		return e;
	e = pass_give(p, a, &scan);
	if (e)
		return err_say(t, e, "%s has too many messages for one command", p->b->name);
	pass_note_in_play(p, whole);
	if (whole)
		maildir_seen_told(p->b);
	*scan_r = scan;
	return ERR_OK;
}

enum err maildir_scan(struct store_box *sb, struct arena *a, struct store_scan *scan_r,
		      struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct pass p = { .b = b };
	enum err e;

	maildir_names_drop(b);
	maildir_tmp_sweep(b);
	e = pass_read(&p, true, t);
	for (size_t i = 0; !e && i < p.twins; i++)
		pass_part(&p, &p.twin[i]);
	if (!e)
		e = pass_finish(&p, true, a, scan_r, t);
	if (!e) {
		b->missing = 0;
		for (size_t k = 0; k < p.listed; k++)
			b->missing += p.entry[k].dir == 0;
	}
	pass_end(&p);
	return e;
}

static void arrival_listed(void *arg, const struct uidlist_record *r)
{
	struct pass *p = arg;
	size_t k = keytab_find(&p->tab, r->base);

	struct span v;

	if (k == SIZE_MAX)
		return;
	p->entry[k].uid = r->uid;
	if (uidlist_record_key(r, 'G', &v))
		p->entry[k].guid = pool_copy(&p->pool, v);
}

/* Does what the token says hold for the list as it is? */
static bool list_goes_on(const struct pass *p)
{
	return p->then.low && p->b->list.head.next >= p->then.next;
}

/* UIDs of what new/ holds, without a full read of the list when all of it was in play already, or the token tells enough. */
static enum err arrivals_number(struct pass *p, struct errtext *t)
{
	struct list_state *u = &p->b->list;
	enum err e = maildir_uidlist_read(p->b, false, NULL, NULL, t), tail = ERR_CANNOT;
	bool all = true;

	p->disordered = true;
	for (size_t k = 0; !e && k < p->tab.n; k++)
		all &= keymap_get(&u->in_play, p->tab.key[k], &p->entry[k].uid);
	if (!e && !all && u->present && list_goes_on(p))
		tail = maildir_uidlist_tail(p->b, p->then.low, arrival_listed, p);
	if (!e && !all && u->present && tail)
		e = maildir_uidlist_read(p->b, true, arrival_listed, p, t);
	return e ? e : maildir_sync_numbers(&p->b->head, t);
}

enum err maildir_scan_new(struct store_box *sb, struct span token, struct arena *a,
			  struct store_scan *scan_r, struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct pass p = { .b = b };
	struct stamp then;
	enum err e;

	if (!token_read(token, &then, &p.then) || cur_young(b->m, &then) || maildir_seen_news(b))
		return err_say(t, ERR_CANNOT, "the token proves nothing");
	e = pass_read(&p, false, t);
	if (!e && (then.cur_sec != p.after.cur_sec || then.cur_nsec != p.after.cur_nsec))
		e = err_say(t, ERR_CANNOT, "%s changed elsewhere too", b->name);
	if (!e)
		e = arrivals_number(&p, t);
	if (!e)
		e = pass_finish(&p, false, a, scan_r, t);
	pass_end(&p);
	return e;
}
