/* The guard file. Not here: what is in the environment, and when to discard it (env.c does). */
#include "config.h"

#include "env.h"

#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

enum {
	SLOTS = 128,
	FILE_SIZE = 4096,
	BOOT_SIZE = 40,
	DEATHS = 2,
	LOCK_TRIES = 600,
	LOCK_WAIT_MS = 5
};
enum { DOOR, TURN }; /* bytes that are locked */
enum { SLOT_FREE, SLOT_OPEN, SLOT_BUSY };
enum { CLEAN, DIRTY_PENDING, DIRTY_SYNCED };

struct guard_page {
	char magic[8];
	uint32_t version;
	uint32_t generation;
	uint8_t deaths;
	uint8_t dirty;
	uint8_t unused[6];
	char boot[BOOT_SIZE];
	uint8_t slot[SLOTS];
};

_Static_assert(sizeof(struct guard_page) == 64 + SLOTS, "drawn in guard.h");

static const char magic[8] = { 'r', 'o', 'o', 's', 't', 'g', 'r', 'd' };

/* --- locks ------------------------------------------------------------------------- */

/* Open file description locks: they go with the process, and not with some other close of the same file. */
static bool byte_lock(int fd, off_t byte, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

static off_t slot_byte(unsigned slot)
{
	return (off_t)(offsetof(struct guard_page, slot) + slot);
}

static bool byte_wait(int fd, off_t byte, bool wait)
{
	const struct timespec pause = { 0, LOCK_WAIT_MS * 1000000L };

	for (int i = 0; i < (wait ? LOCK_TRIES : 1); i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		if (byte_lock(fd, byte, F_WRLCK))
			return true;
	}
	return false;
}

bool guard_lock(struct guard *g, bool wait)
{
	return byte_wait(g->fd, DOOR, wait);
}

void guard_unlock(struct guard *g)
{
	byte_lock(g->fd, DOOR, F_UNLCK);
}

bool guard_turn(struct guard *g, bool wait)
{
	return byte_wait(g->fd, TURN, wait);
}

void guard_turn_end(struct guard *g)
{
	byte_lock(g->fd, TURN, F_UNLCK);
}

/* --- opening ------------------------------------------------------------------------- */

/* The id of this boot, or "" when it cannot be read, which equals no boot. */
static void boot_id(char out[BOOT_SIZE])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, BOOT_SIZE - 1) : 0;

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static bool this_boot(const struct guard_page *p)
{
	char now[BOOT_SIZE];

	boot_id(now);
	return now[0] != '\0' && memcmp(now, p->boot, strlen(now) + 1) == 0;
}

/* Opens and locks the file that bears the name now, not one that was removed while we waited. */
static enum err open_file(struct guard *g, const struct idx *idx, off_t *size_r, struct errtext *t)
{
	struct stat st;

	for (int i = 0; i < 10; i++) {
		g->fd = openat(idx->dirfd, env_file(idx, ENV_GUARD), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (g->fd < 0)
			return err_sys(t, "index guard file");
		if (!guard_lock(g, true)) {
			close(g->fd);
			return err_say(t, ERR_INUSE, "index guard file is locked");
		}
		if (fstat(g->fd, &st) == 0 && st.st_nlink > 0) {
			*size_r = st.st_size;
			if (!st.st_size)
				env_share(idx, g->fd);
			return ERR_OK;
		}
		close(g->fd);
	}
	return err_say(t, ERR_INUSE, "index guard file keeps vanishing");
}

/* Blocks are written before they are mapped: a full disk is an error here, not a SIGBUS later. */
static enum err map_file(struct guard *g, off_t size, struct errtext *t)
{
	static const char zero[FILE_SIZE];
	bool fresh = size != FILE_SIZE;
	ssize_t n;

	if (fresh) {
		n = ftruncate(g->fd, 0) == 0 ? pwrite(g->fd, zero, FILE_SIZE, 0) : -1;
		if (n != FILE_SIZE) {
			errno = n >= 0 ? ENOSPC : errno;
			return err_sys(t, "index guard file");
		}
	}
	g->page = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
	if (g->page == MAP_FAILED)
		return err_sys(t, "index guard file");
	g->fresh = fresh || memcmp(g->page->magic, magic, sizeof(magic)) != 0 || g->page->version != 1;
	return ERR_OK;
}

static void format(struct guard_page *p)
{
	struct timespec now;

	memset(p, 0, sizeof(*p));
	memcpy(p->magic, magic, sizeof(magic));
	p->version = 1;
	/* not a fixed number: whoever still maps a damaged one must see a change */
	clock_gettime(CLOCK_REALTIME, &now);
	p->generation = (uint32_t)now.tv_sec ^ (uint32_t)now.tv_nsec << 2;
}

/* Counts and clears the bytes of dead processes; our own lock would be granted again, so not our own. */
static void bury(struct guard *g)
{
	struct guard_page *p = g->page;

	for (unsigned i = 0; i < SLOTS; i++) {
		if (i == g->slot || p->slot[i] == SLOT_FREE)
			continue;
		if (!byte_lock(g->fd, slot_byte(i), F_WRLCK))
			continue;
		if (p->slot[i] == SLOT_BUSY && p->deaths < UINT8_MAX)
			p->deaths++;
		p->slot[i] = SLOT_FREE;
		byte_lock(g->fd, slot_byte(i), F_UNLCK);
	}
}

static bool take_slot(struct guard *g)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		if (g->page->slot[i] != SLOT_FREE || !byte_lock(g->fd, slot_byte(i), F_WRLCK))
			continue;
		g->slot = i;
		g->page->slot[i] = SLOT_BUSY;
		return true;
	}
	return false;
}

enum guard_verdict guard_judge(const struct guard *g, bool have_data)
{
	const struct guard_page *p = g->page;

	if (!have_data)
		return g->fresh || p->dirty == CLEAN ? GUARD_KEEP : GUARD_DISCARD;
	if (g->fresh || (p->dirty != CLEAN && !this_boot(p)))
		return GUARD_DISCARD;
	return p->deaths >= DEATHS ? GUARD_ASIDE : GUARD_KEEP;
}

enum err guard_open(struct guard *g, const struct idx *idx, struct idx_roll *roll, struct errtext *t)
{
	off_t size = 0;
	enum err e;

	*g = (struct guard){ .fd = -1, .slot = SLOTS, .roll = roll };
	e = open_file(g, idx, &size, t);
	if (e)
		return e;
	e = map_file(g, size, t);
	if (e) {
		close(g->fd);
		return e;
	}
	if (g->fresh)
		format(g->page);
	bury(g);
	if (!take_slot(g)) {
		munmap(g->page, FILE_SIZE);
		close(g->fd);
		return err_say(t, ERR_INUSE, "index is open in too many processes");
	}
	g->generation = g->page->generation;
	if (roll)
		DL_APPEND(roll->first, g);
	return ERR_OK;
}

void guard_renew(struct guard *g)
{
	g->page->deaths = 0;
	g->page->dirty = CLEAN;
	g->generation = ++g->page->generation;
	g->marked = false;
}

void guard_settle(struct guard *g)
{
	guard_busy(g, false);
	guard_unlock(g);
}

/* --- in use ---------------------------------------------------------------------------- */

enum err guard_check(const struct guard *g, bool file)
{
	struct stat st;

	if (g->page->generation != g->generation)
		return ERR_CORRUPT;
	if (file && !g->nameless && (fstat(g->fd, &st) < 0 || st.st_nlink == 0))
		return ERR_CORRUPT;
	return ERR_OK;
}

void guard_busy(struct guard *g, bool busy)
{
	__atomic_store_n(&g->page->slot[g->slot], busy ? SLOT_BUSY : SLOT_OPEN, __ATOMIC_RELAXED);
}

/* The file keeps what the page says, and gives it back at the next look. */
void guard_rest(struct guard *g)
{
	madvise(g->page, FILE_SIZE, MADV_DONTNEED);
}

/*
 * Each process waits for the mark to be on disk before its first commit, also when another is just
 * about to sync it. Only this page is synced, and only when the mark is new.
 */
enum err guard_mark(struct guard *g)
{
	struct guard_page *p = g->page;

	if (g->marked)
		return ERR_OK;
	if (p->dirty != DIRTY_SYNCED || !this_boot(p)) {
		boot_id(p->boot);
		p->dirty = DIRTY_PENDING;
		if (fsync(g->fd) < 0)
			return err_from_errno(errno);
		p->dirty = DIRTY_SYNCED;
	}
	g->marked = true;
	return ERR_OK;
}

bool guard_dirty(const struct guard *g)
{
	return g->page->dirty != CLEAN;
}

bool guard_alone(struct guard *g)
{
	bury(g);
	for (unsigned i = 0; i < SLOTS; i++)
		if (i != g->slot && g->page->slot[i] != SLOT_FREE)
			return false;
	return true;
}

void guard_clean(struct guard *g)
{
	g->page->dirty = CLEAN;
	g->marked = false;
}

void guard_forgive(struct guard *g)
{
	g->page->deaths = 0;
}

void guard_blame(struct guard *g)
{
	g->page->deaths = DEATHS;
}

void idx_blame(const struct idx_roll *r)
{
	for (struct guard *g = r->first; g; g = g->next)
		if (g->page->slot[g->slot] == SLOT_BUSY)
			guard_blame(g);
}

void guard_close(struct guard *g)
{
	if (g->roll)
		DL_DELETE(g->roll->first, g);
	g->page->slot[g->slot] = SLOT_FREE;
	munmap(g->page, FILE_SIZE);
	close(g->fd);
}
