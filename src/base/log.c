/*
 * One line an event, one write(2) a line: lines of several processes that share a
 * descriptor (opened for append, or a datagram socket to the system log) never mix.
 * The system log is spoken to directly (RFC 3164 form over /dev/log), so that a
 * confined process can log through a descriptor that it inherited.
 */
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 1024, LOG_NAME_MAX = 32, LOG_PREFIX_MAX = 512 };

enum log_sink_kind { LOG_SINK_MAIN, LOG_SINK_INFO, LOG_SINK_DEBUG };

struct log_sink {
	char *path; /* own; NULL: standard error or inherited, not reopened */
	int fd;
	bool datagram; /* a socket to the system log */
};

static struct {
	struct log_sink sink[LOG_SINKS];
	char name[LOG_NAME_MAX];
	char *timestamp; /* own */
	char *ident;     /* own; the system log's name for us */
	int facility;
	bool debug;
} log_state = {
	.sink = { { NULL, STDERR_FILENO, false }, { NULL, -1, false }, { NULL, -1, false } },
	.name = "roost",
	.facility = LOG_MAIL,
};

static const char *const log_level_names[] = {
	[LOG_LVL_DEBUG] = "Debug",
	[LOG_LVL_INFO] = "Info",
	[LOG_LVL_WARNING] = "Warning",
	[LOG_LVL_ERROR] = "Error",
	[LOG_LVL_FATAL] = "Fatal",
};

static const int log_level_priority[] = {
	[LOG_LVL_DEBUG] = LOG_DEBUG,
	[LOG_LVL_INFO] = LOG_INFO,
	[LOG_LVL_WARNING] = LOG_WARNING,
	[LOG_LVL_ERROR] = LOG_ERR,
	[LOG_LVL_FATAL] = LOG_CRIT,
};

void log_name(const char *process_name)
{
	snprintf(log_state.name, sizeof(log_state.name), "%s", process_name);
}

void log_debug_enable(bool on)
{
	log_state.debug = on;
}

/* info and debug: fd -1 means "as the one before". */
static const struct log_sink *log_sink_at(int i)
{
	while (i > LOG_SINK_MAIN && log_state.sink[i].fd < 0)
		i--;
	return &log_state.sink[i];
}

void log_fds(int fd_r[LOG_SINKS])
{
	for (int i = 0; i < LOG_SINKS; i++)
		fd_r[i] = log_sink_at(i)->fd;
}

static int log_open_syslog(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int log_open_path(const char *path)
{
	if (strcmp(path, "syslog") == 0)
		return log_open_syslog();
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
}

static bool log_is_stderr(const char *path)
{
	return !path || !*path || strcmp(path, "/dev/stderr") == 0;
}

/* Descriptors for a set of paths, of which all that are given must open; the first defaults to stderr. */
static bool log_open_sinks(const char *const path[LOG_SINKS], struct log_sink sink[LOG_SINKS])
{
	for (int i = 0; i < LOG_SINKS; i++) {
		sink[i] = (struct log_sink){ NULL, i == LOG_SINK_MAIN ? STDERR_FILENO : -1, false };
		if (i != LOG_SINK_MAIN && (!path[i] || !*path[i]))
			continue;
		if (log_is_stderr(path[i])) {
			sink[i].fd = STDERR_FILENO;
			continue;
		}
		sink[i].fd = log_open_path(path[i]);
		if (sink[i].fd >= 0) {
			sink[i].path = mem_str(path[i]);
			sink[i].datagram = strcmp(path[i], "syslog") == 0;
			continue;
		}
		while (i-- > 0) {
			if (sink[i].path)
				close(sink[i].fd);
			free(sink[i].path);
		}
		return false;
	}
	return true;
}

static void log_close_sinks(void)
{
	for (int i = 0; i < LOG_SINKS; i++) {
		if (log_state.sink[i].path)
			close(log_state.sink[i].fd);
		free(log_state.sink[i].path);
	}
}

static void log_keep(char **own, const char *value)
{
	char *copy = value ? mem_str(value) : NULL;

	free(*own);
	*own = copy;
}

static void log_take_form(const struct log_form *form)
{
	static const struct log_form plain = { NULL, NULL, LOG_MAIL };

	if (!form)
		form = &plain;
	tzset(); /* the time zone file is out of reach after a chroot */
	log_keep(&log_state.timestamp, form->timestamp);
	log_keep(&log_state.ident, form->ident);
	log_state.facility = form->facility;
}

bool log_open(const char *path, const char *info_path, const char *debug_path, const struct log_form *form)
{
	const char *const paths[LOG_SINKS] = { path, info_path, debug_path };
	struct log_sink sink[LOG_SINKS];

	if (!log_open_sinks(paths, sink))
		return false;
	log_close_sinks();
	memcpy(log_state.sink, sink, sizeof(sink));
	log_take_form(form);
	return true;
}

void log_from_fds(const int fd[LOG_SINKS], const struct log_form *form)
{
	log_close_sinks();
	for (int i = 0; i < LOG_SINKS; i++) {
		socklen_t len = sizeof(int);
		int type = 0;
		bool datagram = getsockopt(fd[i], SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM;

		log_state.sink[i] = (struct log_sink){ NULL, fd[i], datagram };
	}
	log_take_form(form);
}

bool log_reopen(void)
{
	bool ok = true;

	for (int i = 0; i < LOG_SINKS; i++) {
		struct log_sink *sink = &log_state.sink[i];
		int fd;

		if (!sink->path)
			continue;
		fd = log_open_path(sink->path);
		ok = ok && fd >= 0;
		if (fd < 0)
			continue;
		close(sink->fd);
		sink->fd = fd;
	}
	return ok;
}

static const struct log_sink *log_sink_for(enum log_level level)
{
	return log_sink_at(level == LOG_LVL_DEBUG ? LOG_SINK_DEBUG :
			   level == LOG_LVL_INFO  ? LOG_SINK_INFO :
						    LOG_SINK_MAIN);
}

/* The one place where a format comes from the configuration: strftime writes no memory through it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static size_t log_timestamp(char *out, size_t n, const struct tm *tm)
{
	return strftime(out, n, log_state.timestamp, tm);
}
#pragma GCC diagnostic pop

/*
 * What stands before the text. The RFC 3164 header carries priority, time and our name itself; there an
 * informational line has no level, so that filters written for Dovecot's log find its words.
 */
static size_t log_prefix(const struct log_sink *sink, enum log_level level, const char *who, char *out, size_t n)
{
	time_t now = time(NULL);
	size_t used = 0;
	struct tm tm;

	localtime_r(&now, &tm);
	if (sink->datagram) {
		used = (size_t)snprintf(out, n, "<%d>",
					log_state.facility | log_level_priority[level]);
		used += strftime(out + used, n - used, "%b %e %H:%M:%S ", &tm);
		used += (size_t)snprintf(out + used, n - used, "%s[%d]: ",
					 log_state.ident ? log_state.ident : "roost", getpid());
	} else if (log_state.timestamp) {
		used = log_timestamp(out, n / 2, &tm);
	}
	if (sink->datagram && level == LOG_LVL_INFO)
		used += (size_t)snprintf(out + used, n - used, "%s: ", who);
	else
		used += (size_t)snprintf(out + used, n - used, "%s: %s: ", who, log_level_names[level]);
	return used < n ? used : n - 1;
}

static bool log_is_clean(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7f;
}

/* Appends one byte of text to out, escaped unless clean; false when it does not fit. */
static bool log_put(char *out, size_t n, size_t *used, char c, bool clean)
{
	static const char hex[] = "0123456789abcdef";
	size_t need = clean ? 1 : 4;

	if (*used + need >= n)
		return false;
	if (clean) {
		out[(*used)++] = c;
		return true;
	}
	out[(*used)++] = '\\';
	out[(*used)++] = 'x';
	out[(*used)++] = hex[(unsigned char)c >> 4];
	out[(*used)++] = hex[(unsigned char)c & 15];
	return true;
}

static void log_send(const struct log_sink *sink, char *line, size_t n)
{
	ssize_t done;

	if (!sink->datagram)
		line[n++] = '\n';
	do
		done = write(sink->fd, line, n);
	while (done < 0 && errno == EINTR);
}

static void __attribute__((format(printf, 3, 0)))
log_vwrite(enum log_level level, const char *who, const char *fmt, va_list args)
{
	const struct log_sink *sink = log_sink_for(level);
	char text[LOG_LINE_MAX], line[LOG_LINE_MAX + LOG_PREFIX_MAX];
	int saved = errno;
	size_t used;

	if (level == LOG_LVL_DEBUG && !log_state.debug)
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	used = log_prefix(sink, level, who, line, LOG_PREFIX_MAX);
	for (const char *p = text; *p; p++)
		if (!log_put(line, LOG_LINE_MAX, &used, *p, log_is_clean(*p)))
			break;
	log_send(sink, line, used);
	errno = saved;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_vwrite(level, log_state.name, fmt, args);
	va_end(args);
}

void log_write_as(const char *who, enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_vwrite(level, who, fmt, args);
	va_end(args);
}

_Noreturn void log_fatal(int exit_status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_vwrite(LOG_LVL_FATAL, log_state.name, fmt, args);
	va_end(args);
	exit(exit_status);
}

const char *log_quote(struct span s, char *out, size_t n)
{
	size_t used = 0;

	if (n == 0)
		return "";
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool clean = log_is_clean(c) && !strchr("<>,= \\", c);

		if (!log_put(out, n, &used, c, clean))
			break;
	}
	out[used] = '\0';
	return out;
}
