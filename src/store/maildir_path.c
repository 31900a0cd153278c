/* Names of mailboxes to paths below the mail root and the control root, and back. */
#include "maildir.h"

#include "base/mutf7.h"

bool maildir_is_inbox(const struct maildir *m, const char *name)
{
	return strcmp(name, "INBOX") == 0 && !m->folders_only && (m->inbox || !m->dirname);
}

/* The name as it is spelled on disk. */
static bool spell(const struct maildir *m, const char *name, struct buf *out)
{
	if (!m->utf8)
		buf_add_str(out, name);
	else if (!mutf7_to_utf8(span_str(name), out))
		return false;
	return !out->failed;
}

/* Is DIRNAME among the levels? */
static bool has_dirname(const struct maildir *m, struct span path)
{
	struct span level;

	while (m->dirname && span_split(&path, '/', &level))
		if (span_eq_str(level, m->dirname))
			return true;
	return false;
}

/* With above and tail (or NULL) as more levels. */
static bool path_make(const struct maildir *m, const char *above, const char *name, const char *tail, char out[MAILDIR_PATH_MAX])
{
	struct buf b;
	bool ok = store_name_valid(m->head.ops, name);
	size_t at;

	buf_init(&b, MAILDIR_PATH_MAX - 1);
	if (above)
		buf_printf(&b, "%s/", above);
	at = b.n;
	if (!m->fs)
		buf_add_char(&b, '.');
	ok = ok && spell(m, name, &b) && !has_dirname(m, span_from(buf_span(&b), at));
	ok = ok && (m->fs || b.n <= MAILDIR_NAME_MAX);
	if (tail)
		buf_printf(&b, "/%s", tail);
	ok = ok && !b.failed;
	if (ok)
		memcpy(out, buf_cstr(&b), b.n + 1);
	buf_free(&b);
	return ok;
}

bool maildir_dir_path(const struct maildir *m, const char *name, char out[MAILDIR_PATH_MAX])
{
	return path_make(m, NULL, name, NULL, out);
}

bool maildir_path(const struct maildir *m, const char *name, char out[MAILDIR_PATH_MAX])
{
	out[0] = '\0';
	return maildir_is_inbox(m, name) || path_make(m, NULL, name, m->dirname, out);
}

bool maildir_control_path(const struct maildir *m, const char *name, char out[MAILDIR_PATH_MAX])
{
	return path_make(m, m->control_boxes, name, m->dirname_control ? m->dirname : NULL, out);
}

static bool printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] >= 0x7f)
			return false;
	return true;
}

bool maildir_level(const struct maildir *m, const char *dirname, struct buf *out)
{
	struct span s = span_from(span_str(dirname), m->fs ? 0 : 1);

	if (m->utf8)
		return mutf7_from_utf8(s, out) && !out->failed;
	buf_add_span(out, s);
	return printable(s) && !out->failed;
}
