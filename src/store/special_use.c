#include "special_use.h"
#include "file.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#define USE_NAME "roost-use"

static bool is_use(struct span word)
{
	if (word.n < 2 || word.p[0] != '\\')
		return false;
	for (size_t i = 1; i < word.n; i++)
		if (!ascii_isalpha(word.p[i]))
			return false;
	return true;
}

static bool are_uses(struct span uses)
{
	struct span word;
	size_t n = 0;

	if (uses.n && uses.p[uses.n - 1] == ' ')
		return false;
	for (; span_split(&uses, ' ', &word); n++)
		if (!is_use(word))
			return false;
	return n > 0;
}

bool special_use_encode(struct span uses, struct buf *out)
{
	size_t from = out->n;

	if (!are_uses(uses))
		return false;
	buf_add_str(out, "1 ");
	buf_add_span(out, uses);
	if (out->failed || out->n - from + 10 > SPECIAL_USE_MAX)
		return false;
	buf_printf(out, " %08x\n", XXH32(out->p + from, out->n - from, 0));
	return !out->failed;
}

bool special_use_decode(struct span file, struct span *uses_r)
{
	struct span body, uses;
	uint64_t sum;

	if (file.n < 14 || file.n > SPECIAL_USE_MAX || file.p[file.n - 1] != '\n')
		return false;
	body = span_cut(file, 0, file.n - 10);
	if (file.p[body.n] != ' ' || !span_hex64(span_cut(file, body.n + 1, 8), &sum) ||
	    sum != XXH32(body.p, body.n, 0) || !span_starts(body, SPAN("1 ")))
		return false;
	uses = span_from(body, 2);
	if (!are_uses(uses))
		return false;
	*uses_r = uses;
	return true;
}

enum err special_use_write(int dir_fd, const char *uses, mode_t mode, bool sync, struct errtext *t)
{
	struct buf text;
	enum err e = ERR_CANNOT;

	buf_init(&text, SPECIAL_USE_MAX);
	unlinkat(dir_fd, USE_NAME ".tmp", 0);
	if (special_use_encode(span_str(uses), &text))
		e = file_replace(dir_fd, USE_NAME ".tmp", USE_NAME, buf_span(&text), mode, sync);
	buf_free(&text);
	return e ? err_say(t, e, USE_NAME " cannot be written: %s", err_name(e)) : ERR_OK;
}

void special_use_read(int root, const char *dirname, struct buf *out)
{
	char path[300], text[SPECIAL_USE_MAX + 1];
	struct span uses;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/" USE_NAME, dirname);
	fd = file_open(root, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n > 0 && special_use_decode(span_of(text, (size_t)n), &uses))
		buf_add_span(out, uses);
}
