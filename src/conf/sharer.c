/*
 * Namespaces for each user who shares: %%u, %%n, %%d and %%h are the sharer's where %u, %n, %d and %h are the user's who looks.
 * All are put in at once, so that no value is ever read as format: "%%u" is read as a name, %{owner_user}.
 */
#include "conf/location.h"

#include "base/buf.h"
#include "base/must.h"

enum { TEXT_MAX = 8192, VARS = 2 * EXPAND_USER_VARS };

static const char *owner_name(char letter)
{
	return letter == 'u'   ? "owner_user"
	       : letter == 'n' ? "owner_username"
	       : letter == 'd' ? "owner_domain"
	       : letter == 'h' ? "owner_home"
			       : NULL;
}

/* The letter of the variable that "%%..." is at the front of s, and how long that is; 0: it is none. */
static char owner_at(struct span s, size_t *n_r)
{
	size_t at = 2;

	if (!span_starts(s, SPAN("%%")))
		return 0;
	while (at < s.n && (s.p[at] == 'L' || s.p[at] == 'U'))
		at++;
	*n_r = at + 1;
	return at < s.n && owner_name(s.p[at]) ? s.p[at] : 0;
}

static const char *named(struct span s, struct arena *a)
{
	const char *text = NULL;
	struct buf out;
	size_t n;

	buf_init(&out, TEXT_MAX);
	while (s.n) {
		char letter = owner_at(s, &n);

		if (letter)
			buf_printf(&out, "%%%.*s{%s}", (int)n - 3, s.p + 2, owner_name(letter));
		else
			buf_add_span(&out, span_cut(s, 0, n = span_starts(s, SPAN("%%")) ? 2 : 1));
		s = span_from(s, n);
	}
	if (!out.failed)
		text = arena_span(a, buf_span(&out));
	buf_free(&out);
	return text;
}

static bool has_owner(const char *text, const char *letters)
{
	size_t n;

	for (struct span s = span_str(text); s.n; s = span_from(s, 1)) {
		char letter = owner_at(s, &n);

		if (letter && strchr(letters, letter))
			return true;
		if (span_starts(s, SPAN("%%")))
			s = span_from(s, 1);
	}
	return false;
}

bool conf_has_sharers(const struct conf_namespace *n)
{
	return has_owner(n->prefix, "und");
}

static enum err home_of(const struct conf *c, struct span sharer, struct arena *a, const char **home_r, struct errtext *t)
{
	struct expand_var vars[EXPAND_USER_VARS];
	const char *format = conf_str(c, CONF_MAIL_HOME);
	struct buf out;
	enum err e;

	if (!format[0])
		return err_say(t, ERR_CANNOT,
			       "%%%%h is known by mail_home alone, which is not set: write the path with %%%%d and %%%%n");
	expand_user(vars, sharer, SPAN(""));
	buf_init(&out, TEXT_MAX);
	e = expand_path(span_str(format), vars, &out, t);
	*home_r = e ? NULL : arena_span(a, buf_span(&out));
	buf_free(&out);
	return e ? e : *home_r ? ERR_OK : ERR_MEMORY;
}

static void vars_of(struct expand_var vars[VARS], const struct conf_owner *o, struct span sharer, const char *home)
{
	static const char letters[] = "undh";
	struct expand_var his[EXPAND_USER_VARS];

	expand_user(vars, span_str(o->user), span_str(o->home));
	expand_user(his, sharer, span_str(home));
	for (size_t i = 0; i < EXPAND_USER_VARS; i++) {
		if (his[i].letter)
			must(his[i].letter == letters[i]);
		vars[EXPAND_USER_VARS - 1 + i] =
			(struct expand_var){ 0, his[i].letter ? owner_name(his[i].letter) : NULL, his[i].value, his[i].is_path };
	}
}

enum err conf_sharer_location(const struct conf *c, const struct conf_namespace *n, const struct conf_owner *o,
			      struct span sharer, struct arena *a, struct conf_location *out, struct errtext *t)
{
	struct expand_var vars[VARS];
	const char *home = "", *text = named(span_str(n->location), a);
	enum err e = text ? ERR_OK : ERR_MEMORY;

	if (!e && has_owner(n->location, "h"))
		e = home_of(c, sharer, a, &home, t);
	if (e)
		return e;
	vars_of(vars, o, sharer, home);
	return conf_location_parse(text, vars, o->home, a, out, t);
}

enum err conf_sharer_prefix(const struct conf_namespace *n, struct span sharer, struct arena *a, const char **prefix_r,
			    struct errtext *t)
{
	const struct conf_owner nobody = { "", "", "" };
	struct expand_var vars[VARS];
	const char *text = named(span_str(n->prefix), a);
	struct buf out;
	enum err e = ERR_MEMORY;

	if (!text)
		return err_say(t, e, "out of memory");
	if (has_owner(n->prefix, "h"))
		return err_say(t, ERR_CANNOT, "%%%%h is no part of a mailbox name");
	vars_of(vars, &nobody, sharer, "");
	buf_init(&out, TEXT_MAX);
	e = expand(text, vars + EXPAND_USER_VARS - 1, &out, t); /* the sharer's alone */
	if (!e && !(*prefix_r = arena_span(a, buf_span(&out))))
		e = ERR_MEMORY;
	buf_free(&out);
	return e;
}

/* --- who --- */

/* Takes what stands for one variable off *name: up to the next separator. */
static struct span take_word(struct span *name, char sep)
{
	size_t n = span_find(*name, sep);
	struct span word = span_cut(*name, 0, n == SIZE_MAX ? name->n : n);

	*name = span_from(*name, word.n);
	return word;
}

static bool printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
			return false;
	return true;
}

bool conf_sharer_match(struct span prefix, char sep, struct span me, struct span name, struct buf *user_r)
{
	struct span user = SPAN(""), local = SPAN(""), domain = SPAN("");
	size_t at = span_find(me, '@'), n;

	if (prefix.n && prefix.p[prefix.n - 1] == sep)
		prefix.n--; /* the prefix alone is a mailbox, too */
	while (prefix.n) {
		char letter = owner_at(prefix, &n);

		if (letter) {
			*(letter == 'u' ? &user : letter == 'n' ? &local : &domain) = take_word(&name, sep);
			prefix = span_from(prefix, n);
			continue;
		}
		if (!name.n || *name.p != *prefix.p)
			return false;
		name = span_from(name, 1);
		prefix = span_from(prefix, 1);
	}
	if ((name.n && *name.p != sep) || !(user.n || local.n) || !printable(user) || !printable(local) || !printable(domain))
		return false;
	if (!domain.n && at != SIZE_MAX)
		domain = span_from(me, at + 1);
	buf_clear(user_r);
	buf_add_span(user_r, user.n ? user : local);
	if (!user.n && domain.n)
		buf_printf(user_r, "@%.*s", (int)domain.n, domain.p);
	return !user_r->failed;
}
