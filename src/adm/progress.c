/* How far a command is: a bar on a terminal, elsewhere a line now and then. */
#include "adm.h"

#include "base/clock.h"

#include <inttypes.h>
#include <unistd.h>

enum { BAR = 24, LINE_EVERY_MS = 15000, TEXT_MAX = 40 };

void progress_init(struct progress *p, size_t users)
{
	*p = (struct progress){ .tty = isatty(STDERR_FILENO), .users = users, .began_ms = clock_ms() };
	p->told_ms = p->began_ms;
}

void progress_clear(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

static void print_bar(uint64_t done, uint64_t goal)
{
	unsigned full = goal ? (unsigned)(done * BAR / goal) : 0;

	fputc('[', stderr);
	for (unsigned i = 0; i < BAR; i++)
		fputc(i < full ? '#' : '.', stderr);
	fputs("] ", stderr);
}

/* Seconds; of this mailbox, or with several users of all of them, as far as one mailbox can say. */
static uint64_t left(const struct progress *p, uint64_t ms, uint64_t rate, uint64_t done, uint64_t goal)
{
	double users = (double)p->users_done + (goal ? (double)done / (double)goal : 0);

	if (p->users <= 1)
		return goal > done && rate ? (goal - done) / rate : 0;
	return users > 0 && users < (double)p->users ? (uint64_t)((double)ms / 1000 * ((double)p->users - users) / users) : 0;
}

void progress_show(struct progress *p, const char *user, uint64_t done, uint64_t goal, struct span what)
{
	uint64_t now = clock_ms(), ms = now - p->began_ms, rate, seconds;

	if (done < p->last)
		p->before += p->last; /* another mailbox */
	p->last = done;
	if (!p->tty && now < p->told_ms + LINE_EVERY_MS)
		return;
	p->told_ms = now;
	progress_clear(p);
	rate = ms ? (p->before + done) * 1000 / ms : 0;
	seconds = left(p, ms, rate, done, goal);
	if (p->tty && goal)
		print_bar(done < goal ? done : goal, goal);
	if (p->users > 1)
		fprintf(stderr, "%zu/%zu users, ", p->users_done, p->users);
	fprintf(stderr, "%s: %.*s %" PRIu64, user, (int)(what.n < TEXT_MAX ? what.n : TEXT_MAX), what.p, done);
	if (goal)
		fprintf(stderr, "/%" PRIu64, goal);
	fprintf(stderr, ", %" PRIu64 "/s", rate);
	if (seconds)
		fprintf(stderr, ", %" PRIu64 ":%02u left", seconds / 60, (unsigned)(seconds % 60));
	p->shown = p->tty;
	if (!p->tty)
		fputc('\n', stderr);
	fflush(stderr);
}
