/* The getters: a value by its row, checked against type and role. */
#include "filter.h"
#include "model.h"
#include "base/mem.h"
#include "base/must.h"

#include <syslog.h>

static void wipe_files(struct conf *c)
{
	views_free(c);
	for (size_t i = 0; i < CONF_N; i++)
		if (conf_rows[i].type == CONF_T_FILE)
			mem_wipe((char *)c->v[i].text, c->v[i].len);
	for (size_t i = 0; i < c->filters; i++)
		for (size_t k = 0; k < c->filter[i].values; k++) {
			const struct filter_value *f = &c->filter[i].value[k];

			if (conf_rows[f->id].type == CONF_T_FILE)
				mem_wipe((char *)f->v.text, f->v.len);
		}
}

void conf_free(struct conf **c)
{
	struct arena *a;

	if (!*c)
		return;
	if (!(*c)->of)
		wipe_files(*c);
	a = (*c)->arena;
	*c = NULL;
	arena_free(&a);
}

static const struct conf_value *value_of(const struct conf *c, enum conf_id id)
{
	must((unsigned)id < CONF_N);
	must(c->role == CONF_EVERY_ROLE || (c->role & conf_rows[id].roles));
	return &c->v[id];
}

bool conf_bool(const struct conf *c, enum conf_id id)
{
	must(conf_rows[id].type == CONF_T_BOOL);
	return value_of(c, id)->num != 0;
}

uint64_t conf_u64(const struct conf *c, enum conf_id id)
{
	enum conf_type type = conf_rows[id].type;

	must(type == CONF_T_UINT || type == CONF_T_SIZE || type == CONF_T_TIME ||
	     type == CONF_T_MODE);
	return value_of(c, id)->num;
}

unsigned conf_enum(const struct conf *c, enum conf_id id)
{
	must(conf_rows[id].type == CONF_T_ENUM);
	return (unsigned)value_of(c, id)->num;
}

const char *conf_str(const struct conf *c, enum conf_id id)
{
	must(conf_rows[id].type == CONF_T_STRING || conf_rows[id].type == CONF_T_ENUM);
	return value_of(c, id)->text;
}

struct span conf_file(const struct conf *c, enum conf_id id)
{
	const struct conf_value *v = value_of(c, id);

	must(conf_rows[id].type == CONF_T_FILE);
	return span_of(v->text, v->len);
}

const char *const *conf_words(const struct conf *c, enum conf_id id)
{
	must(conf_rows[id].type == CONF_T_WORDS);
	return value_of(c, id)->words;
}

bool conf_has_word(const struct conf *c, enum conf_id id, const char *word)
{
	const char *const *words = conf_words(c, id);

	for (size_t i = 0; words[i]; i++)
		if (span_ieq_str(span_str(word), words[i]))
			return true;
	return false;
}

static int syslog_facility(const struct conf *c)
{
	/* In the order of the row's words. */
	static const int facility[] = {
		LOG_MAIL,   LOG_AUTH,   LOG_AUTHPRIV, LOG_CRON,   LOG_DAEMON,
		LOG_FTP,    LOG_KERN,   LOG_LPR,      LOG_NEWS,   LOG_SYSLOG,
		LOG_USER,   LOG_UUCP,   LOG_LOCAL0,   LOG_LOCAL1, LOG_LOCAL2,
		LOG_LOCAL3, LOG_LOCAL4, LOG_LOCAL5,   LOG_LOCAL6, LOG_LOCAL7,
	};
	unsigned n = conf_enum(c, CONF_SYSLOG_FACILITY);

	must(n < ARRAY_LEN(facility));
	return facility[n];
}

struct log_form conf_log_form(const struct conf *c)
{
	return (struct log_form){
		.timestamp = conf_str(c, CONF_LOG_TIMESTAMP),
		.ident = conf_str(c, CONF_INSTANCE_NAME),
		.facility = syslog_facility(c),
	};
}

const struct conf_namespace *conf_namespaces(const struct conf *c, size_t *n_r)
{
	must(c->role & (CONF_MASTER | CONF_WORKER));
	*n_r = c->ns_n;
	return c->ns;
}

const struct conf_passdb *conf_passdbs(const struct conf *c, size_t *n_r)
{
	must(c->role & CONF_AUTH);
	*n_r = c->passdb_n;
	return c->passdb;
}

const struct conf_userdb *conf_userdbs(const struct conf *c, size_t *n_r)
{
	must(c->role & CONF_AUTH);
	*n_r = c->userdb_n;
	return c->userdb;
}

const struct conf_service *conf_service(const struct conf *c, const char *name)
{
	must(c->role & CONF_MASTER);
	for (size_t i = 0; i < c->service_n; i++)
		if (strcmp(c->service[i].name, name) == 0)
			return &c->service[i];
	return NULL;
}

const struct conf_listener *conf_listeners(const struct conf *c, size_t *n_r)
{
	must(c->role & CONF_MASTER);
	*n_r = c->listener_n;
	return c->listener;
}

bool conf_uses_plugin(const struct conf *c, const char *name)
{
	const char *const protocols[] = { NULL, "imap", "lmtp" };
	struct span rest, word;

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		const struct conf *of = protocols[i] ? conf_protocol(c, protocols[i]) : c;

		for (rest = span_str(conf_str(of, CONF_MAIL_PLUGINS)); span_split(&rest, ' ', &word);)
			if (span_ieq_str(word, name))
				return true;
	}
	return false;
}

const struct conf_pair *conf_plugin(const struct conf *c, size_t *n_r)
{
	must(c->role & CONF_WORKER);
	*n_r = c->plugin_n;
	return c->plugin;
}
