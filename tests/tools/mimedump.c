/*
 * Prints what IMAP would say of message files: for each, ENVELOPE, BODY and BODYSTRUCTURE, one to a line with
 * literals as on the wire, and the size in CRLF form. For comparing with other servers by hand or by script.
 */
#include "mime/bodystruct.h"
#include "mime/envelope.h"
#include "mime/tree.h"

#include "base/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool map_file(const char *path, struct span *s_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0) {
		close(fd);
		return false;
	}
	p = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	close(fd);
	*s_r = span_of(p, (size_t)st.st_size);
	return p != MAP_FAILED;
}

static void dump(struct span message, struct mime_tree *t)
{
	struct buf out;

	buf_init(&out, 256 << 20);
	mime_tree_parse(message, t);
	buf_add_str(&out, "ENVELOPE ");
	mime_envelope_add(message, &out);
	buf_add_str(&out, "\r\nBODY ");
	mime_bodystruct_add(message, t, false, &out);
	buf_add_str(&out, "\r\nBODYSTRUCTURE ");
	mime_bodystruct_add(message, t, true, &out);
	buf_printf(&out, "\r\nRFC822.SIZE %" PRIu64 "\r\n", mime_tree_size(t));
	fwrite(out.p, 1, out.n, stdout);
	buf_free(&out);
}

int main(int argc, char **argv)
{
	struct mime_tree t = { 0 };
	struct span message;
	int status = 0;

	for (int i = 1; i < argc; i++) {
		printf("FILE %s\r\n", argv[i]);
		if (!map_file(argv[i], &message)) {
			perror(argv[i]);
			status = 1;
			continue;
		}
		dump(message, &t);
		if (message.n)
			munmap((void *)(uintptr_t)message.p, message.n);
	}
	mime_tree_free(&t);
	return status;
}
