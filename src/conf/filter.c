#include "filter.h"
#include "value.h"

#include "base/mem.h"
#include "base/must.h"

#include <arpa/inet.h>

enum { USER_ARENA_MAX = 1 << 20 };

/* ---- networks ---- */

struct net {
	unsigned char addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;          /* 0..128 */
};

static bool addr_read(struct span text, unsigned char out[16], bool *v4_r)
{
	char s[INET6_ADDRSTRLEN + 1];
	struct in_addr v4;

	if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = span_cut(text, 1, text.n - 2);
	if (text.n == 0 || text.n >= sizeof(s))
		return false;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	*v4_r = inet_pton(AF_INET, s, &v4) == 1;
	if (!*v4_r)
		return inet_pton(AF_INET6, s, out) == 1;
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, &v4, 4);
	return true;
}

static bool net_read(struct span text, struct net *n_r)
{
	size_t slash = span_find(text, '/');
	uint32_t bits;
	bool v4;

	if (!addr_read(span_cut(text, 0, slash), n_r->addr, &v4))
		return false;
	n_r->bits = 128;
	if (slash == SIZE_MAX)
		return true;
	if (!span_u32(span_from(text, slash + 1), &bits) || bits > (v4 ? 32 : 128))
		return false;
	n_r->bits = v4 ? bits + 96 : bits;
	return true;
}

static bool net_holds(const struct net *n, const unsigned char addr[16])
{
	unsigned bytes = n->bits / 8, rest = n->bits % 8;

	if (memcmp(n->addr, addr, bytes) != 0)
		return false;
	return rest == 0 || (n->addr[bytes] ^ addr[bytes]) >> (8 - rest) == 0;
}

/* The next of "a, b c"; false at the end. */
static bool next_name(struct span *rest, struct span *name_r)
{
	size_t n = 0;

	while (rest->n && memchr(" \t,", *rest->p, 3))
		*rest = span_from(*rest, 1);
	while (n < rest->n && !memchr(" \t,", rest->p[n], 3))
		n++;
	*name_r = span_cut(*rest, 0, n);
	*rest = span_from(*rest, n);
	return n > 0;
}

bool nets_valid(struct span names)
{
	struct span name;
	struct net net;
	size_t n = 0;

	for (; next_name(&names, &name); n++)
		if (!net_read(name, &net))
			return false;
	return n > 0;
}

static bool nets_hold(const char *names, const char *ip)
{
	struct span rest = span_str(names), name;
	unsigned char addr[16];
	struct net net;
	bool v4;

	if (!ip || !addr_read(span_str(ip), addr, &v4))
		return false;
	while (next_name(&rest, &name))
		if (net_read(name, &net) && net_holds(&net, addr))
			return true;
	return false;
}

/* ---- order ---- */

static unsigned longest(const struct filter *f, unsigned kind)
{
	unsigned most = 0;

	for (size_t i = 0; i < f->conds; i++) {
		struct span rest = span_str(f->cond[i].text), name;
		struct net net;

		if (f->cond[i].kind != kind)
			continue;
		if (kind == SECT_PROTOCOL)
			most = 1;
		while (kind != SECT_PROTOCOL && next_name(&rest, &name))
			if (net_read(name, &net) && net.bits + 1 > most)
				most = net.bits + 1;
	}
	return most;
}

static int more_special(const struct filter *a, const struct filter *b)
{
	static const unsigned kinds[] = { SECT_LOCAL, SECT_REMOTE, SECT_PROTOCOL };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		unsigned x = longest(a, kinds[i]), y = longest(b, kinds[i]);

		if (x != y)
			return x > y ? 1 : -1;
	}
	return 0;
}

/* Insertion: stable, and they are few and mostly in order. */
void filters_sort(struct filter *f, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct filter one = f[i];
		size_t at = i;

		for (; at > 0 && more_special(&f[at - 1], &one) > 0; at--)
			f[at] = f[at - 1];
		f[at] = one;
	}
}

/* ---- from the tree ---- */

static bool is_filter(const struct node *n)
{
	return n->kind == SECT_PROTOCOL || n->kind == SECT_LOCAL || n->kind == SECT_REMOTE;
}

static const struct node *next_filter(const struct node *n, const struct node *root)
{
	const struct node *next = is_filter(n) || n == root ? n->child : NULL;

	while (!next && n != root) {
		next = n->next;
		n = n->parent;
	}
	return next;
}

static bool take_conds(struct conf *c, const struct node *n, struct filter *f)
{
	f->cond = arena_array(c->arena, FILTER_CONDS_MAX, sizeof(*f->cond));
	for (; f->cond && is_filter(n); n = n->parent) {
		must(f->conds < FILTER_CONDS_MAX); /* the parser nests no deeper */
		f->cond[f->conds++] = (struct cond){ n->kind, n->name };
	}
	return f->cond != NULL;
}

static bool take_values(struct conf *c, const struct node *n, struct filter *f)
{
	size_t most = 0;

	for (const struct set_value *s = n->sets; s; s = s->next)
		most++;
	f->value = arena_array(c->arena, most + 1, sizeof(*f->value));
	for (const struct set_value *s = n->sets; f->value && s; s = s->next)
		if (s->row && s->row >= conf_rows && s->row < conf_rows + CONF_N)
			f->value[f->values++] =
				(struct filter_value){ (unsigned)(s->row - conf_rows), s->value };
	return f->value != NULL;
}

bool filters_make(struct conf *c, const struct node *root)
{
	size_t most = 0;

	for (const struct node *n = root; n; n = next_filter(n, root))
		most += is_filter(n) && n->sets;
	if (most > FILTERS_MAX)
		return false;
	c->filter = arena_array(c->arena, most + 1, sizeof(*c->filter));
	for (const struct node *n = root; c->filter && n; n = next_filter(n, root)) {
		struct filter f = { .cond = NULL };

		if (!is_filter(n) || !n->sets)
			continue;
		if (!take_conds(c, n, &f) || !take_values(c, n, &f))
			return false;
		c->filter[c->filters++] = f;
	}
	if (c->filter)
		filters_sort(c->filter, c->filters);
	return c->filter != NULL;
}

/* ---- views ---- */

/* The settings with some filters laid over them; made when first asked for, kept as long as the
 * whole. */
struct view {
	struct view *next;
	unsigned char *with; /* own: a bit for each filter */
	struct conf conf;
};

static bool cond_holds(const struct cond *k, const struct conf_peer *p)
{
	if (k->kind == SECT_LOCAL)
		return nets_hold(k->text, p->lip);
	if (k->kind == SECT_REMOTE)
		return nets_hold(k->text, p->rip);
	if (*k->text == '!')
		return strcmp(k->text + 1, p->protocol) != 0;
	return strcmp(k->text, p->protocol) == 0;
}

static bool filter_holds(const struct filter *f, const struct conf_peer *p)
{
	for (size_t i = 0; i < f->conds; i++)
		if (!cond_holds(&f->cond[i], p))
			return false;
	return true;
}

static struct view *view_make(const struct conf *c, unsigned char *with_take)
{
	struct view *w = mem_alloc(sizeof(*w));

	w->with = with_take;
	w->conf = *c;
	for (size_t i = 0; i < c->filters; i++)
		for (size_t k = 0; (with_take[i / 8] >> i % 8 & 1) && k < c->filter[i].values; k++)
			w->conf.v[c->filter[i].value[k].id] = c->filter[i].value[k].v;
	w->next = *c->views;
	*c->views = w;
	return w;
}

const struct conf *conf_for(const struct conf *c, const struct conf_peer *p)
{
	size_t bytes = c->filters / 8 + 1;
	unsigned char *with;
	struct view *w;
	bool any = false;

	if (!c->filters)
		return c;
	with = mem_alloc(bytes);
	memset(with, 0, bytes);
	for (size_t i = 0; i < c->filters; i++) {
		if (!filter_holds(&c->filter[i], p))
			continue;
		with[i / 8] |= (unsigned char)(1u << i % 8);
		any = true;
	}
	for (w = *c->views; any && w; w = w->next)
		if (memcmp(w->with, with, bytes) == 0)
			break;
	if (any && !w)
		return &view_make(c, with)->conf;
	free(with);
	return any ? &w->conf : c;
}

const struct conf *conf_protocol(const struct conf *c, const char *name)
{
	return conf_for(c, &(struct conf_peer){ .protocol = name });
}

void views_free(struct conf *c)
{
	struct view *w = *c->views;

	*c->views = NULL;
	while (w) {
		struct view *next = w->next;

		free(w->with);
		free(w);
		w = next;
	}
}

/* ---- a user's own ---- */

static struct conf *user_begin(const struct conf *c)
{
	struct arena *a = arena_new(USER_ARENA_MAX);
	struct conf *user = arena_alloc(a, sizeof(*user));

	must(user);
	*user = *c;
	user->arena = a;
	user->of = c;
	return user;
}

enum err conf_user_set(const struct conf *c, struct conf **user, struct span key, struct span value,
		       struct errtext *t)
{
	struct conf_value v;
	size_t i = 0;
	enum err e;

	while (i < CONF_N && !span_eq_str(key, conf_rows[i].name))
		i++;
	if (i == CONF_N || !(conf_rows[i].flags & ROW_PEER) || !(conf_rows[i].roles & c->role))
		return ERR_NOTFOUND;
	if (!*user)
		*user = user_begin(c);
	e = value_parse(&conf_rows[i], value, (*user)->arena, &v, t);
	if (!e)
		(*user)->v[i] = v;
	return e;
}
