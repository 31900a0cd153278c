/* The list of a Maildir's folders while it is made. */
#include "maildir_folders.h"

#include "special_use.h"

#include "base/mem.h"

#include <fcntl.h>

void listing_init(struct listing *l)
{
	*l = (struct listing){ .cap = 0 };
	buf_init(&l->use, SPECIAL_USE_MAX);
	buf_init(&l->name, MAILDIR_PATH_MAX);
}

void listing_add(struct listing *l, struct span name, struct listed f)
{
	size_t k = keytab_find(&l->tab, name);
	bool fresh = false;

	if (k == SIZE_MAX)
		k = keytab_add(&l->tab, pool_copy(&l->pool, name), &fresh);
	if (k >= l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->folder = mem_grow(l->folder, l->cap, sizeof(*l->folder));
	}
	if (!fresh && !f.selectable)
		return;
	l->folder[k] = f;
	if (f.use.n)
		l->folder[k].use = pool_copy(&l->pool, f.use);
}

/* A folder is known by its cur/, when that was made and where: it stays what it is when the folder gets another name. */
bool listing_cur(int root, const char *dirname, struct listed *f_r)
{
	char path[MAILDIR_PATH_MAX + 8];
	struct statx st;

	snprintf(path, sizeof(path), "%s/cur", dirname);
	if (statx(root, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_INO | STATX_MTIME | STATX_BTIME, &st) < 0 ||
	    !S_ISDIR(st.stx_mode))
		return false;
	*f_r = (struct listed){ .selectable = true, .seen = maildir_seen(st.stx_mtime.tv_sec, st.stx_mtime.tv_nsec) };
	if (st.stx_mask & STATX_BTIME)
		f_r->id = st.stx_ino ^ (uint64_t)st.stx_btime.tv_sec << 32 ^ (uint64_t)st.stx_btime.tv_nsec << 2;
	return true;
}

/*
 * They are written before cur/ is made, and never again: what was found to have none has none as long as its cur/ is the
 * same.
 */
struct span listing_use(struct maildir *m, struct listing *l, int root, const char *dirname, uint64_t id)
{
	struct span key = span_of(&id, sizeof(id));
	uint32_t ignored;

	buf_clear(&l->use);
	if (id && keymap_get(&m->plain, key, &ignored))
		return buf_span(&l->use);
	special_use_read(root, dirname, &l->use);
	if (m->plain.n > LIST_FOLDERS_MAX)
		keymap_free(&m->plain);
	if (id && !l->use.n)
		keymap_set(&m->plain, key, 0);
	return buf_span(&l->use);
}

enum err listing_give(const struct listing *l, struct arena *a, struct store_folder **f_r,
			     size_t *n_r)
{
	struct store_folder *f = arena_array(a, l->tab.n ? l->tab.n : 1, sizeof(*f));

	for (size_t i = 0; f && i < l->tab.n; i++) {
		f[i].name = arena_span(a, l->tab.key[i]);
		f[i].selectable = l->folder[i].selectable;
		f[i].id = l->folder[i].id;
		f[i].seen = l->folder[i].seen;
		if (l->folder[i].use.n)
			f[i].special_use = arena_span(a, l->folder[i].use);
		if (!f[i].name || (l->folder[i].use.n && !f[i].special_use))
			f = NULL;
	}
	if (!f)
		return ERR_LIMIT;
	*f_r = f;
	*n_r = l->tab.n;
	return ERR_OK;
}

void listing_free(struct listing *l)
{
	keytab_free(&l->tab);
	free(l->folder);
	buf_free(&l->use);
	buf_free(&l->name);
	pool_free(&l->pool);
}
