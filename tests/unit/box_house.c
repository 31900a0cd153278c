#include "tests/unit/box_house.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	return remove(path);
}

void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void check(enum err e, const struct errtext *t, const char *what)
{
	if (e)
		fail_msg("%s: %s: %.200s", what, err_name(e), t->text);
}

void house_open(struct house *h)
{
	struct errtext t = { "" };

	check(acct_open(&h->config, &h->a, &t), &t, "acct_open");
}

void house_close(struct house *h)
{
	acct_close(&h->a);
}

void house_prepare(struct house *h, const struct store_ops *ops)
{
	const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	memset(h, 0, sizeof(*h));
	snprintf(h->dir, sizeof(h->dir), "%s/roost-box-XXXXXX", tmp);
	assert_non_null(mkdtemp(h->dir));
	snprintf(h->mail, sizeof(h->mail), "%s/mail", h->dir);
	snprintf(h->index, sizeof(h->index), "%s/index", h->dir);
	snprintf(h->inbox, sizeof(h->inbox), "%s/inbox", h->dir);
	h->ns = (struct acct_ns){ .prefix = "", .separator = '/', .inbox = true, .subscriptions = true,
				  .list = ACCT_LIST_YES, .ops = ops };
	h->ns.store = (struct store_config){ .root = h->mail, .hostname = "test", .sync = STORE_SYNC_NEVER,
					  .inbox = ops == &store_mbox ? h->inbox : NULL,
					  .mbox = { .dirty_syncs = true } };
	h->config = (struct acct_config){ .user = "u", .ns = &h->ns, .namespaces = 1, .index_dir = h->index,
					  .max_keyword_length = 50 };
	h->ar = arena_new(64 << 20);
}

void house_begin(struct house *h, const struct store_ops *ops)
{
	house_prepare(h, ops);
	house_open(h);
}

void house_end(struct house *h)
{
	acct_close(&h->a);
	arena_free(&h->ar);
	remove_tree(h->dir);
}

int house_memory(void **state)
{
	house_begin(*state, &store_memory);
	return 0;
}

int house_maildir(void **state)
{
	house_begin(*state, &store_maildir);
	return 0;
}

int house_leave(void **state)
{
	house_end(*state);
	return 0;
}

void house_again(struct house *h, bool without_index)
{
	house_close(h);
	if (without_index)
		remove_tree(h->index);
	house_open(h);
}

void house_work(struct house *h)
{
	for (int i = 0; i < 1000 && acct_work(h->a) != STEP_DONE; i++)
		;
}

static void set_times(struct house *h, int64_t to)
{
	struct timespec both[2] = { { to, 0 }, { to, 0 } };
	char path[200];

	snprintf(path, sizeof(path), "%s/new", h->mail);
	assert_int_equal(utimensat(AT_FDCWD, path, both, 0), 0);
	snprintf(path, sizeof(path), "%s/cur", h->mail);
	assert_int_equal(utimensat(AT_FDCWD, path, both, 0), 0);
}

void house_settle(struct house *h)
{
	static int64_t back = 100000; /* never the same time twice */

	set_times(h, clock_wall() - back--);
}

void house_stir(struct house *h)
{
	set_times(h, clock_wall() + 8);
}

/* --- adding ------------------------------------------------------------------------- */

static enum err finish(struct append *p, bool number, struct errtext *t)
{
	enum err e = ERR_OK;

	for (int i = 0; i < 1000; i++) {
		enum step step = append_finish(p, number, &e, t);

		if (step == STEP_DONE)
			return e;
		if (step == STEP_WAITING)
			usleep(1000);
	}
	return ERR_INUSE;
}

static enum err add(struct house *h, const char *name, const char *text, uint8_t flags, const char *keyword,
		    bool delivery, uint32_t *uid_r, struct errtext *t)
{
	struct append *p = NULL;
	enum err e = append_begin(h->a, name, &p, t);

	if (!e)
		e = append_start(p, strlen(text), flags, &keyword, keyword ? 1 : 0, 0, t);
	if (!e && delivery)
		append_recent(p);
	if (!e)
		e = append_write(p, span_str(text), t);
	if (!e)
		e = append_end(p, t);
	if (!e)
		e = finish(p, !delivery, t);
	if (!e)
		*uid_r = set_min(append_uids(p));
	append_free(&p);
	return e;
}

enum err try_append(struct house *h, const char *name, const char *text, uint32_t *uid_r)
{
	struct errtext t;

	return add(h, name, text, 0, NULL, false, uid_r, &t);
}

uint32_t house_append(struct house *h, const char *name, const char *text, uint8_t flags, const char *keyword)
{
	struct errtext t = { "" };
	uint32_t uid = 0;

	check(add(h, name, text, flags, keyword, false, &uid, &t), &t, "append");
	assert_int_not_equal(uid, 0);
	return uid;
}

enum err try_deliver(struct house *h, const char *name, const char *text)
{
	struct errtext t;
	uint32_t uid;

	return add(h, name, text, 0, NULL, true, &uid, &t);
}

void house_deliver(struct house *h, const char *name, const char *text)
{
	assert_int_equal(try_deliver(h, name, text), ERR_OK);
}

/* --- views --------------------------------------------------------------------------- */

enum err try_refresh(struct view *v, bool force)
{
	struct errtext t;
	enum err e = ERR_OK;

	for (int i = 0; i < 10000; i++) {
		enum step step = view_refresh(v, force, &e, &t);

		if (step == STEP_DONE)
			return e;
		if (step == STEP_WAITING)
			usleep(1000);
	}
	return ERR_INUSE;
}

void view_look(struct view *v)
{
	assert_int_equal(try_refresh(v, true), ERR_OK);
}

enum err try_view(struct house *h, const char *name, bool readonly, struct view **v_r)
{
	struct view_changes c;
	struct errtext t;
	struct view *v;
	enum err e = view_open(h->a, name, readonly, &v, &t);

	if (e)
		return e;
	e = try_refresh(v, false);
	if (!e)
		e = view_update(v, true, h->ar, &c, &t);
	if (e) {
		view_close(&v);
		return e;
	}
	view_changes_free(&c);
	*v_r = v;
	return ERR_OK;
}

struct view *house_view(struct house *h, const char *name, bool readonly)
{
	struct view *v = NULL;

	assert_int_equal(try_view(h, name, readonly, &v), ERR_OK);
	return v;
}

struct view_changes view_news(struct house *h, struct view *v, bool expunge)
{
	struct view_changes c;
	struct errtext t = { "" };

	check(view_update(v, expunge, h->ar, &c, &t), &t, "view_update");
	return c;
}

void view_quiet(struct house *h, struct view *v)
{
	struct view_changes c = view_news(h, v, true);

	view_changes_free(&c);
}

static struct message_facts facts_of(struct view *v, uint32_t uid)
{
	struct set one = SET_EMPTY;
	struct view_walk *w;
	struct message_facts f;
	struct errtext t = { "" };

	set_add(&one, uid);
	check(view_walk_begin(v, &one, 0, &w, &t), &t, "view_walk_begin");
	check(view_walk_next(w, &f, &t), &t, "view_walk_next");
	view_walk_end(&w);
	set_free(&one);
	assert_int_equal(f.uid, uid);
	return f;
}

struct mail_flags flags_of(struct view *v, uint32_t uid)
{
	struct mail_flags f = facts_of(v, uid).flags;

	f.system &= MAIL_SYSTEM;
	return f;
}

bool is_recent(struct view *v, uint32_t uid)
{
	return facts_of(v, uid).flags.system & MAIL_RECENT;
}

bool has_keyword(struct view *v, uint32_t uid, const char *name)
{
	uint64_t bits = flags_of(v, uid).keywords;

	for (int i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if ((bits >> i & 1) && view_state(v)->keywords[i] && strcmp(view_state(v)->keywords[i], name) == 0)
			return true;
	return false;
}

static enum err store_one(struct view *v, uint32_t uid, enum view_store_mode mode, uint8_t flags, const char *keyword,
			  struct errtext *t)
{
	struct view_store s = { .mode = mode, .system = flags, .keywords = &keyword, .keywords_n = keyword ? 1 : 0,
				.silent = true, .unchangedsince = UINT64_MAX };
	struct set one = SET_EMPTY;
	enum err e;

	set_add(&one, uid);
	e = view_store(v, &one, &s, t);
	set_free(&one);
	set_free(&s.modified);
	return e;
}

enum err try_store(struct view *v, uint32_t uid, enum view_store_mode mode, uint8_t flags, const char *keyword)
{
	struct errtext t;

	return store_one(v, uid, mode, flags, keyword, &t);
}

void view_flag(struct view *v, uint32_t uid, enum view_store_mode mode, uint8_t flags, const char *keyword)
{
	struct errtext t = { "" };

	check(store_one(v, uid, mode, flags, keyword, &t), &t, "view_store");
}

enum err try_expunge(struct view *v)
{
	struct view_expunge job = { .uids = NULL };
	enum err e;

	while (view_expunge(v, &job) != STEP_DONE)
		;
	e = job.err;
	view_expunge_free(&job);
	return e;
}

enum err try_copy(struct view *v, uint32_t first, uint32_t last, const char *dest, bool move, struct view_copy *job_r)
{
	struct view_copy job = { .dest = dest, .move = move };
	struct set uids = SET_EMPTY;
	enum err e;

	set_add_range(&uids, first, last);
	job.uids = &uids;
	for (int i = 0; i < 10000; i++) {
		enum step step = view_copy(v, &job);

		if (step == STEP_DONE)
			break;
		if (step == STEP_WAITING)
			usleep(1000);
	}
	e = job.err;
	if (job_r)
		*job_r = job;
	else
		view_copy_free(&job);
	set_free(&uids);
	return e;
}

const char *text_of(struct view *v, uint32_t uid)
{
	static char text[100000];
	struct errtext t = { "" };
	struct message_bytes b;
	struct buf out;
	struct message *m = NULL;

	check(message_open(v, uid, &m, &t), &t, "message_open");
	check(message_section(m, NULL, NULL, 0, &b, &t), &t, "message_section");
	buf_init(&out, sizeof(text) - 1);
	check(message_read(&b, 0, sizeof(text) - 1, &out, &t), &t, "message_read");
	assert_int_equal(out.n, b.size);
	memcpy(text, buf_cstr(&out), out.n + 1);
	buf_free(&out);
	message_close(&m);
	return text;
}

/* --- files ------------------------------------------------------------------------------ */

const char *find_file(const char *dir, const char *part)
{
	static char found[300];
	DIR *d = opendir(dir);
	struct dirent *de;
	bool any = false;

	assert_non_null(d);
	while (!any && (de = readdir(d))) {
		if (de->d_name[0] == '.' || !strstr(de->d_name, part))
			continue;
		snprintf(found, sizeof(found), "%s", de->d_name);
		any = true;
	}
	closedir(d);
	return any ? found : NULL;
}

unsigned count_files(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	unsigned n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += de->d_name[0] != '.';
	closedir(d);
	return n;
}

void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}
