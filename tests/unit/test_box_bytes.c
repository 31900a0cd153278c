/* Bytes in CRLF form: every offset and length of files stored with LF, CRLF, a mixture, lone CRs and NULs. */
#include "tests/unit/box_house.h"

#include "base/buf.h"
#include "mime/crlf.h"
#include "mime/section.h"

#include <fcntl.h>
#include <unistd.h>

static struct house h;
static char cur_dir[200];
static struct view *v;

static int begin(void **state)
{
	house_begin(&h, &store_maildir);
	v = house_view(&h, "INBOX", false);
	snprintf(cur_dir, sizeof(cur_dir), "%s/cur", h.mail);
	return 0;
}

static int end(void **state)
{
	view_close(&v);
	house_end(&h);
	return 0;
}

/* Puts a file as it is; its UID. */
static uint32_t put_raw(const char *bytes, size_t n)
{
	static int number;
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%d.M1P1.host:2,", cur_dir, 1000000000 + number++);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
	view_look(v);
	view_quiet(&h, v);
	return view_uid(v, view_state(v)->exists);
}

static void converted(struct span in, struct buf *out)
{
	struct mime_crlf st = MIME_CRLF_START;

	buf_init(out, 1 << 24);
	mime_crlf_add(&st, in, out);
}

static void read_some(struct message_bytes *b, uint64_t offset, size_t max, struct span want)
{
	struct errtext t;
	struct buf out;

	buf_init(&out, 1 << 24);
	assert_int_equal(message_read(b, offset, max, &out, &t), ERR_OK);
	want = span_cut(span_from(want, (size_t)offset), 0, max);
	assert_int_equal(out.n, want.n);
	if (want.n)
		assert_memory_equal(out.p, want.p, want.n);
	buf_free(&out);
}

static const char *const raw[] = {
	"A: b\nC: d\n\nline\nline\n\n\nend",
	"A: b\r\nC: d\r\n\r\nline\r\nline\r\n\r\nend\r\n",
	"A: b\r\nC: d\n\nli\rne\nli\r\rne\r\n\r\r\n\n\r\n\r",
	"\n\n\n",
	"\n",
	"A: b",
	"\r\n\r",
};

static void test_every_offset(void **state)
{
	for (size_t i = 0; i < sizeof(raw) / sizeof(raw[0]); i++) {
		struct span stored = span_str(raw[i]);
		uint32_t uid = put_raw(stored.p, stored.n);
		struct message_bytes b;
		struct errtext t;
		struct buf want;
		struct message *m = NULL;

		converted(stored, &want);
		assert_int_equal(message_open(v, uid, &m, &t), ERR_OK);
		for (size_t max = 1; max <= want.n + 1; max++) {
			/* Each a reading of its own; then all from one, forwards. */
			for (size_t off = 0; off <= want.n; off++) {
				assert_int_equal(message_section(m, NULL, NULL, 0, &b, &t), ERR_OK);
				assert_int_equal(b.size, want.n);
				read_some(&b, off, max, buf_span(&want));
			}
			assert_int_equal(message_section(m, NULL, NULL, 0, &b, &t), ERR_OK);
			for (size_t off = 0; off < want.n; off += max)
				read_some(&b, off, max, buf_span(&want));
			for (size_t off = want.n; off > 0; off--)
				read_some(&b, off - 1, max, buf_span(&want));
		}
		message_close(&m);
		buf_free(&want);
	}
}

static void test_size_agrees(void **state)
{
	for (size_t i = 0; i < sizeof(raw) / sizeof(raw[0]); i++) {
		uint32_t uid = put_raw(raw[i], strlen(raw[i]));
		struct set one = SET_EMPTY;
		struct view_walk *w;
		struct message_facts f;
		struct errtext t;
		struct buf want;

		converted(span_str(raw[i]), &want);
		set_add(&one, uid);
		assert_int_equal(view_walk_begin(v, &one, WANT_VSIZE, &w, &t), ERR_OK);
		assert_int_equal(view_walk_next(w, &f, &t), ERR_OK);
		assert_int_equal(f.vsize, want.n);
		view_walk_end(&w);
		set_free(&one);
		buf_free(&want);
	}
}

/* All of it, however many slices that takes. */
static void whole(struct message *m, struct message_bytes *b)
{
	struct errtext t;
	enum err e;

	do {
		e = message_section(m, NULL, NULL, 0, b, &t);
	} while (e == ERR_AGAIN);
	assert_int_equal(e, ERR_OK);
}

/* Larger than all pieces, with line ends at every distance from their borders. */
static void test_large(void **state)
{
	struct buf stored, want;
	struct message_bytes b;
	struct errtext t;
	struct message *m = NULL;
	uint32_t uid;
	uint64_t x = 1;

	buf_init(&stored, 1 << 24);
	buf_add_str(&stored, "A: b\n\n");
	while (stored.n < 1500000) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		buf_add(&stored, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", (size_t)(x >> 60));
		buf_add_str(&stored, x >> 40 & 1 ? "\r\n" : x >> 41 & 3 ? "\n" : "\r");
	}
	converted(buf_span(&stored), &want);
	uid = put_raw(stored.p, stored.n);
	/* In chunks, each a command of its own, as some clients fetch. */
	for (size_t off = 0; off < want.n; off += 65536) {
		assert_int_equal(message_open(v, uid, &m, &t), ERR_OK);
		whole(m, &b);
		read_some(&b, off, 65536, buf_span(&want));
		message_close(&m);
	}
	assert_int_equal(message_open(v, uid, &m, &t), ERR_OK);
	whole(m, &b);
	for (int i = 0; i < 300; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		read_some(&b, (x >> 20) % want.n, (size_t)(x >> 44) % 300000, buf_span(&want));
	}
	message_close(&m);
	buf_free(&stored);
	buf_free(&want);
}

static const char parts[] = "From: a@b\nSubject: parts\nMIME-Version: 1.0\n"
	"Content-Type: multipart/mixed; boundary=x\n\npre\n--x\nContent-Type: text/plain\n\none\ntwo\n--x\n"
	"Content-Type: message/rfc822\n\nFrom: c@d\nSubject: inner\n\nin\n--x--\npost\n";

static void section_is(uint32_t uid, const char *section, const char *want)
{
	struct mime_section s;
	struct message_bytes b;
	struct errtext t;
	struct message *m = NULL;

	assert_int_equal(mime_section_parse(span_str(section), &s), ERR_OK);
	assert_int_equal(message_open(v, uid, &m, &t), ERR_OK);
	assert_int_equal(message_section(m, &s, NULL, 0, &b, &t), ERR_OK);
	assert_int_equal(b.nil, want == NULL);
	if (want) {
		assert_int_equal(b.size, strlen(want));
		for (size_t off = 0; off <= b.size; off++)
			read_some(&b, off, 7, span_str(want));
	}
	message_close(&m);
}

static void test_sections(void **state)
{
	uint32_t uid = house_append(&h, "INBOX", parts, 0, NULL);

	view_quiet(&h, v);
	section_is(uid, "1", "one\r\ntwo");
	section_is(uid, "1.MIME", "Content-Type: text/plain\r\n\r\n");
	section_is(uid, "2.HEADER", "From: c@d\r\nSubject: inner\r\n\r\n");
	section_is(uid, "2.TEXT", "in");
	section_is(uid, "2.1", "in");
	section_is(uid, "3", NULL);
	section_is(uid, "HEADER", "From: a@b\r\nSubject: parts\r\nMIME-Version: 1.0\r\n"
				  "Content-Type: multipart/mixed; boundary=x\r\n\r\n");
}

static void test_fields(void **state)
{
	struct span names[] = { SPAN("subject"), SPAN("X-None") };
	struct mime_section s;
	struct message_bytes b;
	struct errtext t;
	struct message *m = NULL;
	uint32_t uid = house_append(&h, "INBOX", parts, 0, NULL);

	view_quiet(&h, v);
	assert_int_equal(message_open(v, uid, &m, &t), ERR_OK);
	assert_int_equal(mime_section_parse(SPAN("HEADER.FIELDS"), &s), ERR_OK);
	assert_int_equal(message_section(m, &s, names, 2, &b, &t), ERR_OK);
	read_some(&b, 0, 1000, SPAN("Subject: parts\r\n\r\n"));
	read_some(&b, 3, 4, SPAN("Subject: parts\r\n\r\n"));
	assert_int_equal(mime_section_parse(SPAN("2.HEADER.FIELDS.NOT"), &s), ERR_OK);
	assert_int_equal(message_section(m, &s, names, 2, &b, &t), ERR_OK);
	read_some(&b, 0, 1000, SPAN("From: c@d\r\n\r\n"));
	message_close(&m);
}

/* A file cut short by somebody else: what had been read, or an error; no crash, no invented bytes. */
static void test_truncated(void **state)
{
	static char big[300000];
	char path[600];
	struct message_bytes b;
	struct errtext t;
	struct buf out;
	struct message *m = NULL;
	uint32_t uid;

	memset(big, 'a', sizeof(big));
	uid = put_raw(big, sizeof(big));
	assert_int_equal(message_open(v, uid, &m, &t), ERR_OK);
	assert_int_equal(message_section(m, NULL, NULL, 0, &b, &t), ERR_OK);
	snprintf(path, sizeof(path), "%s/%s", cur_dir, find_file(cur_dir, "M1P1"));
	assert_int_equal(truncate(path, 1000), 0);
	buf_init(&out, 1 << 20);
	assert_int_equal(message_read(&b, 0, 300000, &out, &t), ERR_OK); /* what the structure was made from is still here */
	assert_memory_equal(out.p, big, sizeof(big));
	message_close(&m);
	assert_int_equal(message_open(v, uid, &m, &t), ERR_OK);
	assert_int_equal(message_section(m, NULL, NULL, 0, &b, &t), ERR_OK);
	buf_clear(&out);
	assert_int_equal(message_read(&b, 0, 300000, &out, &t), ERR_IO);
	buf_free(&out);
	message_close(&m);
}

/* What append is given comes back; CR CR LF keeps its bytes. */
static void test_append_forms(void **state)
{
	static const struct {
		const char *in, *out;
	} row[] = {
		{ "A: b\r\n\r\nx\r\n", "A: b\r\n\r\nx\r\n" },
		{ "A: b\n\nx\n", "A: b\r\n\r\nx\r\n" },
		{ "A: b\r\n\r\nx\r\r\ny\rz\r", "A: b\r\n\r\nx\r\r\ny\rz\r" },
		{ "A: b\r\n\r\n\r\r\r\n\r\n", "A: b\r\n\r\n\r\r\r\n\r\n" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		size_t n = strlen(row[i].in);

		for (size_t cut = 0; cut <= n; cut++) {
			struct append *p;
			struct errtext t;
			enum err e;

			assert_int_equal(append_begin(h.a, "INBOX", &p, &t), ERR_OK);
			assert_int_equal(append_start(p, n, 0, NULL, 0, 0, &t), ERR_OK);
			assert_int_equal(append_write(p, span_of(row[i].in, cut), &t), ERR_OK);
			assert_int_equal(append_write(p, span_of(row[i].in + cut, n - cut), &t), ERR_OK);
			assert_int_equal(append_end(p, &t), ERR_OK);
			while (append_finish(p, true, &e, &t) != STEP_DONE)
				;
			assert_int_equal(e, ERR_OK);
			view_quiet(&h, v);
			assert_string_equal(text_of(v, set_min(append_uids(p))), row[i].out);
			append_free(&p);
		}
	}
}

#define T(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_every_offset), T(test_size_agrees), T(test_large), T(test_sections), T(test_fields),
		T(test_truncated), T(test_append_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
