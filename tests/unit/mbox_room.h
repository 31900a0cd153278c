/* An mbox as INBOX in a temporary directory, for the unit tests of the store. */
#ifndef TESTS_UNIT_MBOX_ROOM_H
#define TESTS_UNIT_MBOX_ROOM_H

#include "store_room.h"

#include "base/must.h"

struct mroom {
	char dir[64], root[96], inbox[96];
	struct store *store;
	struct store_box *box;
	struct arena *arena;
	struct errtext text;
};

static inline void box_open(struct mroom *r)
{
	struct store_config c = { .root = r->root, .inbox = r->inbox, .hostname = "h", .mbox = { .dirty_syncs = true } };

	assert_int_equal(store_mbox.open(&c, &r->store, &r->text), ERR_OK);
	assert_int_equal(store_mbox.box_open(r->store, "INBOX", &r->box, &r->text), ERR_OK);
}

static inline void box_close(struct mroom *r)
{
	store_mbox.box_close(r->box);
	store_mbox.close(r->store);
}

static inline int begin(void **state)
{
	struct mroom *r = mem_alloc(sizeof(*r));

	snprintf(r->dir, sizeof(r->dir), "/tmp/roost-mbox.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->root, sizeof(r->root), "%s/mail", r->dir);
	snprintf(r->inbox, sizeof(r->inbox), "%s/inbox", r->dir);
	r->arena = arena_new(64 << 20);
	box_open(r);
	*state = r;
	return 0;
}

static inline int end(void **state)
{
	struct mroom *r = *state;

	box_close(r);
	arena_free(&r->arena);
	nftw(r->dir, room_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(r);
	return 0;
}

static inline void write_file(struct mroom *r, int flags, const char *text)
{
	int fd = open(r->inbox, O_WRONLY | O_CREAT | flags, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static inline const char *read_file(struct mroom *r)
{
	char *text = arena_alloc(r->arena, 1 << 16);
	int fd = open(r->inbox, O_RDONLY);

	assert_true(fd >= 0 && read(fd, text, (1 << 16) - 1) >= 0);
	close(fd);
	return text;
}

static inline struct store_scan scan(struct mroom *r)
{
	struct store_identity id;
	struct store_scan s;

	assert_int_equal(store_mbox.identity(r->box, &id, &r->text), ERR_OK);
	assert_int_equal(store_mbox.scan(r->box, r->arena, &s, &r->text), ERR_OK);
	return s;
}

static inline const char *message(struct mroom *r, const struct store_msg *m)
{
	struct store_object o;
	char *text;

	assert_int_equal(store_mbox.locate(r->box, m->key, m->hint, &o, NULL, NULL, &r->text), ERR_OK);
	assert_int_equal(o.length, m->size);
	text = arena_alloc(r->arena, o.length + 1);
	assert_int_equal(pread(o.fd, text, o.length, 0), (ssize_t)o.length);
	close(o.fd);
	return text;
}

#define FROM "From joe@example.org Fri Jan  5 12:12:12 1996\n"
#define FROM2 "From eve Sat Jan  6 12:12:12 1996\n"

static inline void set_flags(struct mroom *r, const struct store_msg *m, uint8_t flags, struct span *hint_r)
{
	assert_int_equal(store_mbox.set_flags(r->box, m->key, m->hint, (struct mail_flags){ flags, 0 }, r->arena, hint_r,
					      &r->text),
			 ERR_OK);
	assert_int_equal(store_mbox.flags_done(r->box, &r->text), ERR_OK);
}

static inline void claim(struct mroom *r, const struct store_msg *m, struct span *hint_r)
{
	assert_int_equal(store_mbox.claim(r->box, m->key, m->hint, r->arena, hint_r, &r->text), ERR_OK);
	assert_int_equal(store_mbox.flags_done(r->box, &r->text), ERR_OK);
}

#define MROOM_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

#endif
