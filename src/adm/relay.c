/*
 * copy, move and import from another user: his worker gives, the user's own takes, and what the one says for the other
 * goes through us (ipc/mailcmd.h). Each works as its own user; the bytes touch no disk on the way.
 */
#include "talk.h"

#include <strings.h>

static void begin(struct ask *a, const char *command)
{
	a->command = command;
	buf_init(&a->words, ASK_MAX);
}

/* The arguments behind the options; the end of it. */
static void end(struct ask *a, char **arg, int n)
{
	ask_add(a, "--");
	for (int i = 0; i < n; i++)
		ask_add(a, arg[i]);
	buf_add_char(&a->words, '\n');
}

/* DESTINATION user SOURCE_USER [QUERY...] */
static void prepare_copy(struct run *r, int args, char **arg)
{
	if (args < 3 || strcasecmp(arg[1], "user") != 0)
		return;
	r->source = arg[2];
	begin(&r->give, "relay give");
	if (strcmp(r->cmd->name, "move") == 0)
		ask_add(&r->give, "-m");
	end(&r->give, arg + 3, args - 3);
	begin(&r->take, "relay take");
	end(&r->take, arg, 1);
}

/* LOCATION PARENT QUERY... */
static void prepare_import(struct run *r, int args, char **arg, const char *source, bool subscribe)
{
	r->source = source;
	begin(&r->give, "relay give");
	if (source) {
		ask_add(&r->give, "-l");
		ask_add(&r->give, arg[0]);
	} else {
		r->outside = arg[0];
	}
	end(&r->give, arg + 2, args - 2);
	begin(&r->take, "relay take");
	ask_add(&r->take, "-p");
	if (subscribe)
		ask_add(&r->take, "-s");
	end(&r->take, arg + 1, 1);
}

void relay_prepare(struct run *r, int args, char **arg, const char *source, bool subscribe)
{
	bool outside = !source && strcmp(r->cmd->name, "import") == 0 && outside_location(arg[0]);

	if (source || outside)
		prepare_import(r, args, arg, source, subscribe);
	else if (strcmp(r->cmd->name, "copy") == 0 || strcmp(r->cmd->name, "move") == 0)
		prepare_copy(r, args, arg);
}

/* Until both are over, or one has ended before its time: what the other has not saved by then it drops. */
static void join(struct run *r, struct talk *give, struct talk *take)
{
	struct talk *const both[] = { give, take };
	bool told = false;

	give->other = take;
	take->other = give;
	while (!take->over && !take->eof && !adm_stopped) {
		if (give->over && !told) {
			buf_add_str(&take->out, "E\n");
			told = true;
		}
		if (give->eof && !give->over && give->in.n == 0)
			break;
		talks_wait(r, both, 2);
		talk_read(r, give);
		talk_read(r, take);
	}
}

/* An ordinary conversation: the messages are his own. */
static void run_alone(struct run *r, const char *user)
{
	struct talk t, *const one[] = { &t };

	talk_begin(r, &t, user, &r->ask);
	while (!t.over && !t.eof && !adm_stopped) {
		talks_wait(r, one, 1);
		talk_read(r, &t);
	}
	talk_end(r, &t);
}

static void run_both(struct run *r, const char *source, const char *user)
{
	struct talk give, take;

	talk_begin(r, &give, source, &r->give);
	talk_begin(r, &take, user, &r->take);
	join(r, &give, &take);
	/* One complaint is enough. */
	if (take.over || take.eof)
		give.over = true;
	else
		take.over = true;
	talk_end(r, &give);
	talk_end(r, &take);
}

static void run_outside(struct run *r, const char *user)
{
	struct server s;
	int status = outside_begin(r, user, &s);

	r->give.path = s.path;
	if (status == STATUS_OK)
		run_both(r, user, user);
	else if (r->status == STATUS_OK)
		r->status = status;
	server_end(&s);
}

void relay_run(struct run *r, const char *user)
{
	if (r->outside)
		run_outside(r, user);
	else if (strcmp(user, r->source) == 0)
		run_alone(r, user);
	else
		run_both(r, r->source, user);
}
