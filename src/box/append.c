/*
 * APPEND and deliveries: bytes into a staged file, LF at the ends of lines, looked into once while they are
 * at hand; the rest is arrive.c.
 */
#include "arrive.h"
#include "made.h"

#include "base/clock.h"
#include "base/lf.h"
#include "base/mem.h"
#include "base/must.h"
#include "codec/pack.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	WRITE_BUF = 64 << 10,
	PIECE = WRITE_BUF / 4,
	CACHED_MAX = 64 << 20, /* what is kept of all messages for the index; of the others it is made again when asked for */
};

struct append {
	struct acct *acct;         /* borrowed */
	struct arrivals arrivals;
	struct buf out;            /* own: on its way to the file */
	bool open;                 /* between start and end */
	size_t cached;             /* bytes kept for the index so far */
	struct lf_form lf;
	struct made made;
	uint64_t size;             /* of what made was made of */
	struct buf load;
};

enum err append_begin(struct acct *a, const char *name, struct append **p_r, struct errtext *t)
{
	struct mailbox *mb;
	struct append *p;
	enum err e = mailbox_open(a, name, &mb, t);

	if (!e && mailbox_readonly(mb)) {
		mailbox_close(&mb);
		e = err_say(t, ERR_READONLY, "Mailbox is read-only");
	}
	if (e)
		return e;
	p = mem_alloc(sizeof(*p));
	p->acct = a;
	arrivals_init(&p->arrivals, mb);
	buf_init(&p->out, WRITE_BUF);
	buf_init(&p->load, LOAD_MAX);
	made_init(&p->made);
	*p_r = p;
	return ERR_OK;
}

void append_free(struct append **p)
{
	struct append *c = *p;

	if (!c)
		return;
	arrivals_free(&c->arrivals);
	buf_free(&c->out);
	buf_free(&c->load);
	made_free(&c->made);
	free(c);
	*p = NULL;
}

static struct store_commit *current(struct append *p)
{
	must(p->open);
	return &p->arrivals.commit[p->arrivals.n - 1];
}

enum err append_start(struct append *p, uint64_t size_hint, uint8_t flags, const char *const *keywords,
		      size_t nkeywords, int64_t internaldate, struct errtext *t)
{
	struct mailbox *mb = p->arrivals.mb;
	struct mail_flags f = { .system = flags & MAIL_SYSTEM };
	struct store_stage stage;
	struct store_box *sb;
	enum err e;

	must(!p->open);
	if (size_hint > LOAD_MAX)
		return err_say(t, ERR_LIMIT, "The message is too large");
	e = nkeywords ? mailbox_ready(mb, t) : ERR_OK;
	if (!e)
		e = mailbox_keywords_add(mb, keywords, nkeywords, &f.keywords, t);
	if (!e)
		e = mailbox_store(mb, &sb, t);
	if (!e)
		e = sb->ops->stage(sb, size_hint, &stage, t);
	if (e)
		return e;
	arrivals_add(&p->arrivals, &stage);
	p->open = true;
	p->lf = (struct lf_form)LF_FORM_START;
	current(p)->flags = f;
	/* Given to the file in any case: it may be written for seconds, and a rebuilt index has the date from it. */
	current(p)->internaldate = internaldate ? internaldate : clock_wall();
	p->arrivals.arrival[p->arrivals.n - 1].internaldate = current(p)->internaldate;
	return ERR_OK;
}

static enum err flush(struct append *p, struct errtext *t)
{
	size_t at = 0;

	while (at < p->out.n) {
		ssize_t n = write(current(p)->stage->fd, p->out.p + at, p->out.n - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(t, "Cannot write the message");
		at += (size_t)n;
	}
	buf_clear(&p->out);
	return ERR_OK;
}

/* Room for n more bytes at the end of p->out, n at most WRITE_BUF. */
static enum err make_room(struct append *p, size_t n, struct errtext *t)
{
	enum err e = p->out.n + n > WRITE_BUF ? flush(p, t) : ERR_OK;

	if (!e && !buf_reserve(&p->out, n))
		e = err_say(t, ERR_MEMORY, "No memory for the message");
	return e;
}

enum err append_write(struct append *p, struct span bytes, struct errtext *t)
{
	enum err e = ERR_OK;

	while (!e && bytes.n) {
		struct span piece = span_cut(bytes, 0, PIECE);

		e = make_room(p, piece.n + 1, t);
		if (!e)
			p->out.n += lf_form(&p->lf, piece, p->out.p + p->out.n);
		bytes = span_from(bytes, piece.n);
	}
	return e;
}

enum err append_fd(struct append *p, int *fd_r, struct errtext *t)
{
	enum err e = flush(p, t);

	*fd_r = e ? -1 : current(p)->stage->fd;
	return e;
}

void append_recent(struct append *p)
{
	current(p)->recent = true;
}

/* Looks into the message while its bytes are in the page cache. */
static enum err look(struct append *p, struct errtext *t)
{
	struct store_commit *c = current(p);
	struct idx_cache cache;
	struct stat st;
	enum err e;

	if (fstat(c->stage->fd, &st))
		return err_sys(t, "Cannot look at the staged message");
	e = bytes_load(c->stage->fd, 0, (uint64_t)st.st_size, &p->load, t);
	if (e)
		return e;
	/* It would be shown unpacked, and not as it was appended. */
	if (pack_kind_of(span_cut(buf_span(&p->load), 0, PACK_MAGIC)))
		return err_say(t, ERR_CANNOT, "A message cannot be appended compressed");
	made_from(&p->made, acct_charsets(p->acct), buf_span(&p->load), false);
	c->vsize = p->made.vsize;
	p->arrivals.arrival[p->arrivals.n - 1].sent = p->made.sent;
	p->size = (uint64_t)st.st_size;
	made_cache(&p->made, &cache);
	if (p->made.text.n <= MADE_CACHED_MAX && p->made.text.n <= CACHED_MAX - p->cached) {
		p->cached += p->made.text.n;
		arrival_cache(&p->arrivals.arrival[p->arrivals.n - 1], &cache);
	}
	buf_free(&p->load);
	return ERR_OK;
}

enum err append_end(struct append *p, struct errtext *t)
{
	enum err e = make_room(p, 1, t);

	if (!e) {
		p->out.n += lf_form_end(&p->lf, p->out.p + p->out.n);
		e = flush(p, t);
	}
	if (!e)
		e = look(p, t);
	if (!e)
		e = arrivals_settle(&p->arrivals, t);
	p->open = false;
	return e;
}

enum step append_finish(struct append *p, bool number, enum err *err_r, struct errtext *t)
{
	must(!p->open);
	p->arrivals.number = number;
	return arrivals_step(&p->arrivals, err_r, t);
}

uint32_t append_uidvalidity(const struct append *p)
{
	return p->arrivals.uidvalidity;
}

const struct set *append_uids(const struct append *p)
{
	return &p->arrivals.uids;
}

struct span append_header(const struct append *p, const char *name)
{
	struct idx_cache cache;
	struct span field, value;

	made_cache(&p->made, &cache);
	while (made_headers_next(&cache.field[IDX_HEADERS], &field, &value))
		if (span_eq_str(field, name))
			return value;
	return span_of(NULL, 0);
}

void append_sizes(const struct append *p, uint64_t *size_r, uint64_t *vsize_r)
{
	*size_r = p->size;
	*vsize_r = p->made.vsize;
}
