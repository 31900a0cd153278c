/*
 * roostadm: asks the running server over its control socket and prints what it says.
 * Exit status: 0 done, 64 usage, 67 no such user or session, 69 server not running, 70 refused or failed, 77
 * permission, 78 configuration.
 */
#include "base/buf.h"
#include "base/must.h"
#include "conf/conf.h"
#include "conf/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 << 20, CONF_TEXT_MAX = 1 << 20, COLUMN = 30 };
enum {
	EXIT_USAGE = 64,
	EXIT_NOUSER = 67,
	EXIT_DOWN = 69,
	EXIT_FAILED = 70,
	EXIT_DENIED = 77,
	EXIT_CONF = 78
};

/* --- printing ------------------------------------------------------------------------------ */

static void print_plain(struct span line)
{
	printf("%.*s\n", (int)line.n, line.p);
}

static void print_status(struct span line)
{
	struct span word[6] = { { 0 } };
	size_t n = 0;
	while (n < ARRAY_LEN(word) && span_split(&line, '\t', &word[n]))
		n++;
	uint64_t seconds;
	if (span_eq_str(word[0], "process") && word[5].n > 0)
		printf("%-12.*s pid %-8.*s %-9.*s %.*s sessions of %.*s\n", (int)word[1].n,
		       word[1].p, (int)word[2].n, word[2].p, (int)word[3].n, word[3].p,
		       (int)word[4].n, word[4].p, (int)word[5].n, word[5].p);
	else if (span_eq_str(word[0], "process"))
		printf("%-12.*s pid %-8.*s %.*s\n", (int)word[1].n, word[1].p, (int)word[2].n,
		       word[2].p, (int)word[3].n, word[3].p);
	else if (span_eq_str(word[0], "uptime") && span_u64(word[1], &seconds))
		printf("%-12s %u d %02u:%02u:%02u\n", "uptime", (unsigned)(seconds / 86400),
		       (unsigned)(seconds / 3600 % 24), (unsigned)(seconds / 60 % 60),
		       (unsigned)(seconds % 60));
	else
		printf("%-12.*s %.*s %.*s\n", (int)word[0].n, word[0].p, (int)word[1].n, word[1].p,
		       (int)word[2].n, word[2].p);
}

/* username, service, (pid), (ip), since */
static void print_who(struct span line)
{
	struct span word[7] = { { 0 } };
	size_t n = 0;
	uint64_t since = 0;
	char when[32] = "";
	while (n < ARRAY_LEN(word) && span_split(&line, '\t', &word[n]))
		n++;
	if (span_u64(word[5], &since)) {
		time_t t = (time_t)since;
		struct tm tm;
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&t, &tm));
	}
	printf("%-*.*s %-6.*s (%.*s) (%.*s) %s %.*s\n", COLUMN, (int)word[0].n, word[0].p,
	       (int)word[1].n, word[1].p, (int)word[2].n, word[2].p, (int)word[3].n, word[3].p,
	       when, (int)word[6].n, word[6].p);
}

static void print_kick(struct span line)
{
	printf("%.*s sessions kicked\n", (int)line.n, line.p);
}

static const struct {
	const char *name;
	const char *arguments;
	int least, most;
	void (*print)(struct span line);
	const char *head, *sentence;
} commands[] = {
	{ "kick", "USER [IP]", 1, 2, print_kick, NULL,
	  "end the IMAP sessions of users (mask with * and ?)" },
	{ "reindex", "USER [MAILBOX]", 1, 2, print_plain, NULL,
	  "build the index anew from the mail folders" },
	{ "reload", "", 0, 0, print_plain, NULL, "read the configuration again; sessions go on" },
	{ "status", "", 0, 0, print_status, NULL, "show processes, listeners, counts" },
	{ "stop", "", 0, 0, print_plain, NULL, "stop the server" },
	{ "who", "[USER [IP]]", 0, 2, print_who,
	  "username                       proto  (pid) (ip) since\n", "show who is logged in" },
};

static void print_usage(FILE *to)
{
	fputs("Usage: roostadm [-c FILE | -S SOCKET] COMMAND [ARGUMENT...]\n\n", to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %-8s %-16s %s\n", commands[i].name, commands[i].arguments,
			commands[i].sentence);
}

static int usage(void)
{
	print_usage(stderr);
	return EXIT_USAGE;
}

/* --- asking -------------------------------------------------------------------------------- */

/* The socket of the configuration: base_dir/control. False: told. */
static bool socket_path(const char *file, char *out, size_t n)
{
	struct buf errors, warnings;
	struct conf *c = NULL;
	buf_init(&errors, CONF_TEXT_MAX);
	buf_init(&warnings, CONF_TEXT_MAX);
	bool ok = conf_load(file, CONF_LOAD_NO_CONTENT, &c, &errors, &warnings) == ERR_OK;
	if (ok)
		snprintf(out, n, "%s/control", conf_str(c, CONF_BASE_DIR));
	else
		fwrite(errors.p, 1, errors.n, stderr);
	conf_free(&c);
	buf_free(&errors);
	buf_free(&warnings);
	return ok;
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(a.sun_path)) {
		fprintf(stderr, "roostadm: path too long: %s\n", path);
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	fprintf(stderr, "roostadm: %s: %s%s\n", path, strerror(errno),
		errno == ENOENT || errno == ECONNREFUSED ? " (is the server running?)" : "");
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool ask(int fd, char **word, int n, struct buf *answer)
{
	struct buf line;
	buf_init(&line, 8192);
	for (int i = 0; i < n; i++)
		buf_printf(&line, "%s%s", i > 0 ? "\t" : "", word[i]);
	buf_add_char(&line, '\n');
	bool ok = !line.failed && write(fd, line.p, line.n) == (ssize_t)line.n;
	buf_free(&line);
	while (ok && buf_reserve(answer, 65536)) {
		ssize_t got = read(fd, answer->p + answer->n, 65536);
		if (got <= 0)
			return got == 0;
		answer->n += (size_t)got;
	}
	return false;
}

/* The last line decides: "OK" or "ERR sentence". Everything before it is printed. */
static int show(struct span text, size_t command)
{
	struct span line, last = { NULL, 0 };
	bool first = true;
	while (span_split(&text, '\n', &line)) {
		if (!first)
			commands[command].print(last);
		first = false;
		last = line;
	}
	if (span_eq_str(last, "OK"))
		return 0;
	if (!span_starts(last, SPAN("ERR "))) {
		fprintf(stderr, "roostadm: the server ended the conversation\n");
		return EXIT_FAILED;
	}
	last = span_from(last, 4);
	fprintf(stderr, "roostadm: %.*s\n", (int)last.n, last.p);
	if (span_eq_str(last, "no such user") || span_eq_str(last, "no such session"))
		return EXIT_NOUSER;
	return span_eq_str(last, "permission denied") ? EXIT_DENIED : EXIT_FAILED;
}

/* "stop" answers at once; the pid file beside the socket is the last thing that goes. */
static void wait_for_end(const char *path)
{
	char pid_path[4096];
	const char *slash = strrchr(path, '/');
	snprintf(pid_path, sizeof(pid_path), "%.*smaster.pid",
		 slash != NULL ? (int)(slash - path) + 1 : 0, path);
	for (int i = 0; i < 300 && access(pid_path, F_OK) == 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
}

int main(int argc, char **argv)
{
	const char *file = SYSCONFDIR "/roost/roost.conf", *given = NULL;
	char path[4096];
	int opt;
	while ((opt = getopt(argc, argv, "+c:S:h")) != -1) {
		if (opt == 'h') {
			print_usage(stdout);
			return 0;
		} else if (opt == 'c')
			file = optarg;
		else if (opt == 'S')
			given = optarg;
		else
			return usage();
	}
	size_t command = 0;
	int n = argc - optind;
	if (n > 0 && strcmp(argv[optind], "help") == 0) {
		print_usage(stdout);
		return 0;
	}
	while (n > 0 && command < ARRAY_LEN(commands) &&
	       strcmp(argv[optind], commands[command].name) != 0)
		command++;
	if (n < 1 || command == ARRAY_LEN(commands) || n - 1 < commands[command].least ||
	    n - 1 > commands[command].most)
		return usage();
	if (given != NULL)
		snprintf(path, sizeof(path), "%s", given);
	else if (!socket_path(file, path, sizeof(path)))
		return EXIT_CONF;
	int fd = connect_to(path);
	if (fd < 0)
		return errno == EACCES ? EXIT_DENIED : EXIT_DOWN;
	struct buf answer;
	buf_init(&answer, ANSWER_MAX);
	bool ok = ask(fd, argv + optind, n, &answer);
	if (commands[command].head != NULL)
		fputs(commands[command].head, stdout);
	int status = ok ? show(buf_span(&answer), command) : EXIT_FAILED;
	if (!ok)
		fprintf(stderr, "roostadm: the server does not answer: %s\n", strerror(errno));
	buf_free(&answer);
	close(fd);
	if (status == 0 && strcmp(argv[optind], "stop") == 0)
		wait_for_end(path);
	return status;
}
