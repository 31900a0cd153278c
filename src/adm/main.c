/* roostadm (or doveadm, by that name): options that stand before the command, and which command it is. */
#include "adm.h"

#include "base/mem.h"
#include "base/must.h"

#include <getopt.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

volatile sig_atomic_t adm_stopped;

static void on_signal(int signo)
{
	adm_stopped = signo;
}

void adm_catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void print_mailcmd(FILE *to, const struct mailcmd *c)
{
	fprintf(to, "  %-20s [-u USER|-A|-F FILE]%s %s\n  %-20s %s\n", c->name,
		c->flags & MAILCMD_CHANGES ? " [--dry-run]" : "", c->arguments, "", c->sentence);
}

/* Those whose name begins with word; NULL: all. */
static bool print_usage(const struct adm *a, FILE *to, const char *word)
{
	bool any = false;

	if (!word)
		fprintf(to,
			"Usage: %s [-c FILE] [-S SOCKET] [-f flow|table|tab|json|pager] COMMAND [ARGUMENT...]\n\n"
			"The server:\n",
			a->program);
	if (!word)
		ctl_usage(to);
	if (!word)
		fputs("\nThe mail of users (see roostadm(1)):\n", to);
	for (const struct mailcmd *c = mailcmds; c->name; c++) {
		size_t n = word ? strlen(word) : 0;

		if (c->flags & MAILCMD_RELAY)
			continue;
		if (word && (strncmp(c->name, word, n) != 0 || (c->name[n] != '\0' && c->name[n] != ' ')))
			continue;
		print_mailcmd(to, c);
		any = true;
	}
	return any;
}

static int help(const struct adm *a, int argc, char **argv)
{
	if (print_usage(a, stdout, argc > 1 ? argv[1] : NULL))
		return STATUS_OK;
	fprintf(stderr, "%s: no such command: %s\n", a->program, argv[1]);
	return STATUS_USAGE;
}

/* Of doveadm's commands: what we do not have, and why. */
static bool print_refusal(const struct adm *a, int argc, char **argv)
{
	static const struct {
		const char *name, *why;
	} rows[] = {
		{ "altmove", "mail is never kept in two places here" },
		{ "backup", "nothing is copied between servers: use import, or an IMAP client like mbsync" },
		{ "batch", "one command at a time" },
		{ "deduplicate", "find them with fetch, remove them with expunge" },
		{ "fts", "there is no index of words" },
		{ "mailbox cache", "the index decides by itself what it keeps: see index and reindex" },
		{ "mailbox cryptokey", "mail is not encrypted" },
		{ "mailbox metadata", "mailboxes have none (RFC 5464 is not offered)" },
		{ "mailbox mutf7", "names are given in UTF-8; mailbox list -7 prints the other form" },
		{ "purge", "Maildir and mbox keep nothing that was expunged" },
		{ "rebuild", "see reindex" },
		{ "sync", "nothing is copied between servers: use import, or an IMAP client like mbsync" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = strlen(argv[0]);
		bool two = strncmp(rows[i].name, argv[0], n) == 0 && rows[i].name[n] == ' ' && argc > 1;

		if (strcmp(rows[i].name, argv[0]) != 0 && !(two && strcmp(rows[i].name + n + 1, argv[1]) == 0))
			continue;
		fprintf(stderr, "%s: there is no '%s' here: %s\n", a->program, rows[i].name, rows[i].why);
		return true;
	}
	return false;
}

/* One word or two. *used_r: how many. */
static const struct mailcmd *find_mailcmd(int argc, char **argv, int *used_r)
{
	const struct mailcmd *c = mailcmd_find(span_str(argv[0]));
	char *two;

	*used_r = 1;
	if (c || argc < 2)
		return c;
	two = mem_printf("%s %s", argv[0], argv[1]);
	c = mailcmd_find(span_str(two));
	free(two);
	*used_r = 2;
	return c && !(c->flags & MAILCMD_RELAY) ? c : NULL;
}

int main(int argc, char **argv)
{
	struct adm a = { .program = base_name(argv[0]), .conf = SYSCONFDIR "/roost/roost.conf" };
	const struct mailcmd *cmd;
	int opt, used;

	setlocale(LC_CTYPE, "");
	while ((opt = getopt(argc, argv, "+c:S:f:o:vDh")) != -1) {
		if (opt == 'c')
			a.conf = optarg;
		else if (opt == 'S')
			a.socket = optarg;
		else if (opt == 'f')
			a.format = optarg;
		else if (opt == 'h')
			return help(&a, 0, NULL);
		else if (opt == 'o')
			return fprintf(stderr, "%s: -o: settings are the server's alone\n", a.program), STATUS_USAGE;
		else if (opt != 'v' && opt != 'D') /* doveadm's: there is no more to tell */
			return print_usage(&a, stderr, NULL), STATUS_USAGE;
	}
	argc -= optind;
	argv += optind;
	if (argc == 0)
		return print_usage(&a, stderr, NULL), STATUS_USAGE;
	if (strcmp(argv[0], "help") == 0)
		return help(&a, argc, argv);
	cmd = find_mailcmd(argc, argv, &used);
	if (cmd)
		return mail_run(&a, cmd, argc - used + 1, argv + used - 1);
	used = ctl_run(&a, argc, argv);
	if (used < 0 && !print_refusal(&a, argc, argv) && !print_usage(&a, stderr, argv[0]))
		print_usage(&a, stderr, NULL);
	return used < 0 ? STATUS_USAGE : used;
}
