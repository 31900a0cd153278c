/*
 * Files beneath a directory descriptor: never through a symbolic link, never out of the
 * directory, only regular files. Nothing here retries a failed sync.
 *
 * Names are single path components except where said.
 */
#ifndef STORE_FILE_H
#define STORE_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <dirent.h>
#include <sys/stat.h>

/* openat with O_NOFOLLOW, O_CLOEXEC, O_NONBLOCK (a FIFO must not hold us up); -1 and errno. */
int file_open(int dir_fd, const char *name, int flags, mode_t mode);

/*
 * A directory; path may have several components. openat2 beneath dir_fd where the kernel has it. -1
 * and errno.
 */
int file_open_dir(int dir_fd, const char *path);

/* How directories on the way are made. */
struct file_make {
	mode_t mode;
	bool sync; /* and their names are on disk before it returns */
};

/*
 * The next entry; NULL at the end, and with *e set where the rest cannot be read: for a caller who concludes something from
 * what he did not find.
 */
struct dirent *file_readdir(DIR *d, enum err *e);

/* Of an open that failed: for want of descriptors, of memory, or the disk's fault. Whether there is something is not known. */
bool file_unknown(int errnum);

/* The directory that holds the last component of path; with make what is missing of it is made. -1 and errno. */
int file_open_parent(int dir_fd, const char *path, const struct file_make *make);
/* The last component. */
const char *file_last(const char *path);

/*
 * A configured directory, which may itself be a symbolic link; nothing below it may. With make it is made, and what is
 * missing above it.
 */
enum err file_root(const char *path, bool make, mode_t mode, int *fd_r, struct errtext *t);

/* Opens for reading and checks that it is a regular file; anything else is ERR_NOTFOUND. */
enum err file_open_read(int dir_fd, const char *name, int *fd_r, struct stat *st_r);

/* Appends the bytes from off to the end to out (ERR_LIMIT beyond its maximum). */
enum err file_load(int fd, uint64_t off, struct buf *out);

/* All of it, or an error. */
enum err file_write(int fd, const void *p, size_t n);
/* The same at *at, which goes on by what was written. */
enum err file_write_at(int fd, const void *p, size_t n, uint64_t *at);

/* ERR_NOSPACE when a file of so many bytes would fill the disk; 0: not known. */
enum err file_room(int fd, uint64_t size);

enum err file_sync_data(int fd); /* fdatasync */
enum err file_sync_dir(int dir_fd); /* fsync; a file system that cannot sync directories is fine */

/*
 * dir_fd/tmp with these bytes takes the place of dir_fd/name. With sync the bytes and then the name
 * are on disk when it returns. The caller holds the lock that makes tmp ours.
 */
enum err file_replace(int dir_fd, const char *tmp, const char *name, struct span bytes, mode_t mode,
		      bool sync);

/* mkdirat, and chmod where the umask took bits away. EEXIST is fine. */
enum err file_mkdir(int dir_fd, const char *name, mode_t mode);

/*
 * renameat2 with RENAME_NOREPLACE; link and unlink where the file system does not know that. 0, or
 * -1 and errno.
 */
int file_rename_new(int from_fd, const char *from, int to_fd, const char *to);

#endif
