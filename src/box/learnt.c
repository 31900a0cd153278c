/*
 * What THREAD has learnt of the messages of a mailbox: of a message that is there this never changes, so a
 * run reads only those that no earlier one has seen. One mailbox an account; a run takes it along and gives it back.
 */
#include "thread.h"

#include "base/clock.h"
#include "base/mem.h"

enum {
	LEARNT_MAX = 16 << 20, /* octets worth keeping: some 120,000 messages */
	PAUSE_MAX = 4 << 20,   /* and of an account at rest, */
	REST_MAX = 1 << 20,    /* also when nobody has come back for it within */
	PAUSE_MS = 300000,
};

static size_t octets(const struct thread_learnt *l)
{
	return l->cap * sizeof(*l->in) + l->refs_cap * sizeof(*l->ref) + intern_octets(&l->ids) + intern_octets(&l->subjects);
}

void thread_learnt_free(struct thread_learnt **l)
{
	struct thread_learnt *c = *l;

	*l = NULL;
	if (!c)
		return;
	intern_free(&c->ids);
	intern_free(&c->subjects);
	free(c->name);
	free(c->in);
	free(c->ref);
	free(c);
}

static bool is_of(const struct thread_learnt *l, const struct view *v)
{
	return l->space == v->mb->space && l->uidvalidity == v->uidvalidity && strcmp(l->name, v->mb->name) == 0;
}

struct thread_learnt *thread_learnt_take(const struct view *v)
{
	struct acct *a = v->mb->acct;
	struct thread_learnt *l = a->learnt;

	a->learnt = NULL;
	if (l && is_of(l, v))
		return l;
	thread_learnt_free(&l);
	l = mem_alloc(sizeof(*l));
	l->space = v->mb->space;
	l->name = mem_str(v->mb->name);
	l->uidvalidity = v->uidvalidity;
	intern_init(&l->ids, THREAD_TEXT_MAX);
	intern_init(&l->subjects, THREAD_TEXT_MAX);
	return l;
}

void thread_learnt_put(struct acct *a, struct thread_learnt **l)
{
	thread_learnt_free(&a->learnt);
	(*l)->used = clock_ms();
	if (octets(*l) <= LEARNT_MAX)
		a->learnt = *l;
	else
		thread_learnt_free(l);
	*l = NULL;
}

void learnt_rest(struct acct *a)
{
	if (a->learnt && octets(a->learnt) > PAUSE_MAX)
		thread_learnt_free(&a->learnt);
}

void learnt_age(struct acct *a, uint64_t now)
{
	if (a->learnt && now - a->learnt->used >= PAUSE_MS && octets(a->learnt) > REST_MAX)
		thread_learnt_free(&a->learnt);
}

static int by_uid(const void *a, const void *b)
{
	uint32_t x = ((const struct thread_input *)a)->uid, y = ((const struct thread_input *)b)->uid;

	return (x > y) - (x < y);
}

void thread_learnt_sort(struct thread_learnt *l)
{
	for (size_t i = 1; i < l->n; i++) {
		if (l->in[i - 1].uid < l->in[i].uid)
			continue;
		qsort(l->in, l->n, sizeof(*l->in), by_uid);
		return;
	}
}
