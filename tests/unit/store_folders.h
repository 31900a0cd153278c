/* What tests of folders ask of a Maildir (store_room.h), of either layout. */
#ifndef TESTS_UNIT_STORE_FOLDERS_H
#define TESTS_UNIT_STORE_FOLDERS_H

#include "store_room.h"

/* Without a mailbox open. */
static inline void reopen(struct room *r, const struct store_ops *ops, struct store_config c)
{
	if (r->box)
		r->store->ops->box_close(r->box);
	r->box = NULL;
	if (r->store)
		r->store->ops->close(r->store);
	assert_int_equal(ops->open(&c, &r->store, &r->text), ERR_OK);
}

/* 1 a mailbox, 0 a level only, -1 not listed. */
static inline int selectable(struct room *r, const char *name)
{
	struct store_folder *f;
	size_t n;
	int found = -1;

	assert_int_equal(r->store->ops->list(r->store, r->arena, &f, &n, &r->text), ERR_OK);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(f[i].name, name) != 0)
			continue;
		assert_int_equal(found, -1); /* no duplicates */
		found = f[i].selectable;
	}
	return found;
}

static inline void create(struct room *r, const char *name, enum err want)
{
	assert_int_equal(r->store->ops->create(r->store, name, NULL, &r->text), want);
}

static inline void removes(struct room *r, const char *name, enum err want)
{
	assert_int_equal(r->store->ops->remove(r->store, name, &r->text), want);
}

static inline void renames(struct room *r, const char *from, const char *to, enum err want)
{
	assert_int_equal(r->store->ops->rename(r->store, from, to, &r->text), want);
}

#endif
