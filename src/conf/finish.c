#include "finish.h"
#include "filter.h"
#include "value.h"
#include "base/must.h"

struct conf *conf_new(unsigned role)
{
	struct arena *a = arena_new(CONF_ARENA_MAX);
	struct conf *c = arena_alloc(a, sizeof(*c));

	must(c);
	c->arena = a;
	c->views = arena_alloc(a, sizeof(struct view *));
	must(c->views);
	c->role = role;
	return c;
}

static bool default_value(struct arena *a, const struct conf_row *row, struct conf_value *v_r)
{
	enum err e = value_parse(row, span_str(row->def), a, v_r, NULL);

	must(e == ERR_OK || e == ERR_LIMIT); /* defaults fit their type */
	return e == ERR_OK;
}

bool finish_defaults(struct conf *c)
{
	for (size_t i = 0; i < CONF_N; i++)
		if (!default_value(c->arena, &conf_rows[i], &c->v[i]))
			return false;
	return true;
}

bool finish_struct(struct arena *a, const struct sect *sect, const struct node *n, void *base)
{
	for (size_t i = 0; i < sect->rows_n; i++) {
		const struct set_value *set = n ? node_find(n, sect->rows[i].name) : NULL;
		struct conf_value v;

		if (!set && !default_value(a, &sect->rows[i], &v))
			return false;
		value_store(&sect->rows[i], set ? &set->value : &v, base);
	}
	return true;
}

static void lay_over(struct conf_value *v, const struct node *n)
{
	for (const struct set_value *set = n->sets; set; set = set->next)
		if (set->row && set->row < conf_rows + CONF_N)
			v[set->row - conf_rows] = set->value;
}

/* ---- lists ---- */

static size_t count(const struct node *in, enum sect_kind kind)
{
	size_t n = 0;

	for (const struct node *s = in->child; s; s = s->next)
		n += s->kind == kind;
	return n;
}

/* An array of the structs of all sections of one kind inside in, each with its name. NULL at the limit; n_r counts. */
static void *make_list(struct arena *a, const struct node *in, enum sect_kind kind, size_t name_off,
		       size_t *n_r)
{
	const struct sect *sect = &sects[kind];
	size_t n = 0;
	char *list = arena_array(a, count(in, kind) + 1, sect->size);

	for (const struct node *s = in->child; list && s; s = s->next) {
		if (s->kind != kind)
			continue;
		if (!finish_struct(a, sect, s, list + n * sect->size))
			return NULL;
		*(const char **)(list + n * sect->size + name_off) = s->name;
		n++;
	}
	*n_r = n;
	return list;
}

static bool make_mailboxes(struct conf *c, const struct node *root)
{
	struct conf_namespace *ns = c->ns;

	for (const struct node *n = root->child; n; n = n->next) {
		if (n->kind != SECT_NAMESPACE)
			continue;
		ns->mailboxes = make_list(c->arena, n, SECT_MAILBOX,
					  offsetof(struct conf_mailbox, name), &ns->mailboxes_n);
		if (!ns++->mailboxes)
			return false;
	}
	return true;
}

/* As Dovecot names them: by order, the shorter prefix first, else as written. */
static bool comes_later(const struct conf_namespace *a, const struct conf_namespace *b)
{
	return a->order != b->order ? a->order > b->order : strlen(a->prefix) > strlen(b->prefix);
}

static void sort_namespaces(struct conf *c)
{
	for (size_t i = 1; i < c->ns_n; i++) {
		struct conf_namespace ns = c->ns[i];
		size_t at = i;

		for (; at > 0 && comes_later(&c->ns[at - 1], &ns); at--)
			c->ns[at] = c->ns[at - 1];
		c->ns[at] = ns;
	}
}

static bool make_namespaces(struct conf *c, const struct node *root)
{
	size_t n = 0;

	c->ns = make_list(c->arena, root, SECT_NAMESPACE, offsetof(struct conf_namespace, name),
			  &c->ns_n);
	if (!c->ns || !make_mailboxes(c, root))
		return false;
	for (size_t i = 0; i < c->ns_n; i++)
		if (!c->ns[i].disabled)
			c->ns[n++] = c->ns[i];
	c->ns_n = n;
	sort_namespaces(c);
	if (n > 0)
		return true;
	if (!finish_struct(c->arena, &sects[SECT_NAMESPACE], NULL, &c->ns[0]))
		return false;
	c->ns[0].name = "";
	c->ns[0].inbox = true;
	c->ns[0].mailboxes = NULL;
	c->ns[0].mailboxes_n = 0;
	c->ns_n = 1;
	return true;
}

static bool make_plugin(struct conf *c, const struct node *root)
{
	size_t n = 0;

	for (const struct node *s = root->child; s; s = s->next) {
		if (s->kind != SECT_PLUGIN)
			continue;
		for (const struct set_value *set = s->sets; set; set = set->next)
			n++;
		c->plugin = arena_array(c->arena, n + 1, sizeof(*c->plugin));
		if (!c->plugin)
			return false;
		for (const struct set_value *set = s->sets; set; set = set->next)
			c->plugin[c->plugin_n++] = (struct conf_pair){ set->key, set->value.text };
	}
	return true;
}

/* ---- services ---- */

/* The services that listen for clients, and what their clients speak. */
static const struct {
	const char *service, *protocol;
} fronts[] = {
	{ "imap-login", "imap" },
	{ "lmtp", "lmtp" },
};

static const char *protocol_of(const char *service)
{
	for (size_t i = 0; i < ARRAY_LEN(fronts); i++)
		if (strcmp(fronts[i].service, service) == 0)
			return fronts[i].protocol;
	return "";
}

static bool fill_listener(struct conf *c, const struct node *n, struct conf_listener *l)
{
	bool path = n->kind != SECT_INET;
	const char *base_dir = conf_str(c, CONF_BASE_DIR);

	if (!finish_struct(c->arena, &sects[n->kind], n, l))
		return false;
	l->kind = n->kind == SECT_INET ? CONF_INET : n->kind == SECT_UNIX ? CONF_UNIX : CONF_FIFO;
	l->service = n->parent->name;
	l->protocol = protocol_of(n->parent->name);
	l->name = path && *n->name != '/' ? arena_printf(c->arena, "%s/%s", base_dir, n->name)
					  : n->name;
	if (!path && !l->address[0])
		l->address = conf_words(c, CONF_LISTEN);
	if (path) {
		static const char *const none[] = { NULL };

		l->address = none;
	} else {
		l->user = l->group = "";
	}
	return l->name != NULL;
}

static bool fill_listeners(struct conf *c, const struct node *n, struct conf_service *s)
{
	size_t max = count(n, SECT_INET) + count(n, SECT_UNIX) + count(n, SECT_FIFO);
	struct conf_listener *list = arena_array(c->arena, max + 1, sizeof(*list));
	size_t used = 0;

	for (const struct node *l = n->child; list && l; l = l->next)
		if (!fill_listener(c, l, &list[used++]))
			return false;
	s->listeners = list;
	s->listeners_n = used;
	return list != NULL;
}

static bool make_services(struct conf *c, const struct node *root)
{
	struct conf_service *s;

	c->service = make_list(c->arena, root, SECT_SERVICE, offsetof(struct conf_service, name),
			       &c->service_n);
	s = c->service;
	for (const struct node *n = root->child; s && n; n = n->next)
		if (n->kind == SECT_SERVICE && !fill_listeners(c, n, s++))
			return false;
	return s != NULL;
}

static bool is_bound(const struct conf *c, const struct conf_listener *l)
{
	if (!*l->protocol || !conf_has_word(c, CONF_PROTOCOLS, l->protocol))
		return false;
	if (l->kind == CONF_INET)
		return l->port > 0 && !(l->ssl && conf_enum(c, CONF_SSL) == CONF_SSL_NO);
	return l->kind == CONF_UNIX && strcmp(l->protocol, "lmtp") == 0;
}

static bool make_listeners(struct conf *c)
{
	size_t max = 1;

	for (size_t i = 0; i < c->service_n; i++)
		max += c->service[i].listeners_n;
	c->listener = arena_array(c->arena, max, sizeof(*c->listener));
	for (size_t i = 0; c->listener && i < c->service_n; i++) {
		const struct conf_service *s = &c->service[i];

		for (size_t j = 0; j < s->listeners_n; j++)
			if (is_bound(c, &s->listeners[j]))
				c->listener[c->listener_n++] = s->listeners[j];
	}
	return c->listener != NULL;
}

void finish_fill(struct conf *c, const struct node *root, struct notes *notes)
{
	bool ok = finish_defaults(c);

	c->root = root;
	lay_over(c->v, root);
	ok = ok && filters_make(c, root) && make_namespaces(c, root) && make_plugin(c, root);
	c->passdb = make_list(c->arena, root, SECT_PASSDB, offsetof(struct conf_passdb, name),
			      &c->passdb_n);
	c->userdb = make_list(c->arena, root, SECT_USERDB, offsetof(struct conf_userdb, name),
			      &c->userdb_n);
	ok = ok && c->passdb && c->userdb && make_services(c, root) && make_listeners(c);
	if (!ok)
		note_error(notes, "configuration", 0, "it is too large");
}
