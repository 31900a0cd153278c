/*
 * Cyrus SASL, kept on a short lead: no configuration file, no auxiliary property store, only two
 * plug-ins, user names copied as they are, and the verdict is our own callback's, not what the
 * library makes of it.
 */
#include "sasl.h"
#include "base/mem.h"
#include "base/must.h"

#include <sasl/sasl.h>

static const struct {
	const char *mech, *plugin;
} served[] = {
	{ "PLAIN", "libplain.so" },
	{ "LOGIN", "liblogin.so" },
};

struct exchange {
	sasl_conn_t *conn; /* own */
	sasl_callback_t callbacks[4];
	char mech[16];
	exchange_check_fn *check;
	void *ctx;
	bool checked, right;
	bool asks_name; /* LOGIN: what the client sends next is its name */
};

enum { LOGIN_NAME_MAX_BYTES = 256 };

/* The library keeps callbacks of all types in one. */
#define CALLBACK(f) ((int (*)(void))(void (*)(void))(f))

/* Plug-ins by the beginning of their file names; no configuration files. */
static int verify_file(void *ctx, const char *file, sasl_verify_type_t type)
{
	const char *slash = strrchr(file, '/');
	struct span name = span_str(slash ? slash + 1 : file);

	for (size_t i = 0; type == SASL_VRFY_PLUGIN && i < ARRAY_LEN(served); i++)
		if (span_starts(name, span_str(served[i].plugin)))
			return SASL_OK;
	return SASL_CONTINUE;
}

static int get_option(void *ctx, const char *plugin, const char *option, const char **result,
		      unsigned *n)
{
	static const struct {
		const char *name, *value;
	} options[] = {
		{ "pwcheck_method",
		  "none" }, /* after our callback has said no, nobody else is asked */
		{ "auxprop_plugin", "none" },
		{ "mech_list", "PLAIN LOGIN" },
		{ "log_level", "0" },
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (strcmp(option, options[i].name) != 0)
			continue;
		*result = options[i].value;
		if (n)
			*n = (unsigned)strlen(options[i].value);
		return SASL_OK;
	}
	return SASL_FAIL;
}

static int no_log(void *ctx, int level, const char *message)
{
	return SASL_OK;
}

static const sasl_callback_t global_callbacks[] = {
	{ SASL_CB_VERIFYFILE, CALLBACK(verify_file), NULL },
	{ SASL_CB_GETOPT, CALLBACK(get_option), NULL },
	{ SASL_CB_LOG, CALLBACK(no_log), NULL },
	{ SASL_CB_LIST_END, NULL, NULL },
};

enum err exchange_init(struct errtext *t)
{
	const char **list;
	int rc = sasl_server_init(global_callbacks, "roost");

	if (rc != SASL_OK)
		return err_say(t, ERR_TEMP, "SASL library: %s", sasl_errstring(rc, NULL, NULL));
	list = sasl_global_listmech();
	for (size_t i = 0; i < ARRAY_LEN(served); i++) {
		size_t j = 0;

		while (list && list[j] && strcmp(list[j], served[i].mech) != 0)
			j++;
		if (!list || !list[j])
			return err_say(t, ERR_NOTFOUND,
				       "SASL library: no plug-in for %s (Debian: libsasl2-modules)",
				       served[i].mech);
	}
	return ERR_OK;
}

void exchange_done(void)
{
	sasl_done();
}

bool exchange_serves(struct span mech)
{
	for (size_t i = 0; i < ARRAY_LEN(served); i++)
		if (span_ieq_str(mech, served[i].mech))
			return true;
	return false;
}

static int check_password(sasl_conn_t *conn, void *ctx, const char *user, const char *pass,
			  unsigned n, struct propctx *props)
{
	struct exchange *x = ctx;

	if (!x->checked) {
		x->checked = true;
		x->right = x->check(x->ctx, span_str(user), span_of(pass, n));
	}
	return x->right ? SASL_OK : SASL_BADAUTH;
}

static int copy_user(sasl_conn_t *conn, void *ctx, const char *in, unsigned n, unsigned flags,
		     const char *realm, char *out, unsigned out_max, unsigned *out_n)
{
	if (n >= out_max)
		return SASL_BUFOVER;
	memcpy(out, in, n);
	out[n] = '\0';
	*out_n = n;
	return SASL_OK;
}

/* To act as another is a right of its own; nobody has it. */
static int allow_same(sasl_conn_t *conn, void *ctx, const char *wanted, unsigned wanted_n,
		      const char *own, unsigned own_n, const char *realm, unsigned realm_n,
		      struct propctx *props)
{
	return span_ieq(span_of(wanted, wanted_n), span_of(own, own_n)) ? SASL_OK : SASL_NOAUTHZ;
}

enum err exchange_new(struct span mech, const char *service, exchange_check_fn *check, void *ctx,
		      struct exchange **x_r, struct errtext *t)
{
	sasl_security_properties_t props = { .security_flags = SASL_SEC_NOANONYMOUS };
	struct exchange *x;
	int rc;

	if (!exchange_serves(mech))
		return err_say(t, ERR_NOTFOUND, "no such mechanism");
	x = mem_alloc(sizeof(*x));
	x->check = check;
	x->ctx = ctx;
	for (size_t i = 0; i < mech.n; i++)
		x->mech[i] = ascii_upper(mech.p[i]);
	x->callbacks[0] =
		(sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS, CALLBACK(check_password), x };
	x->callbacks[1] = (sasl_callback_t){ SASL_CB_CANON_USER, CALLBACK(copy_user), x };
	x->callbacks[2] = (sasl_callback_t){ SASL_CB_PROXY_POLICY, CALLBACK(allow_same), x };
	x->callbacks[3] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	rc = sasl_server_new(service, "localhost", NULL, NULL, NULL, x->callbacks, 0, &x->conn);
	if (rc == SASL_OK)
		rc = sasl_setprop(x->conn, SASL_SEC_PROPS, &props);
	if (rc != SASL_OK) {
		exchange_free(&x);
		return err_say(t, ERR_TEMP, "SASL library: %s", sasl_errstring(rc, NULL, NULL));
	}
	*x_r = x;
	return ERR_OK;
}

void exchange_free(struct exchange **x)
{
	if (!*x)
		return;
	if ((*x)->conn)
		sasl_dispose(&(*x)->conn);
	free(*x);
	*x = NULL;
}

static enum exchange_state verdict(const struct exchange *x, int rc, const char *out, unsigned n,
				   struct span *out_r)
{
	*out_r = span_of(out, out ? n : 0);
	if (rc == SASL_CONTINUE)
		return EXCHANGE_MORE;
	return rc == SASL_OK && x->checked && x->right ? EXCHANGE_OK : EXCHANGE_FAIL;
}

/*
 * The library's LOGIN loses the memory of the password when it does not like the name; so it
 * never sees such a name.
 */
static bool name_is_bad(struct exchange *x, struct span in)
{
	if (!x->asks_name)
		return false;
	x->asks_name = false;
	return in.n == 0 || in.n > LOGIN_NAME_MAX_BYTES || memchr(in.p, 0, in.n) ||
	       (unsigned char)in.p[0] <= ' ' || (unsigned char)in.p[in.n - 1] <= ' ';
}

enum exchange_state exchange_start(struct exchange *x, bool has_in, struct span in,
				   struct span *out_r)
{
	const char *out = NULL;
	unsigned n = 0;
	int rc;

	x->asks_name = strcmp(x->mech, "LOGIN") == 0;
	if (in.n > 0 && name_is_bad(x, in))
		return EXCHANGE_FAIL;
	rc = sasl_server_start(x->conn, x->mech, has_in ? (in.p ? in.p : "") : NULL, (unsigned)in.n,
			       &out, &n);
	return verdict(x, rc, out, n, out_r);
}

enum exchange_state exchange_step(struct exchange *x, struct span in, struct span *out_r)
{
	const char *out = NULL;
	unsigned n = 0;
	int rc;

	if (name_is_bad(x, in))
		return EXCHANGE_FAIL;
	rc = sasl_server_step(x->conn, in.p ? in.p : "", (unsigned)in.n, &out, &n);
	return verdict(x, rc, out, n, out_r);
}
