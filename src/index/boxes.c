/* Mailbox records and their names. */
#include "boxes.h"

#include "index/index.h"
#include "kv.h"
#include "map.h"
#include "purge.h"

#include "base/mem.h"
#include "base/must.h"

static const uint64_t modseq_max = INT64_MAX; /* RFC 7162 section 3.1: 63 bits */

/* --- the records of a transaction ------------------------------------------------------- */

static enum err load(struct idx_txn *x, uint32_t id, struct box_rec *r_r)
{
	struct rec_key key = rec_key32(id);
	struct span body;
	enum err e;

	if (id == 0)
		return ERR_NOTFOUND;
	e = kv_open(x, REC_BOX, &key, &body, NULL);
	if (!e)
		e = txn_fail(x, box_decode(body, r_r));
	if (!e)
		r_r->pub.id = id;
	return e;
}

static struct span carry(char **p, struct span s)
{
	struct span copy = { *p, s.n };

	if (s.n > 0)
		memcpy(*p, s.p, s.n);
	*p += s.n;
	return copy;
}

/* Makes the strings the slot's own. They may be its own already, in other places. */
static void own_text(struct box_slot *s)
{
	struct idx_box *b = &s->rec.pub;
	char *text = mem_alloc(b->name.n + b->token.n + b->keywords.n + 1), *p = text;

	b->name = carry(&p, b->name);
	b->token = carry(&p, b->token);
	b->keywords = carry(&p, b->keywords);
	free(s->text);
	s->text = text;
}

static struct box_slot *find_slot(struct idx_txn *x, uint32_t id)
{
	struct box_slot *s = x->boxes;

	while (s && s->rec.pub.id != id)
		s = s->next;
	return s;
}

static struct box_slot *add_slot(struct idx_txn *x, const struct box_rec *r)
{
	struct box_slot *s = mem_alloc(sizeof(*s));

	s->rec = *r;
	s->next = x->boxes;
	x->boxes = s;
	if (x->write)
		own_text(s);
	return s;
}

enum err box_slot(struct idx_txn *x, uint32_t id, struct box_slot **s_r)
{
	struct box_slot *s = find_slot(x, id);
	struct box_rec r;
	enum err e = ERR_OK;

	if (!s) {
		e = load(x, id, &r);
		if (!e)
			s = add_slot(x, &r);
	}
	if (!e)
		*s_r = s;
	return e;
}

static void free_slot(struct box_slot *s)
{
	free(s->text);
	free(s);
}

static void slot_drop(struct idx_txn *x, struct box_slot *s)
{
	struct box_slot **at = &x->boxes;

	map_drop(x, s);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free_slot(s);
}

void box_slots_free(struct idx_txn *x)
{
	while (x->boxes) {
		struct box_slot *s = x->boxes;

		x->boxes = s->next;
		free_slot(s);
	}
}

static enum err write_back(struct idx_txn *x, struct box_slot *s)
{
	struct rec_key key = rec_key32(s->rec.pub.id);
	enum err e;

	box_encode(&s->rec, &x->scratch);
	e = kv_put_scratch(x, REC_BOX, &key, false, NULL);
	if (!e)
		s->dirty = false;
	return e;
}

enum err box_flush(struct idx_txn *x)
{
	for (struct box_slot *s = x->boxes; s; s = s->next) {
		enum err e = s->dirty ? write_back(x, s) : ERR_OK;

		if (e)
			return e;
	}
	return ERR_OK;
}

/* --- finding ------------------------------------------------------------------------------ */

enum err idx_box_get(struct idx_txn *x, uint32_t id, struct idx_box *b_r)
{
	struct box_slot *s = find_slot(x, id);
	struct box_rec r;
	enum err e;

	if (s) {
		*b_r = s->rec.pub;
		return ERR_OK;
	}
	e = load(x, id, &r);
	if (!e)
		*b_r = r.pub;
	return e;
}

/* By the id that a name record gave: both must agree. */
static enum err get_named(struct idx_txn *x, struct span name, struct span value,
			  struct idx_box *b_r)
{
	struct idx_box b;
	struct span body;
	uint32_t id = 0;
	enum err e = rec_open(REC_NAME, name, value, &body, NULL);

	if (!e)
		e = name_decode(body, &id);
	if (!e)
		e = idx_box_get(x, id, &b);
	if (e == ERR_NOTFOUND || (!e && !span_eq(b.name, name)))
		e = ERR_CORRUPT;
	if (e)
		return txn_fail(x, e);
	*b_r = b;
	return ERR_OK;
}

enum err idx_box_find(struct idx_txn *x, struct span name, struct idx_box *b_r)
{
	struct span value;
	enum err e;

	if (name.n == 0 || name.n > REC_NAME_MAX)
		return ERR_NOTFOUND;
	e = kv_get(x, REC_NAME, name, &value);
	return e ? e : get_named(x, name, value, b_r);
}

enum err idx_box_next(struct idx_txn *x, struct span after, struct idx_box *b_r)
{
	static const char low[1];
	struct span key, value;
	enum err e;

	if (after.n > REC_NAME_MAX)
		return ERR_NOTFOUND;
	if (after.n == 0)
		after = span_of(low, 1); /* LMDB has no empty key; one NUL is the smallest name */
	e = kv_seek(x, REC_NAME, after, &key, &value);
	if (!e && span_eq(key, after) && after.p != low)
		e = kv_next(x, REC_NAME, &key, &value);
	return e ? e : get_named(x, key, value, b_r);
}

/* --- changing --------------------------------------------------------------------------------- */

static bool fits(const struct idx_box *b)
{
	return b->token.n <= REC_TEXT_MAX && b->keywords.n <= REC_TEXT_MAX &&
	       (b->keywords.n == 0 || b->keywords.p[b->keywords.n - 1] == '\0') &&
	       b->highestmodseq <= modseq_max;
}

static enum err put_name(struct idx_txn *x, struct span name, uint32_t id)
{
	if (name.n == 0 || name.n > REC_NAME_MAX)
		return ERR_LIMIT;
	name_encode(id, &x->scratch);
	if (x->scratch.failed)
		return txn_fail(x, ERR_MEMORY);
	rec_seal(REC_NAME, name, &x->scratch);
	return kv_insert(x, REC_NAME, name, buf_span(&x->scratch));
}

/* A number for a mailbox or a space that none had before. */
static enum err new_id(struct idx_txn *x, uint32_t *id_r)
{
	struct env_rec *env;
	enum err e = env_get(x, &env);

	if (e)
		return e;
	if (env->next_id == UINT32_MAX)
		return ERR_LIMIT;
	*id_r = env->next_id++;
	return ERR_OK;
}

enum err idx_box_create(struct idx_txn *x, struct idx_box *b)
{
	struct box_rec r = { .pub = *b };
	uint32_t id;
	enum err e;

	must(x->write);
	if (!fits(b))
		return ERR_LIMIT;
	e = new_id(x, &id);
	if (!e)
		e = new_id(x, &r.space);
	if (!e)
		e = put_name(x, b->name, id);
	if (e)
		return e;
	if (r.pub.highestmodseq == 0)
		r.pub.highestmodseq = 1;
	r.pub.id = id;
	r.pub.log_floor = r.pub.highestmodseq;
	r.pub.messages = r.pub.unseen = r.pub.deleted = 0;
	r.pub.vsize = r.pub.unsized = 0;
	*b = r.pub; /* the strings stay the caller's */
	add_slot(x, &r)->dirty = true;
	return ERR_OK;
}

/* Changes up to and including the new floor leave the log. */
static enum err restart_log(struct idx_txn *x, struct box_slot *s, uint64_t floor)
{
	struct rec_key last = rec_key32_64(s->rec.space, floor);
	size_t budget = SIZE_MAX;
	bool done;

	s->rec.pub.log_floor = floor;
	return kv_purge(x, REC_LOG, s->rec.space, &last, &budget, &done);
}

enum err idx_box_put(struct idx_txn *x, const struct idx_box *b)
{
	struct box_slot *s;
	struct idx_box new;
	enum err e;

	must(x->write);
	if (!fits(b))
		return ERR_LIMIT;
	e = box_slot(x, b->id, &s);
	if (e)
		return e;
	new = *b;
	new.name = s->rec.pub.name;
	new.messages = s->rec.pub.messages;
	new.unseen = s->rec.pub.unseen;
	new.deleted = s->rec.pub.deleted;
	new.vsize = s->rec.pub.vsize;
	new.unsized = s->rec.pub.unsized;
	new.log_floor = s->rec.pub.log_floor;
	new.highestmodseq = s->rec.pub.highestmodseq;
	s->rec.pub = new;
	own_text(s);
	s->dirty = true;
	if (b->highestmodseq > new.highestmodseq) {
		s->rec.pub.highestmodseq = b->highestmodseq;
		return restart_log(x, s, b->highestmodseq);
	}
	if (b->log_floor > new.log_floor && b->log_floor <= new.highestmodseq)
		return restart_log(x, s, b->log_floor);
	return ERR_OK;
}

enum err idx_box_rename(struct idx_txn *x, uint32_t id, struct span name)
{
	struct box_slot *s;
	enum err e;

	must(x->write);
	e = box_slot(x, id, &s);
	if (e || span_eq(s->rec.pub.name, name))
		return e;
	e = put_name(x, name, id);
	if (!e)
		e = kv_del(x, REC_NAME, s->rec.pub.name);
	if (e)
		return e == ERR_NOTFOUND ? txn_fail(x, ERR_CORRUPT) : e;
	s->rec.pub.name = name;
	own_text(s);
	s->dirty = true;
	return ERR_OK;
}

static enum err drop_todos(struct idx_txn *x, const struct box_slot *s)
{
	size_t budget = SIZE_MAX;
	struct env_rec *env;
	bool done;
	enum err e = env_get(x, &env);

	if (e || s->rec.todos == 0)
		return e;
	env->todos -= env->todos < s->rec.todos ? env->todos : s->rec.todos;
	return kv_purge(x, REC_TODO, s->rec.pub.id, NULL, &budget, &done);
}

enum err idx_box_remove(struct idx_txn *x, uint32_t id)
{
	struct rec_key key = rec_key32(id);
	struct box_slot *s;
	enum err e;

	must(x->write);
	e = box_slot(x, id, &s);
	if (e)
		return e;
	e = kv_del(x, REC_NAME, s->rec.pub.name);
	if (!e || e == ERR_NOTFOUND)
		e = kv_del(x, REC_BOX, rec_key_span(&key));
	if (!e || e == ERR_NOTFOUND) /* created in this very transaction */
		e = drop_todos(x, s);
	if (!e)
		e = purge_space(x, s->rec.space);
	if (!e)
		slot_drop(x, s);
	return e;
}

enum err idx_box_empty(struct idx_txn *x, uint32_t id)
{
	struct box_slot *s;
	uint32_t space = 0;
	enum err e;

	must(x->write);
	e = box_slot(x, id, &s);
	if (!e)
		e = new_id(x, &space);
	if (!e)
		e = purge_space(x, s->rec.space);
	if (e)
		return e;
	map_drop(x, s);
	s->rec.space = space;
	s->rec.map_sum = 0;
	s->rec.pub.messages = s->rec.pub.unseen = s->rec.pub.deleted = 0;
	s->rec.pub.vsize = s->rec.pub.unsized = 0;
	s->rec.pub.log_floor = s->rec.pub.highestmodseq;
	s->dirty = true;
	return ERR_OK;
}
