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

/* A second name for stderr, so that early errors have a place: used before log_open. */
void log_name(const char *process_name); /* e.g. "master", "imap-login"; copied */

/*
 * path: "/dev/stderr" or "" for standard error, "syslog" for syslog(3), else a file
 * opened for append. timestamp: strftime format put before each line of a file or stderr.
 * False when the file cannot be opened (logging stays where it was).
 */
bool log_open(const char *path, const char *info_path, const char *debug_path, const char *timestamp,
	      const char *syslog_ident, int syslog_facility);
void log_from_fd(int fd, const char *timestamp); /* log into an inherited descriptor (children) */
int log_fd(void); /* borrowed: what a child inherits (a file, stderr, or a datagram socket to syslog) */
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
