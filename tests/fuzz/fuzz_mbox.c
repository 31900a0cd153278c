/*
 * Any file as an mbox: it is read without harm, every message can be had, and giving UIDs and flags to all of them changes no
 * message: as many, in the same order, with the same bytes (a header without an end gets one).
 */
#include "store/store.h"

#include "base/mem.h"
#include "base/must.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

enum { MESSAGES_MAX = 64 };

static char dir[64] = "/dev/shm/roost-fuzz.XXXXXX", root[96], inbox[96];
static struct store *store;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void end(void)
{
	store->ops->close(store);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct store_config c = { .root = root, .inbox = inbox, .hostname = "h", .sync = STORE_SYNC_NEVER };

	must(mkdtemp(dir) != NULL);
	snprintf(root, sizeof(root), "%s/mail", dir);
	snprintf(inbox, sizeof(inbox), "%s/inbox", dir);
	must(store_mbox.open(&c, &store, NULL) == ERR_OK);
	atexit(end);
	return 0;
}

struct had {
	size_t n;
	struct span text[MESSAGES_MAX];
};

static bool same_text(struct span a, struct span b)
{
	if (span_eq(a, b))
		return true;
	return (b.n == a.n + 1 || b.n == a.n + 2) && span_starts(b, a) && b.p[b.n - 1] == '\n';
}

static bool read_all(struct store_box *b, struct arena *a, struct store_scan *s, struct had *h)
{
	struct store_identity id;
	struct errtext t;

	if (store_mbox.identity(b, &id, &t) || store_mbox.scan(b, a, s, &t))
		return false;
	h->n = s->n;
	for (size_t i = 0; i < s->n && i < MESSAGES_MAX; i++) {
		struct store_object o;
		char *text = arena_alloc(a, s->msg[i].size + 1);

		must(store_mbox.locate(b, s->msg[i].key, s->msg[i].hint, &o, NULL, NULL, &t) == ERR_OK);
		must(o.length == s->msg[i].size && s->msg[i].vsize >= o.length);
		must(pread(o.fd, text, o.length, 0) == (ssize_t)o.length);
		close(o.fd);
		h->text[i] = span_of(text, o.length);
	}
	return true;
}

static void live(struct store_box *b, struct arena *a)
{
	struct had before, after;
	struct store_scan s;
	struct errtext t;
	struct span hint;
	unsigned bit;

	if (!read_all(b, a, &s, &before))
		return;
	must(store_mbox.keyword_add(b, "fuzz", &bit, &t) != ERR_CORRUPT);
	for (size_t i = 0; i < s.n; i++) {
		uint32_t uid, next;

		/* The first gives all the others theirs; their keys are of before. */
		if (!s.msg[i].uid && store_mbox.number(b, &s.msg[i].key, 1, true, &uid, &next, a, &t) == ERR_OK)
			break;
	}
	must(store_mbox.scan(b, a, &s, &t) == ERR_OK);
	for (size_t i = 0; i < s.n; i++)
		(void)store_mbox.set_flags(b, s.msg[i].key, s.msg[i].hint, (struct mail_flags){ MAIL_SYSTEM, 1 }, a, &hint, &t);
	must(store_mbox.flags_done(b, &t) == ERR_OK);
	must(read_all(b, a, &s, &after));
	must(after.n == before.n);
	for (size_t i = 0; i < s.n && i < MESSAGES_MAX; i++) {
		must(s.msg[i].uid > 0 && (i == 0 || s.msg[i].uid > s.msg[i - 1].uid));
		must((s.msg[i].flags.system & MAIL_SYSTEM) == MAIL_SYSTEM);
		must(same_text(before.text[i], after.text[i]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new(64 << 20);
	struct store_box *b;
	int fd = open(inbox, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0 && write(fd, data, n) == (ssize_t)n);
	close(fd);
	must(store_mbox.box_open(store, "INBOX", &b, NULL) == ERR_OK);
	live(b, a);
	store_mbox.box_close(b);
	arena_free(&a);
	return 0;
}
