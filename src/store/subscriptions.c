/*
 * subscriptions: which mailboxes a user's programs show. Shared with Dovecot, in the root of the
 * control files.
 *
 *	version 2 = "V" TAB "2" LF LF *( level *( TAB level ) LF )
 *	version 1 = *( name LF )         name with the store's separator
 *
 * A level is escaped: \001 becomes \001 '1', NUL \001 '0', TAB \001 't', CR \001 'r', LF \001 'n'.
 * A separator at the end of a name means nothing. Written anew as subscriptions.lock, which is
 * renamed; in the version found, 2 when there was none. Lines that we cannot say as a storage name
 * stay as they are.
 */
#include "subscriptions.h"
#include "file.h"

#include "store/dotlock.h"

#include "base/mutf7.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SUBS_HEADER "V\t2"
enum { SUBS_NAME_MAX = 400, SUBS_FILE_MAX = 16 << 20, SUBS_STALE = 30 };

static bool unescape(struct span s, struct buf *out)
{
	static const char from[] = "01trn", to[] = { '\0', '\001', '\t', '\r', '\n' };

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\001') {
			buf_add_char(out, s.p[i]);
			continue;
		}
		const char *at = i + 1 < s.n && s.p[i + 1] ? strchr(from, s.p[i + 1]) : NULL;
		if (!at)
			return false;
		buf_add_char(out, to[at - from]);
		i++;
	}
	return true;
}

static void escape(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '\001':
			buf_add_str(out, "\0011");
			break;
		case '\t':
			buf_add_str(out, "\001t");
			break;
		case '\r':
			buf_add_str(out, "\001r");
			break;
		case '\n':
			buf_add_str(out, "\001n");
			break;
		default:
			buf_add_char(out, s.p[i]);
		}
	}
}

int subs_begin(struct span *text)
{
	struct span line, after = *text;

	if (!span_split(&after, '\n', &line) || !span_eq(line, SPAN(SUBS_HEADER)))
		return 1;
	if (after.n > 0 && after.p[0] == '\n')
		after = span_from(after, 1);
	*text = after;
	return 2;
}

static bool levels_join(struct span line, char separator, struct buf *out)
{
	struct span level;
	size_t start;

	while (span_split(&line, '\t', &level)) {
		if (out->n > 0)
			buf_add_char(out, separator);
		start = out->n;
		if (!unescape(level, out))
			return false;
		/* A level that holds the separator or a NUL has no storage name. */
		if (out->n > start && (memchr(out->p + start, separator, out->n - start) ||
				       memchr(out->p + start, '\0', out->n - start)))
			return false;
	}
	return true;
}

bool subs_name(struct span line, int version, char separator, struct buf *out)
{
	buf_clear(out);
	if (version == 1)
		buf_add_span(out, line);
	else if (!levels_join(line, separator, out))
		return false;
	if (out->n > 0 && out->p[out->n - 1] == separator)
		buf_truncate(out, out->n - 1);
	if (out->failed || out->n == 0 || memchr(out->p, '\0', out->n))
		return false;
	if (span_ieq(buf_span(out), SPAN("INBOX"))) {
		buf_clear(out);
		buf_add_str(out, "INBOX");
	}
	return true;
}

static void put_line(struct buf *out, int version, char separator, const char *name)
{
	struct span rest = span_str(name), level;
	bool first = true;

	if (version == 1)
		buf_add_span(out, rest);
	while (version == 2 && span_split(&rest, separator, &level)) {
		if (!first)
			buf_add_char(out, '\t');
		escape(level, out);
		first = false;
	}
	buf_add_char(out, '\n');
}

bool subs_rewrite(struct span text, char separator, const char *name, bool on, struct buf *out)
{
	bool had = false;
	struct span line;
	struct buf said;
	int version = text.n ? subs_begin(&text) : 2;

	buf_init(&said, 4096);
	if (version == 2)
		buf_add_str(out, SUBS_HEADER "\n\n");
	while (span_split(&text, '\n', &line)) {
		if (line.n == 0)
			continue;
		bool same = subs_name(line, version, separator, &said) &&
			    span_eq_str(buf_span(&said), name);
		had = had || same;
		if (same && !on)
			continue;
		if (out->n == 0 && span_eq(line, SPAN(SUBS_HEADER)))
			/* a name, of version 1: must not become the header */
			buf_add_char(out, '\n');
		buf_add_span(out, line);
		buf_add_char(out, '\n');
	}
	if (on && !had)
		put_line(out, version, separator, name);
	buf_free(&said);
	return had != on;
}

bool subs_valid(const struct subs_file *f, const char *name)
{
	struct span rest = span_str(name), level;

	for (size_t i = 0; i < rest.n; i++)
		if ((unsigned char)rest.p[i] < 0x20 || rest.p[i] == 0x7f)
			return false;
	if (!rest.n || rest.n > SUBS_NAME_MAX || rest.p[rest.n - 1] == f->separator)
		return false;
	while (span_split(&rest, f->separator, &level))
		if (!level.n)
			return false;
	return true;
}

/* --- the file --- */

static enum err subs_load(const struct subs_file *f, struct buf *text, struct errtext *t)
{
	struct stat st;
	int fd;
	enum err e = f->dir_fd < 0 ? ERR_NOTFOUND : file_open_read(f->dir_fd, f->name, &fd, &st);

	if (e == ERR_NOTFOUND)
		return ERR_OK;
	if (!e) {
		e = file_load(fd, 0, text);
		close(fd);
	}
	return e ? err_say(t, e, "%s: %s", f->name, err_name(e)) : ERR_OK;
}

static size_t line_count(struct span text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

/* The storage name of what the file says; NULL: it has none. */
static const char *subs_storage(const struct subs_file *f, struct span said, struct arena *a, bool *full)
{
	struct buf name;
	const char *copy = NULL;

	buf_init(&name, 4096);
	if (!f->utf8 || mutf7_from_utf8(said, &name)) {
		copy = arena_span(a, f->utf8 ? buf_span(&name) : said);
		*full |= !copy;
	}
	buf_free(&name);
	return copy;
}

static enum err subs_give(const struct subs_file *f, struct span text, struct arena *a, const char ***names_r,
			  size_t *n_r)
{
	int version = subs_begin(&text);
	const char **names = arena_array(a, line_count(text), sizeof(*names));
	struct span line;
	struct buf said;
	size_t n = 0;

	if (!names)
		return ERR_LIMIT;
	buf_init(&said, 4096);
	bool full = false;
	while (!full && span_split(&text, '\n', &line)) {
		if (line.n == 0 || !subs_name(line, version, f->separator, &said))
			continue;
		names[n] = subs_storage(f, buf_span(&said), a, &full);
		n += names[n] != NULL;
	}
	buf_free(&said);
	if (full)
		return ERR_LIMIT;
	*names_r = names;
	*n_r = n;
	return ERR_OK;
}

enum err subs_read(const struct subs_file *f, struct arena *a, const char ***names_r, size_t *n_r, struct errtext *t)
{
	struct buf text;
	enum err e;

	buf_init(&text, SUBS_FILE_MAX);
	e = subs_load(f, &text, t);
	if (!e && subs_give(f, buf_span(&text), a, names_r, n_r))
		e = err_say(t, ERR_LIMIT, "%s is too long for one command", f->name);
	buf_free(&text);
	return e;
}

static enum err subs_save(const struct subs_file *f, struct dotlock *lock, struct span text, struct errtext *t)
{
	enum err e = file_write(lock->fd, text.p, text.n);

	if (!e && f->sync)
		e = file_sync_data(lock->fd);
	if (!e)
		e = dotlock_replace(lock, f->name);
	if (!e && f->sync)
		e = file_sync_dir(f->dir_fd);
	return e ? err_say(t, e, "%s cannot be written: %s", f->name, err_name(e)) : ERR_OK;
}

static enum err subs_lock(const struct subs_file *f, struct dotlock *lock, struct errtext *t)
{
	char name[300];
	struct dotlock_want want = { .name = name, .stale = SUBS_STALE, .mode = f->mode };

	snprintf(name, sizeof(name), "%s.lock", f->name);
	return dotlock_take(lock, f->dir_fd, &want, t);
}

enum err subs_change(const struct subs_file *f, const char *name, bool on, struct errtext *t)
{
	struct dotlock lock = DOTLOCK_NONE;
	struct buf text, out, said;
	enum err e = subs_lock(f, &lock, t);

	if (e)
		return e;
	buf_init(&text, SUBS_FILE_MAX);
	buf_init(&out, SUBS_FILE_MAX + 4096);
	buf_init(&said, 4096);
	if (!f->utf8 || !mutf7_to_utf8(span_str(name), &said))
		buf_add_str(&said, name);
	e = subs_load(f, &text, t);
	if (!e && subs_rewrite(buf_span(&text), f->separator, buf_cstr(&said), on, &out))
		e = out.failed ? err_say(t, ERR_LIMIT, "%s is full", f->name)
			       : subs_save(f, &lock, buf_span(&out), t);
	dotlock_drop(&lock);
	buf_free(&text);
	buf_free(&out);
	buf_free(&said);
	return e;
}

void subs_put(struct buf *out, char separator, const char *name)
{
	if (name)
		put_line(out, 2, separator, name);
	else
		buf_add_str(out, SUBS_HEADER "\n\n");
}

enum err subs_make(const struct subs_file *f, struct span text, struct errtext *t)
{
	struct dotlock lock = DOTLOCK_NONE;
	struct stat st;
	enum err e = subs_lock(f, &lock, t);

	if (!e && fstatat(f->dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		e = subs_save(f, &lock, text, t);
	dotlock_drop(&lock);
	return e;
}
