/* A Maildir in a temporary directory, for the unit tests of the store. */
#ifndef TESTS_UNIT_STORE_ROOM_H
#define TESTS_UNIT_STORE_ROOM_H

#include "src/store/maildir.h"

#include "base/mem.h"
#include "store/store.h"

#include "tests/unit/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <ftw.h>
#include <sys/time.h>
#include <errno.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct room {
	char dir[64], root[96];
	struct store *store;
	struct store_box *box; /* INBOX */
	struct arena *arena;
	struct errtext text;
};

static inline int room_remove_one(const char *path, const struct stat *st, int flag,
				  struct FTW *ftw)
{
	return remove(path);
}

static inline struct store_config room_config(const struct room *r)
{
	return (struct store_config){ .root = r->root,
				      .hostname = "host.example",
				      .sync = STORE_SYNC_NEVER };
}

static inline void room_reopen(struct room *r)
{
	struct store_config c = room_config(r);

	if (r->box)
		r->store->ops->box_close(r->box);
	if (r->store)
		r->store->ops->close(r->store);
	r->box = NULL;
	assert_int_equal(store_maildir.open(&c, &r->store, &r->text), ERR_OK);
	assert_int_equal(r->store->ops->box_open(r->store, "INBOX", &r->box, &r->text), ERR_OK);
}

static inline int room_begin(void **state)
{
	struct room *r = mem_alloc(sizeof(*r));
	struct store_config c;

	snprintf(r->dir, sizeof(r->dir), "/tmp/roost-store.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->root, sizeof(r->root), "%s/Maildir", r->dir);
	r->arena = arena_new(256 << 20);
	c = room_config(r);
	assert_int_equal(store_maildir.open(&c, &r->store, &r->text), ERR_OK);
	assert_int_equal(r->store->ops->create(r->store, "INBOX", NULL, &r->text), ERR_OK);
	assert_int_equal(r->store->ops->box_open(r->store, "INBOX", &r->box, &r->text), ERR_OK);
	*state = r;
	return 0;
}

static inline int room_end(void **state)
{
	struct room *r = *state;

	if (r->box)
		r->store->ops->box_close(r->box);
	r->store->ops->close(r->store);
	arena_free(&r->arena);
	nftw(r->dir, room_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(r);
	return 0;
}

static inline char *room_path(struct room *r, const char *path)
{
	return arena_printf(r->arena, "%s/%s", r->root, path);
}

static inline void room_write(struct room *r, const char *path, const char *text)
{
	int fd = open(room_path(r, path), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static inline const char *room_read(struct room *r, const char *path)
{
	char *text = arena_alloc(r->arena, 1 << 20);
	int fd = open(room_path(r, path), O_RDONLY);

	if (fd < 0)
		return NULL;
	ssize_t n = read(fd, text, (1 << 20) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static inline bool room_has(struct room *r, const char *path)
{
	return access(room_path(r, path), F_OK) == 0;
}

static inline void room_move(struct room *r, const char *from, const char *to)
{
	assert_int_equal(rename(room_path(r, from), room_path(r, to)), 0);
}

/* Directories that last changed an hour ago, so that a scan is settled. */
static inline void room_age(struct room *r)
{
	struct timeval past[2] = { { time(NULL) - 3600, 7 }, { time(NULL) - 3600, 7 } };

	assert_int_equal(utimes(room_path(r, "cur"), past), 0);
	assert_int_equal(utimes(room_path(r, "new"), past), 0);
}

static inline int room_count(struct room *r, const char *path)
{
	DIR *d = opendir(room_path(r, path));
	struct dirent *de;
	int n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += de->d_name[0] != '.';
	closedir(d);
	return n;
}

static inline struct store_scan room_scan(struct room *r)
{
	struct store_scan s;

	assert_int_equal(r->box->ops->scan(r->box, r->arena, &s, &r->text), ERR_OK);
	return s;
}

static inline struct store_identity room_identity(struct room *r)
{
	struct store_identity id;

	assert_int_equal(r->box->ops->identity(r->box, &id, &r->text), ERR_OK);
	return id;
}

/* Stages and commits one message; the commit's answer. */
static inline struct store_commit room_add(struct room *r, const char *text,
					   struct mail_flags flags)
{
	struct store_stage st;
	struct store_commit c = {
		.stage = &st, .flags = flags, .vsize = STORE_SIZE_UNKNOWN, .recent = true
	};

	assert_int_equal(r->box->ops->stage(r->box, 0, &st, &r->text), ERR_OK);
	assert_int_equal(write(st.fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(r->box->ops->commit_many(r->box, &c, 1, r->arena, &r->text), ERR_OK);
	return c;
}

static inline uint32_t room_number(struct room *r, struct span key)
{
	uint32_t uid, next;

	assert_int_equal(r->box->ops->number(r->box, &key, 1, true, &uid, &next, r->arena, &r->text), ERR_OK);
	return uid;
}

static inline void room_number_all(struct room *r)
{
	struct store_scan s = room_scan(r);

	for (size_t i = 0; i < s.n; i++)
		if (s.msg[i].uid == 0)
			room_number(r, s.msg[i].key);
}

#define ROOM_TEST(f) cmocka_unit_test_setup_teardown(f, room_begin, room_end)

#endif
