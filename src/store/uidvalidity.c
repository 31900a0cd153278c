/*
 * dovecot-uidvalidity: the last UIDVALIDITY given to any mailbox of a mail root.
 *
 *	dovecot-uidvalidity            8 lower-case hex digits, no LF: a guess at the last value
 *	dovecot-uidvalidity.<8 hex>    empty; its name is the truth
 *
 * A value is claimed by renaming the second file to a greater one: whoever's rename succeeds owns
 * the value, without a lock. When there is none yet, one is created at the present second. Values
 * of 2^31 and more are not believed: clients with signed numbers fail on them.
 */
#include "uidvalidity.h"
#include "file.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FILE_NAME "dovecot-uidvalidity"
enum { CLAIM_TRIES = 20 };

static bool value_ok(struct span hex, uint32_t *v_r)
{
	uint64_t v;

	if (hex.n != 8 || !span_hex64(hex, &v) || v == 0 || v > INT32_MAX)
		return false;
	*v_r = (uint32_t)v;
	return true;
}

static uint32_t value_noted(int fd)
{
	char text[9];
	struct stat st;
	uint32_t v = 0;
	int file;

	if (file_open_read(fd, FILE_NAME, &file, &st))
		return 0;
	ssize_t n = pread(file, text, sizeof(text), 0);
	close(file);
	value_ok(span_of(text, n > 0 ? (size_t)n : 0), &v);
	return v;
}

/* The greatest companion; 0 when there is none. */
static enum err companion_find(int fd, uint32_t *v_r)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;
	enum err e = ERR_OK;
	uint32_t v;

	*v_r = 0;
	if (!dir) {
		if (copy >= 0)
			close(copy);
		return err_from_errno(errno);
	}
	while ((d = file_readdir(dir, &e))) {
		struct span name = span_str(d->d_name);

		if (span_starts(name, SPAN(FILE_NAME ".")) &&
		    value_ok(span_from(name, sizeof(FILE_NAME)), &v) && v > *v_r)
			*v_r = v;
	}
	closedir(dir);
	return e;
}

static void companion_name(char out[32], uint32_t v)
{
	snprintf(out, 32, FILE_NAME ".%08x", v);
}

/* Claims next, by renaming the companion of have (0: none known). 0, or -1 and errno. */
static int companion_move(const struct uidvalidity *u, uint32_t have, uint32_t next)
{
	char from[32], to[32];

	companion_name(to, next);
	if (have == 0) {
		int fd = file_open(u->dir_fd, to, O_WRONLY | O_CREAT | O_EXCL,
				   u->mode & 0444);
		if (fd >= 0)
			close(fd);
		return fd < 0 ? -1 : 0;
	}
	companion_name(from, have);
	return file_rename_new(u->dir_fd, from, u->dir_fd, to);
}

/* In place: eight bytes; a reader who sees anything odd looks for the companion. */
static void value_note(const struct uidvalidity *u, uint32_t v)
{
	char text[16];
	int fd = file_open(u->dir_fd, FILE_NAME, O_WRONLY | O_CREAT, u->mode);

	if (fd < 0)
		return;
	snprintf(text, sizeof(text), "%08x", v);
	/* Only a guess: when it cannot be written the companion still tells. */
	if (pwrite(fd, text, 8, 0) != 8)
		unlinkat(u->dir_fd, FILE_NAME, 0);
	close(fd);
}

static uint32_t next_value(uint32_t have, uint32_t noted, uint32_t above)
{
	uint32_t v = (uint32_t)clock_wall() - 1;

	if (have > 0 || noted > 0)
		v = have > noted ? have : noted;
	return (above > v ? above : v) + 1;
}

enum err uidvalidity_claim(const struct uidvalidity *u, uint32_t above, uint32_t *v_r, struct errtext *t)
{
	uint32_t noted, have, next;
	enum err e = ERR_OK;

	noted = have = value_noted(u->dir_fd);
	for (int i = 0; i < CLAIM_TRIES; i++) {
		/* The guess may have no companion, or somebody was faster: then look. */
		if (i > 0 || have == 0)
			e = companion_find(u->dir_fd, &have);
		if (e)
			return err_say(t, e, "cannot read the directory of " FILE_NAME);
		next = next_value(have, noted, above);
		if (next > INT32_MAX)
			return err_say(t, ERR_LIMIT, FILE_NAME " has reached 2^31");
		if (companion_move(u, have, next) == 0)
			break;
		if (errno != ENOENT && errno != EEXIST)
			return err_sys(t, FILE_NAME ".%08x", next);
		above = errno == EEXIST ? next : above;
		next = 0;
	}
	if (next == 0)
		return err_say(t, ERR_INUSE, FILE_NAME " is changing");
	value_note(u, next);
	if (u->sync && file_sync_dir(u->dir_fd))
		return err_say(t, ERR_IO, "cannot sync the directory of " FILE_NAME);
	*v_r = next;
	return ERR_OK;
}

enum err uidvalidity_given(const struct uidvalidity *u, uint32_t v, struct errtext *t)
{
	uint32_t claimed;

	if (v > INT32_MAX || v <= value_noted(u->dir_fd))
		return ERR_OK;
	return uidvalidity_claim(u, v - 1, &claimed, t);
}
