#include "base/arena.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdarg.h>
#include <stdalign.h>

/* A chunk's bytes follow its header; both are aligned to 16. */
struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used; /* of the bytes */
	alignas(16) char bytes[];
};

struct arena_cleanup {
	struct arena_cleanup *next;
	void (*fn)(void *arg);
	void *arg;
};

struct arena {
	struct arena_chunk *chunks;     /* own; the newest first, except for outsized ones */
	struct arena_cleanup *cleanups; /* in the arena; the newest first */
	size_t limit, held;
};

enum {
	ARENA_FIRST = 1024 - 64, /* bytes of the first chunk: most commands need no more; an idle session holds two */
	ARENA_STEP_MAX = 65536 - 64,
};

struct arena *arena_new(size_t limit)
{
	struct arena *a = mem_alloc(sizeof(*a));

	a->limit = limit;
	a->held = sizeof(*a);
	return a;
}

static void arena_run_cleanups(struct arena *a)
{
	while (a->cleanups) {
		struct arena_cleanup *c = a->cleanups;

		a->cleanups = c->next;
		c->fn(c->arg);
	}
}

static void arena_drop(struct arena *a, struct arena_chunk *c)
{
	a->held -= sizeof(*c) + c->size;
	free(c);
}

void arena_free(struct arena **a)
{
	if (!*a)
		return;
	arena_run_cleanups(*a);
	for (struct arena_chunk *c = (*a)->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(*a);
	*a = NULL;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = NULL;

	arena_run_cleanups(a);
	for (struct arena_chunk *c = a->chunks, *next; c; c = next) {
		next = c->next;
		if (!keep && c->size == ARENA_FIRST)
			keep = c;
		else
			arena_drop(a, c);
	}
	a->chunks = keep;
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
}

static size_t arena_next_size(const struct arena *a)
{
	size_t size;

	if (!a->chunks)
		return ARENA_FIRST;
	size = a->chunks->size * 2;
	return size > ARENA_STEP_MAX ? ARENA_STEP_MAX : size;
}

/* A new chunk with room for n bytes: of the usual size where the limit allows it, else just n. */
static struct arena_chunk *arena_chunk_new(struct arena *a, size_t n)
{
	size_t size = arena_next_size(a);
	size_t room = a->limit > a->held ? a->limit - a->held : 0;
	struct arena_chunk *c;

	if (room < sizeof(*c) || n > room - sizeof(*c))
		return NULL;
	if (size < n || size > room - sizeof(*c))
		size = n;
	c = malloc(sizeof(*c) + size);
	if (!c)
		return NULL;
	c->size = size;
	c->used = 0;
	a->held += sizeof(*c) + size;
	/* An outsized chunk goes behind the current one, whose rest stays in use. */
	if (a->chunks && size == n) {
		c->next = a->chunks->next;
		a->chunks->next = c;
	} else {
		c->next = a->chunks;
		a->chunks = c;
	}
	return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_chunk *c = a->chunks;
	void *p;

	if (n > SIZE_MAX - 16)
		return NULL;
	n = n ? (n + 15) & ~(size_t)15 : 16;
	if (!c || n > c->size - c->used)
		c = arena_chunk_new(a, n);
	if (!c)
		return NULL;
	p = c->bytes + c->used;
	c->used += n;
	return memset(p, 0, n);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		return NULL;
	return arena_alloc(a, n);
}

char *arena_span(struct arena *a, struct span s)
{
	char *copy = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;

	if (copy && s.n)
		memcpy(copy, s.p, s.n);
	return copy;
}

char *arena_str(struct arena *a, const char *s)
{
	return arena_span(a, span_str(s));
}

struct span arena_copy(struct arena *a, struct span s, bool *ok_r)
{
	char *copy = arena_span(a, s);

	*ok_r = copy != NULL;
	return span_of(copy, copy ? s.n : 0);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args;
	char *s;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	s = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
	if (!s)
		return NULL;
	va_start(args, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, args);
	va_end(args);
	return s;
}

bool arena_cleanup(struct arena *a, void (*fn)(void *arg), void *arg)
{
	struct arena_cleanup *c = arena_alloc(a, sizeof(*c));

	if (!c)
		return false;
	*c = (struct arena_cleanup){ a->cleanups, fn, arg };
	a->cleanups = c;
	return true;
}

size_t arena_used(const struct arena *a)
{
	return a->held;
}
