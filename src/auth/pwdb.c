#include "pwdb.h"
#include "base/mem.h"
#include "scheme.h"

enum { FILES_MAX = 32 }; /* kept in memory when the path has variables */

struct pwdb {
	char *scheme, *format, *path;
	struct pwfile *files[FILES_MAX]; /* own; the last used stands first */
};

static enum err take_arg(struct pwdb *p, struct span word, struct errtext *t)
{
	static const struct span scheme = { "scheme=", 7 }, format = { "username_format=", 16 };
	char **place;

	if (span_starts(word, scheme)) {
		word = span_from(word, scheme.n);
		place = &p->scheme;
		if (!scheme_known(word))
			return err_say(t, ERR_SYNTAX, "password scheme \"%.*s\" is not served",
				       (int)(word.n < 40 ? word.n : 40), word.p);
	} else if (span_starts(word, format)) {
		word = span_from(word, format.n);
		place = &p->format;
	} else if (*word.p == '/') {
		place = &p->path;
	} else {
		return err_say(t, ERR_SYNTAX, "unknown argument \"%.*s\"",
			       (int)(word.n < 100 ? word.n : 100), word.p);
	}
	free(*place);
	*place = span_dup(word);
	return ERR_OK;
}

enum err pwdb_new(const char *args, struct pwdb **p_r, struct errtext *t)
{
	struct span rest = span_str(args), word;
	struct pwdb *p = mem_alloc(sizeof(*p));
	enum err e = ERR_OK;

	p->scheme = mem_str("CRYPT");
	p->format = mem_str("%u");
	while (!e && span_split(&rest, ' ', &word))
		if (word.n > 0)
			e = take_arg(p, word, t);
	if (!e && !p->path)
		e = err_say(t, ERR_SYNTAX, "an absolute path is missing");
	if (e)
		pwdb_free(&p);
	else
		*p_r = p;
	return e;
}

void pwdb_free(struct pwdb **pp)
{
	struct pwdb *p = *pp;

	if (!p)
		return;
	for (size_t i = 0; i < FILES_MAX; i++)
		pwfile_free(&p->files[i]);
	free(p->scheme);
	free(p->format);
	free(p->path);
	free(p);
	*pp = NULL;
}

const char *pwdb_scheme(const struct pwdb *p)
{
	return p->scheme;
}

const char *pwdb_path(const struct pwdb *p)
{
	return p->path;
}

static struct pwfile *file_at(struct pwdb *p, const char *path)
{
	struct pwfile *f;
	size_t i = 0;

	while (i < FILES_MAX - 1 && p->files[i] && strcmp(pwfile_path(p->files[i]), path) != 0)
		i++;
	if (p->files[i] && strcmp(pwfile_path(p->files[i]), path) != 0)
		pwfile_free(&p->files[i]);
	f = p->files[i] ? p->files[i] : pwfile_new(path);
	memmove(p->files + 1, p->files, i * sizeof(*p->files));
	p->files[0] = f;
	return f;
}

enum err pwdb_find(struct pwdb *p, const struct expand_var *vars, struct pw_entry *e_r,
		   struct errtext *t)
{
	struct buf path, key;
	enum err e;

	buf_init(&path, 4096);
	buf_init(&key, 1024);
	e = expand_path(span_str(p->path), vars, &path, t);
	if (!e)
		e = expand(p->format, vars, &key, t);
	/* A name that cannot stand in a path, or whose key is empty, is the name of nobody. */
	if (e == ERR_CANNOT || (!e && key.n == 0)) {
		*e_r = (struct pw_entry){ .user = { "", 0 } };
		e = ERR_NOTFOUND;
	} else if (!e) {
		e = pwfile_find(file_at(p, buf_cstr(&path)), buf_span(&key), e_r, t);
	} else {
		e = ERR_TEMP;
	}
	buf_free(&path);
	buf_free(&key);
	return e;
}
