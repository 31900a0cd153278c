#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>

enum {
	STACK_KEEP = 8192,      /* below our frame: what the calls from here on use */
	STACK_DEPTH = 512 << 10, /* no call of ours goes deeper; no mapping lies so close below a stack */
	PAGE = 4096,
	LARGE = 128 << 10,
};

static _Noreturn void mem_short(size_t n)
{
	fprintf(stderr, "out of memory: %zu bytes wanted\n", n);
	abort();
}

void *mem_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p)
		mem_short(n);
	return p;
}

void *mem_array(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		mem_short(count);
	return p;
}

void *mem_grow(void *p, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		mem_short(SIZE_MAX);
	p = realloc(p, n ? n : 1);
	if (!p)
		mem_short(n);
	return p;
}

char *mem_str(const char *s)
{
	char *copy;
	size_t n;

	if (!s)
		return NULL;
	n = strlen(s) + 1;
	copy = mem_alloc(n);
	memcpy(copy, s, n);
	return copy;
}

char *mem_printf(const char *fmt, ...)
{
	va_list args;
	char *s;
	int n;

	va_start(args, fmt);
	n = vasprintf(&s, fmt, args);
	va_end(args);
	if (n < 0)
		mem_short(0);
	return s;
}

void mem_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}

void mem_thrifty(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE);
}

void mem_rest(void)
{
	malloc_trim(0);
#ifndef ROOST_SANITIZE /* which keeps books on the stack */
	uintptr_t top = ((uintptr_t)__builtin_frame_address(0) - STACK_KEEP) & ~(uintptr_t)(PAGE - 1);

	/* Pages that were never there make it fail at the end, after it has freed those that were. */
	madvise((void *)(top - STACK_DEPTH), STACK_DEPTH, MADV_DONTNEED);
#endif
}
