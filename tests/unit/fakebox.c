#include "fakebox.h"

#include "base/mem.h"
#include "box/heed.h"
#include "base/must.h"
#include "base/utf8.h"
#include "box/sort.h"
#include "box/thread.h"
#include "mime/bodystruct.h"
#include "mime/crlf.h"
#include "mime/decode.h"
#include "mime/envelope.h"
#include "mime/header.h"
#include "mime/section.h"
#include "mime/tree.h"

enum { BOXES = 32, VIEWS = 64 };

struct fake_msg {
	uint32_t uid;
	struct mail_flags flags;
	uint64_t modseq;
	int64_t date;
	char *bytes; /* own; CRLF form */
	size_t n;
	bool gone, recent, lost;
};

struct fake_box {
	char *name; /* own; NULL: free slot */
	struct fake_msg *msg; /* own */
	size_t msgs;
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;
	char *keyword[MAIL_KEYWORDS_MAX];
	bool subscribed, exists;
	const char *special;
};

struct view {
	struct acct *a;
	struct fake_box *box;
	bool readonly, updated, keywords_grew;
	struct set uids, recent, pending, quiet;
	struct set gone; /* of view_gone */
	uint64_t modseq;
	struct view_state st;
	const char *keywords[MAIL_KEYWORDS_MAX];
	void (*notify)(void *ctx, bool look);
	void *ctx;
};

struct acct {
	struct fake_box box[BOXES];
	struct view *view[VIEWS];
	struct acct_ns ns;
	struct acct_mailbox mailbox[1];
	struct acct_config config;
	unsigned locked, slow;
	unsigned fail_after;
	enum err fail;
	bool hidden;
	uint32_t uidvalidity;
};

static struct store_ops fake_ops = { .driver = "fake", .separator = '/' };

/* ---- mailboxes ---- */

static struct fake_box *find(struct acct *a, const char *name)
{
	for (size_t i = 0; i < BOXES; i++)
		if (a->box[i].name && a->box[i].exists && !strcmp(a->box[i].name, name))
			return &a->box[i];
	return NULL;
}

static struct fake_box *slot(struct acct *a, const char *name)
{
	for (size_t i = 0; i < BOXES; i++)
		if (a->box[i].name && !strcmp(a->box[i].name, name))
			return &a->box[i];
	for (size_t i = 0; i < BOXES; i++)
		if (!a->box[i].name) {
			a->box[i].name = mem_str(name);
			return &a->box[i];
		}
	return NULL;
}

static void empty(struct fake_box *b)
{
	for (size_t i = 0; i < b->msgs; i++)
		free(b->msg[i].bytes);
	free(b->msg);
	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++)
		free(b->keyword[i]);
	memset(b->keyword, 0, sizeof(b->keyword));
	b->msg = NULL;
	b->msgs = 0;
}

enum err acct_create(struct acct *a, const char *name, const char *special_use, struct errtext *t)
{
	struct fake_box *b;

	if (!name[0] || strstr(name, "//"))
		return err_say(t, ERR_CANNOT, "Name is not possible.");
	if (find(a, name))
		return err_say(t, ERR_EXISTS, "Mailbox already exists.");
	b = slot(a, name);
	if (!b)
		return ERR_LIMIT;
	b->exists = true;
	b->uidvalidity = ++a->uidvalidity;
	b->uidnext = 1;
	b->modseq = 1;
	return ERR_OK;
}

struct acct *fake_acct_new(void)
{
	struct acct *a = mem_alloc(sizeof(*a));

	a->uidvalidity = 1000;
	a->mailbox[0] = (struct acct_mailbox){ "Drafts", "\\Drafts", true, true };
	a->ns = (struct acct_ns){ .prefix = "", .separator = '/', .inbox = true, .subscriptions = true,
				  .list = ACCT_LIST_YES, .ops = &fake_ops, .mailbox = a->mailbox, .mailboxes = 1 };
	a->config = (struct acct_config){ .user = "user", .ns = &a->ns, .namespaces = 1, .max_keyword_length = 50 };
	acct_create(a, "INBOX", NULL, NULL);
	acct_create(a, "Drafts", NULL, NULL);
	acct_create(a, "a/b", NULL, NULL);
	find(a, "Drafts")->special = "\\Drafts";
	find(a, "Drafts")->subscribed = true;
	find(a, "a/b")->subscribed = true;
	return a;
}

void fake_acct_free(struct acct **a)
{
	if (!*a)
		return;
	for (size_t i = 0; i < BOXES; i++) {
		empty(&(*a)->box[i]);
		free((*a)->box[i].name);
	}
	for (size_t i = 0; i < VIEWS; i++)
		must(!(*a)->view[i]);
	free(*a);
	*a = NULL;
}

const struct acct_config *acct_config_of(const struct acct *a)
{
	return &a->config;
}

bool acct_busy(const struct acct *a)
{
	return false;
}

enum err acct_exists(struct acct *a, const char *name, struct errtext *t)
{
	return find(a, name) ? ERR_OK : err_say(t, ERR_NOTFOUND, "Mailbox doesn't exist.");
}

enum err acct_delete(struct acct *a, const char *name, struct errtext *t)
{
	struct fake_box *b = find(a, name);

	if (!b)
		return err_say(t, ERR_NOTFOUND, "Mailbox doesn't exist.");
	if (!strcmp(name, "INBOX"))
		return err_say(t, ERR_CANNOT, "INBOX can't be deleted.");
	b->exists = false;
	empty(b);
	return ERR_OK;
}

enum err acct_subscribe(struct acct *a, const char *name, bool on, struct errtext *t)
{
	struct fake_box *b = slot(a, name);

	if (!b)
		return ERR_LIMIT;
	b->subscribed = on;
	return ERR_OK;
}

enum step acct_rename(struct acct *a, struct acct_rename *job)
{
	struct fake_box *b = find(a, job->from);

	job->err = ERR_OK;
	if (!b)
		job->err = err_say(&job->text, ERR_NOTFOUND, "Mailbox doesn't exist.");
	else if (find(a, job->to))
		job->err = err_say(&job->text, ERR_EXISTS, "Mailbox already exists.");
	if (job->err)
		return STEP_DONE;
	free(b->name);
	b->name = mem_str(job->to);
	return STEP_DONE;
}

static bool below(const char *child, const char *parent)
{
	size_t n = strlen(parent);

	return !strncmp(child, parent, n) && child[n] == '/';
}

static int by_name(const void *x, const void *y)
{
	const struct folder *f = x, *g = y;
	bool fi = !strcmp(f->name, "INBOX"), gi = !strcmp(g->name, "INBOX");

	return fi != gi ? gi - fi : strcmp(f->name, g->name);
}

static void add_folder(struct acct *a, struct arena *ar, struct folder *f, size_t *n, struct fake_box *b, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(f[i].name, name))
			return;
	f[*n] = (struct folder){ .name = arena_str(ar, name), .separator = '/', .prefix = a->ns.prefix, .type = a->ns.type,
				 .special_use = b ? b->special : NULL };
	f[*n].flags |= b && !b->exists ? FOLDER_NONEXISTENT : 0;
	f[*n].flags |= !b ? FOLDER_NOSELECT : 0;
	f[*n].flags |= b && b->subscribed ? FOLDER_SUBSCRIBED : 0;
	(*n)++;
}

enum err acct_folders(struct acct *a, struct arena *ar, struct folder **f_r, size_t *n_r, struct errtext *t)
{
	struct folder *f = arena_array(ar, 4 * BOXES, sizeof(*f));
	size_t n = 0;

	if (!f)
		return ERR_MEMORY;
	for (size_t i = 0; i < BOXES; i++)
		if (a->box[i].name && (a->box[i].exists || a->box[i].subscribed))
			add_folder(a, ar, f, &n, &a->box[i], a->box[i].name);
	for (size_t i = 0; i < BOXES; i++) {
		char *name = a->box[i].name && a->box[i].exists ? mem_str(a->box[i].name) : NULL;

		for (char *p = name ? strrchr(name, '/') : NULL; p && n < 3 * BOXES; p = strrchr(name, '/')) {
			*p = '\0';
			add_folder(a, ar, f, &n, NULL, name);
		}
		free(name);
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			if (!below(f[j].name, f[i].name))
				continue;
			f[i].flags |= FOLDER_CHILDREN;
			f[i].flags |= f[j].flags & FOLDER_SUBSCRIBED ? FOLDER_SUBSCRIBED_CHILD : 0;
		}
	qsort(f, n, sizeof(*f), by_name);
	*f_r = f;
	*n_r = n;
	return ERR_OK;
}

enum step acct_status(struct acct *a, struct acct_status *job)
{
	struct fake_box *b = find(a, job->name);

	if (a->locked) {
		a->locked--;
		return STEP_WAITING;
	}
	job->err = b ? ERR_OK : err_say(&job->text, ERR_NOTFOUND, "Mailbox doesn't exist.");
	for (size_t i = 0; b && i < b->msgs; i++) {
		if (b->msg[i].gone)
			continue;
		job->messages++;
		job->recent += b->msg[i].recent;
		job->unseen += !(b->msg[i].flags.system & MAIL_SEEN);
		job->deleted += b->msg[i].flags.system & MAIL_DELETED ? 1 : 0;
		job->size += b->msg[i].n;
	}
	if (b) {
		job->uidnext = b->uidnext;
		job->uidvalidity = b->uidvalidity;
		job->highestmodseq = b->modseq;
	}
	return STEP_DONE;
}

/* ---- messages behind the back ---- */

void acct_status_free(struct acct_status *job)
{
}

static struct fake_msg *msg_of(struct fake_box *b, uint32_t uid)
{
	for (size_t i = 0; i < b->msgs; i++)
		if (b->msg[i].uid == uid && !b->msg[i].gone)
			return &b->msg[i];
	return NULL;
}

static uint32_t add(struct fake_box *b, struct span bytes, uint8_t flags, uint64_t keywords, int64_t date)
{
	struct mime_crlf st = MIME_CRLF_START;
	struct fake_msg *m;
	struct buf out;

	buf_init(&out, 64 << 20);
	mime_crlf_add(&st, bytes, &out);
	if ((b->msgs & (b->msgs - 1)) == 0) /* doubles */
		b->msg = mem_grow(b->msg, b->msgs > 0 ? b->msgs * 2 : 1, sizeof(*b->msg));
	m = &b->msg[b->msgs++];
	*m = (struct fake_msg){ .uid = b->uidnext++, .modseq = ++b->modseq, .date = date, .recent = true };
	m->flags.system = flags;
	m->flags.keywords = keywords;
	m->bytes = span_dup(buf_span(&out));
	m->n = out.n;
	buf_free(&out);
	return m->uid;
}

uint32_t fake_add(struct acct *a, const char *mailbox, const char *bytes, uint8_t flags)
{
	return add(find(a, mailbox), span_str(bytes), flags, 0, 1000000000);
}

void fake_expunge(struct acct *a, const char *mailbox, uint32_t uid)
{
	struct fake_box *b = find(a, mailbox);

	msg_of(b, uid)->modseq = ++b->modseq;
	msg_of(b, uid)->gone = true;
}

void fake_flags(struct acct *a, const char *mailbox, uint32_t uid, uint8_t flags)
{
	struct fake_box *b = find(a, mailbox);
	struct fake_msg *m = msg_of(b, uid);

	m->flags.system = flags;
	m->modseq = ++b->modseq;
}

static void notify(struct acct *a, struct fake_box *b, struct view *but)
{
	for (size_t i = 0; i < VIEWS; i++)
		if (a->view[i] && a->view[i] != but && a->view[i]->box == b && a->view[i]->notify)
			a->view[i]->notify(a->view[i]->ctx, false);
}

void fake_notify(struct acct *a, const char *mailbox)
{
	notify(a, find(a, mailbox), NULL);
}

void fake_hide_until_refresh(struct acct *a)
{
	a->hidden = true;
}

void fake_slow(struct acct *a, unsigned n)
{
	a->slow = n;
}

void fake_lock(struct acct *a, unsigned n)
{
	a->locked = n;
}

void fake_fail(struct acct *a, unsigned after, enum err e)
{
	a->fail_after = after;
	a->fail = e;
}

static bool fails(struct acct *a, enum err *err_r)
{
	if (!a->fail || a->fail_after--)
		return false;
	*err_r = a->fail;
	a->fail = ERR_OK;
	return true;
}

void fake_lose_bytes(struct acct *a, const char *mailbox, uint32_t uid)
{
	msg_of(find(a, mailbox), uid)->lost = true;
}

/* ---- appending ---- */

struct append {
	struct acct *a;
	struct fake_box *box;
	struct {
		struct buf bytes;
		uint8_t flags;
		uint64_t keywords;
		int64_t date;
	} m[64];
	size_t n;
	struct set uids;
};

static bool keyword_bit(struct fake_box *b, const char *name, bool make, unsigned *bit_r)
{
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if (b->keyword[i] && span_ieq_str(span_str(b->keyword[i]), name)) {
			*bit_r = i;
			return true;
		}
	for (unsigned i = 0; make && i < MAIL_KEYWORDS_MAX; i++)
		if (!b->keyword[i]) {
			b->keyword[i] = mem_str(name);
			*bit_r = i;
			return true;
		}
	return false;
}

enum err append_begin(struct acct *a, const char *name, struct append **p_r, struct errtext *t)
{
	struct fake_box *b = find(a, name);

	if (!b)
		return err_say(t, ERR_NOTFOUND, "Mailbox doesn't exist.");
	*p_r = mem_alloc(sizeof(**p_r));
	(*p_r)->a = a;
	(*p_r)->box = b;
	return ERR_OK;
}

enum err append_start(struct append *p, uint64_t size_hint, uint8_t flags, const char *const *keywords,
		      size_t nkeywords, int64_t internaldate, struct errtext *t)
{
	unsigned bit;

	if (p->n == 64)
		return ERR_LIMIT;
	buf_init(&p->m[p->n].bytes, 32 << 20);
	p->m[p->n].flags = flags;
	p->m[p->n].date = internaldate ? internaldate : 1000000000;
	for (size_t i = 0; i < nkeywords; i++) {
		if (!keyword_bit(p->box, keywords[i], true, &bit))
			return ERR_LIMIT;
		p->m[p->n].keywords |= 1ull << bit;
	}
	p->n++;
	return ERR_OK;
}

enum err append_write(struct append *p, struct span bytes, struct errtext *t)
{
	buf_add_span(&p->m[p->n - 1].bytes, bytes);
	return p->m[p->n - 1].bytes.failed ? ERR_NOSPACE : ERR_OK;
}

enum err append_end(struct append *p, struct errtext *t)
{
	return ERR_OK;
}

enum step append_finish(struct append *p, bool number, enum err *err_r, struct errtext *t)
{
	if (p->a->locked) {
		p->a->locked--;
		return STEP_WAITING;
	}
	if (fails(p->a, err_r))
		return STEP_DONE;
	for (size_t i = 0; i < p->n; i++)
		set_add(&p->uids, add(p->box, buf_span(&p->m[i].bytes), p->m[i].flags, p->m[i].keywords, p->m[i].date));
	notify(p->a, p->box, NULL);
	*err_r = ERR_OK;
	return STEP_DONE;
}

uint32_t append_uidvalidity(const struct append *p)
{
	return p->box->uidvalidity;
}

const struct set *append_uids(const struct append *p)
{
	return &p->uids;
}

void append_free(struct append **p)
{
	if (!*p)
		return;
	for (size_t i = 0; i < (*p)->n; i++)
		buf_free(&(*p)->m[i].bytes);
	set_free(&(*p)->uids);
	free(*p);
	*p = NULL;
}

/* ---- views ---- */

enum err view_open(struct acct *a, const char *name, bool readonly, struct view **v_r, struct errtext *t)
{
	struct fake_box *b = find(a, name);
	struct view *v;

	if (!b)
		return err_say(t, ERR_NOTFOUND, "Mailbox doesn't exist: %s", name);
	for (size_t i = 0; i < VIEWS; i++) {
		if (a->view[i])
			continue;
		v = a->view[i] = mem_alloc(sizeof(*v));
		v->a = a;
		v->box = b;
		v->readonly = readonly;
		*v_r = v;
		return ERR_OK;
	}
	return ERR_LIMIT;
}

void view_close(struct view **v)
{
	if (!*v)
		return;
	for (size_t i = 0; i < VIEWS; i++)
		if ((*v)->a->view[i] == *v)
			(*v)->a->view[i] = NULL;
	set_free(&(*v)->uids);
	set_free(&(*v)->recent);
	set_free(&(*v)->pending);
	set_free(&(*v)->quiet);
	set_free(&(*v)->gone);
	free(*v);
	*v = NULL;
}

void view_set_notify(struct view *v, void (*fn)(void *ctx, bool look), void *ctx)
{
	v->notify = fn;
	v->ctx = ctx;
}

void view_hold(struct view *v, bool fresh, bool flags)
{
}

enum err view_since(struct view *v, struct view_since *s, struct errtext *t)
{
	s->complete = s->modseq > 0 && s->modseq <= v->box->modseq;
	for (size_t i = 0; i < v->box->msgs; i++) {
		const struct fake_msg *m = &v->box->msg[i];

		if ((s->known && !set_has(s->known, m->uid)) || (s->complete && m->modseq <= s->modseq))
			continue;
		if (set_has(&v->uids, m->uid))
			set_add(&s->changed, m->uid);
		else if (m->gone)
			set_add(&s->vanished, m->uid);
	}
	return ERR_OK;
}

void view_since_free(struct view_since *s)
{
	set_free(&s->changed);
	set_free(&s->vanished);
}

enum step view_refresh(struct view *v, bool force, enum err *err_r, struct errtext *t)
{
	if (v->a->locked) {
		v->a->locked--;
		return STEP_WAITING;
	}
	v->a->hidden = false;
	*err_r = ERR_OK;
	return STEP_DONE;
}

const struct set *view_gone(const struct view *v)
{
	struct set *gone = &((struct view *)v)->gone;

	set_clear(gone);
	for (size_t i = 0; i < v->box->msgs; i++)
		if (v->box->msg[i].gone && set_has(&v->uids, v->box->msg[i].uid))
			set_add(gone, v->box->msg[i].uid);
	return gone;
}

void view_make_sure(struct view *v)
{
}

bool view_watch(struct view *v)
{
	return false;
}

void view_changes_free(struct view_changes *c)
{
	set_free(&c->vanished);
	set_free(&c->flags);
}

static void take_new(struct view *v, struct view_changes *c)
{
	for (size_t i = 0; i < v->box->msgs; i++) {
		struct fake_msg *m = &v->box->msg[i];

		if (m->gone || (v->a->hidden && m->uid > set_max(&v->uids)))
			continue;
		if (m->uid > set_max(&v->uids)) {
			set_add(&v->uids, m->uid);
			c->exists_changed = true;
			c->recent_changed |= m->recent;
			if (m->recent)
				set_add(&v->recent, m->uid);
			if (!v->readonly)
				m->recent = false;
		} else if (m->modseq > v->modseq && set_has(&v->uids, m->uid) && !set_has(&v->quiet, m->uid)) {
			set_add(&c->flags, m->uid);
		}
	}
}

static bool take_gone(struct view *v, struct arena *a, struct view_changes *c)
{
	uint64_t n = set_count(&v->uids);

	c->expunged = arena_array(a, n + 1, sizeof(*c->expunged));
	if (!c->expunged)
		return false;
	for (uint64_t pos = n; pos > 0; pos--) {
		uint32_t uid = set_at(&v->uids, pos - 1);

		if (msg_of(v->box, uid))
			continue;
		c->expunged[c->expunged_n++] = (uint32_t)pos;
		set_add(&c->vanished, uid);
	}
	set_remove_set(&v->uids, &c->vanished);
	set_remove_set(&v->recent, &c->vanished);
	return true;
}

enum err view_update(struct view *v, bool expunge, struct arena *a, struct view_changes *c_r, struct errtext *t)
{
	struct view_changes c = { 0 };
	uint32_t unseen = 0;

	if (!v->box->exists)
		return ERR_NOTFOUND;
	set_add_set(&c.flags, &v->pending);
	set_clear(&v->pending);
	if (expunge && !take_gone(v, a, &c))
		return ERR_MEMORY;
	take_new(v, &c);
	set_clear(&v->quiet);
	set_intersect(&c.flags, &v->uids);
	c.keywords_changed = v->updated && v->keywords_grew;
	v->keywords_grew = false;
	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		c.keywords_changed |= v->updated && v->keywords[i] != v->box->keyword[i];
		v->keywords[i] = v->box->keyword[i];
	}
	for (uint32_t uid = set_next(&v->uids, 1); uid && !v->updated && !unseen; uid = set_next(&v->uids, uid + 1))
		if (msg_of(v->box, uid) && !(msg_of(v->box, uid)->flags.system & MAIL_SEEN))
			unseen = (uint32_t)set_rank(&v->uids, uid) + 1;
	v->modseq = v->box->modseq;
	v->st = (struct view_state){ .name = v->box->name, .readonly = v->readonly,
				     .exists = (uint32_t)set_count(&v->uids), .recent = (uint32_t)set_count(&v->recent),
				     .uidvalidity = v->box->uidvalidity, .uidnext = v->box->uidnext,
				     .first_unseen = v->updated ? v->st.first_unseen : unseen,
				     .highestmodseq = v->modseq, .keywords = v->keywords };
	v->updated = true;
	*c_r = c;
	return ERR_OK;
}

const struct view_state *view_state(const struct view *v)
{
	return &v->st;
}

uint32_t view_uid(const struct view *v, uint32_t seq)
{
	return seq ? set_at(&v->uids, seq - 1) : 0;
}

uint32_t view_seq(const struct view *v, uint32_t uid)
{
	return set_has(&v->uids, uid) ? (uint32_t)set_rank(&v->uids, uid) + 1 : 0;
}

const struct set *view_uids(const struct view *v)
{
	return &v->uids;
}

void view_seqs_to_uids(const struct view *v, const struct set *seqs, struct set *uids_r)
{
	uint32_t exists = (uint32_t)set_count(&v->uids);

	for (uint32_t s = set_next(seqs, 1); s && s <= exists; s = set_next(seqs, s + 1))
		set_add(uids_r, view_uid(v, s));
}

void view_uids_to_seqs(const struct view *v, const struct set *uids, struct set *seqs_r)
{
	for (uint32_t u = set_next(&v->uids, 1); u; u = set_next(&v->uids, u + 1))
		if (set_has(uids, u))
			set_add(seqs_r, view_seq(v, u));
}

/* ---- facts ---- */

struct view_walk {
	struct view *v;
	struct set uids;
	uint32_t next;
	struct buf envelope, structure, body;
	bool paused;
};

enum err view_walk_begin(struct view *v, const struct set *uids, unsigned want, struct view_walk **w_r, struct errtext *t)
{
	struct view_walk *w = *w_r = mem_alloc(sizeof(*w));

	w->v = v;
	set_copy(&w->uids, uids);
	set_intersect(&w->uids, &v->uids);
	w->next = 1;
	buf_init(&w->envelope, 1 << 20);
	buf_init(&w->structure, 1 << 20);
	buf_init(&w->body, 1 << 20);
	return ERR_OK;
}

enum err view_walk_next(struct view_walk *w, struct message_facts *f_r, struct errtext *t)
{
	uint32_t uid = w->next ? set_next(&w->uids, w->next) : 0;
	struct fake_msg *m;
	struct mime_tree tree = { 0 };

	if (!uid)
		return ERR_NOTFOUND;
	w->next = uid + 1;
	m = msg_of(w->v->box, uid);
	*f_r = (struct message_facts){ .seq = view_seq(w->v, uid), .uid = uid };
	if (!m)
		return ERR_EXPUNGED;
	f_r->flags = m->flags;
	f_r->flags.system |= set_has(&w->v->recent, uid) ? MAIL_RECENT : 0;
	f_r->modseq = m->modseq;
	f_r->internaldate = f_r->savedate = m->date;
	f_r->vsize = m->n;
	buf_clear(&w->envelope);
	buf_clear(&w->structure);
	buf_clear(&w->body);
	mime_envelope_add(span_of(m->bytes, m->n), &w->envelope);
	mime_tree_parse(span_of(m->bytes, m->n), &tree);
	mime_bodystruct_add(span_of(m->bytes, m->n), &tree, true, &w->structure);
	mime_bodystruct_add(span_of(m->bytes, m->n), &tree, false, &w->body);
	mime_tree_free(&tree);
	f_r->envelope = buf_span(&w->envelope);
	f_r->bodystructure = buf_span(&w->structure);
	f_r->body = buf_span(&w->body);
	return ERR_OK;
}

void view_walk_back(struct view_walk *w)
{
	w->next--;
}

void view_walk_pause(struct view_walk *w)
{
	w->paused = true;
}

void view_walk_end(struct view_walk **w)
{
	if (!*w)
		return;
	set_free(&(*w)->uids);
	buf_free(&(*w)->envelope);
	buf_free(&(*w)->structure);
	buf_free(&(*w)->body);
	free(*w);
	*w = NULL;
}

/* ---- bytes ---- */

struct message {
	char *bytes; /* own */
	size_t n;
	struct buf made;
};

enum err message_open(struct view *v, uint32_t uid, struct message **m_r, struct errtext *t)
{
	struct fake_msg *m = msg_of(v->box, uid);

	must(!*m_r);
	if (!m || m->lost)
		return ERR_EXPUNGED;
	*m_r = mem_alloc(sizeof(**m_r));
	(*m_r)->bytes = span_dup(span_of(m->bytes, m->n));
	(*m_r)->n = m->n;
	buf_init(&(*m_r)->made, 16 << 20);
	return ERR_OK;
}

void message_close(struct message **m)
{
	if (!*m)
		return;
	free((*m)->bytes);
	buf_free(&(*m)->made);
	free(*m);
	*m = NULL;
}

enum err message_section(struct message *m, const struct mime_section *section, const struct span *names, size_t n,
			 struct message_bytes *b_r, struct errtext *t)
{
	struct mime_section all = { 0 };
	struct mime_tree tree = { 0 };
	struct mime_range r;
	struct span whole = { m->bytes, m->n };

	mime_tree_parse(whole, &tree);
	*b_r = (struct message_bytes){ .msg = m };
	b_r->nil = mime_section_find(&tree, section ? section : &all, &r, NULL) != ERR_OK;
	mime_tree_free(&tree);
	if (b_r->nil)
		return ERR_OK;
	b_r->made = span_cut(whole, r.off, r.size);
	if (names) {
		buf_clear(&m->made);
		mime_header_filter(b_r->made, names, n, section->kind == MIME_SECTION_FIELDS_NOT, &m->made);
		b_r->made = buf_span(&m->made);
	}
	b_r->size = b_r->made.n;
	return ERR_OK;
}

enum err message_read(struct message_bytes *b, uint64_t offset, size_t max, struct buf *out, struct errtext *t)
{
	buf_add_span(out, span_cut(b->made, offset, max));
	return ERR_OK;
}

enum err message_encoding(struct message *m, const struct mime_section *part, enum mime_cte *cte_r, struct errtext *t)
{
	struct mime_section header = *part;
	struct message_bytes b;

	*cte_r = MIME_CTE_IDENTITY;
	header.kind = MIME_SECTION_MIME;
	if (!part->depth || message_section(m, &header, NULL, 0, &b, t) || b.nil)
		return ERR_OK;
	return mime_cte_of_part(b.made, cte_r) ? ERR_OK : ERR_CTE;
}

/* ---- changing ---- */

static struct mail_flags change(struct mail_flags f, const struct view_store *s, uint64_t keywords)
{
	if (s->mode == VIEW_FLAGS_SET)
		return (struct mail_flags){ s->system, keywords };
	if (s->mode == VIEW_FLAGS_ADD)
		return (struct mail_flags){ f.system | s->system, f.keywords | keywords };
	return (struct mail_flags){ f.system & (uint8_t)~s->system, f.keywords & ~keywords };
}

enum err view_store(struct view *v, const struct set *uids, struct view_store *s, struct errtext *t)
{
	uint64_t keywords = 0;
	unsigned bit;

	if (v->readonly)
		return ERR_READONLY;
	if (v->a->locked) {
		v->a->locked--;
		return ERR_INUSE;
	}
	for (size_t i = 0; i < s->keywords_n; i++)
		if (keyword_bit(v->box, s->keywords[i], s->mode != VIEW_FLAGS_REMOVE, &bit))
			keywords |= 1ull << bit;
	v->box->modseq++;
	for (uint32_t uid = set_next(uids, 1); uid; uid = set_next(uids, uid + 1)) {
		struct fake_msg *m = msg_of(v->box, uid);

		if (!m)
			continue;
		if (m->modseq > s->unchangedsince) {
			set_add(&s->modified, uid);
			continue;
		}
		m->flags = change(m->flags, s, keywords);
		m->modseq = v->box->modseq;
		set_add(s->silent ? &v->quiet : &v->pending, uid);
	}
	notify(v->a, v->box, v);
	return ERR_OK;
}

enum step view_expunge(struct view *v, struct view_expunge *job)
{
	if (v->a->locked) {
		v->a->locked--;
		return STEP_WAITING;
	}
	if (fails(v->a, &job->err))
		return STEP_DONE;
	v->box->modseq++;
	for (size_t i = 0; i < v->box->msgs; i++) {
		struct fake_msg *m = &v->box->msg[i];

		if (m->gone || (job->uids && !set_has(job->uids, m->uid)))
			continue;
		if (!job->unflagged && !(m->flags.system & MAIL_DELETED))
			continue;
		m->gone = true;
		m->modseq = v->box->modseq;
		set_add(&job->expunged, m->uid);
	}
	notify(v->a, v->box, v);
	return STEP_DONE;
}

void view_expunge_free(struct view_expunge *job)
{
	set_free(&job->expunged);
}

enum step view_copy(struct view *v, struct view_copy *job)
{
	struct fake_box *to = find(v->a, job->dest);

	if (v->a->locked) {
		v->a->locked--;
		return STEP_WAITING;
	}
	if (!to) {
		job->err = ERR_NOTFOUND;
		return STEP_DONE;
	}
	job->uidvalidity = to->uidvalidity;
	for (uint32_t uid = set_next(job->uids, 1); uid; uid = set_next(job->uids, uid + 1)) {
		struct fake_msg *m = msg_of(v->box, uid);
		char *bytes;

		if (!m)
			continue;
		bytes = m->bytes;
		set_add(&job->dest_uids, add(to, span_of(bytes, m->n), m->flags.system, 0, m->date));
		set_add(&job->source, uid);
		if (job->move)
			msg_of(v->box, uid)->gone = true;
	}
	notify(v->a, to, v);
	notify(v->a, v->box, v);
	return STEP_DONE;
}

void view_copy_free(struct view_copy *job)
{
	set_free(&job->source);
	set_free(&job->dest_uids);
}

/* ---- search: what sessions' tests need: sets, flags, sizes, text anywhere ---- */

struct query_run {
	struct view *v;
	const struct query *q;
	struct set among; /* own */
};

static bool text_in(const struct fake_msg *m, struct span text)
{
	struct buf all, part;
	bool found;

	buf_init(&all, 16 << 20);
	buf_init(&part, 16 << 20);
	utf8_fold(span_of(m->bytes, m->n), &all);
	utf8_fold(text, &part);
	found = span_search(buf_span(&all), buf_span(&part)) != SIZE_MAX;
	buf_free(&all);
	buf_free(&part);
	return found;
}

static bool hit(struct view *v, const struct query *q, const struct fake_msg *m)
{
	unsigned bit;

	switch (q->kind) {
	case Q_AND:
		for (const struct query *c = q->first; c; c = c->next)
			if (!hit(v, c, m))
				return false;
		return true;
	case Q_OR:
		for (const struct query *c = q->first; c; c = c->next)
			if (hit(v, c, m))
				return true;
		return false;
	case Q_NOT:
		return !hit(v, q->first, m);
	case Q_UIDS:
		return set_has(&q->uids, m->uid);
	case Q_FLAG:
		return q->flag == MAIL_RECENT ? set_has(&v->recent, m->uid) : m->flags.system & q->flag;
	case Q_KEYWORD: {
		char *name = span_dup(q->text);
		bool has = keyword_bit(v->box, name, false, &bit) && m->flags.keywords >> bit & 1;

		free(name);
		return has;
	}
	case Q_LARGER:
		return m->n > q->number;
	case Q_SMALLER:
		return m->n < q->number;
	case Q_BEFORE:
		return m->date / 86400 < q->day;
	case Q_ON:
		return m->date / 86400 == q->day;
	case Q_SINCE:
		return m->date / 86400 >= q->day;
	case Q_ALL:
		return true;
	default:
		return text_in(m, q->text);
	}
}

enum err query_start(struct view *v, const struct query *q, const struct set *among, struct query_run **r_r,
		     struct errtext *t)
{
	*r_r = mem_alloc(sizeof(**r_r));
	set_copy(&(*r_r)->among, among ? among : &v->uids);
	(*r_r)->v = v;
	(*r_r)->q = q;
	return ERR_OK;
}

enum step query_step(struct query_run *r, struct set *uids_r, enum err *err_r, struct errtext *t)
{
	if (r->v->a->slow) {
		r->v->a->slow--;
		return STEP_SLICE;
	}
	for (size_t i = 0; i < r->v->box->msgs; i++) {
		const struct fake_msg *m = &r->v->box->msg[i];

		if (!m->gone && set_has(&r->v->uids, m->uid) && set_has(&r->among, m->uid) && hit(r->v, r->q, m))
			set_add(uids_r, m->uid);
	}
	*err_r = ERR_OK;
	return STEP_DONE;
}

void query_progress(const struct query_run *r, uint64_t *done_r, uint64_t *goal_r)
{
	*done_r = r->v->box->msgs - r->v->a->slow - 1;
	*goal_r = r->v->box->msgs;
}

uint64_t query_max_modseq(const struct query_run *r)
{
	return 0;
}

void query_end(struct query_run **r)
{
	if (*r)
		set_free(&(*r)->among);
	free(*r);
	*r = NULL;
}

static void free_sets(struct query *q)
{
	for (; q; q = q->next) {
		set_free(&q->uids);
		free_sets(q->first);
	}
}

void query_free(struct query *q)
{
	free_sets(q);
}

static void free_set(void *arg)
{
	set_free(arg);
}

struct query *query_copy(const struct query *q, struct arena *a)
{
	struct query *c = arena_alloc(a, sizeof(*c)), **link;
	bool ok = true;

	if (!c || !arena_cleanup(a, free_set, &c->uids))
		return NULL;
	*c = (struct query){ .kind = q->kind, .flag = q->flag, .day = q->day, .number = q->number };
	set_copy(&c->uids, &q->uids);
	c->name = arena_copy(a, q->name, &ok);
	c->text = arena_copy(a, q->text, &ok);
	link = &c->first;
	for (const struct query *kid = q->first; ok && kid; kid = kid->next, link = &(*link)->next) {
		*link = query_copy(kid, a);
		ok = *link != NULL;
	}
	return ok ? c : NULL;
}

/* ---- sorting, threading: by UID, and nobody answers anybody ---- */

struct sort_run {
	uint32_t *uid; /* own */
	size_t n;
};

struct thread_run {
	struct thread_item *item; /* own */
	size_t n;
};

enum err sort_start(struct view *v, const struct set *uids, const struct sort_by *by, size_t n, struct sort_run **r_r,
		    struct errtext *t)
{
	struct sort_run *r = mem_alloc(sizeof(*r));

	r->n = (size_t)set_count(uids);
	r->uid = mem_array(r->n + 1, sizeof(*r->uid));
	for (size_t i = 0; i < r->n; i++)
		r->uid[i] = set_at(uids, by[0].reverse ? r->n - 1 - i : i);
	*r_r = r;
	return ERR_OK;
}

enum step sort_step(struct sort_run *r, enum err *err_r, struct errtext *t)
{
	*err_r = ERR_OK;
	return STEP_DONE;
}

const uint32_t *sort_result(const struct sort_run *r, size_t *n_r)
{
	*n_r = r->n;
	return r->uid;
}

void sort_end(struct sort_run **r)
{
	if (*r)
		free((*r)->uid);
	free(*r);
	*r = NULL;
}

enum err thread_start(struct view *v, const struct set *uids, enum thread_algorithm how, struct thread_run **r_r,
		      struct errtext *t)
{
	struct thread_run *r = mem_alloc(sizeof(*r));

	r->n = (size_t)set_count(uids);
	r->item = mem_array(r->n + 1, sizeof(*r->item));
	for (size_t i = 0; i < r->n; i++)
		r->item[i] = (struct thread_item){ set_at(uids, i), UINT32_MAX, true };
	*r_r = r;
	return ERR_OK;
}

enum step thread_step(struct thread_run *r, enum err *err_r, struct errtext *t)
{
	*err_r = ERR_OK;
	return STEP_DONE;
}

const struct thread_item *thread_result(const struct thread_run *r, size_t *n_r)
{
	*n_r = r->n;
	return r->item;
}

void thread_end(struct thread_run **r)
{
	if (*r)
		free((*r)->item);
	free(*r);
	*r = NULL;
}

/* --- heed.h: nothing is to be heard of here --- */

struct heed *acct_heed(struct acct *a, const char *name, heed_fn *fn, void *ctx)
{
	return NULL;
}

bool heed_watched(const struct heed *h)
{
	return true;
}

void acct_unheed(struct heed **h)
{
	*h = NULL;
}

enum err acct_folders_heed(struct acct *a, folder_heed_fn *fn, void *ctx, struct folder_heed **h_r, struct errtext *t)
{
	*h_r = NULL;
	return ERR_OK;
}

bool folder_heed_watched(const struct folder_heed *h)
{
	return true;
}

void acct_folders_unheed(struct folder_heed **h)
{
	*h = NULL;
}

enum err acct_folders_look(struct acct *a, bool force, struct errtext *t)
{
	return ERR_OK;
}
