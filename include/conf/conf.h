/*
 * A configuration as every role reads it.
 *
 * A struct conf is immutable once made (by conf_load in the master, by conf_import in the others)
 * and owns everything that is reached through it; pointers stay valid until conf_free. A reload
 * makes a new one; a session keeps the one that it began with.
 *
 * Settings are read by row with the getter of the row's type; the wrong getter, or a row that the
 * role of an imported configuration may not see, is a bug and aborts. Values were checked when
 * the file was read: getters never fail.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/err.h"
#include "base/log.h"
#include "base/span.h"
#include "conf/settings.h"

struct conf;

/* NULL allowed; nulls. Frees the views too; wipes the contents of files. */
void conf_free(struct conf **c);

/*
 * The same settings as a connection sees them: those of protocol, local and remote sections that fit it laid over the
 * global ones, the more special over the less. Borrowed from c (c itself when nothing differs). The lists below are the same
 * for all views. Made at first need and kept: no more of them than combinations of sections.
 */
struct conf_peer {
	const char *protocol;    /* "imap", "lmtp" */
	const char *lip, *rip;   /* addresses; NULL or "": none, no such section fits */
};
const struct conf *conf_for(const struct conf *c, const struct conf_peer *p);
const struct conf *conf_protocol(const struct conf *c, const char *name); /* of no address */

/*
 * A setting that a userdb gives one user. *user (NULL at first) becomes a copy of c with it, which c must outlive and which
 * conf_free frees. ERR_NOTFOUND: key is no setting that a user may have for himself; else what is wrong with the value.
 */
enum err conf_user_set(const struct conf *c, struct conf **user, struct span key, struct span value,
		       struct errtext *t);

bool conf_bool(const struct conf *c, enum conf_id id);
/* UINT, SIZE (bytes), TIME (milliseconds). */
uint64_t conf_u64(const struct conf *c, enum conf_id id);
/* One of the enums in conf/settings.h. */
unsigned conf_enum(const struct conf *c, enum conf_id id);
/* STRING, also the word of an ENUM; never NULL. */
const char *conf_str(const struct conf *c, enum conf_id id);
/* FILE: the content; empty when unset. */
struct span conf_file(const struct conf *c, enum conf_id id);
/* WORDS: ended by NULL; never NULL. And whether word is one of them, ASCII case-insensitive. */
const char *const *conf_words(const struct conf *c, enum conf_id id);
bool conf_has_word(const struct conf *c, enum conf_id id, const char *word);

/* How log lines look; borrowed from c. */
struct log_form conf_log_form(const struct conf *c);

/* ---- namespaces: for master, worker ---- */

enum conf_ns_type { CONF_NS_PRIVATE, CONF_NS_SHARED, CONF_NS_PUBLIC };
enum conf_ns_list { CONF_NS_LIST_NO, CONF_NS_LIST_YES, CONF_NS_LIST_CHILDREN };
enum conf_auto { CONF_AUTO_NO, CONF_AUTO_CREATE, CONF_AUTO_SUBSCRIBE };

struct conf_mailbox {
	const char *name; /* as written: UTF-8, with the namespace's separator, without its prefix */
	unsigned autocreate;             /* enum conf_auto ("auto") */
	const char *const *special_use;  /* "\\Drafts"...; ended by NULL, never NULL */
	uint64_t autoexpunge;            /* ms; 0: never */
	uint64_t autoexpunge_max_mails;  /* 0: no bound */
	const char *comment;
	const char *driver;
};

struct conf_namespace {
	const char *name;      /* "" when the section has none */
	unsigned type;         /* enum conf_ns_type */
	const char *prefix;
	const char *separator; /* one byte, or "" for the driver's own */
	const char *location;  /* "" for mail_location */
	const char *alias_for;
	bool inbox, hidden, subscriptions, ignore_on_failure, disabled;
	unsigned list;         /* enum conf_ns_list */
	uint64_t order;
	const struct conf_mailbox *mailboxes;
	size_t mailboxes_n;
};

enum {
	CONF_NAMESPACES_MAX = 255,
	CONF_SHARERS_MAX = 32, /* of these the ones made for each user who shares */
};

/*
 * Never empty: without any section there is one private namespace with inbox = yes. Disabled
 * ones are not in it.
 */
const struct conf_namespace *conf_namespaces(const struct conf *c, size_t *n_r);

/* ---- password and user databases: for auth ---- */

enum conf_skip { CONF_SKIP_NEVER, CONF_SKIP_AUTHENTICATED, CONF_SKIP_UNAUTHENTICATED };
enum conf_result {
	CONF_RETURN_OK,
	CONF_RETURN,
	CONF_RETURN_FAIL,
	CONF_CONTINUE,
	CONF_CONTINUE_OK,
	CONF_CONTINUE_FAIL,
};

struct conf_passdb {
	const char *name;
	const char *driver;
	const char *args;
	const char *default_fields;
	const char *override_fields;
	bool deny, master, pass;
	unsigned skip;                                            /* enum conf_skip */
	unsigned result_success, result_failure, result_internalfail; /* enum conf_result */
	const char *const *mechanisms;                            /* none: all */
	const char *const *username_filter;
	unsigned auth_verbose;                                    /* 0 default, 1 yes, 2 no */
};

struct conf_userdb {
	const char *name;
	const char *driver;
	const char *args;
	const char *default_fields;
	const char *override_fields;
	unsigned skip; /* never, found, notfound */
	unsigned result_success, result_failure, result_internalfail;
	unsigned auth_verbose;
};

const struct conf_passdb *conf_passdbs(const struct conf *c, size_t *n_r);
const struct conf_userdb *conf_userdbs(const struct conf *c, size_t *n_r);

/* ---- services and listeners: for the master ---- */

enum conf_listener_kind { CONF_INET, CONF_UNIX, CONF_FIFO };

struct conf_listener {
	unsigned kind;                 /* enum conf_listener_kind */
	const char *name;              /* inet: "imaps"; unix: absolute path */
	const char *service;           /* "imap-login" */
	const char *protocol;          /* "imap", "lmtp" */
	const char *const *address;    /* inet: "*", "::", 127.0.0.1, [::1]; ended by NULL */
	uint64_t port;                 /* inet: 1..65535 */
	bool ssl, haproxy, reuse_port; /* inet: ssl: TLS from the first byte */
	uint64_t mode;                 /* unix: file mode */
	const char *user, *group;      /* unix: "" for ours */
};

struct conf_service {
	const char *name;
	const char *protocol;
	const char *type;
	const char *executable;
	const char *user, *group;
	const char *chroot;
	const char *const *extra_groups;
	const char *privileged_group;
	bool drop_priv_before_exec;
	uint64_t process_limit;     /* 0: default_process_limit */
	uint64_t process_min_avail;
	uint64_t client_limit;      /* 0: default_client_limit */
	uint64_t service_count;
	uint64_t idle_kill;         /* ms; 0: default */
	uint64_t vsz_limit;         /* bytes; 0: default_vsz_limit */
	const struct conf_listener *listeners; /* as written, defaults laid under */
	size_t listeners_n;
};

/* Always finds imap-login, lmtp, imap, auth, auth-worker; NULL for what nobody knows. */
const struct conf_service *conf_service(const struct conf *c, const char *name);

/*
 * What to bind: listeners of the protocols in `protocols`, defaults merged (imap 143, imaps 993
 * with ssl; lmtp: unix socket base_dir/lmtp), port = 0 left out, ssl listeners left out when
 * ssl = no.
 */
const struct conf_listener *conf_listeners(const struct conf *c, size_t *n_r);

/* plugin {}: key and value verbatim. For the worker. */
struct conf_pair {
	const char *key, *value;
};
/* Is it in mail_plugins, everywhere or in what serves IMAP or LMTP? */
bool conf_uses_plugin(const struct conf *c, const char *name);
const struct conf_pair *conf_plugin(const struct conf *c, size_t *n_r);

#endif
