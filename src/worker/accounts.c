/* Users whose mail is open in this worker: opened at the first session or delivery, closed when idle. */
#include "worker.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>

enum {
	CONFIG_MAX = 4 << 20,
	WORK_MS = 200, /* flag changes reach the file names within a second */
	WORK_AGAIN_MS = 50,
	HOUSE_MS = 60000,
	REST_MS = 2000,       /* after the last coming or going */
	REST_POOLED_MS = 300, /* each open index holds what hundreds of idle sessions need */
	CLOSE_MS = 60000, /* a pooled worker forgets a user after this */
};

/* What box noticed and the administrator should read: a UIDVALIDITY renewed, an index rebuilt. */
static void log_notes(struct account *a)
{
	char name[256];
	const char *note;
	while (a->acct != NULL && (note = acct_note(a->acct)) != NULL)
		log_warning("user %s: %s", log_quote(span_str(a->user), name, sizeof(name)), note);
}

static void account_free(struct account *a)
{
	log_notes(a);
	loop_timer_stop(a->w->h.loop, &a->work);
	loop_timer_stop(a->w->h.loop, &a->close);
	loop_timer_stop(a->w->h.loop, &a->rest);
	acct_close(&a->acct);
	arena_free(&a->arena);
	free(a->user);
	free(a->home);
	free(a->mail);
	free(a);
}

enum err account_get(struct worker *w, const struct msg_user *u, struct account **a_r,
		     struct errtext *t)
{
	struct account *a;
	HASH_FIND(hh, w->accounts, u->user.p, u->user.n, a);
	if (a == NULL) {
		a = mem_alloc(sizeof(*a));
		a->w = w;
		a->user = span_dup(u->user);
		a->home = span_dup(u->home);
		a->mail = span_dup(u->mail);
		a->arena = arena_new(CONFIG_MAX);
		enum err e = account_config(a, u->extra, t);
		if (e == ERR_OK)
			e = acct_open(&a->config, &a->acct, t);
		if (e != ERR_OK) {
			account_free(a);
			return e;
		}
		HASH_ADD_KEYPTR(hh, w->accounts, a->user, u->user.n, a);
		log_notes(a);
		if (acct_busy(a->acct))
			account_busy(a);
	}
	loop_timer_stop(w->h.loop, &a->close);
	account_stir(a);
	*a_r = a;
	return ERR_OK;
}

static void rest(void *ctx)
{
	struct account *a = ctx;
	acct_rest(a->acct);
	worker_rest(a->w);
}

void account_stir(struct account *a)
{
	uint64_t ms = a->w->kind == WORKER_POOLED ? REST_POOLED_MS : REST_MS;
	loop_timer_set(a->w->h.loop, &a->rest, ms, rest, a);
}

static void close_idle(void *ctx)
{
	struct account *a = ctx;
	struct worker *w = a->w;
	HASH_DELETE(hh, w->accounts, a);
	account_free(a);
	worker_rest(w);
}

void account_release(struct account *a, bool session)
{
	log_notes(a);
	account_stir(a);
	if (session)
		acct_autoexpunge(a->acct);
	if (acct_busy(a->acct))
		account_busy(a);
	if (--a->jobs > 0)
		return;
	/* A single worker keeps its user open as long as it lingers. */
	if (a->w->kind == WORKER_POOLED)
		loop_timer_set(a->w->h.loop, &a->close, CLOSE_MS, close_idle, a);
}

static void work(void *ctx)
{
	struct account *a = ctx;
	log_notes(a);
	a->busy = false;
	switch (acct_work(a->acct)) {
	case STEP_SLICE:
		loop_timer_set(a->w->h.loop, &a->work, 0, work, a);
		a->busy = true;
		break;
	case STEP_DONE:
		if (!acct_busy(a->acct))
			break;
		/* fall through */
	default:
		loop_timer_set(a->w->h.loop, &a->work, WORK_AGAIN_MS, work, a);
		a->busy = true;
	}
}

void account_busy(struct account *a)
{
	if (a->busy)
		return;
	a->busy = true;
	loop_timer_set(a->w->h.loop, &a->work, WORK_MS, work, a);
}

void accounts_close(struct worker *w)
{
	struct account *a, *next;
	HASH_ITER (hh, w->accounts, a, next) {
		HASH_DELETE(hh, w->accounts, a);
		account_free(a);
	}
}
