/*
 * The log. One line an event; sinks: stderr, a file, syslog (facility mail).
 * Only sessions, processes and the master log; floors below return errors (law 7).
 *
 * Every line is cleaned before it is written: control bytes and bytes >= 0x7f become
 * \xNN, a line is cut at 1 KiB. Arguments that a peer sent are quoted by the caller with
 * log_quote. Secrets and mail content never come here.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/span.h"

enum log_level { LOG_LVL_DEBUG, LOG_LVL_INFO, LOG_LVL_WARNING, LOG_LVL_ERROR, LOG_LVL_FATAL };

/* What lines go to: errors and warnings, information, debugging. */
enum { LOG_SINKS = 3 };

/* How lines look. Borrowed strings, copied. */
struct log_form {
	const char *timestamp; /* strftime format before each line of a file or stderr */
	const char *ident;     /* the system log's name for us */
	int facility;          /* of syslog.h */
};

/* A second name for stderr, so that early errors have a place: used before log_open. */
void log_name(const char *process_name); /* e.g. "master", "imap-login"; copied */

/*
 * path: "/dev/stderr" or "" for standard error, "syslog" for syslog(3), else a file
 * opened for append. An empty info_path or debug_path is the path before it. form NULL: nothing before a line.
 * False when a file cannot be opened (logging stays where it was).
 */
bool log_open(const char *path, const char *info_path, const char *debug_path, const struct log_form *form);
/* Borrowed: what a child inherits, a descriptor a sink (a file, stderr, or a datagram socket to syslog). */
void log_fds(int fd_r[LOG_SINKS]);
void log_from_fds(const int fd[LOG_SINKS], const struct log_form *form); /* log into inherited descriptors (children) */
bool log_reopen(void);
void log_debug_enable(bool on);

void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with another name than the process's: "imap(user)<pid><session>". Already quoted. */
void log_write_as(const char *who, enum log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define log_debug(...) log_write(LOG_LVL_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_LVL_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LVL_WARNING, __VA_ARGS__)
#define log_error(...) log_write(LOG_LVL_ERROR, __VA_ARGS__)
_Noreturn void log_fatal(int exit_status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes s into out (size n), escaping what could forge a field: control, >= 0x7f, < > , = \ and blanks. Returns out. */
const char *log_quote(struct span s, char *out, size_t n);

#endif
