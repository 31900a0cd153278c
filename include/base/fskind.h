/* What kind of file system a path lies on: may other machines change it without this kernel knowing? */
#ifndef BASE_FSKIND_H
#define BASE_FSKIND_H

enum fs_kind {
	FS_LOCAL,   /* also when it cannot be told */
	FS_USER,    /* FUSE: whatever a program makes of it */
	FS_NETWORK,
};

enum fs_kind fs_kind(const char *path);

#endif
