#include "fields.h"

static struct field *find(const struct fields *f, struct span key)
{
	for (struct field *i = f->first; i; i = i->next)
		if (span_eq_str(key, i->key))
			return i;
	return NULL;
}

enum err fields_set(struct fields *f, struct span key, struct span value)
{
	struct field *i = find(f, key);
	const char *v = arena_span(f->a, value);

	if (!v)
		return ERR_MEMORY;
	if (!i) {
		i = arena_alloc(f->a, sizeof(*i));
		if (!i || !(i->key = arena_span(f->a, key)))
			return ERR_MEMORY;
		i->next = f->first;
		f->first = i;
	}
	i->value = v;
	return ERR_OK;
}

const char *fields_get(const struct fields *f, const char *key)
{
	const struct field *i = find(f, span_str(key));

	return i ? i->value : NULL;
}

static enum err add_one(struct fields *f, struct span word, const struct fields_how *how,
			struct errtext *t)
{
	size_t eq = span_find(word, '=');
	struct span key = eq == SIZE_MAX ? word : span_cut(word, 0, eq);
	struct span value = eq == SIZE_MAX ? SPAN("") : span_from(word, eq + 1);
	struct span prefix = span_str(how->prefix);
	struct buf out;
	enum err e;

	if (!span_starts(key, prefix) || key.n == prefix.n)
		return ERR_OK;
	key = span_from(key, prefix.n);
	if (how->weak && find(f, key))
		return ERR_OK;
	/* mail is a template for mail_location: the master expands it, once. */
	if (!how->vars || span_eq_str(key, "mail"))
		return fields_set(f, key, value);
	buf_init(&out, 4096);
	e = span_eq_str(key, "home") ? expand_path(value, how->vars, &out, t)
				     : expand_span(value, how->vars, &out, t);
	if (!e)
		e = fields_set(f, key, buf_span(&out));
	buf_free(&out);
	return e;
}

enum err fields_add(struct fields *f, struct span text, const struct fields_how *how,
		    struct errtext *t)
{
	struct span word;
	enum err e = ERR_OK;

	while (!e && span_split(&text, ' ', &word))
		if (word.n > 0)
			e = add_one(f, word, how, t);
	return e;
}
