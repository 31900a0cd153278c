/* Commands that control itself answers: one line asked, lines come, the last one "OK" or "ERR sentence". */
#include "adm.h"

#include "base/must.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 << 20, COLUMN = 30 };

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
	{ "reload", "", 0, 0, print_plain, NULL, "read the configuration again; sessions go on" },
	{ "status", "", 0, 0, print_status, NULL, "show processes, listeners, counts" },
	{ "stop", "", 0, 0, print_plain, NULL, "stop the server" },
	{ "who", "[USER [IP]]", 0, 2, print_who,
	  "username                       proto  (pid) (ip) since\n", "show who is logged in" },
};

void ctl_usage(FILE *to)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %-20s %s\n  %-20s %s\n", commands[i].name, commands[i].arguments, "", commands[i].sentence);
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
static int show(const struct adm *a, struct span text, size_t command)
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
		fprintf(stderr, "%s: the server ended the conversation\n", a->program);
		return STATUS_FAILED;
	}
	last = span_from(last, 4);
	fprintf(stderr, "%s: %.*s\n", a->program, (int)last.n, last.p);
	if (span_eq_str(last, "no such session"))
		return STATUS_NOTFOUND;
	if (span_eq_str(last, "no such user"))
		return STATUS_NOUSER;
	return span_eq_str(last, "permission denied") ? STATUS_DENIED : STATUS_FAILED;
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

int ctl_run(const struct adm *a, int argc, char **argv)
{
	char path[ADM_PATH];
	struct buf answer;
	size_t command = 0;
	int fd, status;
	bool ok;

	while (command < ARRAY_LEN(commands) && strcmp(argv[0], commands[command].name) != 0)
		command++;
	if (command == ARRAY_LEN(commands))
		return -1;
	if (argc - 1 < commands[command].least || argc - 1 > commands[command].most) {
		fprintf(stderr, "%s %s %s\n", a->program, commands[command].name, commands[command].arguments);
		return STATUS_USAGE;
	}
	status = server_path(a, path, sizeof(path));
	if (status != STATUS_OK)
		return status;
	fd = server_connect(path);
	if (fd < 0) {
		int why = errno;

		fprintf(stderr, "%s: %s: %s%s\n", a->program, path, strerror(why),
			why == ENOENT || why == ECONNREFUSED ? " (is the server running?)" : "");
		return why == EACCES ? STATUS_DENIED : STATUS_DOWN;
	}
	buf_init(&answer, ANSWER_MAX);
	ok = ask(fd, argv, argc, &answer);
	if (commands[command].head != NULL)
		fputs(commands[command].head, stdout);
	status = ok ? show(a, buf_span(&answer), command) : STATUS_FAILED;
	if (!ok)
		fprintf(stderr, "%s: the server does not answer: %s\n", a->program, strerror(errno));
	buf_free(&answer);
	close(fd);
	if (status == STATUS_OK && strcmp(argv[0], "stop") == 0)
		wait_for_end(path);
	return status;
}
