#include "pwfile.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>

struct row {
	struct pw_entry e; /* spans into text */
	UT_hash_handle hh;
};

struct pwfile {
	char *path;
	struct stat seen; /* of what is in memory; st_ino 0: nothing */
	char *text;       /* own */
	size_t n;
	struct row *rows; /* own; by user */
	struct pw_entry first;
};

bool pw_parse(struct span line, struct pw_entry *e_r)
{
	struct span ignored, rest = line;
	struct pw_entry e = { .user = { "", 0 } };
	struct span *const fields[] = { &e.user,  &e.password, &e.uid,  &e.gid,
					&ignored, &e.home,     &ignored };

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		rest = line = span_cut(line, 0, line.n - 1);
	if (line.n == 0 || *line.p == '#' || *line.p == ':' || span_find(line, '\0') != SIZE_MAX)
		return false;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (!span_split(&rest, ':', fields[i]))
			break;
	e.extra = rest;
	*e_r = e;
	return true;
}

struct pwfile *pwfile_new(const char *path)
{
	struct pwfile *f = mem_alloc(sizeof(*f));

	f->path = mem_str(path);
	return f;
}

const char *pwfile_path(const struct pwfile *f)
{
	return f->path;
}

static void forget(struct pwfile *f)
{
	struct row *r, *next;

	HASH_ITER(hh, f->rows, r, next)
	{
		HASH_DELETE(hh, f->rows, r);
		free(r);
	}
	if (f->text)
		mem_wipe(f->text, f->n);
	free(f->text);
	f->text = NULL;
	f->n = 0;
	f->first = (struct pw_entry){ .user = { "", 0 } };
	memset(&f->seen, 0, sizeof(f->seen));
}

void pwfile_free(struct pwfile **f)
{
	if (!*f)
		return;
	forget(*f);
	free((*f)->path);
	free(*f);
	*f = NULL;
}

static bool changed(const struct stat *a, const struct stat *b)
{
	return a->st_ino != b->st_ino || a->st_dev != b->st_dev || a->st_size != b->st_size ||
	       a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

/* The first line of a user counts. */
static void add_row(struct pwfile *f, const struct pw_entry *e)
{
	struct row *r;

	HASH_FIND(hh, f->rows, e->user.p, e->user.n, r);
	if (r)
		return;
	if (f->first.user.n == 0)
		f->first = *e;
	r = mem_alloc(sizeof(*r));
	r->e = *e;
	HASH_ADD_KEYPTR(hh, f->rows, r->e.user.p, r->e.user.n, r);
}

static bool read_text(struct pwfile *f, int fd, size_t size)
{
	f->text = mem_alloc(size + 1);
	while (f->n < size) {
		ssize_t got = read(fd, f->text + f->n, size - f->n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		f->n += (size_t)got;
	}
	return true;
}

static enum err load(struct pwfile *f, int fd, const struct stat *st, struct errtext *t)
{
	struct span rest, line;
	struct pw_entry e;

	forget(f);
	if (!S_ISREG(st->st_mode) || st->st_size > PWFILE_MAX)
		return err_say(t, ERR_TEMP, "%s is not a regular file of at most 64 MiB", f->path);
	if (!read_text(f, fd, (size_t)st->st_size))
		return err_sys(t, "cannot read %s", f->path);
	rest = span_of(f->text, f->n);
	while (span_split(&rest, '\n', &line))
		if (pw_parse(line, &e))
			add_row(f, &e);
	f->seen = *st;
	return ERR_OK;
}

static enum err refresh(struct pwfile *f, struct errtext *t)
{
	enum err e = ERR_OK;
	struct stat st;
	int fd;

	if (stat(f->path, &st) == 0 && !changed(&st, &f->seen))
		return ERR_OK;
	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_sys(t, "cannot open %s", f->path);
	if (fstat(fd, &st) < 0)
		e = err_sys(t, "cannot look at %s", f->path);
	else
		e = load(f, fd, &st, t);
	close(fd);
	return e;
}

enum err pwfile_find(struct pwfile *f, struct span user, struct pw_entry *e_r, struct errtext *t)
{
	enum err e = refresh(f, t);
	struct row *r;

	if (e)
		return e == ERR_NOTFOUND ? ERR_TEMP : e; /* no file is not the same as no user */
	HASH_FIND(hh, f->rows, user.p, user.n, r);
	*e_r = r ? r->e : f->first;
	return r ? ERR_OK : ERR_NOTFOUND;
}
