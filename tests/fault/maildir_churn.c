/*
 * A Maildir that two other programs change all the time: they add, rename (flags, new/ to cur/) and remove, while an account
 * looks at it again and again. Never is a message gone that nobody removed, never is one there twice; and when it is quiet
 * all that is there is seen, and nothing else.
 *
 * Usage: maildir_churn CHANGES (a number; by hand a million)
 */
#include "tests/unit/box_house.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	WRITERS = 2,
	LIVE = 400,                /* messages of a writer that are there at once */
	MESSAGES = 3 << 20,        /* ever, of all */
	QUIET_MS = 20000,
	CHANGES_A_LOOK = 400,      /* no more between two looks, so that there are thousands */
};

enum fate { UNBORN, THERE, GOING };

/* Shared by all processes. */
struct world {
	volatile uint64_t changes, wanted, looks;
	volatile uint32_t born;             /* numbers given so far */
	pid_t reader;
	volatile uint8_t fate[MESSAGES];
};

static struct house h;
static struct world *world;
static uint64_t wanted = 20000;
static uint32_t number_of[MESSAGES + 1];  /* by UID: a message's number + 1 */
static uint8_t times_there[MESSAGES];     /* UIDs of a number that are in the view */

/* --- a writer -------------------------------------------------------------------------------- */

struct file {
	uint32_t number;
	char path[300]; /* as far as its writer knows */
};

struct writer {
	unsigned seed;
	struct file file[LIVE];
	unsigned n, named;
};

static void add(struct writer *w)
{
	struct file *f = &w->file[w->n];
	char tmp[300];
	FILE *out;

	f->number = __atomic_fetch_add(&world->born, 1, __ATOMIC_SEQ_CST);
	if (f->number >= MESSAGES)
		_exit(3);
	snprintf(tmp, sizeof(tmp), "%s/tmp/%u.w", h.mail, f->number);
	snprintf(f->path, sizeof(f->path), "%s/%s/%lld.M%uP%d.churn%s", h.mail, rand_r(&w->seed) % 3 ? "new" : "cur",
		 (long long)clock_wall(), w->named++, (int)getpid(), rand_r(&w->seed) % 2 ? ":2," : "");
	out = fopen(tmp, "w");
	if (!out || fprintf(out, "Subject: %u\n\nbody\n", f->number) < 0 || fclose(out) != 0)
		_exit(4);
	world->fate[f->number] = THERE;
	if (rename(tmp, f->path) < 0)
		_exit(5);
	w->n++;
}

/* Where the account moved it meanwhile: out of new/ for the most part. */
static void find(struct file *f)
{
	static const char *const dirs[] = { "cur", "new" };
	char base[100], dir[170];
	size_t n;

	snprintf(base, sizeof(base), "%s", strrchr(f->path, '/') + 1);
	n = strcspn(base, ":");
	for (size_t i = 0; i < 2; i++) {
		struct dirent *de;
		DIR *d;

		snprintf(dir, sizeof(dir), "%s/%s", h.mail, dirs[i]);
		d = opendir(dir);
		while (d && (de = readdir(d))) {
			if (strncmp(de->d_name, base, n) != 0 || (de->d_name[n] && de->d_name[n] != ':'))
				continue;
			snprintf(f->path, sizeof(f->path), "%s/%.*s", dir, 120, de->d_name);
			closedir(d);
			return;
		}
		closedir(d);
	}
}

/* Another name in cur/, with other flags. */
static void give_flags(struct writer *w, struct file *f)
{
	static const char *const flags[] = { "", "S", "F", "FS", "RS", "ST", "DS" };
	char base[100], path[300];

	snprintf(base, sizeof(base), "%s", strrchr(f->path, '/') + 1);
	base[strcspn(base, ":")] = '\0';
	snprintf(path, sizeof(path), "%s/cur/%s:2,%s", h.mail, base, flags[rand_r(&w->seed) % ARRAY_LEN(flags)]);
	for (int tries = 0; rename(f->path, path) < 0; tries++) {
		if (errno != ENOENT || tries > 1000)
			_exit(6);
		find(f);
	}
	snprintf(f->path, sizeof(f->path), "%s", path);
}

static void drop(struct writer *w, unsigned i)
{
	struct file *f = &w->file[i];

	world->fate[f->number] = GOING;
	for (int tries = 0; unlink(f->path) < 0; tries++) {
		if (errno != ENOENT || tries > 1000)
			_exit(7);
		find(f);
	}
	*f = w->file[--w->n];
}

static void write_all(unsigned seed)
{
	struct writer *w = mem_alloc(sizeof(*w));

	w->seed = seed;
	while (world->changes < world->wanted) {
		unsigned what = (unsigned)rand_r(&w->seed) % 10;

		while (world->changes > (world->looks + 1) * CHANGES_A_LOOK && getppid() == world->reader)
			usleep(100);

		if (w->n == 0 || (what < 2 && w->n < LIVE))
			add(w);
		else if (what < 3 + (w->n > LIVE * 3 / 4))
			drop(w, (unsigned)rand_r(&w->seed) % w->n);
		else
			give_flags(w, &w->file[(unsigned)rand_r(&w->seed) % w->n]);
		__atomic_fetch_add(&world->changes, 1, __ATOMIC_SEQ_CST);
	}
	_exit(0);
}

/* --- the account ----------------------------------------------------------------------------- */

/* Which messages the UIDs that are new are: UIDs from *known on. */
static void learn(struct view *v, uint32_t *known)
{
	struct set uids = SET_EMPTY;
	struct message_facts f;
	struct view_walk *w;
	struct errtext t;
	enum err e;

	set_copy(&uids, view_uids(v));
	if (*known > 1)
		set_remove_range(&uids, 1, *known - 1);
	assert_int_equal(view_walk_begin(v, &uids, WANT_HEADERS, &w, &t), ERR_OK);
	while ((e = view_walk_next(w, &f, &t)) != ERR_NOTFOUND) {
		uint32_t number;
		struct span header;

		if (e == ERR_INUSE)
			break; /* it moves too fast: the rest another time */
		assert_true(f.uid <= MESSAGES);
		*known = f.uid + 1;
		if (e) { /* removed before it could be read */
			assert_int_equal(e, ERR_EXPUNGED);
			continue;
		}
		header = f.headers;
		assert_true(span_starts(header, SPAN("subject: ")));
		assert_true(span_u32(span_cut(span_from(header, 9), 0, span_find(span_from(header, 9), '\n')), &number));
		assert_true(number < MESSAGES);
		number_of[f.uid] = number + 1;
		if (times_there[number]++)
			fail_msg("message %u is there twice, also as UID %u", number, f.uid);
	}
	view_walk_end(&w);
	set_free(&uids);
}

/* What the view was told is gone must have been removed. */
static void check_gone(const struct set *gone)
{
	for (uint32_t uid = set_min(gone); uid; uid = set_next(gone, uid + 1)) {
		uint32_t number = number_of[uid];

		if (!number)
			continue;
		if (world->fate[number - 1] != GOING)
			fail_msg("UID %u, message %u, was expunged by nobody", uid, number - 1);
		times_there[number - 1]--;
	}
}

static void look(struct view *v, uint32_t *known)
{
	struct view_changes c;
	enum err e = try_refresh(v, true);

	if (e) {
		assert_int_equal(e, ERR_INUSE);
		return;
	}
	c = view_news(&h, v, true);
	check_gone(&c.vanished);
	view_changes_free(&c);
	learn(v, known);
}

static uint32_t living(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < world->born && i < MESSAGES; i++)
		n += world->fate[i] == THERE;
	return n;
}

static bool all_seen(struct view *v)
{
	if (view_state(v)->exists != living())
		return false;
	for (uint32_t i = 0; i < world->born; i++)
		if ((world->fate[i] == THERE) != (times_there[i] == 1))
			return false;
	return true;
}

static bool running(pid_t *pid)
{
	bool any = false;
	int status;

	for (int i = 0; i < WRITERS; i++) {
		if (pid[i] && waitpid(pid[i], &status, WNOHANG) == pid[i]) {
			assert_int_equal(status, 0);
			pid[i] = 0;
		}
		any = any || pid[i];
	}
	return any;
}

static void test_churn(void **state)
{
	pid_t pid[WRITERS];
	uint64_t until;
	uint32_t known = 1, looks = 0;
	struct view *v;

	house_begin(&h, &store_maildir);
	v = house_view(&h, "INBOX", false);
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(world != MAP_FAILED);
	world->wanted = wanted;
	world->reader = getpid();
	for (int i = 0; i < WRITERS; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			write_all((unsigned)i + 1);
	}
	for (; running(pid); looks++) {
		look(v, &known);
		house_work(&h);
		world->looks++;
	}
	for (until = clock_ms() + QUIET_MS; !all_seen(v) && clock_ms() < until; looks++) {
		house_work(&h);
		look(v, &known);
	}
	assert_true(all_seen(v));
	print_message("%llu changes, %u messages ever, %u looks, highest UID %u; %u there and seen at the end\n",
		      (unsigned long long)world->changes, world->born, looks, known - 1, view_state(v)->exists);
	view_close(&v);
	munmap(world, sizeof(*world));
	house_end(&h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_churn) };

	if (argc > 1)
		wanted = strtoull(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
