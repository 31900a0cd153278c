/*
 * must(): our own invariants, checked in release builds too.
 *
 * A failed must() writes one line to stderr (file, line, expression) and aborts.
 * It is for conditions that only a bug of ours can break; whatever a client, a peer
 * process, the disk or the configuration can cause returns an enum err instead.
 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#define must(cond) ((cond) ? (void)0 : must_fail(#cond, __FILE__, __LINE__))

/* Number of elements of an array (not of a pointer). */
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

_Noreturn void must_fail(const char *cond, const char *file, int line);

/* A large local that is written before it is read: the hardening that clears locals would cost more than its use. */
#define BIG_LOCAL __attribute__((uninitialized))

#endif
