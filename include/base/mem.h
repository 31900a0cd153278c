/*
 * Small allocations that succeed or abort. For what is per process and bounded;
 * what a peer controls is capped before, or comes from an arena or buf with a limit.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/banned.h"
#include <stddef.h>

void *mem_alloc(size_t n);                         /* zeroed */
void *mem_array(size_t count, size_t size);        /* zeroed, overflow checked */
void *mem_grow(void *p, size_t count, size_t size); /* realloc, overflow checked, new part not zeroed */
char *mem_str(const char *s);                      /* copy; NULL gives NULL */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Overwrites secrets in a way that the compiler keeps. */
void mem_wipe(void *p, size_t n);

/*
 * For a process that will be idle most of its life, called first: large blocks come from the system and go back to
 * it, for ever, and do not tear the heap of small ones apart (the C library would stop doing so after a while).
 */
void mem_thrifty(void);

/*
 * Gives back to the system what this process used and no longer needs: free heap, and the stack below the caller, which
 * deeper calls of the past have touched. For a process that expects to be idle; costs a few system calls.
 */
void mem_rest(void);

#endif
