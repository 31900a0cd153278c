/*
 * mail_location. Fields are split first (':' parts, "::" is a colon), then each is expanded.
 */
#include "conf/location.h"

#include "base/buf.h"
#include "base/must.h"

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
	else
		return err_say(t, ERR_CANNOT, "LAYOUT \"%.*s\" is not served for this driver",
			       (int)(v.n < 64 ? v.n : 64), v.p);
	return ERR_OK;
}

static enum err take_subscriptions(struct location_parser *p, struct span v, struct errtext *t)
{
	struct buf out;
	enum err e;

	buf_init(&out, 255);
	e = expand_path(v, p->vars, &out, t);
	if (!e && (out.n == 0 || span_find(buf_span(&out), '/') != SIZE_MAX))
		e = err_say(t, ERR_CANNOT, "SUBSCRIPTIONS must be a file name");
	if (!e && !(p->loc.subscriptions = arena_span(p->a, buf_span(&out))))
		e = err_say(t, ERR_MEMORY, "SUBSCRIPTIONS: no memory");
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

static enum err take_key(struct location_parser *p, struct span field, struct errtext *t)
{
	static const char *const later[] = {
		"ALT", "MAILBOXDIR", "DIRNAME", "FULLDIRNAME", "VOLATILEDIR", "INDEXPVT",
		"INDEXCACHE", "UTF-8", "BROKENCHAR", "ITERINDEX", "NO-NOSELECT",
	};
	size_t eq = span_find(field, '=');
	struct span key = eq == SIZE_MAX ? field : span_cut(field, 0, eq);
	struct span v = eq == SIZE_MAX ? SPAN("") : span_from(field, eq + 1);

	if (span_eq_str(key, "LAYOUT"))
		return take_layout(p, v, t);
	if (span_eq_str(key, "INBOX"))
		return take_path(p, "INBOX", v, &p->loc.inbox, t);
	if (span_eq_str(key, "INDEX"))
		return take_index(p, v, t);
	if (span_eq_str(key, "CONTROL"))
		return take_path(p, "CONTROL", v, &p->loc.control, t);
	if (span_eq_str(key, "SUBSCRIPTIONS"))
		return take_subscriptions(p, v, t);
	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		if (span_eq_str(key, later[i]))
			return err_say(t, ERR_CANNOT, "key %s is not served here", later[i]);
	return err_say(t, ERR_SYNTAX, "unknown key \"%.*s\"", (int)(key.n < 64 ? key.n : 64),
		       key.p);
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
	return e;
}

enum err conf_location_parse(const char *text, const struct expand_var *vars, const char *home,
			     struct arena *a, struct conf_location *out, struct errtext *t)
{
	struct location_parser p = {
		vars, home ? home : "", a, { .subscriptions = "subscriptions" }
	};
	struct buf field;
	enum err e;

	buf_init(&field, FIELD_MAX);
	e = parse_fields(&p, span_str(text), &field, t);
	buf_free(&field);
	if (!e)
		*out = p.loc;
	return e;
}
