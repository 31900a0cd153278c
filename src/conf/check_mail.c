/* Where mail lies: do mail_location, the locks of mboxes, and the namespaces make sense, each by itself and all together? */
#include "check.h"
#include "base/must.h"
#include "conf/expand.h"
#include "conf/location.h"

static void check_location(struct check *k, struct place at, const char *what, const char *text)
{
	struct expand_var vars[EXPAND_USER_VARS];
	struct conf_location location;
	struct errtext t;

	expand_user(vars, SPAN("user@example.org"), SPAN("/home/user"));
	if (conf_location_parse(text, vars, "/home/user", k->c->arena, &location, &t))
		FAIL(k, at, "%s: %s", what, t.text);
	else if (location.broken_names)
		WARN(k, at, "%s: BROKENCHAR has no effect here: directories whose names are not modified UTF-7 are not listed",
		     what);
}

static void check_locks(struct check *k, enum conf_id id, const char *name)
{
	static const char *const known[] = { "fcntl", "flock", "lockf", "dotlock", "dotlock_try" };

	for (const char *const *word = conf_words(k->c, id); *word; word++) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			found |= strcmp(*word, known[i]) == 0;
		if (!found)
			FAIL(k, place_of_id(k, id), "%s: \"%s\" is no lock; there are: fcntl, flock, lockf, dotlock, dotlock_try",
			     name, *word);
	}
}

void check_locations(struct check *k)
{
	check_locks(k, CONF_MBOX_READ_LOCKS, "mbox_read_locks");
	check_locks(k, CONF_MBOX_WRITE_LOCKS, "mbox_write_locks");
	check_location(k, place_of_id(k, CONF_MAIL_LOCATION), "mail_location",
		       conf_str(k->c, CONF_MAIL_LOCATION));
	for (const struct node *n = k->c->root->child; n; n = n->next) {
		const char *key = n->kind == SECT_PROTOCOL ? "mail_location" : "location";
		const struct set_value *set = node_find(n, key);

		/* Of sharers: check_sharers. */
		if ((n->kind == SECT_PROTOCOL || (n->kind == SECT_NAMESPACE && set && !strstr(set->value.text, "%%"))) &&
		    set && set->value.len > 0)
			check_location(k, (struct place){ set->file, set->line }, key,
				       set->value.text);
	}
}

static void check_mailbox(struct check *k, const struct node *n)
{
	static const char *const known[] = { "\\All",	  "\\Archive",	 "\\Drafts",
					     "\\Flagged", "\\Important", "\\Junk",
					     "\\Sent",	  "\\Trash",	 NULL };
	const struct set_value *set = node_find(n, "special_use");

	for (size_t i = 0; set && set->value.words[i]; i++) {
		const char *word = set->value.words[i];
		const char *near = nearest_in(known, word);

		if (!span_ieq_str(span_str(word), near))
			FAIL(k, ((struct place){ set->file, set->line }),
			     "special_use: unknown \"%.100s\"; the nearest known name is \"%s\"",
			     word, near);
	}
}

/* One section among the others. */
struct named_ns {
	const struct node *node;
	struct conf_namespace ns;
	size_t prefix_n;
};

static void check_prefix(struct check *k, const struct named_ns *n)
{
	const char *sep = n->ns.separator;

	if (strlen(sep) > 1)
		FAIL(k, place_of(k, n->node, "separator"), "separator must be one character");
	else if (n->prefix_n && sep[0] && n->ns.prefix[n->prefix_n - 1] != sep[0])
		FAIL(k, place_of(k, n->node, "prefix"), "prefix \"%s\" does not end with the separator \"%s\"",
		     n->ns.prefix, sep);
	else if (n->prefix_n && !sep[0] && !strchr("./", n->ns.prefix[n->prefix_n - 1]))
		FAIL(k, place_of(k, n->node, "prefix"), "prefix \"%s\" does not end with a separator", n->ns.prefix);
}

/* A namespace for each user who shares. */
static void check_sharers(struct check *k, const struct named_ns *n)
{
	const struct conf_owner who = { "user@example.org", "/home/user", "" };
	struct conf_location location;
	struct errtext t;
	const char *prefix;
	enum err e;

	if (n->ns.type != CONF_NS_SHARED)
		FAIL(k, place_of(k, n->node, "type"), "a prefix with %%%%u, %%%%n or %%%%d is for type = shared");
	e = conf_sharer_prefix(&n->ns, SPAN("other@example.org"), k->c->arena, &prefix, &t);
	if (e)
		FAIL(k, place_of(k, n->node, "prefix"), "prefix: %s", t.text);
	e = conf_sharer_location(k->c, &n->ns, &who, SPAN("other@example.org"), k->c->arena, &location, &t);
	if (e)
		FAIL(k, place_of(k, n->node, "location"), "location: %s", t.text);
	if (conf_uses_plugin(k->c, "acl"))
		WARN(k, place_of(k, n->node, "prefix"),
		     "this namespace is left out: mail_plugins has acl, and access control lists, which say who may see "
		     "whose mailboxes, are not served");
}

static void check_namespace(struct check *k, const struct named_ns *n)
{
	check_prefix(k, n);
	if (conf_has_sharers(&n->ns))
		check_sharers(k, n);
	else if (strstr(n->ns.prefix, "%") || strstr(n->ns.location, "%%"))
		FAIL(k, place_of(k, n->node, strstr(n->ns.prefix, "%") ? "prefix" : "location"),
		     "%%%%u, %%%%n or %%%%d must be in the prefix, and other variables cannot be");
	if (n->ns.type != CONF_NS_PRIVATE && n->ns.inbox)
		FAIL(k, place_of(k, n->node, "inbox"), "only a private namespace can have inbox = yes");
	if (n->ns.type != CONF_NS_PRIVATE && !n->ns.location[0])
		FAIL(k, place_of(k, n->node, "type"), "a shared or public namespace needs a location of its own");
	for (const struct node *m = n->node->child; m; m = m->next)
		check_mailbox(k, m);
}

/* Against those written before it. */
static void check_against(struct check *k, const struct named_ns *n, const struct named_ns *other)
{
	const char *a = n->ns.separator, *b = other->ns.separator;

	if (strcmp(n->ns.prefix, other->ns.prefix) == 0)
		FAIL(k, place_of(k, n->node, "prefix"), "namespaces \"%s\" and \"%s\" have the same prefix",
		     other->ns.name, n->ns.name);
	if (n->ns.inbox && other->ns.inbox)
		FAIL(k, place_of(k, n->node, "inbox"), "namespace \"%s\" has inbox = yes already: one must have it, not 2",
		     other->ns.name);
	if (n->ns.list != CONF_NS_LIST_NO && other->ns.list != CONF_NS_LIST_NO && a[0] && b[0] && a[0] != b[0])
		FAIL(k, place_of(k, n->node, "separator"),
		     "namespaces that are listed must have one separator: \"%s\" has \"%s\"", other->ns.name, b);
}

static bool has_prefix(const struct conf *c, const char *prefix)
{
	for (size_t i = 0; i < c->ns_n; i++)
		if (strcmp(c->ns[i].prefix, prefix) == 0)
			return true;
	return false;
}

void check_namespaces(struct check *k)
{
	struct named_ns *all = arena_array(k->c->arena, k->c->ns_n + 1, sizeof(*all));
	size_t count = 0, inboxes = 0, sharers = 0;

	for (size_t i = 0; i < k->c->ns_n; i++) {
		inboxes += k->c->ns[i].inbox;
		sharers += conf_has_sharers(&k->c->ns[i]);
	}
	if (k->c->ns_n > CONF_NAMESPACES_MAX)
		FAIL(k, place_of(k, NULL, ""), "more than %d namespaces", CONF_NAMESPACES_MAX);
	if (sharers > CONF_SHARERS_MAX)
		FAIL(k, place_of(k, NULL, ""), "more than %d namespaces with %%%%u, %%%%n or %%%%d", CONF_SHARERS_MAX);
	if (inboxes == 0)
		FAIL(k, place_of(k, NULL, ""), "one namespace must have inbox = yes, not 0");
	for (const struct node *n = k->c->root->child; all && n; n = n->next) {
		struct named_ns *now = &all[count];

		if (n->kind != SECT_NAMESPACE || !finish_struct(k->c->arena, &sects[SECT_NAMESPACE], n, &now->ns) ||
		    now->ns.disabled)
			continue;
		now->node = n;
		now->ns.name = n->name ? n->name : "";
		now->prefix_n = strlen(now->ns.prefix);
		check_namespace(k, now);
		for (size_t i = 0; i < count; i++)
			check_against(k, now, &all[i]);
		if (now->ns.alias_for[0] && !has_prefix(k->c, now->ns.alias_for))
			FAIL(k, place_of(k, n, "alias_for"), "alias_for: no namespace has the prefix \"%s\"",
			     now->ns.alias_for);
		count++;
	}
}
