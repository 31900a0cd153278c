/*
 * Prints what IMAP would say of message files: for each, ENVELOPE, BODY and BODYSTRUCTURE, one to a
 * line with literals as on the wire, and the size in CRLF form. For comparing with other servers by
 * hand or by script.
 *
 *     mimedump [-s SECTION]... FILE...
 *
 * With -s only the sections are shown, as literals (HEADER.FIELDS stands for HEADER.FIELDS (Subject
 * To)); NIL when absent.
 */
#include "mime/bodystruct.h"
#include "mime/crlf.h"
#include "mime/envelope.h"
#include "mime/header.h"
#include "mime/section.h"

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

static void dump(struct span message, const struct mime_tree *t)
{
	struct buf out;

	buf_init(&out, 256 << 20);
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

/* The bytes of a section as stored. */
static bool section_bytes(struct span message, const struct mime_tree *t, const char *text,
			  struct buf *out)
{
	static const struct span names[] = { { "Subject", 7 }, { "To", 2 } };
	struct mime_section s;
	struct mime_range r;

	if (mime_section_parse(span_str(text), &s) || mime_section_find(t, &s, &r, NULL))
		return false;
	message = span_cut(message, r.off, r.size);
	if (s.kind == MIME_SECTION_FIELDS || s.kind == MIME_SECTION_FIELDS_NOT)
		mime_header_filter(message, names, 2, s.kind == MIME_SECTION_FIELDS_NOT, out);
	else
		buf_add_span(out, message);
	return true;
}

static void dump_section(struct span message, const struct mime_tree *t, const char *text)
{
	struct mime_crlf st = MIME_CRLF_START;
	struct buf stored, shown;

	buf_init(&stored, 256 << 20);
	buf_init(&shown, 512 << 20);
	if (section_bytes(message, t, text, &stored)) {
		mime_crlf_add(&st, buf_span(&stored), &shown);
		printf("BODY[%s] {%zu}\r\n", text, shown.n);
		fwrite(shown.p, 1, shown.n, stdout);
		printf("\r\n");
	} else {
		printf("BODY[%s] NIL\r\n", text);
	}
	buf_free(&stored);
	buf_free(&shown);
}

static bool dump_file(const char *path, char **sections, int n)
{
	struct mime_tree t = { 0 };
	struct span message;

	printf("FILE %s\r\n", path);
	if (!map_file(path, &message)) {
		perror(path);
		return false;
	}
	mime_tree_parse(message, &t);
	if (n == 0)
		dump(message, &t);
	for (int i = 0; i < n; i++)
		dump_section(message, &t, sections[i]);
	mime_tree_free(&t);
	if (message.n)
		munmap((void *)(uintptr_t)message.p, message.n);
	return true;
}

int main(int argc, char **argv)
{
	char *sections[64];
	int n = 0, status = 0, c;

	while ((c = getopt(argc, argv, "s:")) != -1) {
		if (c != 's' || n == 64)
			return 2;
		sections[n++] = optarg;
	}
	for (int i = optind; i < argc; i++)
		if (!dump_file(argv[i], sections, n))
			status = 1;
	return status;
}
