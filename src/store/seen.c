/*
 * roost-seen.GUID (32 hex digits): one line, written anew each time.
 *
 *	file     = "2 " uidvalidity SP floor SP log SP set SP checksum LF
 *	floor    = modseq                          no modseq of this user's at or below it may be given again; 0: none noted
 *	log      = number ":" offset               so far Dovecot's log has been followed; 0:0: not at all
 *	set      = "-" | range *("," range)        the UIDs that were seen, ascending
 *	range    = uid | uid ":" uid
 *	checksum = XXH32 of what is before the SP, seed 0, 8 lower-case hex digits
 *
 * Version 1 has neither floor nor log. Writers hold flock on the directory; the new file is roost-seen.tmp, synced, renamed
 * over the old one.
 */
#include "seen.h"
#include "file.h"

#include "base/guid.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

enum { SEEN_MAX = 32 << 20, SEEN_SUM = 10, SEEN_NAME = 48 };

static void facts_clear(struct seen_facts *f)
{
	struct set uids = f->d.uids;

	set_clear(&uids);
	*f = (struct seen_facts){ .d = { .uids = uids } };
}

static void seen_forget(struct seen *s)
{
	facts_clear(&s->f);
	s->known = s->followed = s->unsaved = false;
}

void seen_free(struct seen *s)
{
	set_free(&s->f.d.uids);
	*s = (struct seen){ .known = false };
}

bool seen_encode(const struct seen_facts *f, struct buf *out)
{
	const struct set *uids = &f->d.uids;
	size_t from = out->n;

	buf_printf(out, "2 %u %" PRIu64 " %u:%" PRIu64 " %s", f->d.uidvalidity, f->floor, f->d.log_seq, f->d.log_end,
		   uids->n ? "" : "-");
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

static bool decode_later(struct span *body, struct seen_facts *f_r)
{
	struct span floor, log, seq;

	return span_split(body, ' ', &floor) && span_u64(floor, &f_r->floor) && span_split(body, ' ', &log) &&
	       span_split(&log, ':', &seq) && span_u32(seq, &f_r->d.log_seq) && span_u64(log, &f_r->d.log_end);
}

bool seen_decode(struct span file, struct seen_facts *f_r)
{
	struct span body, version, validity;
	uint64_t sum;

	facts_clear(f_r);
	if (file.n < SEEN_SUM || file.p[file.n - 1] != '\n')
		return false;
	body = span_cut(file, 0, file.n - SEEN_SUM);
	if (file.p[body.n] != ' ' || !span_hex64(span_cut(file, body.n + 1, 8), &sum) || sum != XXH32(body.p, body.n, 0))
		return false;
	return span_split(&body, ' ', &version) && span_split(&body, ' ', &validity) &&
	       span_u32(validity, &f_r->d.uidvalidity) &&
	       (span_eq_str(version, "1") || (span_eq_str(version, "2") && decode_later(&body, f_r))) &&
	       decode_set(body, &f_r->d.uids);
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
	if (!e && (!seen_decode(buf_span(&text), &s->f) || s->f.d.uidvalidity != of->uidvalidity))
		facts_clear(&s->f);
	buf_free(&text);
	return e;
}

static enum err read_ours(struct seen *s, int dir_fd, const struct seen_of *of)
{
	char name[SEEN_NAME];
	struct stat st;
	int fd;
	enum err e;

	seen_name(of, name);
	if (s->known && s->f.d.uidvalidity == of->uidvalidity && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    same_file(&st, &s->was))
		return ERR_OK;
	seen_forget(s);
	e = file_open_read(dir_fd, name, &fd, &s->was);
	if (!e) {
		e = seen_load(s, fd, of);
		close(fd);
		s->known = !e;
	}
	s->f.d.uidvalidity = of->uidvalidity;
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

/* --- Dovecot's --- */

static enum err follow_from(struct seen *s, int fd, const struct seen_of *of)
{
	struct dovecot_seen d = s->f.d;
	enum err e;

	d.uids = (struct set)SET_EMPTY;
	set_copy(&d.uids, &s->f.d.uids);
	e = dovecot_seen_follow(&d, fd, of->index);
	if (!e && d.uidvalidity == of->uidvalidity && (d.log_seq != s->f.d.log_seq || d.log_end != s->f.d.log_end)) {
		set_free(&s->f.d.uids);
		s->f.d = d;
		s->unsaved = s->news = true;
	} else {
		set_free(&d.uids);
	}
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

/* Whatever cannot be read of it says nothing: it is a help. */
static void follow_theirs(struct seen *s, int dir_fd, const struct seen_of *of)
{
	char log[SEEN_NAME];
	struct stat st;
	int fd = of->path ? file_open_dir(dir_fd, of->path) : -1;

	if (fd < 0)
		return;
	snprintf(log, sizeof(log), "%s.log", of->index);
	if (fstatat(fd, log, &st, AT_SYMLINK_NOFOLLOW) == 0 && !(s->followed && same_file(&st, &s->theirs))) {
		s->followed = !follow_from(s, fd, of);
		s->theirs = st;
	}
	close(fd);
}

enum err seen_read(struct seen *s, int dir_fd, const struct seen_of *of, struct errtext *t)
{
	char name[SEEN_NAME];
	enum err e;

	if (dir_fd < 0) {
		seen_forget(s);
		s->f.d.uidvalidity = of->uidvalidity;
		return ERR_OK;
	}
	e = read_ours(s, dir_fd, of);
	if (!e) {
		follow_theirs(s, dir_fd, of);
		return ERR_OK;
	}
	seen_name(of, name);
	return err_say(t, e, "%s: %s", name, err_name(e));
}

/* --- changing --- */

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
	if (seen_encode(&s->f, &text))
		e = file_replace(dir_fd, "roost-seen.tmp", name, buf_span(&text), 0600, sync);
	buf_free(&text);
	s->known = !e && fstatat(dir_fd, name, &s->was, AT_SYMLINK_NOFOLLOW) == 0;
	s->unsaved = e;
	return e;
}

static bool apply(struct seen *s, const struct seen_change *c)
{
	bool news = s->unsaved || c->floor > s->f.floor || (c->on && !holds_all(&s->f.d.uids, c->on)) ||
		    (c->off && holds_any(&s->f.d.uids, c->off));

	if (c->on)
		set_add_set(&s->f.d.uids, c->on);
	if (c->off)
		set_remove_set(&s->f.d.uids, c->off);
	if (c->floor > s->f.floor)
		s->f.floor = c->floor;
	return news;
}

static enum err change_locked(struct seen *s, int dir_fd, const struct seen_of *of, const struct seen_change *c,
			      struct errtext *t)
{
	enum err e = seen_read(s, dir_fd, of, t);

	if (e || !apply(s, c))
		return e;
	e = seen_save(s, dir_fd, of, c->sync);
	return e ? err_say(t, e, "what was seen cannot be written: %s", err_name(e)) : ERR_OK;
}

enum err seen_change(struct seen *s, int dir_fd, const struct seen_of *of, const struct seen_change *c, struct errtext *t)
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
	e = change_locked(s, dir_fd, of, c, t);
	if (e)
		seen_forget(s);
	close(lock);
	return e;
}
