/*
 * Folders that Courier served so far: what it knows is taken over when a folder is opened for the first time, and its
 * own files stay as they are, so that Courier can have the folder back.
 *
 *	courierimapuiddb         "1" SP uidvalidity SP next LF, then uid SP base LF for each message: dovecot-uidlist's
 *	                         version 1
 *	courierimapkeywords/     what keywords the messages have:
 *	  :list                  names, a line each, the first is number 0; an empty line; base ":" numbers parted by SP LF
 *	  .<number>.<base>       newer than :list, the higher the number the newer: names, a line each; empty: none
 *	  <base>                 likewise, newer still
 *	courierimapsubscribed    in the root: "INBOX" or "INBOX.A.B", a line each
 *
 * First time: there is no dovecot-uidlist, and nothing in the folder says that Dovecot or we were there already; for then
 * Courier's UIDs are out of date. Keywords come before the UIDs: while these are missing it is begun again.
 */
#include "extra.h"
#include "file.h"
#include "lines.h"
#include "list_state.h"
#include "subscriptions.h"

#include "base/mem.h"
#include "base/mutf7.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define UIDDB "courierimapuiddb"
#define KEYWORDS "courierimapkeywords"

enum {
	NAMES_MAX = 64,               /* keywords of Courier's that are looked at: as many as we can have */
	LIST_TEXT = 64 << 20,
	MESSAGE_TEXT = 64 << 10,
	SUBSCRIBED_TEXT = 8 << 20,
	MESSAGES_MAX = 4 << 20,
};

/* Was it ours, or Dovecot's, before? */
static bool served(struct maildir_box *b)
{
	struct stat st;

	return fstatat(b->dir_fd, "dovecot.index.log", &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	       (maildir_extra(b, NULL) == ERR_OK && extra_floor(b->extra) > 0);
}

/* --- UIDs --- */

struct numbered {
	uint32_t uid;
	struct span base; /* in a pool */
};

struct uids {
	struct numbered *r; /* own */
	size_t n, cap;
	struct pool pool;
};

static int by_uid(const void *a, const void *b)
{
	uint32_t x = ((const struct numbered *)a)->uid, y = ((const struct numbered *)b)->uid;

	return (x > y) - (x < y);
}

static void take_record(struct uids *u, struct span line)
{
	struct uidlist_record r;

	if (u->n == MESSAGES_MAX || !uidlist_parse_record(line, 1, &r))
		return;
	if (u->n == u->cap) {
		u->cap = u->cap ? u->cap * 2 : 256;
		u->r = mem_grow(u->r, u->cap, sizeof(*u->r));
	}
	u->r[u->n++] = (struct numbered){ r.uid, pool_copy(&u->pool, r.base) };
}

static enum err read_uids(int fd, struct uidlist_header *h, struct uids *u)
{
	struct lines l;
	struct span line;
	enum err e;

	lines_init(&l, fd, 0);
	e = lines_next(&l, &line);
	if (e == ERR_CLOSED || (!e && (!uidlist_parse_header(line, h) || h->version != 1)))
		e = ERR_NOTFOUND; /* of no use */
	while (!e && !(e = lines_next(&l, &line)))
		take_record(u, line);
	lines_free(&l);
	return e == ERR_CLOSED ? ERR_OK : e;
}

/* In the order of their UIDs, each once. */
static size_t put_uids(struct uids *u, struct uidlist_header *h, struct buf *out)
{
	uint32_t last = 0;
	size_t n = 0;

	if (u->n)
		qsort(u->r, u->n, sizeof(*u->r), by_uid);
	for (size_t i = 0; i < u->n; i++) {
		struct uidlist_record r = { .uid = u->r[i].uid, .base = u->r[i].base };

		if (r.uid == last)
			continue;
		uidlist_put_record(out, &r);
		last = r.uid;
		n++;
	}
	if (last >= h->next)
		h->next = last + 1;
	return n;
}

enum err maildir_courier_uids(struct maildir_box *b, struct uidlist_header *h_r, struct buf *records, size_t *n_r)
{
	struct uids u = { .n = 0 };
	struct stat st;
	int fd;
	enum err e = served(b) ? ERR_NOTFOUND : file_open_read(b->dir_fd, UIDDB, &fd, &st);

	if (e)
		return e;
	e = read_uids(fd, h_r, &u);
	if (!e)
		*n_r = put_uids(&u, h_r, records);
	if (!e && records->failed)
		e = ERR_LIMIT;
	close(fd);
	free(u.r);
	pool_free(&u.pool);
	return e;
}

/* --- keywords --- */

struct tagged {
	uint64_t names; /* bit n: name n of struct keywords */
	uint64_t age;   /* of what said so */
};

struct keywords {
	char *name[NAMES_MAX]; /* own */
	unsigned names;
	struct keytab tab;     /* base names */
	struct tagged *at;     /* own; by number in tab */
	size_t cap;
	struct pool pool;
	uint64_t bit[NAMES_MAX]; /* what each name became here */
};

static void keywords_free(struct keywords *k)
{
	for (unsigned i = 0; i < k->names; i++)
		free(k->name[i]);
	keytab_free(&k->tab);
	free(k->at);
	pool_free(&k->pool);
}

/* Its number; NAMES_MAX: one too many. */
static unsigned name_number(struct keywords *k, struct span name)
{
	unsigned i = 0;

	while (i < k->names && !span_ieq_str(name, k->name[i]))
		i++;
	if (i == k->names && i < NAMES_MAX && name.n)
		k->name[k->names++] = span_dup(name);
	return name.n ? i : NAMES_MAX;
}

static void tag(struct keywords *k, struct span base, uint64_t names, uint64_t age)
{
	size_t i = keytab_find(&k->tab, base);
	bool fresh = i == SIZE_MAX;

	if (fresh && k->tab.n >= MESSAGES_MAX)
		return;
	if (fresh)
		i = keytab_add(&k->tab, pool_copy(&k->pool, base), &fresh);
	if (i >= k->cap) {
		k->cap = k->cap ? k->cap * 2 : 256;
		k->at = mem_grow(k->at, k->cap, sizeof(*k->at));
	}
	if (fresh || age >= k->at[i].age)
		k->at[i] = (struct tagged){ names, age };
}

static uint64_t list_line(struct span numbers, const unsigned *of, unsigned n)
{
	struct span word;
	uint64_t names = 0;
	uint32_t i;

	while (span_split(&numbers, ' ', &word))
		if (span_u32(word, &i) && i < n && of[i] < NAMES_MAX)
			names |= UINT64_C(1) << of[i];
	return names;
}

static void take_list(struct keywords *k, struct span text)
{
	unsigned of[NAMES_MAX], n = 0;
	struct span line;

	while (span_split(&text, '\n', &line) && line.n)
		if (n < NAMES_MAX)
			of[n++] = name_number(k, line);
	while (span_split(&text, '\n', &line)) {
		size_t colon = span_find(line, ':');

		if (colon < line.n && colon > 0)
			tag(k, span_cut(line, 0, colon), list_line(span_from(line, colon + 1), of, n), 0);
	}
}

static uint64_t names_of(struct keywords *k, struct span text)
{
	struct span line;
	uint64_t names = 0;

	while (span_split(&text, '\n', &line)) {
		unsigned i = name_number(k, line);

		if (i < NAMES_MAX)
			names |= UINT64_C(1) << i;
	}
	return names;
}

/* ".<number>.<base>" or "<base>". False: neither. */
static bool message_file(struct span file, struct span *base_r, uint64_t *age_r)
{
	size_t dot;

	*age_r = UINT64_MAX;
	*base_r = file;
	if (file.p[0] != '.')
		return span_find(file, ':') == SIZE_MAX;
	file = span_from(file, 1);
	dot = span_find(file, '.');
	if (dot >= file.n || !span_u64(span_cut(file, 0, dot), age_r))
		return false;
	*base_r = span_from(file, dot + 1);
	return base_r->n > 0;
}

static enum err load(int dir, const char *name, struct buf *text)
{
	struct stat st;
	int fd;
	enum err e = file_open_read(dir, name, &fd, &st);

	buf_clear(text);
	if (e)
		return e == ERR_NOTFOUND ? ERR_OK : e;
	e = file_load(fd, 0, text);
	close(fd);
	return e;
}

static enum err read_messages(struct keywords *k, DIR *d)
{
	struct dirent *de;
	struct span base;
	struct buf text;
	uint64_t age;
	enum err e = ERR_OK;

	buf_init(&text, MESSAGE_TEXT);
	while (!e && (de = file_readdir(d, &e))) {
		if (!message_file(span_str(de->d_name), &base, &age))
			continue;
		e = load(dirfd(d), de->d_name, &text);
		if (!e)
			tag(k, base, names_of(k, buf_span(&text)), age);
	}
	buf_free(&text);
	return e;
}

static enum err read_keywords(struct keywords *k, int fd)
{
	DIR *d = fdopendir(fd);
	struct buf text;
	enum err e;

	if (!d) {
		close(fd);
		return ERR_IO;
	}
	buf_init(&text, LIST_TEXT);
	e = load(fd, ":list", &text);
	if (!e)
		take_list(k, buf_span(&text));
	buf_free(&text);
	if (!e)
		e = read_messages(k, d);
	closedir(d);
	return e;
}

static bool used(const struct keywords *k, unsigned name)
{
	for (size_t i = 0; i < k->tab.n; i++)
		if (k->at[i].names >> name & 1)
			return true;
	return false;
}

/* Names that nothing here can carry are passed over: the messages are worth more. */
static enum err name_keywords(struct maildir_box *b, struct keywords *k, struct errtext *t)
{
	for (unsigned i = 0; i < k->names; i++) {
		unsigned bit;
		enum err e = used(k, i) ? maildir_keyword_add(&b->head, k->name[i], &bit, t) : ERR_CANNOT;

		if (!e)
			k->bit[i] = UINT64_C(1) << bit;
		else if (e != ERR_CANNOT && e != ERR_LIMIT)
			return e;
	}
	return ERR_OK;
}

struct applying {
	struct maildir_box *b;
	const struct keywords *k;
	bool moved;
};

static uint64_t bits_of(const struct keywords *k, struct span base)
{
	size_t i = keytab_find(&k->tab, base);
	uint64_t bits = 0;

	for (unsigned n = 0; i != SIZE_MAX && n < k->names; n++)
		if (k->at[i].names >> n & 1)
			bits |= k->bit[n];
	return bits;
}

/* The letters go into the name. That it may be met again under its new one does no harm. */
static enum err apply(void *arg, char dir, struct span base, struct span rest)
{
	struct applying *a = arg;
	struct maildir_box *b = a->b;
	uint64_t bits = bits_of(a->k, base);
	struct mail_flags flags = maildir_name_flags(rest);
	char old[MAILDIR_NAME_MAX + 1], name[MAILDIR_NAME_MAX + 1];

	if (bits & ~MAILDIR_LETTER_MASK)
		extra_set_keywords_of(b->extra, base, bits & ~MAILDIR_LETTER_MASK);
	if (!(bits & MAILDIR_LETTER_MASK & ~flags.keywords))
		return ERR_OK;
	flags.keywords |= bits;
	snprintf(old, sizeof(old), "%.*s%.*s", (int)base.n, base.p, (int)rest.n, rest.n ? rest.p : "");
	if (!maildir_name_build(name, base, rest, flags))
		return ERR_OK;
	if (file_rename_new(maildir_dir_fd(b, dir), old, b->cur_fd, name) == 0) {
		b->made += 2;
		a->moved = true;
	} else if (errno != ENOENT && errno != EEXIST) {
		return err_from_errno(errno);
	}
	return ERR_OK;
}

static enum err apply_keywords(struct maildir_box *b, const struct keywords *k, struct errtext *t)
{
	struct applying a = { b, k, false };
	bool sync = b->m->sync != STORE_SYNC_NEVER;
	enum err e = maildir_extra(b, t);

	if (!e)
		e = maildir_readdir(b, 'n', apply, &a);
	if (!e)
		e = maildir_readdir(b, 'c', apply, &a);
	if (!e)
		e = extra_write(b->extra, b->control_fd, b->m->file_mode, sync, t);
	if (!e && a.moved && sync)
		e = file_sync_dir(b->cur_fd);
	return e;
}

enum err maildir_courier_keywords(struct maildir_box *b, struct errtext *t)
{
	struct keywords k = { .names = 0 };
	int fd;
	enum err e;

	if (served(b))
		return ERR_OK;
	fd = file_open_dir(b->dir_fd, KEYWORDS);
	/* What may be there tomorrow is not passed over: this is asked once. */
	if (fd < 0 && file_unknown(errno))
		return err_sys(t, "%s/" KEYWORDS, b->name);
	if (fd < 0)
		return ERR_OK;
	e = read_keywords(&k, fd);
	if (!e && k.tab.n)
		e = maildir_control_make(b, t);
	if (!e && k.tab.n)
		e = name_keywords(b, &k, t);
	if (!e && k.tab.n)
		e = apply_keywords(b, &k, t);
	keywords_free(&k);
	return e ? err_say(t, e, "%s/" KEYWORDS " cannot be taken over: %s", b->name, err_name(e)) : ERR_OK;
}

unsigned maildir_courier_names(struct span list, struct span message)
{
	struct keywords k = { .names = 0 };
	unsigned n;

	take_list(&k, list);
	tag(&k, SPAN("1.message"), names_of(&k, message), 1);
	n = k.names;
	keywords_free(&k);
	return n;
}

/* --- subscriptions --- */

/* "INBOX.A.B" is our "A.B", into out (cleared first), as our file holds it. False: another namespace's, or no name for us. */
static bool subscription_name(struct span line, const struct subs_file *f, struct buf *out)
{
	struct buf name;
	bool ok;

	buf_clear(out);
	if (!span_ieq(line, SPAN("INBOX"))) {
		if (!span_istarts(line, SPAN("INBOX.")))
			return false;
		line = span_from(line, 6);
	}
	/* Courier 5 writes UTF-8, older ones modified UTF-7. */
	buf_init(&name, MAILDIR_NAME_MAX);
	if (!mutf7_to_utf8(line, &name) && mutf7_from_utf8(line, &name))
		buf_add_span(out, f->utf8 ? line : buf_span(&name));
	else
		buf_add_span(out, f->utf8 ? buf_span(&name) : line);
	buf_clear(&name);
	if (!f->utf8 || !mutf7_from_utf8(buf_span(out), &name))
		buf_add_span(&name, buf_span(out));
	ok = span_ieq(line, SPAN("INBOX")) || (!name.failed && store_name_valid(&store_maildir, buf_cstr(&name)));
	buf_free(&name);
	return ok && !out->failed;
}

enum err maildir_courier_subscriptions(struct maildir *m, const struct subs_file *f, struct errtext *t)
{
	struct buf text, out, name;
	struct span rest, line;
	struct stat st;
	enum err e;

	if (m->readonly || m->fs || f->dir_fd < 0 || fstatat(f->dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    fstatat(m->inbox_fd, "courierimapsubscribed", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ERR_OK;
	buf_init(&text, SUBSCRIBED_TEXT);
	buf_init(&out, 2 * SUBSCRIBED_TEXT);
	buf_init(&name, MAILDIR_NAME_MAX);
	e = load(m->inbox_fd, "courierimapsubscribed", &text);
	subs_put(&out, f->separator, NULL);
	for (rest = buf_span(&text); !e && span_split(&rest, '\n', &line);)
		if (subscription_name(line, f, &name))
			subs_put(&out, f->separator, buf_cstr(&name));
	if (!e)
		e = out.failed ? ERR_LIMIT : subs_make(f, buf_span(&out), t);
	buf_free(&text);
	buf_free(&out);
	buf_free(&name);
	return e;
}
