/*
 * The environment's files: open, check, grow, reopen, set aside. Not here: transactions (txn.c),
 * records and what they mean.
 *
 * What LMDB 0.9 leaves to its user, and where it is answered here:
 * - it maps whatever file it is given and reads behind its end (SIGBUS): check_size;
 * - a full map: noted in idx.grow, doubled when no transaction is open: env_mend;
 * - a map that another process grew (MDB_MAP_RESIZED): adopted in env_txn_start;
 * - slots of dead readers keep old pages: mdb_reader_check at open, when full, and every minute;
 * - a failed write of its head (MDB_PANIC): closed and reopened: env_mend;
 * - a file never shrinks: written anew at the last closing, when it pays: compact.c;
 * - it takes whatever lies in its place: the environment's record says which file it is in and whose mail it is of;
 * - damage kills: the guard counts, idx_open sets the environment aside.
 */
#include "config.h"

#include "env.h"

#include "base/fskind.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <xxhash.h>

static const uint64_t default_start = 64ull << 20;
static const uint64_t default_max = 64ull << 30;
static const uint64_t default_cache_max = 1ull << 30;
static const uint64_t smallest_map = 64ull << 10;
static const uint64_t huge_map = 16ull << 30;

enum { PAGE_MIN = 512, PAGE_MAX = 65536, RESERVE = 512 << 10, RESERVE_LEAST = RESERVE / 2, OPEN_TRIES = 5 };

static const char *const db_name[REC_KINDS] = {
	[REC_BOX] = "box",
	[REC_NAME] = "name",
	[REC_MAP] = "map",
	[REC_MSG] = "msg",
	[REC_LOG] = "log",
	[REC_CACHE] = "cache",
	[REC_TODO] = "todo",
};

const char *env_db_name(enum rec_kind kind)
{
	return db_name[kind];
}

/* --- errors -------------------------------------------------------------------------- */

/*
 * A damaged free list or page count makes LMDB ask for any number of pages: a huge map with little in the file is
 * not full. (One transaction may fill a small map though the file is small: it grows until it is huge.)
 */
static bool map_is_full(struct idx *i)
{
	MDB_envinfo info;

	return mdb_env_info(i->env, &info) || info.me_mapsize < huge_map ||
	       info.me_last_pgno > info.me_mapsize / 4096 / 64;
}

enum err env_err(struct idx *i, int rc)
{
	switch (rc) {
	case 0:
		return ERR_OK;
	case MDB_NOTFOUND:
		return ERR_NOTFOUND;
	case MDB_KEYEXIST:
		return ERR_EXISTS;
	case MDB_MAP_FULL:
		if (!map_is_full(i))
			return ERR_CORRUPT;
		i->grow = true;
		return ERR_LIMIT;
	case MDB_TXN_FULL:
		return ERR_LIMIT;
	case MDB_MAP_RESIZED:
	case MDB_READERS_FULL:
		return ERR_INUSE;
	case MDB_PANIC:
		i->panicked = true;
		return ERR_IO;
	case EINVAL: /* of our arguments none is: what LMDB read made no sense to it, */
	case ENOMEM: /* or was of a wild size, as mmap may find too */
		return ERR_CORRUPT;
	default:
		return rc < 0 ? ERR_CORRUPT : err_from_errno(rc);
	}
}

/* --- attaching to the files ------------------------------------------------------------ */

const char *env_file(const struct idx *i, enum env_file f)
{
	static const char *const own[] = { "data.mdb", "lock.mdb", "guard", "data.mdb.new", "data.mdb.bad" };
	/* The second is LMDB's choice. */
	static const char *const among_others[] = { "roost.index", "roost.index-lock", "roost.index-guard",
						    "roost.index-new", "roost.index-bad" };

	return (i->flat ? among_others : own)[f];
}

void env_share(const struct idx *i, int fd)
{
	struct stat dir, st;

	if ((i->mode & 077) == 0 || fd < 0 || fstat(i->dirfd, &dir) < 0 || fstat(fd, &st) < 0)
		return;
	/* Who is not in the group leaves it as it is. */
	if (st.st_gid != dir.st_gid && fchown(fd, (uid_t)-1, dir.st_gid) < 0)
		return;
	(void)fchmod(fd, i->mode);
}

static void detach(struct idx *i)
{
	if (i->env)
		mdb_env_close(i->env);
	i->env = NULL;
}

static void remove_files(struct idx *i, bool keep_aside)
{
	unlinkat(i->dirfd, env_file(i, ENV_NEW), 0);
	if (keep_aside)
		renameat(i->dirfd, env_file(i, ENV_DATA), i->dirfd, env_file(i, ENV_BAD));
	unlinkat(i->dirfd, env_file(i, ENV_DATA), 0);
	unlinkat(i->dirfd, env_file(i, ENV_LOCK), 0);
}

static uint64_t data_size(struct idx *i)
{
	struct stat st;

	return fstatat(i->dirfd, env_file(i, ENV_DATA), &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

/* Every page that the head speaks of must be in the file; LMDB would find out by SIGBUS. */
static enum err check_size(struct idx *i)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	int fd;

	if (mdb_env_info(i->env, &info) || mdb_env_stat(i->env, &stat) ||
	    mdb_env_get_fd(i->env, &fd))
		return ERR_CORRUPT;
	if (fstat(fd, &st) < 0)
		return err_from_errno(errno);
	if (stat.ms_psize < PAGE_MIN || stat.ms_psize > PAGE_MAX ||
	    (stat.ms_psize & (stat.ms_psize - 1)))
		return ERR_CORRUPT;
	if (info.me_last_pgno >= (uint64_t)st.st_size / stat.ms_psize)
		return ERR_CORRUPT;
	return ERR_OK;
}

/* With the time that it was made at: an inode is given to another file soon after it was freed. */
uint64_t env_file_id(int fd, const char *name)
{
	struct statx st;
	uint64_t id[3];

	if (statx(fd, name, *name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
		return 0;
	id[0] = st.stx_ino;
	id[1] = st.stx_mask & STATX_BTIME ? (uint64_t)st.stx_btime.tv_sec : 0;
	id[2] = st.stx_mask & STATX_BTIME ? st.stx_btime.tv_nsec : 0;
	return XXH3_64bits(id, sizeof(id));
}

/* By whatever name. */
static uint64_t directory_id(const char *path)
{
	char *itself = mem_printf("%s/.", path);
	uint64_t id = env_file_id(AT_FDCWD, itself);

	free(itself);
	return id;
}

bool env_named(const struct idx *i)
{
	struct stat st;
	int fd = i->guard.fd;

	if (i->memory || (i->env && mdb_env_get_fd(i->env, &fd)))
		return true;
	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* Adopts what other processes did in between: a greater map, readers that died. */
int env_txn_start(struct idx *i, bool write, struct MDB_txn **t_r)
{
	int rc = 0, dead;

	for (int tries = 0; tries < 3; tries++) {
		rc = mdb_txn_begin(i->env, NULL, write ? 0 : MDB_RDONLY, t_r);
		if (rc == MDB_MAP_RESIZED && i->txns == 0)
			mdb_env_set_mapsize(i->env, 0);
		else if (rc == MDB_READERS_FULL)
			mdb_reader_check(i->env, &dead);
		else
			break;
	}
	return rc;
}

/* Opens the databases; in a read transaction only those that exist. The handles outlive it when it commits. */
static int open_dbs(struct idx *i, bool create)
{
	MDB_txn *t;
	int rc = env_txn_start(i, create, &t);

	if (rc)
		return rc;
	for (size_t k = 0; k < REC_KINDS && !rc; k++)
		rc = mdb_dbi_open(t, env_db_name(k), create ? MDB_CREATE : 0, &i->db[k]);
	if (rc) {
		mdb_txn_abort(t);
		return rc;
	}
	return mdb_txn_commit(t);
}

static int open_env(struct idx *i)
{
	unsigned flags = MDB_NOTLS | MDB_NOSYNC | MDB_NOMETASYNC;
	char *path = mem_printf("%s/%s", i->dir, i->flat ? env_file(i, ENV_DATA) : "");
	int rc = mdb_env_open(i->env, path, flags | (i->flat ? MDB_NOSUBDIR : 0), i->mode);

	free(path);
	return rc;
}

/*
 * New files, which others may use too. The lock file is not opened for that: closing it would drop the locks that LMDB has on
 * it, and others would take our readers for dead and write over what they read.
 */
static void share_files(const struct idx *i, int data)
{
	const char *lock = env_file(i, ENV_LOCK);
	struct stat dir;

	env_share(i, data);
	if (!(i->mode & 077) || fstat(i->dirfd, &dir) < 0)
		return;
	if (fchownat(i->dirfd, lock, (uid_t)-1, dir.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return; /* as in env_share */
}

/* What LMDB read cannot be: it ends the process when this returns. */
static void lmdb_gives_up(MDB_env *env, const char *why)
{
	struct idx *i = mdb_env_get_userctx(env);

	guard_blame(&i->guard);
}

static int make_env(struct idx *i)
{
	uint64_t size = data_size(i), map = i->map_start;
	int rc, fd;

	while (map < size + size / 2 && map < i->map_max)
		map *= 2;
	rc = mdb_env_create(&i->env);
	if (rc)
		return rc;
	rc = mdb_env_set_userctx(i->env, i);
	if (!rc)
		rc = mdb_env_set_assert(i->env, lmdb_gives_up);
	if (!rc)
		rc = mdb_env_set_mapsize(i->env, map);
	if (!rc)
		rc = mdb_env_set_maxdbs(i->env, REC_KINDS);
	if (!rc)
		rc = open_env(i);
	if (rc) {
		detach(i);
	} else if (mdb_env_get_fd(i->env, &fd) == 0) {
		fcntl(fd, F_SETFD, FD_CLOEXEC); /* LMDB 0.9.24 forgets this one */
		i->file = env_file_id(fd, "");
		if (!size)
			share_files(i, fd);
	}
	return rc;
}

/*
 * LMDB writes changed pages elsewhere, so removing mail would need space too. Blocks behind the end are taken
 * before they are needed; where the file system cannot promise them nothing is lost.
 */
void env_reserve(struct idx *i)
{
	MDB_envinfo info;
	MDB_stat stat;
	uint64_t used;
	int fd;

	if (mdb_env_info(i->env, &info) || mdb_env_stat(i->env, &stat) || mdb_env_get_fd(i->env, &fd))
		return;
	used = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	if (used + RESERVE_LEAST <= i->reserved)
		return;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)used, RESERVE) == 0)
		i->reserved = used + RESERVE;
}

bool env_disk_full(struct idx *i)
{
	struct statfs fs;

	return fstatfs(i->dirfd, &fs) == 0 && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < RESERVE;
}

/*
 * Maps the files, making what is missing. ERR_CORRUPT: not usable as they are. fresh_r: there was
 * nothing. The mark is set before LMDB makes files, so that a half-made one is not trusted after a
 * power cut.
 */
static enum err attach(struct idx *i, bool *fresh_r, struct errtext *t)
{
	bool fresh = data_size(i) == 0;
	enum err e = fresh ? guard_mark(&i->guard) : ERR_OK;
	int rc, dead;

	if (e)
		return err_say(t, e, "index %s: guard file cannot be synced", i->dir);
	rc = make_env(i);
	if (rc)
		return err_say(t, env_err(i, rc), "index %s: open: %s", i->dir, mdb_strerror(rc));
	e = check_size(i);
	if (e)
		goto out;
	mdb_reader_check(i->env, &dead);
	rc = fresh ? MDB_NOTFOUND : open_dbs(i, false);
	if (rc == MDB_NOTFOUND) { /* new, or its maker died before the first commit */
		fresh = true;
		e = guard_mark(&i->guard);
		rc = e ? 0 : open_dbs(i, true);
	}
	if (rc)
		e = env_err(i, rc);
	if (!e)
		e = txn_first(i, fresh);
out:
	if (e) {
		detach(i);
		return err_say(t, e, "index %s: %s", i->dir, err_name(e));
	}
	*fresh_r = fresh;
	return ERR_OK;
}

/* --- opening and closing ------------------------------------------------------------------ */

/* A new directory: who may read a file may search for it. The group is that of the directory above. */
static void share_dir(const struct idx *i)
{
	char *above = mem_printf("%s/..", i->dir);
	struct stat st;

	if ((i->mode & 077) && stat(above, &st) == 0 && chown(i->dir, (uid_t)-1, st.st_gid) == 0)
		(void)chmod(i->dir, 02000 | i->mode | (i->mode & 0444) >> 2);
	free(above);
}

static enum err open_dir(struct idx *i, const struct idx_config *config, struct errtext *t)
{
	const char *parent = config->dir;

	if (!config->memory) {
		i->dir = mem_str(config->dir);
		if (!i->flat && mkdir(i->dir, 0700) == 0)
			share_dir(i);
		else if (!i->flat && errno != EEXIST)
			return err_sys(t, "index directory %s", i->dir);
	} else {
		if (!parent)
			parent = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
		i->dir = mem_printf("%s/roost-index-XXXXXX", parent);
		if (!mkdtemp(i->dir))
			return err_sys(t, "index directory below %s", parent);
	}
	i->dirfd = open(i->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (i->dirfd < 0)
		return err_sys(t, "index directory %s", i->dir);
	/* Locks and shared mappings do not hold between hosts. */
	if (fs_kind(i->dir) == FS_NETWORK)
		return err_say(t, ERR_CANNOT, "index directory %s is on a network file system",
			       i->dir);
	return ERR_OK;
}

/* In memory: the names go, the open files stay until this process ends. */
static void remove_names(struct idx *i)
{
	if (i->dirfd >= 0) {
		remove_files(i, false);
		unlinkat(i->dirfd, env_file(i, ENV_GUARD), 0);
	}
	rmdir(i->dir);
}

/* Within the door: the environment as it should be used, discarding what may not be. */
static enum err settle(struct idx *i, enum guard_verdict verdict, bool *fresh_r, struct errtext *t)
{
	static const char *const why[] = {
		[GUARD_DISCARD] = "it was not closed when the machine stopped, or is not all there",
		[GUARD_ASIDE] = "it killed a process that read it",
	};
	enum err e;

	if (verdict != GUARD_KEEP) {
		i->discarded = why[verdict];
		remove_files(i, verdict == GUARD_ASIDE);
		guard_renew(&i->guard);
	}
	e = attach(i, fresh_r, t);
	if (e != ERR_CORRUPT)
		return e;
	i->discarded = "it cannot be read, or is not that of this mail";
	remove_files(i, true);
	guard_renew(&i->guard);
	return attach(i, fresh_r, t);
}

static void free_spare(struct idx *i)
{
	if (!i->spare)
		return;
	buf_free(&i->spare->scratch);
	free(i->spare);
	i->spare = NULL;
}

static void free_idx(struct idx *i)
{
	free_spare(i);
	if (i->dirfd >= 0)
		close(i->dirfd);
	free(i->dir);
	free(i);
}

static enum err open_once(const struct idx_config *config, struct idx **i_r, bool *rebuilt_r, struct errtext *t)
{
	struct idx *i = mem_alloc(sizeof(*i));
	bool fresh = false;
	enum err e;

	i->dirfd = -1;
	i->of = config->of ? directory_id(config->of) : 0;
	i->memory = config->memory;
	i->flat = config->flat && !config->memory;
	i->mode = config->mode ? config->mode : 0600;
	i->map_max = config->map_max ? config->map_max : default_max;
	i->cache_max = config->cache_max ? config->cache_max : default_cache_max;
	i->map_start = config->map_start ? config->map_start : default_start;
	if (i->map_start < smallest_map)
		i->map_start = smallest_map;
	e = open_dir(i, config, t);
	if (!e)
		e = guard_open(&i->guard, i, config->roll, t);
	if (e)
		goto fail;
	i->guard.nameless = i->memory;
	e = settle(i, guard_judge(&i->guard, data_size(i) > 0), &fresh, t);
	if (e) {
		guard_close(&i->guard);
		goto fail;
	}
	if (i->memory)
		remove_names(i);
	guard_settle(&i->guard);
	*rebuilt_r = fresh;
	*i_r = i;
	return ERR_OK;
fail:
	if (i->memory && i->dir)
		remove_names(i);
	free_idx(i);
	return e;
}

/* A directory that somebody removes just then is made again. */
enum err idx_open(const struct idx_config *config, struct idx **i_r, bool *rebuilt_r, struct errtext *t)
{
	enum err e = ERR_NOTFOUND;

	for (int tries = 0; e == ERR_NOTFOUND && tries < OPEN_TRIES; tries++)
		e = open_once(config, i_r, rebuilt_r, t);
	return e;
}

/* With the door locked and nobody else inside: what is committed reaches the disk, and the mark goes. */
static enum err sync_alone(struct idx *i)
{
	int rc = mdb_env_sync(i->env, 1);

	if (rc)
		return env_err(i, rc);
	guard_clean(&i->guard);
	return ERR_OK;
}

/* With the door locked: the files that we had open before, and no others in their place. */
static enum err reopen(struct idx *i)
{
	bool fresh;

	detach(i);
	if (i->memory || env_file_id(i->dirfd, env_file(i, ENV_DATA)) != i->file)
		return ERR_CORRUPT;
	i->panicked = false;
	i->grow = false;
	return attach(i, &fresh, NULL);
}

/* The guard stays open: to others we are still inside, and whoever replaces the data is noticed. */
void idx_rest(struct idx *i)
{
	if (i->memory || i->gone || i->panicked || i->txns > 0)
		return;
	detach(i);
	free_spare(i);
	guard_rest(&i->guard);
}

void idx_close(struct idx **ip)
{
	struct idx *i = *ip;
	bool door, alone;

	if (!i)
		return;
	must(i->txns == 0);
	door = !i->memory && guard_lock(&i->guard, true);
	if (door && !i->gone && !i->panicked && guard_check(&i->guard, true) == ERR_OK) {
		alone = guard_alone(&i->guard); /* counts deaths, so before they are forgiven */
		guard_forgive(&i->guard);
		if (alone && guard_dirty(&i->guard) && (i->env || reopen(i) == ERR_OK)) {
			if (env_compact(i))
				guard_clean(&i->guard);
			else
				sync_alone(i);
		}
	}
	detach(i);
	guard_close(&i->guard);
	free_idx(i);
	*ip = NULL;
}

enum err idx_destroy(struct idx *i, struct errtext *t)
{
	must(i->txns == 0);
	if (i->gone)
		return ERR_OK;
	if (!guard_lock(&i->guard, true))
		return err_say(t, ERR_INUSE, "index %s: guard file is locked", i->dir);
	if (!i->memory && guard_check(&i->guard, true) == ERR_OK) {
		remove_files(i, false);
		guard_renew(&i->guard);
	}
	guard_unlock(&i->guard);
	i->gone = true;
	return ERR_OK;
}

const char *idx_discarded(const struct idx *i)
{
	return i->discarded;
}

bool idx_turn(struct idx *i, bool wait)
{
	return guard_turn(&i->guard, wait);
}

void idx_turn_end(struct idx *i)
{
	guard_turn_end(&i->guard);
}

enum err idx_sync(struct idx *i)
{
	enum err e;

	if (i->gone || (!i->env && env_mend(i)))
		return ERR_CORRUPT;
	if (i->txns == 0 && guard_lock(&i->guard, false)) {
		e = guard_alone(&i->guard) ? sync_alone(i) : env_err(i, mdb_env_sync(i->env, 1));
		guard_unlock(&i->guard);
		return e;
	}
	return env_err(i, mdb_env_sync(i->env, 1));
}

/* --- growing and reopening ------------------------------------------------------------------- */

static enum err grow(struct idx *i)
{
	MDB_envinfo info;
	uint64_t size;

	if (mdb_env_info(i->env, &info))
		return ERR_CORRUPT;
	if (info.me_mapsize >= i->map_max)
		return ERR_LIMIT;
	size = info.me_mapsize * 2 < i->map_max ? info.me_mapsize * 2 : i->map_max;
	return env_err(i, mdb_env_set_mapsize(i->env, size));
}

/* Before a transaction, when no other is open: grows or reopens as an earlier one found necessary. */
enum err env_mend(struct idx *i)
{
	enum err e = ERR_OK;

	if (i->panicked || !i->env) {
		/* Another process may be just about to discard it. */
		if (!guard_lock(&i->guard, true))
			return ERR_INUSE;
		e = guard_check(&i->guard, !i->memory);
		if (!e)
			e = reopen(i);
		guard_unlock(&i->guard);
		return e;
	}
	if (i->grow)
		e = grow(i);
	i->grow = false;
	return e == ERR_LIMIT ? ERR_OK : e; /* at its greatest: what fits goes on working */
}

bool idx_write_retry(struct idx *i)
{
	bool wanted = i->grow && i->txns == 0;

	if (!wanted)
		return false;
	i->grow = false;
	return grow(i) == ERR_OK;
}
