/*
 * dovecot-uidlist of anybody: line by line, and as the file of a mailbox. Whatever it holds,
 * numbering gives fresh ascending UIDs, keeps those that the file tells, and leaves a file that
 * reads the same.
 */
#include "src/store/maildir.h"

#include "base/mem.h"
#include "base/must.h"

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char root[] = "/dev/shm/roost-fuzz.XXXXXX";
static struct store *store;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void end(void)
{
	store->ops->close(store);
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct store_config c = { .root = root, .hostname = "h", .sync = STORE_SYNC_NEVER };

	must(mkdtemp(root) && store_maildir.open(&c, &store, NULL) == ERR_OK);
	must(store->ops->create(store, "INBOX", NULL, NULL) == ERR_OK);
	atexit(end);
	return 0;
}

static void lines(struct span text)
{
	struct uidlist_header h;
	struct uidlist_record r, again;
	struct span line;
	struct buf out;

	buf_init(&out, 16384);
	while (span_split(&text, '\n', &line)) {
		uidlist_parse_header(line, &h);
		uidlist_parse_record(line, 1, &r);
		if (!uidlist_parse_record(line, 3, &r))
			continue;
		buf_clear(&out);
		uidlist_put_record(&out, &r);
		must(uidlist_parse_record(span_cut(buf_span(&out), 0, out.n - 1), 3, &again));
		must(again.uid == r.uid && span_eq(again.base, r.base) &&
		     span_eq(again.keys, r.keys));
	}
	buf_free(&out);
}

static void put_file(struct span text)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/dovecot-uidlist", root);
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
	close(fd);
}

static void numbers(void)
{
	struct span keys[2] = { SPAN("key-one"), SPAN("key-two") };
	struct store_box *b;
	uint32_t uid[2], again[2], next, next2;

	must(store->ops->box_open(store, "INBOX", &b, NULL) == ERR_OK);
	enum err e = b->ops->number(b, keys, 2, false, uid, &next, NULL, NULL);
	must(e == ERR_OK || e == ERR_LIMIT);
	if (!e) {
		must(uid[0] > 0 && uid[1] > 0 && uid[0] != uid[1] && next > uid[0] &&
		     next > uid[1]);
		b->ops->box_close(b);
		must(store->ops->box_open(store, "INBOX", &b, NULL) == ERR_OK);
		must(b->ops->number(b, keys, 2, false, again, &next2, NULL, NULL) == ERR_OK);
		must(uid[0] == again[0] && uid[1] == again[1] && next == next2);
	}
	b->ops->box_close(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	lines(span_of(data, n));
	put_file(span_of(data, n));
	numbers();
	return 0;
}
