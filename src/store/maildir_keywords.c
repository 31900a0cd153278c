/*
 * dovecot-keywords: which keyword a letter in file names stands for.
 *
 *	line = number SP keyword LF        number 0..25: the letters a..z
 *
 * Other lines (old kinds) are skipped when read. Written anew under dovecot-uidlist.lock, as
 * dovecot-keywords.lock that is synced and renamed; its mtime must grow by whole seconds, because
 * that is how other readers see the change. A letter in use without a name, or with one that IMAP
 * cannot say or that another letter has, reads as "unknown-<number>". Keywords 26..63 live in roost-extra.
 */
#include "extra.h"
#include "file.h"
#include "maildir.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define KEYWORDS_NAME "dovecot-keywords"
enum {
	KEYWORDS_FILE_MAX = 64 * 1024,
	KEYWORD_NAME_MAX = 200,
	KEYWORDS_STALE = 10, /* seconds: we hold the list's lock, so its maker no longer does */
};

void maildir_keywords_parse(struct span text, struct span name[MAILDIR_LETTERS])
{
	struct span line, number;
	uint32_t n;

	while (span_split(&text, '\n', &line)) {
		if (!span_split(&line, ' ', &number) || !span_u32(number, &n) ||
		    n >= MAILDIR_LETTERS)
			continue;
		if (line.n == 0 || line.n > KEYWORD_NAME_MAX || memchr(line.p, '\0', line.n) ||
		    name[n].n > 0)
			continue;
		name[n] = line;
	}
}

static enum err keywords_load(struct maildir_box *b, struct buf *text, int64_t *mtime_r,
			      struct errtext *t)
{
	struct stat st;
	int fd;
	enum err e = b->control_fd < 0 ? ERR_NOTFOUND
				       : file_open_read(b->control_fd, KEYWORDS_NAME, &fd, &st);

	*mtime_r = 0;
	if (e == ERR_NOTFOUND)
		return ERR_OK;
	if (!e) {
		*mtime_r = st.st_mtime;
		e = file_load(fd, 0, text);
		close(fd);
	}
	return e ? err_say(t, e, "%s/" KEYWORDS_NAME ": %s", b->name, err_name(e)) : ERR_OK;
}

/* What clients are told that letter i is: its name, unless that cannot be said or is that of another letter, too. */
static const char *letter_name(const struct maildir_box *b, struct arena *a, int i,
			       const struct span letter[MAILDIR_LETTERS], bool *ok)
{
	bool good = mail_keyword_valid(letter[i]);
	const char *s = NULL;

	for (int k = 0; good && k < i; k++)
		good = !span_ieq(letter[k], letter[i]);
	if (good)
		s = arena_span(a, letter[i]);
	else if (letter[i].n > 0 || b->letters_seen >> i & 1)
		s = arena_printf(a, "unknown-%d", i);
	else
		return NULL;
	*ok = *ok && s;
	return s;
}

enum err maildir_keywords(struct store_box *sb, struct arena *a, const char **names,
			  struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct span letter[MAILDIR_LETTERS] = { { NULL, 0 } };
	struct buf text;
	int64_t mtime;
	bool ok = true;
	enum err e;

	buf_init(&text, KEYWORDS_FILE_MAX);
	e = keywords_load(b, &text, &mtime, t);
	if (!e)
		e = maildir_extra(b, t);
	if (!e) {
		maildir_keywords_parse(buf_span(&text), letter);
		for (int i = 0; i < MAILDIR_LETTERS; i++)
			names[i] = letter_name(b, a, i, letter, &ok);
		for (unsigned i = MAILDIR_LETTERS; i < MAIL_KEYWORDS_MAX; i++) {
			const char *s = extra_keyword(b->extra, i);
			names[i] = s ? arena_str(a, s) : NULL;
			ok = ok && (!s || names[i]);
		}
		e = ok ? ERR_OK : ERR_LIMIT;
	}
	buf_free(&text);
	return e;
}

static enum err keywords_save(struct maildir_box *b, const struct span letter[MAILDIR_LETTERS],
			      int64_t old_mtime, struct errtext *t)
{
	struct dotlock lock;
	struct buf out;
	int64_t now = clock_wall();
	struct timespec times[2] = { { 0, UTIME_NOW },
				     { now > old_mtime ? now : old_mtime + 1, 0 } };
	bool sync = b->m->sync != STORE_SYNC_NEVER;
	struct dotlock_want want = { .name = KEYWORDS_NAME ".lock", .stale = KEYWORDS_STALE, .mode = b->m->file_mode };
	enum err e = dotlock_take(&lock, b->control_fd, &want, t);

	if (e)
		return e;
	buf_init(&out, KEYWORDS_FILE_MAX);
	for (int i = 0; i < MAILDIR_LETTERS; i++) {
		if (letter[i].n == 0)
			continue;
		buf_printf(&out, "%d ", i);
		buf_add_span(&out, letter[i]);
		buf_add_char(&out, '\n');
	}
	e = out.failed ? ERR_LIMIT : file_write(lock.fd, out.p, out.n);
	if (!e && futimens(lock.fd, times) < 0)
		e = err_from_errno(errno);
	if (!e && sync)
		e = file_sync_data(lock.fd);
	if (!e)
		e = dotlock_replace(&lock, KEYWORDS_NAME);
	if (!e && sync)
		e = file_sync_dir(b->control_fd);
	dotlock_drop(&lock);
	buf_free(&out);
	return e ? err_say(t, e, "%s/" KEYWORDS_NAME " cannot be written: %s", b->name, err_name(e))
		 : ERR_OK;
}

bool maildir_keywords_elsewhere(struct maildir_box *b)
{
	struct span letter[MAILDIR_LETTERS] = { { NULL, 0 } };
	struct errtext t;
	struct buf text;
	int64_t mtime;
	int i = 0;

	if (extra_floor(b->extra) > 0)
		return false;
	buf_init(&text, KEYWORDS_FILE_MAX);
	if (!keywords_load(b, &text, &mtime, &t))
		maildir_keywords_parse(buf_span(&text), letter);
	while (i < MAILDIR_LETTERS && letter[i].n > 0)
		i++;
	buf_free(&text);
	return i == MAILDIR_LETTERS;
}

/* The bit that name has or, with free_r, could have. */
static int keyword_find(const struct maildir_box *b, const struct span letter[MAILDIR_LETTERS],
			const char *name, int *free_r)
{
	*free_r = -1;
	for (int i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		struct span s = i < MAILDIR_LETTERS
					? letter[i]
					: span_str(extra_keyword(b->extra, (unsigned)i));
		bool taken = s.n > 0 || (i < MAILDIR_LETTERS && (b->letters_seen >> i & 1));

		if (s.n > 0 && span_ieq_str(s, name))
			return i;
		if (!taken && *free_r < 0)
			*free_r = i;
	}
	return -1;
}

static enum err keyword_add_locked(struct maildir_box *b, const char *name, unsigned *bit_r,
				   struct errtext *t)
{
	struct span letter[MAILDIR_LETTERS] = { { NULL, 0 } };
	struct buf text;
	int64_t mtime;
	int unused;
	enum err e;

	buf_init(&text, KEYWORDS_FILE_MAX);
	e = keywords_load(b, &text, &mtime, t);
	e = e ? e : maildir_extra(b, t);
	if (!e) {
		maildir_keywords_parse(buf_span(&text), letter);
		int bit = keyword_find(b, letter, name, &unused);
		if (bit < 0 && unused < 0) {
			e = err_say(t, ERR_LIMIT, "%s has %d keywords already", b->name,
				    MAIL_KEYWORDS_MAX);
		} else if (bit < 0 && unused < MAILDIR_LETTERS) {
			letter[unused] = span_str(name);
			e = keywords_save(b, letter, mtime, t);
		} else if (bit < 0) {
			extra_set_keyword(b->extra, (unsigned)unused, name);
			e = extra_write(b->extra, b->control_fd, b->m->file_mode,
					b->m->sync != STORE_SYNC_NEVER, t);
		}
		if (!e)
			*bit_r = (unsigned)(bit < 0 ? unused : bit);
	}
	buf_free(&text);
	return e;
}

enum err maildir_keyword_add(struct store_box *sb, const char *name, unsigned *bit_r,
			     struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct dotlock lock;
	enum err e;

	if (b->head.readonly)
		return err_say(t, ERR_READONLY, "%s is read-only", b->name);
	if (!mail_keyword_valid(span_str(name)) || strlen(name) > KEYWORD_NAME_MAX)
		return err_say(t, ERR_CANNOT, "not a keyword");
	e = maildir_uidlist_lock(b, &lock, t);
	if (e)
		return e;
	e = keyword_add_locked(b, name, bit_r, t);
	maildir_uidlist_unlock(b, &lock);
	return e;
}
