#include "source.h"
#include "lex.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

void source_init(struct source *s, struct arena *a, struct notes *notes, bool no_files)
{
	*s = (struct source){ .a = a, .notes = notes, .no_files = no_files };
	buf_init(&s->physical, SOURCE_LINE_MAX);
}

void source_free(struct source *s)
{
	while (s->depth > 0)
		source_pop(s);
	buf_free(&s->physical);
}

void source_pop(struct source *s)
{
	must(s->depth > 0);
	buf_free(&source_top(s)->text);
	s->depth--;
}

static bool read_fd(int fd, struct buf *out)
{
	for (;;) {
		ssize_t got;

		if (!buf_reserve(out, 16384)) {
			errno = EFBIG;
			return false;
		}
		got = read(fd, out->p + out->n, 16384);
		if (got > 0)
			out->n += (size_t)got;
		else if (got == 0)
			return true;
		else if (errno != EINTR)
			return false;
	}
}

enum err read_whole(const char *path, struct buf *out, struct stat *st_r, struct errtext *t)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum err e = ERR_OK;
	struct stat st;

	if (fd < 0)
		return err_sys(t, "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		e = err_sys(t, "cannot look at %s", path);
	else if (!S_ISREG(st.st_mode))
		e = err_say(t, ERR_CANNOT, "%s is not a regular file", path);
	else if (st.st_size > SOURCE_FILE_MAX)
		e = err_say(t, ERR_LIMIT, "%s is larger than 1 MiB", path);
	else if (!read_fd(fd, out))
		e = err_sys(t, "cannot read %s", path);
	close(fd);
	if (!e && st_r)
		*st_r = st;
	return e;
}

static struct frame *push(struct source *s, const char *path, void *mark)
{
	struct frame *f = &s->stack[s->depth++];

	*f = (struct frame){ .path = path, .mark = mark };
	buf_init(&f->text, SOURCE_FILE_MAX + 16384);
	return f;
}

bool source_push_text(struct source *s, const char *path, struct span text, void *mark)
{
	struct frame *f;

	if (text.n > SOURCE_FILE_MAX || s->depth == SOURCE_DEPTH) {
		note_error(s->notes, path, 0, "the file is larger than 1 MiB");
		return false;
	}
	f = push(s, path, mark);
	buf_add_span(&f->text, text);
	f->rest = buf_span(&f->text);
	return true;
}

/* Among the files being read, bottom to top. */
static bool is_open(const struct source *s, const struct stat *st)
{
	for (size_t i = 0; i + 1 < s->depth; i++)
		if (s->stack[i].dev == st->st_dev && s->stack[i].ino == st->st_ino)
			return true;
	return false;
}

static bool within_caps(struct source *s, const char *path, const char *file, unsigned line)
{
	if (s->depth == SOURCE_DEPTH)
		note_error(s->notes, file, line, "includes are deeper than %d at %s", SOURCE_DEPTH,
			   path);
	else if (s->files >= SOURCE_FILES || s->total >= SOURCE_TOTAL_MAX)
		note_error(s->notes, file, line, "too many files or bytes with %s", path);
	else
		return true;
	return false;
}

bool source_push_file(struct source *s, const char *path, const char *file, unsigned line,
		      void *mark)
{
	struct errtext t;
	struct stat st;
	struct frame *f;

	if (!within_caps(s, path, file, line))
		return false;
	f = push(s, path, mark);
	if (read_whole(path, &f->text, &st, &t)) {
		note_error(s->notes, file, line, "%s", t.text);
		source_pop(s);
		return false;
	}
	if (is_open(s, &st)) {
		note_error(s->notes, file, line, "%s includes itself", path);
		source_pop(s);
		return false;
	}
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->rest = buf_span(&f->text);
	s->files++;
	s->total += f->text.n;
	return true;
}

const char *source_path(struct source *s, struct span path)
{
	const char *from = source_top(s)->path;
	const char *slash = strrchr(from, '/');

	if (path.n == 0 || *path.p == '/' || !slash)
		return arena_span(s->a, path);
	return arena_printf(s->a, "%.*s/%.*s", (int)(slash - from), from, (int)path.n, path.p);
}

static void keep_matches(struct source *s, const glob_t *g, unsigned line)
{
	struct frame *f = source_top(s);

	if (g->gl_pathc > SOURCE_FILES) {
		note_error(s->notes, f->path, line, "the include names more than %d files",
			   SOURCE_FILES);
		return;
	}
	f->pending = arena_array(s->a, g->gl_pathc, sizeof(*f->pending));
	for (size_t i = 0; f->pending && i < g->gl_pathc; i++)
		/* Taken from the end. */
		f->pending[i] = arena_str(s->a, g->gl_pathv[g->gl_pathc - 1 - i]);
	f->pending_n = f->pending ? g->gl_pathc : 0;
}

void source_include(struct source *s, struct span pattern, bool try, unsigned line)
{
	const char *file = source_top(s)->path;
	const char *path = pattern.n > 0 ? source_path(s, pattern) : NULL;
	glob_t g = { 0 };
	int rc;

	if (!path || s->no_files) {
		note_error(s->notes, file, line,
			   path ? "files cannot be included here" : "the include names no file");
		return;
	}
	rc = glob(path, GLOB_BRACE | GLOB_ERR, NULL, &g);
	if (rc == 0)
		keep_matches(s, &g, line);
	else if (rc == GLOB_NOMATCH && !try)
		note_error(s->notes, file, line, "no file %s", path);
	else if (rc != GLOB_NOMATCH && !(try && errno == ENOENT))
		note_error(s->notes, file, line, "cannot look for %s: %s", path, strerror(errno));
	globfree(&g);
}

static bool next_physical(struct frame *f, struct span *line_r)
{
	size_t end;

	if (f->rest.n == 0)
		return false;
	end = span_find(f->rest, '\n');
	*line_r = span_cut(f->rest, 0, end == SIZE_MAX ? f->rest.n : end);
	f->rest = span_from(f->rest, line_r->n + 1);
	f->line++;
	return true;
}

enum source_event source_next(struct source *s, void *mark, struct span *line_r, unsigned *number_r)
{
	struct span physical;
	struct frame *f;
	bool glued, more = true;

	if (s->depth == 0)
		return SOURCE_DONE;
	for (f = source_top(s); f->pending_n > 0; f = source_top(s)) {
		const char *path = f->pending[--f->pending_n];

		if (path)
			source_push_file(s, path, f->path, f->line, mark);
	}
	buf_clear(&s->physical);
	*number_r = f->line + 1;
	while (more && next_physical(f, &physical)) {
		more = lex_join(physical, &s->physical, &glued);
		if (glued)
			note_warning(s->notes, f->path, f->line,
				     "\"#\" begins a comment here; put a blank before it, "
				     "or the value in quotes");
	}
	if (more && s->physical.n == 0 && f->rest.n == 0)
		return SOURCE_EOF;
	if (s->physical.failed)
		note_error(s->notes, f->path, *number_r, "the line is too long");
	*line_r = buf_span(&s->physical);
	return SOURCE_LINE;
}
