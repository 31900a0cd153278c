/*
 * What the values mean together: errors that would otherwise show at the first login, and a
 * warning for everything that is accepted without having an effect. Nothing is ignored in
 * silence. Not here: where mail lies (check_mail.c).
 */
#include "check.h"
#include "filter.h"
#include "base/must.h"
#include "conf/expand.h"

#include <arpa/inet.h>

struct place place_of(const struct check *k, const struct node *n, const char *key)
{
	const struct set_value *set = n ? node_find(n, key) : NULL;

	if (set && !set->builtin)
		return (struct place){ set->file, set->line };
	if (n && n->file && !n->builtin)
		return (struct place){ n->file, n->line };
	return (struct place){ k->path, 0 };
}

struct place place_of_id(const struct check *k, enum conf_id id)
{
	return place_of(k, k->c->root, conf_rows[id].name);
}

static bool in_list_span(const char *list, struct span word)
{
	struct span rest = span_str(list), w;

	while (span_split(&rest, ' ', &w))
		if (span_ieq(w, word))
			return true;
	return false;
}

static bool in_list(const char *list, const char *word)
{
	return in_list_span(list, span_str(word));
}

const char *nearest_in(const char *const *list, const char *word)
{
	struct nearest near = { .word = span_str(word) };

	for (size_t i = 0; list[i]; i++)
		nearest_try(&near, list[i]);
	return near.best;
}

/* ---- what has no effect ---- */

static const char served_services[] = "imap-login lmtp imap auth auth-worker";

static bool unserved(const struct node *n)
{
	if (sects[n->kind].flags & SECT_UNSERVED)
		return true;
	switch (n->kind) {
	case SECT_PROTOCOL:
		for (size_t i = 0; conf_protocols_served[i]; i++)
			if (*n->name == '!' || strcmp(n->name, conf_protocols_served[i]) == 0)
				return false;
		return true;
	case SECT_LOCAL:
	case SECT_REMOTE:
		return !nets_valid(span_str(n->name)); /* a host name */
	case SECT_SERVICE:
		return !in_list(served_services, n->name);
	case SECT_INET:
		return !in_list("imap-login lmtp", n->parent->name);
	case SECT_UNIX:
		return strcmp(n->parent->name, "lmtp") != 0;
	default:
		return false;
	}
}

/* What Dovecot has as plug-ins and is built in here; and their settings. */
static const char served_plugins[] = "zlib";
static const char served_plugin_keys[] = "zlib_save zlib_save_level";

bool row_idle_plugins(const struct conf_row *row, const struct conf_value *v)
{
	struct span rest, word;

	if (row != &conf_rows[CONF_MAIL_PLUGINS])
		return false;
	for (rest = span_str(v->text); span_split(&rest, ' ', &word);)
		if (word.n && !in_list_span(served_plugins, word))
			return true;
	return false;
}

static bool is_default(struct check *k, const struct set_value *set)
{
	struct conf_value v;

	return value_parse(set->row, span_str(set->row->def), k->c->arena, &v, NULL) == ERR_OK &&
	       value_equal(set->row, &v, &set->value);
}

static bool only_master_reads(const struct conf_row *row)
{
	return row < conf_rows + CONF_N && row >= conf_rows &&
	       !(row->roles & (CONF_LOGIN | CONF_AUTH | CONF_WORKER));
}

/* The limit of workers is the only one of a service's limits that is kept. */
static bool is_idle_limit(const struct node *n, const struct set_value *set)
{
	return n->kind == SECT_SERVICE && strcmp(set->key, "process_limit") == 0 &&
	       strcmp(n->name, "imap") != 0;
}

/* Does n hold for some addresses only? */
static bool of_address(const struct node *n)
{
	for (; n; n = n->parent)
		if (n->kind == SECT_LOCAL || n->kind == SECT_REMOTE)
			return true;
	return false;
}

static void check_set(struct check *k, const struct node *n, const struct set_value *set)
{
	struct place at = { set->file, set->line };

	if (set->builtin)
		return;
	if (n->kind == SECT_PLUGIN && !in_list(served_plugin_keys, set->key))
		WARN(k, at, "plugin/%s: accepted but has no effect here", set->key);
	if (!set->row)
		return;
	if ((set->row->flags & ROW_REFUSED) && !is_default(k, set))
		FAIL(k, at, "%s: not served here, and to ignore it would not be safe", set->key);
	else if (((set->row->flags & ROW_NOEFFECT) || is_idle_limit(n, set) || row_idle_plugins(set->row, &set->value)) &&
		 !is_default(k, set))
		WARN(k, at, "%s: accepted but has no effect here", set->key);
	else if (of_address(n) && !(set->row->flags & ROW_PEER))
		WARN(k, at, "%s: has no effect in a local or remote section", set->key);
	else if (n->kind == SECT_PROTOCOL && only_master_reads(set->row))
		WARN(k, at, "%s: has no effect in a protocol section", set->key);
}

/* The node after n in the order of the file, not going into n when it is cut off. */
static const struct node *next_node(const struct node *n, bool into)
{
	if (into && n->child)
		return n->child;
	while (n && !n->next)
		n = n->parent;
	return n ? n->next : NULL;
}

/* Nothing is set in it: an empty section asks for nothing. */
static bool is_empty(const struct node *top)
{
	const struct node *n = top;

	while (n) {
		if (n->sets)
			return false;
		if (n->child) {
			n = n->child;
			continue;
		}
		while (n != top && !n->next)
			n = n->parent;
		n = n == top ? NULL : n->next;
	}
	return true;
}

static void check_effects(struct check *k)
{
	const struct node *n = k->c->root;

	while (n) {
		bool idle = unserved(n);
		struct place at = { n->file, n->line };

		if (idle && !n->builtin && n->kind != SECT_PLUGIN && !is_empty(n))
			WARN(k, at, "section \"%s%s%s\": accepted but has no effect here",
			     sects[n->kind].name, *n->name ? " " : "", n->name);
		if (!idle || n->kind == SECT_PLUGIN)
			for (const struct set_value *s = n->sets; s; s = s->next)
				check_set(k, n, s);
		n = next_node(n, !idle);
	}
}

/* ---- single settings ---- */

static void check_protocols(struct check *k)
{
	static const char *const known[] = { "imap", "lmtp", "pop3", "sieve", "submission", NULL };
	const char *const *words = conf_words(k->c, CONF_PROTOCOLS);
	struct place at = place_of_id(k, CONF_PROTOCOLS);

	for (size_t i = 0; words[i]; i++) {
		if (in_list("imap lmtp none", words[i]))
			continue;
		if (in_list("pop3 sieve submission", words[i]))
			WARN(k, at, "protocols: %s: accepted but has no effect here", words[i]);
		else
			FAIL(k, at,
			     "protocols: unknown protocol \"%.100s\"; the nearest known name is "
			     "\"%s\"",
			     words[i], nearest_in(known, words[i]));
	}
}

static void check_mechanisms(struct check *k)
{
	static const char *const served[] = { "plain", "login", NULL };
	static const char known[] =
		"cram-md5 digest-md5 scram-sha-1 scram-sha-256 apop ntlm gssapi "
		"gss-spnego external anonymous otp skey oauthbearer xoauth2 rpa";
	const char *const *words = conf_words(k->c, CONF_AUTH_MECHANISMS);
	struct place at = place_of_id(k, CONF_AUTH_MECHANISMS);

	for (size_t i = 0; words[i]; i++) {
		if (in_list("plain login", words[i]))
			continue;
		if (in_list(known, words[i]))
			WARN(k, at, "auth_mechanisms: %s: accepted but has no effect here",
			     words[i]);
		else
			FAIL(k, at,
			     "auth_mechanisms: unknown mechanism \"%.100s\"; the nearest known "
			     "name is \"%s\"",
			     words[i], nearest_in(served, words[i]));
	}
}

/* In whatever section it stands. */
static void check_workarounds(struct check *k)
{
	static const char *const known[] = { "delay-newmail", "tb-extra-mailbox-sep", "tb-lsub-flags", NULL };

	for (const struct node *n = k->c->root; n; n = next_node(n, true)) {
		const struct set_value *set = node_find(n, conf_rows[CONF_IMAP_CLIENT_WORKAROUNDS].name);

		for (size_t i = 0; set && set->row && set->value.words[i]; i++) {
			struct place at = { set->file, set->line };
			const char *word = set->value.words[i];

			if (!in_list("delay-newmail tb-extra-mailbox-sep tb-lsub-flags", word))
				FAIL(k, at,
				     "imap_client_workarounds: unknown word \"%.100s\"; the nearest known name is \"%s\"",
				     word, nearest_in(known, word));
		}
	}
}

static bool has_file(const struct check *k, enum conf_id id)
{
	const struct conf_value *v = &k->c->v[id];

	return v->len > 0 || (v->file && !k->contents);
}

static void check_ssl(struct check *k)
{
	struct place at = place_of_id(k, CONF_SSL);

	if (conf_enum(k->c, CONF_SSL) == CONF_SSL_NO ||
	    !conf_has_word(k->c, CONF_PROTOCOLS, "imap"))
		return;
	if (!has_file(k, CONF_SSL_CERT))
		FAIL(k, at, "ssl = %s needs a certificate: ssl_cert = </path",
		     conf_str(k->c, CONF_SSL));
	if (!has_file(k, CONF_SSL_KEY))
		FAIL(k, at, "ssl = %s needs a private key: ssl_key = </path",
		     conf_str(k->c, CONF_SSL));
}

static void check_ranges(struct check *k)
{
	static const struct {
		enum conf_id id;
		uint64_t min, max;
		const char *words;
	} ranges[] = {
		{ CONF_AUTH_FAILURE_DELAY, 0, 60000, "0 to 1 min" },
		{ CONF_AUTH_WORKER_MAX_COUNT, 1, 1000, "1 to 1000" },
		{ CONF_DEFAULT_CLIENT_LIMIT, 1, 1000000, "1 to 1000000" },
		{ CONF_DEFAULT_PROCESS_LIMIT, 1, 100000, "1 to 100000" },
		{ CONF_IMAP_IDLE_NOTIFY_INTERVAL, 1000, 86400000, "1 sec to 1 day" },
		{ CONF_IMAP_MAX_LINE_LENGTH, 1024, 16 << 20, "1 k to 16 M" },
		{ CONF_LOGIN_PROCESSES, 1, 256, "1 to 256" },
		{ CONF_MAIL_MAX_KEYWORD_LENGTH, 1, 1000, "1 to 1000" },
		{ CONF_MESSAGE_SIZE_MAX, 1024, UINT64_C(1) << 40, "1 k to 1 T" },
		{ CONF_WORKER_LINGER, 0, 86400000, "0 to 1 day" },
		{ CONF_WORKER_SPARES, 0, 1000, "0 to 1000" },
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		uint64_t v = conf_u64(k->c, ranges[i].id);

		if (v < ranges[i].min || v > ranges[i].max)
			FAIL(k, place_of_id(k, ranges[i].id), "%s must be %s",
			     conf_rows[ranges[i].id].name, ranges[i].words);
	}
}

static void check_ids(struct check *k, enum conf_id first, enum conf_id last)
{
	uint64_t from = conf_u64(k->c, first), to = conf_u64(k->c, last);

	if (to != 0 && to < from)
		FAIL(k, place_of_id(k, last), "%s=%llu is below %s=%llu", conf_rows[last].name,
		     (unsigned long long)to, conf_rows[first].name, (unsigned long long)from);
	if (from > UINT32_MAX - 1 || to > UINT32_MAX - 1)
		FAIL(k, place_of_id(k, first), "%s and %s must be ids", conf_rows[first].name,
		     conf_rows[last].name);
}

static void check_texts(struct check *k)
{
	static const enum conf_id dirs[] = { CONF_BASE_DIR, CONF_STATE_DIR };
	struct expand_var vars[EXPAND_USER_VARS];
	struct errtext t;
	struct buf out;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (*conf_str(k->c, dirs[i]) != '/')
			FAIL(k, place_of_id(k, dirs[i]), "%s must be an absolute path",
			     conf_rows[dirs[i]].name);
	if (strlen(conf_str(k->c, CONF_AUTH_USERNAME_TRANSLATION)) % 2 != 0)
		FAIL(k, place_of_id(k, CONF_AUTH_USERNAME_TRANSLATION),
		     "auth_username_translation must be pairs of characters");
	buf_init(&out, 4096);
	expand_user(vars, SPAN("user@example.org"), SPAN("/home/user"));
	if (expand(conf_str(k->c, CONF_AUTH_USERNAME_FORMAT), vars, &out, &t))
		FAIL(k, place_of_id(k, CONF_AUTH_USERNAME_FORMAT), "auth_username_format: %s",
		     t.text);
	buf_clear(&out);
	if (expand_path(span_str(conf_str(k->c, CONF_MAIL_HOME)), vars, &out, &t))
		FAIL(k, place_of_id(k, CONF_MAIL_HOME), "mail_home: %s", t.text);
	buf_free(&out);
}

/* ---- users ---- */

static const char passdb_drivers[] = "passwd-file";
static const char userdb_drivers[] = "static passwd-file passwd prefetch";

static void check_db(struct check *k, const struct node *n, const char *served)
{
	const struct set_value *driver = node_find(n, "driver"), *args = node_find(n, "args");
	const char *what = sects[n->kind].name;
	struct place at = place_of(k, n, "driver");

	if (!driver || driver->value.len == 0)
		FAIL(k, at, "%s: driver is missing", what);
	else if (!in_list(served, driver->value.text))
		FAIL(k, at, "%s: driver \"%.100s\" is not served here; there are: %s", what,
		     driver->value.text, served);
	else if (strcmp(driver->value.text, "passwd-file") == 0 && (!args || args->value.len == 0))
		FAIL(k, at, "%s: passwd-file needs args = /path", what);
}

static void check_users(struct check *k)
{
	for (const struct node *n = k->c->root->child; n; n = n->next) {
		if (n->kind == SECT_PASSDB)
			check_db(k, n, passdb_drivers);
		else if (n->kind == SECT_USERDB)
			check_db(k, n, userdb_drivers);
	}
	if (k->c->passdb_n == 0 && conf_has_word(k->c, CONF_PROTOCOLS, "imap"))
		FAIL(k, place_of(k, NULL, ""), "no passdb: nobody could log in");
	if (k->c->userdb_n == 0)
		FAIL(k, place_of(k, NULL, ""), "no userdb: no user would have a mailbox");
}

/* ---- listeners ---- */

static bool is_address(const char *s)
{
	unsigned char bin[16];
	char bare[64];
	size_t n = strlen(s);

	if (strcmp(s, "*") == 0)
		return true;
	if (n >= sizeof(bare))
		return false;
	if (s[0] == '[' && s[n - 1] == ']')
		snprintf(bare, sizeof(bare), "%.*s", (int)n - 2, s + 1);
	else
		snprintf(bare, sizeof(bare), "%s", s);
	return inet_pton(AF_INET, bare, bin) == 1 || inet_pton(AF_INET6, bare, bin) == 1;
}

static void check_listener(struct check *k, const struct conf_listener *l)
{
	struct place at = place_of(k, NULL, "");

	if (l->port > 65535)
		FAIL(k, at, "inet_listener %s: port %llu is above 65535", l->name,
		     (unsigned long long)l->port);
	for (size_t i = 0; l->address[i]; i++)
		if (!is_address(l->address[i]))
			FAIL(k, at, "inet_listener %s: \"%.100s\" is no address", l->name,
			     l->address[i]);
	if (l->kind == CONF_UNIX && strlen(l->name) > 107)
		FAIL(k, at, "unix_listener %.200s: the path is longer than 107 bytes", l->name);
}

void check_all(struct conf *c, const char *path, bool contents, struct notes *notes)
{
	struct check k = { c, notes, path, contents };

	check_effects(&k);
	check_protocols(&k);
	check_mechanisms(&k);
	check_workarounds(&k);
	check_ssl(&k);
	check_ranges(&k);
	check_ids(&k, CONF_FIRST_VALID_UID, CONF_LAST_VALID_UID);
	check_ids(&k, CONF_FIRST_VALID_GID, CONF_LAST_VALID_GID);
	check_texts(&k);
	check_locations(&k);
	check_namespaces(&k);
	check_users(&k);
	for (size_t i = 0; i < c->listener_n; i++)
		check_listener(&k, &c->listener[i]);
}
