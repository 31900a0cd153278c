/*
 * One pass from left to right over the format; values are copied, never read as format.
 */
#include "conf/expand.h"

#include "modify.h"

static const struct expand_var *find_var(const struct expand_var *vars, char letter,
					 struct span name)
{
	for (; vars->letter || vars->name; vars++) {
		if (letter && vars->letter == letter)
			return vars;
		if (!letter && vars->name && span_eq_str(name, vars->name))
			return vars;
	}
	return NULL;
}

static bool safe_in_path(struct span v)
{
	return span_find(v, '/') == SIZE_MAX && span_find(v, '\0') == SIZE_MAX &&
	       !span_eq_str(v, ".") && !span_eq_str(v, "..");
}

/* %{name}, or %{sha1:name}: its digest. *rest stands on the brace. */
static enum err long_name(struct span *rest, const struct expand_var *vars,
			  const struct expand_var **var_r, struct span *digest_r, struct errtext *t)
{
	size_t end = span_find(*rest, '}'), colon;
	struct span name;

	if (end == SIZE_MAX)
		return err_say(t, ERR_SYNTAX, "\"%%{\" is never closed");
	name = span_cut(*rest, 1, end - 1);
	*rest = span_from(*rest, end + 1);
	*var_r = find_var(vars, 0, name);
	colon = span_find(name, ':');
	if (!*var_r && colon != SIZE_MAX) {
		*digest_r = span_cut(name, 0, colon);
		*var_r = find_var(vars, 0, span_from(name, colon + 1));
	}
	if (!*var_r)
		return err_say(t, ERR_NOTFOUND, "unknown variable %%{%.*s}",
			       (int)(name.n < 64 ? name.n : 64), name.p);
	return ERR_OK;
}

static enum err short_name(struct span *rest, const struct expand_var *vars,
			   const struct expand_var **var_r, struct errtext *t)
{
	char letter = *rest->p;

	*rest = span_from(*rest, 1);
	*var_r = find_var(vars, letter ? letter : '?', SPAN(""));
	if (!*var_r)
		return err_say(t, ERR_NOTFOUND, "unknown variable or modifier %%%c",
			       letter >= 32 && letter < 127 ? letter : '?');
	return ERR_OK;
}

static enum err put(const struct expand_var *var, const struct modifiers *m, struct span digest,
		    bool path, struct buf *out, struct errtext *t)
{
	size_t before = out->n;
	struct buf made;
	enum err e = ERR_OK;

	buf_init(&made, 2 * 64);
	if (digest.n && !modify_digest(digest, var->value, &made))
		e = err_say(t, ERR_NOTFOUND, "unknown digest %%{%.*s:...}",
			    (int)(digest.n < 64 ? digest.n : 64), digest.p);
	else
		modifiers_apply(m, digest.n ? buf_span(&made) : var->value, out);
	buf_free(&made);
	if (!e && path && !var->is_path && !out->failed &&
	    !safe_in_path(span_from(buf_span(out), before)))
		e = err_say(t, ERR_CANNOT, "the value of %%%s cannot stand in a path",
			    var->name ? var->name : (char[]){ var->letter, 0 });
	return e;
}

/* Takes what follows a '%' off *rest and appends its value. */
static enum err expand_one(struct span *rest, const struct expand_var *vars, bool path,
			   struct buf *out, struct errtext *t)
{
	const struct expand_var *var;
	struct span digest = { 0 };
	struct modifiers m;
	enum err e;

	modifiers_take(rest, &m);
	if (rest->n == 0)
		return err_say(t, ERR_SYNTAX,
			       "\"%%\" stands at the end; write \"%%%%\" for a percent sign");
	if (*rest->p == '%') {
		buf_add_char(out, '%');
		*rest = span_from(*rest, 1);
		return ERR_OK;
	}
	e = *rest->p == '{' ? long_name(rest, vars, &var, &digest, t)
			    : short_name(rest, vars, &var, t);
	return e ? e : put(var, &m, digest, path, out, t);
}

static enum err expand_any(struct span rest, const struct expand_var *vars, bool path,
			   struct buf *out, struct errtext *t)
{
	size_t before = out->n;
	enum err e = ERR_OK;

	while (!e && rest.n > 0) {
		char c = *rest.p;

		rest = span_from(rest, 1);
		if (c == '%')
			e = expand_one(&rest, vars, path, out, t);
		else
			buf_add_char(out, c);
	}
	if (!e && out->failed)
		e = err_say(t, ERR_LIMIT, "the expanded text is too long");
	if (e && !out->failed)
		buf_truncate(out, before);
	return e;
}

enum err expand_span(struct span format, const struct expand_var *vars, struct buf *out,
		     struct errtext *t)
{
	return expand_any(format, vars, false, out, t);
}

enum err expand(const char *format, const struct expand_var *vars, struct buf *out,
		struct errtext *t)
{
	return expand_any(span_str(format), vars, false, out, t);
}

static bool climbs(struct span path)
{
	struct span component;

	while (span_split(&path, '/', &component))
		if (span_eq_str(component, ".."))
			return true;
	return false;
}

enum err expand_path(struct span format, const struct expand_var *vars, struct buf *out,
		     struct errtext *t)
{
	size_t before = out->n;
	enum err e = expand_any(format, vars, true, out, t);
	struct span made;

	if (e)
		return e;
	made = span_from(buf_span(out), before);
	if (climbs(made) || span_find(made, '\0') != SIZE_MAX) {
		buf_truncate(out, before);
		return err_say(t, ERR_CANNOT, "the path holds \"..\" or NUL");
	}
	return ERR_OK;
}

void expand_user(struct expand_var vars[EXPAND_USER_VARS], struct span user, struct span home)
{
	size_t at = span_find(user, '@');
	struct span local = at == SIZE_MAX ? user : span_cut(user, 0, at);
	struct span domain = at == SIZE_MAX ? SPAN("") : span_from(user, at + 1);
	const struct expand_var rows[EXPAND_USER_VARS] = {
		{ 'u', "user", user, false },     { 'n', "username", local, false },
		{ 'd', "domain", domain, false }, { 'h', "home", home, true },
		{ 0, NULL, SPAN(""), false },
	};

	memcpy(vars, rows, sizeof(rows));
}
