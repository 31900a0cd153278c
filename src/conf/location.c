/*
 * mail_location. Fields are split first (':' parts, "::" is a colon), then each is expanded.
 */
#include "conf/location.h"

#include "base/buf.h"
#include "base/must.h"

#include <stddef.h>

enum { FIELD_MAX = 4096 };

struct location_parser {
	const struct expand_var *vars;
	const char *home;
	struct arena *a;
	struct conf_location loc;
};

/* Takes the next field off *rest into field, "::" resolved. */
static void next_field(struct span *rest, struct buf *field)
{
	buf_clear(field);
	while (rest->n > 0) {
		char c = *rest->p;

		*rest = span_from(*rest, 1);
		if (c == ':') {
			if (rest->n == 0 || *rest->p != ':')
				return;
			*rest = span_from(*rest, 1);
		}
		buf_add_char(field, c);
	}
}

/* Absolute, without trailing slashes. */
static enum err take_path(struct location_parser *p, const char *what, struct span text,
			  const char **path_r, struct errtext *t)
{
	bool at_home = text.n > 0 && *text.p == '~' && (text.n == 1 || text.p[1] == '/');
	struct buf out;
	struct errtext why = { "" };
	enum err e;

	if (at_home && *p->home != '/')
		return err_say(t, ERR_CANNOT, "%s: the user has no home for \"~\"", what);
	buf_init(&out, FIELD_MAX);
	if (at_home)
		buf_add_str(&out, p->home);
	e = expand_path(span_from(text, at_home), p->vars, &out, &why);
	while (!e && out.n > 1 && out.p[out.n - 1] == '/')
		buf_truncate(&out, out.n - 1);
	if (e)
		err_say(t, e, "%s: %s", what, why.text);
	else if (out.n == 0 || *out.p != '/')
		e = err_say(t, ERR_CANNOT, "%s: the path must begin with / or ~/", what);
	else if (!(*path_r = arena_span(p->a, buf_span(&out))))
		e = err_say(t, ERR_MEMORY, "%s: no memory", what);
	buf_free(&out);
	return e;
}

static enum err take_driver(struct location_parser *p, struct span name, struct errtext *t)
{
	if (span_eq_str(name, "maildir")) {
		p->loc.driver = CONF_DRIVER_MAILDIR;
		p->loc.layout = CONF_LAYOUT_MAILDIRPP;
	} else if (span_eq_str(name, "mbox")) {
		p->loc.driver = CONF_DRIVER_MBOX;
		p->loc.layout = CONF_LAYOUT_FS;
	} else if (name.n == 0) {
		return err_say(t, ERR_CANNOT,
			       "it is empty; write driver:path, like maildir:~/Maildir");
	} else {
		return err_say(t, ERR_CANNOT,
			       "driver \"%.*s\" is not served here; there are: maildir, mbox",
			       (int)(name.n < 64 ? name.n : 64), name.p);
	}
	return ERR_OK;
}

static enum err take_layout(struct location_parser *p, struct span v, struct errtext *t)
{
	if (span_ieq_str(v, "Maildir++") && p->loc.driver == CONF_DRIVER_MAILDIR)
		p->loc.layout = CONF_LAYOUT_MAILDIRPP;
	else if (span_ieq_str(v, "fs"))
		p->loc.layout = CONF_LAYOUT_FS;
	else if (span_ieq_str(v, "index"))
		return err_say(t, ERR_CANNOT,
			       "LAYOUT=index is not served: the names of its folders are in Dovecot's own index alone");
	else
		return err_say(t, ERR_CANNOT, "LAYOUT \"%.*s\" is not served for this driver",
			       (int)(v.n < 64 ? v.n : 64), v.p);
	return ERR_OK;
}

/* A name, or with slash a relative path. */
static enum err take_name(struct location_parser *p, const char *key, struct span v, bool slash, const char **name_r,
			  struct errtext *t)
{
	struct errtext why = { "" };
	struct buf out;
	enum err e;

	buf_init(&out, 255);
	e = expand_path(v, p->vars, &out, &why);
	while (!e && slash && out.n > 1 && out.p[out.n - 1] == '/')
		buf_truncate(&out, out.n - 1);
	if (e)
		err_say(t, e, "%s: %s", key, why.text);
	else if (out.n == 0 || *out.p == '/' || (!slash && span_find(buf_span(&out), '/') != SIZE_MAX))
		e = err_say(t, ERR_CANNOT, "%s must be a %s", key, slash ? "path below the mail" : "file name");
	else if (!(*name_r = arena_span(p->a, buf_span(&out))))
		e = err_say(t, ERR_MEMORY, "%s: no memory", key);
	buf_free(&out);
	return e;
}

static enum err take_index(struct location_parser *p, struct span v, struct errtext *t)
{
	if (span_eq_str(v, "MEMORY")) {
		p->loc.index_memory = true;
		return ERR_OK;
	}
	return take_path(p, "INDEX", v, &p->loc.index, t);
}

enum key_kind { KEY_IGNORED, KEY_WISH, KEY_FLAG, KEY_PATH, KEY_NAME, KEY_SUBPATH, KEY_INDEX, KEY_LAYOUT };

static const struct key_row {
	const char *name;
	enum key_kind kind;
	size_t at;    /* in struct conf_location */
	bool maildir; /* makes sense for Maildirs alone */
} keys[] = {
	{ "ALT", KEY_IGNORED, 0, false },
	{ "BROKENCHAR", KEY_WISH, offsetof(struct conf_location, broken_names), false },
	{ "CONTROL", KEY_PATH, offsetof(struct conf_location, control), false },
	{ "DIRNAME", KEY_NAME, offsetof(struct conf_location, dirname), true },
	{ "FULLDIRNAME", KEY_NAME, offsetof(struct conf_location, dirname), true },
	{ "INBOX", KEY_PATH, offsetof(struct conf_location, inbox), false },
	{ "INDEX", KEY_INDEX, 0, false },
	{ "INDEXCACHE", KEY_IGNORED, 0, false },
	{ "INDEXPVT", KEY_PATH, offsetof(struct conf_location, index_private), true },
	{ "ITERINDEX", KEY_IGNORED, 0, false },
	{ "LAYOUT", KEY_LAYOUT, 0, false },
	{ "LISTINDEX", KEY_IGNORED, 0, false },
	{ "MAILBOXDIR", KEY_SUBPATH, offsetof(struct conf_location, boxdir), true },
	{ "NO-NOSELECT", KEY_FLAG, offsetof(struct conf_location, prune), true },
	{ "SUBSCRIPTIONS", KEY_NAME, offsetof(struct conf_location, subscriptions), false },
	{ "UTF-8", KEY_FLAG, offsetof(struct conf_location, utf8), true },
	{ "VOLATILEDIR", KEY_IGNORED, 0, false },
};

static const struct key_row *key_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (span_eq_str(name, keys[i].name))
			return &keys[i];
	return NULL;
}

static enum err take_value(struct location_parser *p, const struct key_row *k, struct span v, struct errtext *t)
{
	void *place = (char *)&p->loc + k->at;

	switch (k->kind) {
	case KEY_WISH:
	case KEY_FLAG:
		*(bool *)place = true;
		return ERR_OK;
	case KEY_PATH:
		return take_path(p, k->name, v, place, t);
	case KEY_NAME:
	case KEY_SUBPATH:
		return take_name(p, k->name, v, k->kind == KEY_SUBPATH, place, t);
	case KEY_INDEX:
		return take_index(p, v, t);
	case KEY_LAYOUT:
		return take_layout(p, v, t);
	case KEY_IGNORED:
		break;
	}
	return ERR_OK;
}

static enum err take_key(struct location_parser *p, struct span field, struct errtext *t)
{
	size_t eq = span_find(field, '=');
	struct span name = eq == SIZE_MAX ? field : span_cut(field, 0, eq);
	struct span v = eq == SIZE_MAX ? SPAN("") : span_from(field, eq + 1);
	const struct key_row *k = key_find(name);
	bool bare = k && (k->kind == KEY_FLAG || strcmp(k->name, "ITERINDEX") == 0);

	if (!k)
		return err_say(t, ERR_SYNTAX, "unknown key \"%.*s\"", (int)(name.n < 64 ? name.n : 64), name.p);
	if (bare != (eq == SIZE_MAX))
		return err_say(t, ERR_SYNTAX, "key %s %s", k->name, bare ? "takes no value" : "needs a value");
	if (k->maildir && p->loc.driver != CONF_DRIVER_MAILDIR)
		return err_say(t, ERR_CANNOT, "key %s is for maildir: and not served here", k->name);
	p->loc.dirname_control |= strcmp(k->name, "FULLDIRNAME") == 0;
	return take_value(p, k, v, t);
}

/* What one key says may depend on another that comes later. */
static enum err check_together(const struct conf_location *loc, struct errtext *t)
{
	if (loc->dirname && loc->layout == CONF_LAYOUT_MAILDIRPP)
		return err_say(t, ERR_CANNOT, "DIRNAME is for LAYOUT=fs, not for Maildir++");
	return ERR_OK;
}

static enum err parse_fields(struct location_parser *p, struct span rest, struct buf *field,
			     struct errtext *t)
{
	enum err e;

	next_field(&rest, field);
	e = take_driver(p, buf_span(field), t);
	if (e)
		return e;
	next_field(&rest, field);
	e = take_path(p, "path", buf_span(field), &p->loc.path, t);
	while (!e && rest.n > 0) {
		next_field(&rest, field);
		e = field->failed ? err_say(t, ERR_LIMIT, "it is too long")
				  : take_key(p, buf_span(field), t);
	}
	return e ? e : check_together(&p->loc, t);
}

enum err conf_location_parse(const char *text, const struct expand_var *vars, const char *home,
			     struct arena *a, struct conf_location *out, struct errtext *t)
{
	struct location_parser p = { .vars = vars, .home = home ? home : "", .a = a };
	struct buf field;
	enum err e;

	buf_init(&field, FIELD_MAX);
	e = parse_fields(&p, span_str(text), &field, t);
	buf_free(&field);
	if (!e)
		*out = p.loc;
	return e;
}

enum err conf_namespace_location(const struct conf *c, const struct conf_namespace *n, const struct conf_owner *o,
				 struct span said, struct arena *a, struct conf_location *out, struct errtext *t)
{
	const char *text = n->location[0] ? n->location : o->mail[0] ? o->mail : conf_str(c, CONF_MAIL_LOCATION);
	struct expand_var vars[EXPAND_USER_VARS];

	if (said.n > 0)
		text = arena_span(a, said);
	if (!text)
		return ERR_MEMORY;
	expand_user(vars, span_str(o->user), span_str(o->home));
	return conf_location_parse(text, vars, o->home, a, out, t);
}

enum err conf_index_fallback(const struct conf *c, const struct conf_owner *o, struct arena *a, const char **path_r,
			     struct errtext *t)
{
	struct location_parser p = { .home = o->home, .a = a };
	struct span text = span_str(conf_str(c, CONF_MAIL_INDEX_FALLBACK));
	struct expand_var vars[EXPAND_USER_VARS];

	*path_r = NULL;
	if (text.n == 0)
		return ERR_OK;
	expand_user(vars, span_str(o->user), span_str(o->home));
	p.vars = vars;
	return take_path(&p, "mail_index_fallback", text, path_r, t);
}
