/* conf_load: tree, typed result, checks. */
#include "finish.h"
#include "parse.h"
#include "base/mem.h"
#include "conf/load.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static enum err load(const char *path, const struct span *text, unsigned flags, struct conf **c_r,
		     struct buf *errors, struct buf *warnings)
{
	struct notes notes = { errors, warnings, 0 };
	struct conf *c = conf_new(CONF_EVERY_ROLE);
	char *name = arena_str(c->arena, path); /* places in the tree point to it */
	struct node *root = NULL;
	bool contents = !(flags & (CONF_LOAD_NO_CONTENT | CONF_LOAD_NO_FILES));

	/* What is missing in a file that is missing would only hide that it is. */
	if (!text && access(path, R_OK) < 0)
		note_error(&notes, path, 0, "cannot open: %s", strerror(errno));
	else if (name)
		root = parse_tree(name, text, flags, c->arena, &notes);
	if (root) {
		size_t before = notes.errors_n;

		finish_fill(c, root, &notes);
		/* Checks read the typed result; after a failure of memory there is none. */
		if (notes.errors_n == before)
			check_all(c, path, contents, &notes);
	}
	if (notes.errors_n > NOTES_MAX)
		buf_printf(errors, "%s: and %zu more errors\n", path, notes.errors_n - NOTES_MAX);
	if (!root || notes.errors_n > 0) {
		conf_free(&c);
		return ERR_SYNTAX;
	}
	*c_r = c;
	return ERR_OK;
}

/*
 * Absolute, so that what is relative to the file means the same wherever it is read or printed.
 */
enum err conf_load(const char *path, unsigned flags, struct conf **c_r, struct buf *errors,
		   struct buf *warnings)
{
	char cwd[PATH_MAX];
	char *absolute = NULL;
	enum err e;

	if (*path != '/' && getcwd(cwd, sizeof(cwd)))
		absolute = mem_printf("%s/%s", cwd, path);
	e = load(absolute ? absolute : path, NULL, flags, c_r, errors, warnings);
	free(absolute);
	return e;
}

enum err conf_load_text(struct span text, const char *name, unsigned flags, struct conf **c_r,
			struct buf *errors, struct buf *warnings)
{
	return load(name, &text, flags, c_r, errors, warnings);
}
