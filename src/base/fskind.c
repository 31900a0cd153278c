#include "base/fskind.h"

#include "base/must.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

enum fs_kind fs_kind(const char *path)
{
	static const uint32_t network[] = {
		0x6969,     /* nfs */
		0x517b,     /* smb */
		0xff534d42, /* cifs */
		0xfe534d42, /* smb2 */
		0x00c36400, /* ceph */
		0x0bd00bd0, /* lustre */
		0x5346414f, /* afs */
		0x73757245, /* coda */
		0x01161970, /* gfs2 */
		0x7461636f, /* ocfs2 */
	};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return FS_LOCAL;
	for (size_t i = 0; i < ARRAY_LEN(network); i++)
		if ((uint32_t)fs.f_type == network[i])
			return FS_NETWORK;
	return (uint32_t)fs.f_type == 0x65735546 ? FS_USER : FS_LOCAL;
}
