/*
 * roost-seen.GUID (32 hex digits): one line, written anew each time.
 *
 *	file     = "1 " uidvalidity SP set SP checksum LF
 *	set      = "-" | range *("," range)        the UIDs that were seen, ascending
 *	range    = uid | uid ":" uid
 *	checksum = XXH32 of what is before the SP, seed 0, 8 lower-case hex digits
 *
 * Writers hold flock on the directory; the new file is roost-seen.tmp, synced, renamed over the old one.
 */
#include "seen.h"
#include "file.h"

#include "base/guid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

enum { SEEN_MAX = 32 << 20, SEEN_SUM = 10, SEEN_NAME = 48 };

static void seen_forget(struct seen *s)
{
	set_clear(&s->uids);
	s->uidvalidity = 0;
	s->known = false;
}

void seen_free(struct seen *s)
{
	set_free(&s->uids);
	*s = (struct seen){ .known = false };
}

bool seen_encode(uint32_t uidvalidity, const struct set *uids, struct buf *out)
{
	size_t from = out->n;

	buf_printf(out, "1 %u %s", uidvalidity, uids->n ? "" : "-");
	for (size_t i = 0; i < uids->n; i++) {
		buf_printf(out, "%s%u", i ? "," : "", uids->r[i].first);
		if (uids->r[i].last > uids->r[i].first)
			buf_printf(out, ":%u", uids->r[i].last);
	}
	if (!out->failed)
		buf_printf(out, " %08x\n", XXH32(out->p + from, out->n - from, 0));
	return !out->failed;
}

static bool decode_set(struct span text, struct set *uids_r)
{
	struct span range, word;
	uint32_t first, last;

	set_clear(uids_r);
	if (span_eq_str(text, "-"))
		return true;
	while (span_split(&text, ',', &range)) {
		if (!span_split(&range, ':', &word) || !span_u32(word, &first) || !first)
			return false;
		last = first;
		if (range.n && (!span_u32(range, &last) || last < first))
			return false;
		set_add_range(uids_r, first, last);
	}
	return true;
}

bool seen_decode(struct span file, uint32_t *uidvalidity_r, struct set *uids_r)
{
	struct span body, version, validity;
	uint64_t sum;

	if (file.n < SEEN_SUM || file.p[file.n - 1] != '\n')
		return false;
	body = span_cut(file, 0, file.n - SEEN_SUM);
	if (file.p[body.n] != ' ' || !span_hex64(span_cut(file, body.n + 1, 8), &sum) || sum != XXH32(body.p, body.n, 0))
		return false;
	return span_split(&body, ' ', &version) && span_eq_str(version, "1") && span_split(&body, ' ', &validity) &&
	       span_u32(validity, uidvalidity_r) && decode_set(body, uids_r);
}

static void seen_name(const struct seen_of *of, char name[SEEN_NAME])
{
	char guid[GUID_TEXT + 1];

	guid_text(of->guid, guid);
	snprintf(name, SEEN_NAME, "roost-seen.%s", guid);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static enum err seen_load(struct seen *s, int fd, const struct seen_of *of)
{
	struct buf text;
	enum err e;

	buf_init(&text, SEEN_MAX);
	e = file_load(fd, 0, &text);
	if (!e && (!seen_decode(buf_span(&text), &s->uidvalidity, &s->uids) || s->uidvalidity != of->uidvalidity))
		set_clear(&s->uids);
	s->uidvalidity = of->uidvalidity;
	buf_free(&text);
	return e;
}

enum err seen_read(struct seen *s, int dir_fd, const struct seen_of *of, struct errtext *t)
{
	char name[SEEN_NAME];
	struct stat st;
	int fd;
	enum err e = ERR_NOTFOUND;

	seen_name(of, name);
	if (dir_fd >= 0 && s->known && s->uidvalidity == of->uidvalidity &&
	    fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && same_file(&st, &s->was))
		return ERR_OK;
	seen_forget(s);
	if (dir_fd >= 0)
		e = file_open_read(dir_fd, name, &fd, &s->was);
	if (e)
		return e == ERR_NOTFOUND ? ERR_OK : err_say(t, e, "%s: %s", name, err_name(e));
	e = seen_load(s, fd, of);
	close(fd);
	s->known = !e;
	return e ? err_say(t, e, "%s: %s", name, err_name(e)) : ERR_OK;
}

static bool holds_all(const struct set *s, const struct set *part)
{
	struct set rest = SET_EMPTY;
	bool all;

	set_copy(&rest, part);
	set_remove_set(&rest, s);
	all = rest.n == 0;
	set_free(&rest);
	return all;
}

static bool holds_any(const struct set *s, const struct set *part)
{
	struct set both = SET_EMPTY;
	bool any;

	set_copy(&both, part);
	set_intersect(&both, s);
	any = both.n > 0;
	set_free(&both);
	return any;
}

static enum err seen_save(struct seen *s, int dir_fd, const struct seen_of *of, bool sync)
{
	char name[SEEN_NAME];
	struct buf text;
	enum err e = ERR_LIMIT;

	seen_name(of, name);
	buf_init(&text, SEEN_MAX);
	if (seen_encode(of->uidvalidity, &s->uids, &text))
		e = file_replace(dir_fd, "roost-seen.tmp", name, buf_span(&text), 0600, sync);
	buf_free(&text);
	s->known = !e && fstatat(dir_fd, name, &s->was, AT_SYMLINK_NOFOLLOW) == 0;
	s->uidvalidity = of->uidvalidity;
	return e;
}

static enum err change_locked(struct seen *s, int dir_fd, const struct seen_of *of, const struct set *on,
			      const struct set *off, bool sync, struct errtext *t)
{
	enum err e = seen_read(s, dir_fd, of, t);

	if (e || (holds_all(&s->uids, on) && !holds_any(&s->uids, off)))
		return e;
	set_add_set(&s->uids, on);
	set_remove_set(&s->uids, off);
	e = seen_save(s, dir_fd, of, sync);
	return e ? err_say(t, e, "what was seen cannot be written: %s", err_name(e)) : ERR_OK;
}

enum err seen_change(struct seen *s, int dir_fd, const struct seen_of *of, const struct set *on, const struct set *off,
		     bool sync, struct errtext *t)
{
	/* A description of its own: the lock is between processes, and within one. */
	int lock = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e;

	if (lock < 0)
		return err_sys(t, "the directory of what was seen");
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		close(lock);
		return ERR_INUSE;
	}
	e = change_locked(s, dir_fd, of, on, off, sync, t);
	if (e)
		seen_forget(s);
	close(lock);
	return e;
}
