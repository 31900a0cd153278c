/* Files beneath a directory descriptor. */
#include "file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPACE_SPARE = 1 << 20 }; /* bytes left for lists and directories */

int file_open(int dir_fd, const char *name, int flags, mode_t mode)
{
	int fd;

	do
		fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int file_open_dir(int dir_fd, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	for (int i = 0; i < 8; i++) {
		long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno == ENOSYS || errno == EPERM)
			break;
		if (errno != EAGAIN && errno != EINTR)
			return -1;
	}
	return openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

const char *file_last(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* One level down from fd, which is closed. */
static int open_level(int fd, const char *name, const struct file_make *make)
{
	enum err made = make ? file_mkdir(fd, name, make->mode) : ERR_OK;
	int next = made ? -1 : file_open_dir(fd, name), saved;

	if (next >= 0 && make && make->sync && file_sync_dir(fd)) {
		close(next);
		next = -1;
		errno = EIO;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return next;
}

struct dirent *file_readdir(DIR *d, enum err *e)
{
	struct dirent *de;

	errno = 0;
	de = readdir(d);
	if (!de && errno)
		*e = err_from_errno(errno);
	return de;
}

bool file_unknown(int errnum)
{
	enum err e = err_from_errno(errnum);

	return e == ERR_TEMP || e == ERR_MEMORY || e == ERR_IO;
}

int file_open_parent(int dir_fd, const char *path, const struct file_make *make)
{
	struct span rest = span_of(path, (size_t)(file_last(path) - path)), level;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && span_split(&rest, '/', &level)) {
		char *name = span_dup(level);

		if (level.n)
			fd = open_level(fd, name, make);
		free(name);
	}
	return fd;
}

enum err file_open_read(int dir_fd, const char *name, int *fd_r, struct stat *st_r)
{
	struct stat st;
	int fd = file_open(dir_fd, name, O_RDONLY, 0);

	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? ERR_NOTFOUND : err_from_errno(errno);
	if (fstat(fd, &st) < 0) {
		enum err e = err_from_errno(errno);
		close(fd);
		return e;
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		errno = ENOENT;
		return ERR_NOTFOUND;
	}
	*fd_r = fd;
	*st_r = st;
	return ERR_OK;
}

enum err file_load(int fd, uint64_t off, struct buf *out)
{
	for (;;) {
		if (!buf_reserve(out, 4096))
			return ERR_LIMIT;
		ssize_t got = pread(fd, out->p + out->n, out->cap - out->n, (off_t)off);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_from_errno(errno);
		if (got == 0)
			return ERR_OK;
		out->n += (size_t)got;
		off += (uint64_t)got;
	}
}

enum err file_write(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t put = write(fd, at, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_from_errno(errno);
		at += put;
		n -= (size_t)put;
	}
	return ERR_OK;
}

enum err file_write_at(int fd, const void *p, size_t n, uint64_t *at)
{
	const char *from = p;

	while (n > 0) {
		ssize_t put = pwrite(fd, from, n, (off_t)*at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_from_errno(errno);
		from += put;
		n -= (size_t)put;
		*at += (uint64_t)put;
	}
	return ERR_OK;
}

enum err file_room(int fd, uint64_t size)
{
	struct statvfs v;
	uint64_t room;

	if (size == 0 || fstatvfs(fd, &v) < 0 || v.f_frsize == 0)
		return ERR_OK;
	room = (uint64_t)v.f_bavail * v.f_frsize;
	return room < size || room - size < SPACE_SPARE ? ERR_NOSPACE : ERR_OK;
}

enum err file_sync_data(int fd)
{
	return fdatasync(fd) < 0 ? ERR_IO : ERR_OK;
}

enum err file_sync_dir(int dir_fd)
{
	return fsync(dir_fd) < 0 && errno != EINVAL && errno != ENOTSUP ? ERR_IO : ERR_OK;
}

static enum err replace_with(int dir_fd, int fd, const char *tmp, const char *name,
			     struct span bytes, bool sync)
{
	enum err e = file_write(fd, bytes.p, bytes.n);

	if (!e && sync)
		e = file_sync_data(fd);
	if (!e && renameat(dir_fd, tmp, dir_fd, name) < 0)
		e = err_from_errno(errno);
	if (e)
		return e;
	return sync ? file_sync_dir(dir_fd) : ERR_OK;
}

enum err file_replace(int dir_fd, const char *tmp, const char *name, struct span bytes, mode_t mode,
		      bool sync)
{
	unlinkat(dir_fd, tmp, 0);
	int fd = file_open(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (fd < 0)
		return err_from_errno(errno);

	enum err e = replace_with(dir_fd, fd, tmp, name, bytes, sync);
	if (e) {
		int saved = errno;
		unlinkat(dir_fd, tmp, 0);
		errno = saved;
	}
	close(fd);
	return e;
}

enum err file_mkdir(int dir_fd, const char *name, mode_t mode)
{
	struct stat st;

	if (mkdirat(dir_fd, name, mode) < 0)
		return errno == EEXIST ? ERR_OK : err_from_errno(errno);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & 0777) != mode &&
	    fchmodat(dir_fd, name, mode | (st.st_mode & S_ISGID), 0) < 0)
		return err_from_errno(errno);
	return ERR_OK;
}

int file_rename_new(int from_fd, const char *from, int to_fd, const char *to)
{
	if (syscall(SYS_renameat2, from_fd, from, to_fd, to, 1 /* RENAME_NOREPLACE */) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(from_fd, from, to_fd, to, 0) < 0)
		return -1;
	return unlinkat(from_fd, from, 0);
}

/* Makes path and what is missing above it. */
static enum err make_path(const char *path, mode_t mode)
{
	char *copy = mem_str(path);
	enum err e = ERR_OK;

	for (char *p = copy + 1; !e && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			e = err_from_errno(errno);
		*p = '/';
	}
	if (!e && mkdir(path, mode) < 0 && errno != EEXIST)
		e = err_from_errno(errno);
	free(copy);
	return e;
}

/* The configured directory itself may be a symbolic link; nothing below it may. */
enum err file_root(const char *path, bool make, mode_t mode, int *fd_r, struct errtext *t)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make) {
		enum err e = make_path(path, mode);
		if (e && e != ERR_EXISTS)
			return err_sys(t, "cannot make %s", path);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return err_sys(t, "%s", path);
	*fd_r = fd;
	return ERR_OK;
}
