#include "try.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "names.h"
#include "sasl.h"

enum { TRY_ARENA_MAX = 256 * 1024 };

struct
try {
	const struct asker *asker;
	struct arena *a; /* own */
	struct who who;
	bool secured;
	struct exchange *x; /* own; NULL for a lookup */
	struct span out;    /* of x */
	struct account account;
	enum verdict verdict;
	bool mech_refused;
	const char *reason, *given;
};

static const char *keep(struct try *t, struct span s)
{
	const char *copy = arena_span(t->a, s);

	must(copy); /* a fresh arena of 256 KiB, and messages are at most 64 */
	return copy;
}

struct try *try_new(const struct asker *k, const struct try_conn *c)
{
	struct try *t = mem_alloc(sizeof(*t));

	t->asker = k;
	t->a = arena_new(TRY_ARENA_MAX);
	t->secured = c->secured;
	t->reason = t->given = "";
	t->verdict = VERDICT_BAD;
	t->who.a = t->who.passdb.a = t->a;
	t->who.service = keep(t, c->service);
	t->who.session = keep(t, c->session);
	t->who.rip = keep(t, c->rip);
	t->who.lip = keep(t, c->lip);
	t->who.user = t->who.mech = "";
	return t;
}

void try_free(struct try **t)
{
	if (!*t)
		return;
	exchange_free(&(*t)->x);
	arena_free(&(*t)->a);
	free(*t);
	*t = NULL;
}

static void log_debug_try(const struct try *t, const char *what)
{
	char user[256];

	if (conf_bool(t->asker->conf, CONF_AUTH_DEBUG))
		log_debug("auth(%s,%s,<%s>): %s", log_quote(span_str(t->given), user, sizeof(user)),
			  t->who.rip, t->who.session, what);
}

/* The name that the databases see; false: it can be nobody's. */
static bool take_name(struct try *t, struct span given)
{
	char shown[256];
	struct errtext why;
	struct buf name;
	enum err e;

	t->given = keep(t, span_cut(given, 0, USER_GIVEN_MAX));
	buf_init(&name, 1000);
	e = name_normalise(t->asker->conf, given, &name, &why);
	if (!e)
		t->who.user = keep(t, buf_span(&name));
	else
		log_info("auth(%s,%s,<%s>): invalid user name: %s",
			 log_quote(span_str(t->given), shown, sizeof(shown)), t->who.rip,
			 t->who.session, why.text);
	buf_free(&name);
	return !e;
}

static bool check(void *ctx, struct span user, struct span password)
{
	struct try *t = ctx;

	if (!take_name(t, user))
		return false;
	t->verdict = users_verify(t->asker->users, &t->who, password, &t->reason);
	return t->verdict == VERDICT_OK;
}

static const struct conf *settings_of(const struct try *t)
{
	return conf_for(t->asker->conf, &(struct conf_peer){ t->who.service, t->who.lip, t->who.rip });
}

/* A local client speaks to itself: nobody listens on that wire. */
static bool plaintext_allowed(const struct try *t)
{
	return t->secured || !conf_bool(settings_of(t), CONF_DISABLE_PLAINTEXT_AUTH) ||
	       (*t->who.rip && strcmp(t->who.rip, t->who.lip) == 0);
}

static enum try_state refuse_mech(struct try *t, const char *why)
{
	t->mech_refused = true;
	log_debug_try(t, why);
	return TRY_FAIL;
}

static enum try_state after(struct try *t, enum exchange_state state)
{
	if (state == EXCHANGE_MORE)
		return TRY_CHALLENGE;
	if (state == EXCHANGE_FAIL) {
		/* Right password, but acting as somebody else, or bytes that are no exchange. */
		if (t->verdict == VERDICT_OK)
			t->verdict = VERDICT_BAD;
		log_debug_try(t, "failed");
		return TRY_FAIL;
	}
	t->verdict = users_account(t->asker->users, &t->who, true, &t->account);
	log_debug_try(t, t->verdict == VERDICT_OK ? "succeeded" : "has no account");
	return t->verdict == VERDICT_OK ? TRY_OK : TRY_FAIL;
}

enum try_state try_start(struct try *t, struct span mech, bool has_in, struct span in)
{
	struct errtext why;

	t->who.mech = keep(t, span_cut(mech, 0, 32));
	if (!exchange_serves(mech) ||
	    !conf_has_word(settings_of(t), CONF_AUTH_MECHANISMS, t->who.mech))
		return refuse_mech(t, "mechanism is not served");
	if (!plaintext_allowed(t))
		return refuse_mech(t, "plain text is not allowed without TLS");
	if (exchange_new(mech, "imap", check, t, &t->x, &why)) {
		log_error("%s", why.text);
		t->verdict = VERDICT_TEMP;
		return TRY_FAIL;
	}
	return after(t, exchange_start(t->x, has_in, in, &t->out));
}

enum try_state try_step(struct try *t, struct span in)
{
	must(t->x);
	return after(t, exchange_step(t->x, in, &t->out));
}

enum try_state try_lookup(struct try *t, struct span user)
{
	t->verdict = VERDICT_UNKNOWN;
	if (take_name(t, user))
		t->verdict = users_account(t->asker->users, &t->who, false, &t->account);
	return t->verdict == VERDICT_OK ? TRY_OK : TRY_FAIL;
}

struct span try_out(const struct try *t)
{
	return t->out;
}

const struct account *try_account(const struct try *t)
{
	return &t->account;
}

enum verdict try_verdict(const struct try *t)
{
	return t->verdict;
}

bool try_mech_refused(const struct try *t)
{
	return t->mech_refused;
}

const char *try_reason(const struct try *t)
{
	return t->reason;
}

const char *try_given(const struct try *t)
{
	return t->given;
}
