/*
 * Encoders and decoders of the bodies of records. Not here: keys and frame (frame.c), where records lie (kv.c), what
 * they mean together. Offsets are drawn from the front of the frame.
 */
#include "schema.h"
#include "bytes.h"

/* --- the environment's own record: database "box", key 0 --------------------------- */

/*
 *	     5    4  next number of a mailbox or space
 *	     9    8  next sequence number of a to-do
 *	    17    4  spaces waiting to be removed
 *	    21    8  to-dos of all mailboxes
 *	    29    8  number of the LMDB transaction that wrote this: always the last one
 *	    37    8  which file it is in
 *	    45    8  of which directory of mail; 0: not known
 */
void env_encode(const struct env_rec *r, struct buf *out)
{
	char *p = rec_begin(out, 48);

	if (p)
		put64(put64(put64(put64(put32(put64(put32(p, r->next_id), r->next_seq), r->purges), r->todos), r->txn), r->file),
		      r->of);
}

enum err env_decode(struct span body, struct env_rec *r_r)
{
	struct rd r = rd_of(body);
	struct env_rec e;

	e.next_id = rd_32(&r);
	e.next_seq = rd_64(&r);
	e.purges = rd_32(&r);
	e.todos = rd_64(&r);
	e.txn = rd_64(&r);
	e.file = rd_64(&r);
	e.of = rd_64(&r);
	if (rd_end(&r) || e.next_id == 0 || e.next_seq == 0)
		return ERR_CORRUPT;
	*r_r = e;
	return ERR_OK;
}

/* --- mailbox: database "box", key id ------------------------------------------------ */

/*
 *	     5    4  space of its messages
 *	     9    4  uidvalidity
 *	    13    4  uidnext
 *	    17    4  recent_from
 *	    21    4  messages
 *	    25    4  unseen
 *	    29    4  deleted
 *	    33    4  flags of the caller
 *	    37    4  to-dos
 *	    41    4  XOR of the checksums of the map blocks
 *	    45    8  highestmodseq
 *	    53    8  log floor
 *	    61    8  sum of the known CRLF sizes
 *	    69    4  messages whose CRLF size is not known
 *	    73   16  guid
 *	    89    2  n: length of the name
 *	    91    2  t: length of the token
 *	    93    2  k: length of the keyword names
 *	    95    .  name, token, keyword names (each ended by NUL)
 */
enum { BOX_FIXED = 95 - REC_FRAME };

void box_encode(const struct box_rec *r, struct buf *out)
{
	const struct idx_box *b = &r->pub;
	char *p = rec_begin(out, BOX_FIXED + b->name.n + b->token.n + b->keywords.n);

	if (!p)
		return;
	p = put32(p, r->space);
	p = put32(p, b->uidvalidity);
	p = put32(p, b->uidnext);
	p = put32(p, b->recent_from);
	p = put32(p, b->messages);
	p = put32(p, b->unseen);
	p = put32(p, b->deleted);
	p = put32(p, b->flags);
	p = put32(p, r->todos);
	p = put32(p, r->map_sum);
	p = put64(p, b->highestmodseq);
	p = put64(p, b->log_floor);
	p = put64(p, b->vsize);
	p = put32(p, b->unsized);
	p = put_span(p, span_of(b->guid, sizeof(b->guid)));
	p = put16(p, (uint16_t)b->name.n);
	p = put16(p, (uint16_t)b->token.n);
	p = put16(p, (uint16_t)b->keywords.n);
	put_span(put_span(put_span(p, b->name), b->token), b->keywords);
}

static bool box_sane(const struct box_rec *r)
{
	const struct idx_box *b = &r->pub;

	return r->space > 0 && b->name.n > 0 && b->name.n <= REC_NAME_MAX && b->highestmodseq > 0 &&
	       b->log_floor <= b->highestmodseq && b->unseen <= b->messages &&
	       b->deleted <= b->messages && b->unsized <= b->messages &&
	       (b->keywords.n == 0 || b->keywords.p[b->keywords.n - 1] == '\0');
}

enum err box_decode(struct span body, struct box_rec *r_r)
{
	struct rd r = rd_of(body);
	struct box_rec x = { .space = rd_32(&r) };
	struct idx_box *b = &x.pub;
	size_t name, token, keywords;

	b->uidvalidity = rd_32(&r);
	b->uidnext = rd_32(&r);
	b->recent_from = rd_32(&r);
	b->messages = rd_32(&r);
	b->unseen = rd_32(&r);
	b->deleted = rd_32(&r);
	b->flags = rd_32(&r);
	x.todos = rd_32(&r);
	x.map_sum = rd_32(&r);
	b->highestmodseq = rd_64(&r);
	b->log_floor = rd_64(&r);
	b->vsize = rd_64(&r);
	b->unsized = rd_32(&r);
	if (r.n >= sizeof(b->guid))
		memcpy(b->guid, r.p, sizeof(b->guid));
	rd_take(&r, sizeof(b->guid));
	name = rd_16(&r);
	token = rd_16(&r);
	keywords = rd_16(&r);
	b->name = rd_take(&r, name);
	b->token = rd_take(&r, token);
	b->keywords = rd_take(&r, keywords);
	if (rd_end(&r) || !box_sane(&x))
		return ERR_CORRUPT;
	*r_r = x;
	return ERR_OK;
}

/* --- name: database "name", key the name --------------------------------------------- */

/*
 *	     5    4  id of the mailbox
 */
void name_encode(uint32_t id, struct buf *out)
{
	char *p = rec_begin(out, 4);

	if (p)
		put32(p, id);
}

enum err name_decode(struct span body, uint32_t *id_r)
{
	struct rd r = rd_of(body);
	uint32_t id = rd_32(&r);

	if (rd_end(&r) || id == 0)
		return ERR_CORRUPT;
	*id_r = id;
	return ERR_OK;
}

/* --- uid map: database "map", key space, uid / 1024 ------------------------------------ */

/*
 * Fixed size; bit (uid % 64) of word (uid % 1024) / 64. Blocks without messages are not kept.
 *
 *	     5  128  present
 *	   133  640  answered, flagged, deleted, seen, draft: 128 bytes each
 *	   773 1024  low byte of the checksum of each message record; 0 where none is present
 */
enum { MAP_BODY = (1 + MAP_FLAGS) * MAP_WORDS * 8 + MAP_UIDS };

static char *put_words(char *p, const uint64_t *w)
{
	for (size_t i = 0; i < MAP_WORDS; i++)
		p = put64(p, w[i]);
	return p;
}

void map_encode(const struct map_block *b, struct buf *out)
{
	char *p = rec_begin(out, MAP_BODY);

	if (!p)
		return;
	p = put_words(p, b->present);
	for (size_t f = 0; f < MAP_FLAGS; f++)
		p = put_words(p, b->flag[f]);
	memcpy(p, b->tag, MAP_UIDS);
}

static const char *get_words(const char *p, uint64_t *w)
{
	for (size_t i = 0; i < MAP_WORDS; i++, p += 8)
		w[i] = load64(p);
	return p;
}

enum err map_decode(struct span body, struct map_block *b_r)
{
	const char *p = body.p;
	uint64_t stray = 0, any = 0;

	if (body.n != MAP_BODY)
		return ERR_CORRUPT;
	p = get_words(p, b_r->present);
	for (size_t f = 0; f < MAP_FLAGS; f++)
		p = get_words(p, b_r->flag[f]);
	memcpy(b_r->tag, p, MAP_UIDS);
	for (size_t i = 0; i < MAP_WORDS; i++) {
		any |= b_r->present[i];
		for (size_t f = 0; f < MAP_FLAGS; f++)
			stray |= b_r->flag[f][i] & ~b_r->present[i];
	}
	return stray || !any ? ERR_CORRUPT : ERR_OK;
}

/* --- message: database "msg", key space, uid -------------------------------------------- */

/*
 *	     5    1  system flags (enum mail_flag, MAIL_SYSTEM only)
 *	     6    1  k: length of the store's key, 1..255
 *	     7    2  h: length of the store's hint
 *	     9    8  keywords
 *	    17    8  modseq
 *	    25    8  internal date, seconds since 1970
 *	    33    8  save date, likewise
 *	    41    8  size; all ones: unknown
 *	    49    8  CRLF size; all ones: unknown
 *	    57   16  object id; zero: none
 *	    73    8  Date field as box packs it; zero: not known
 *	    81    .  key, hint
 */
enum { MSG_FIXED = 81 - REC_FRAME };

void msg_encode(const struct idx_msg *m, struct buf *out)
{
	char *p = rec_begin(out, MSG_FIXED + m->key.n + m->hint.n);

	if (!p)
		return;
	p = put8(p, m->flags.system & MAIL_SYSTEM);
	p = put8(p, (uint8_t)m->key.n);
	p = put16(p, (uint16_t)m->hint.n);
	p = put64(p, m->flags.keywords);
	p = put64(p, m->modseq);
	p = put64(p, (uint64_t)m->internaldate);
	p = put64(p, (uint64_t)m->savedate);
	p = put64(p, m->size);
	p = put64(p, m->vsize);
	p = put_span(p, span_of(m->emailid, sizeof(m->emailid)));
	p = put64(p, (uint64_t)m->sent);
	put_span(put_span(p, m->key), m->hint);
}

enum err msg_decode(struct span body, struct idx_msg *m_r)
{
	const char *p = body.p;
	size_t key, hint;

	if (body.n < MSG_FIXED || ((uint8_t)p[0] & ~MAIL_SYSTEM))
		return ERR_CORRUPT;
	key = (uint8_t)p[1];
	hint = (uint8_t)p[2] | (size_t)(uint8_t)p[3] << 8;
	if (key == 0 || body.n != MSG_FIXED + key + hint)
		return ERR_CORRUPT;
	m_r->flags = (struct mail_flags){ (uint8_t)p[0], load64(p + 4) };
	m_r->modseq = load64(p + 12);
	m_r->internaldate = (int64_t)load64(p + 20);
	m_r->savedate = (int64_t)load64(p + 28);
	m_r->size = load64(p + 36);
	m_r->vsize = load64(p + 44);
	memcpy(m_r->emailid, p + 52, sizeof(m_r->emailid));
	m_r->sent = (int64_t)load64(p + 68);
	m_r->key = span_of(p + MSG_FIXED, key);
	m_r->hint = span_of(p + MSG_FIXED + key, hint);
	return ERR_OK;
}

/* --- changes: database "log", key space, modseq ------------------------------------------ */

/*
 * One record a modseq, without gaps from log floor + 1 to highestmodseq. All numbers are varints:
 * seven bits a byte, low ones first, the top bit set on all but the last.
 *
 *	     5    .  number of ranges changed; for each: first - (last of the one before), last - first
 *	     .    .  number of ranges vanished; for each likewise
 */
static char *put_varint(char *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (char)(v | 0x80);
	*p++ = (char)v;
	return p;
}

static uint64_t rd_varint(struct rd *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 63; shift += 7) {
		uint8_t c = rd_8(r);

		v |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return v;
	}
	r->bad = true;
	return 0;
}

static char *put_set(char *p, const struct set *s)
{
	uint32_t last = 0;

	p = put_varint(p, s ? s->n : 0);
	for (size_t i = 0; s && i < s->n; i++) {
		p = put_varint(p, s->r[i].first - last);
		p = put_varint(p, s->r[i].last - s->r[i].first);
		last = s->r[i].last;
	}
	return p;
}

void log_encode(const struct set *changed, const struct set *vanished, struct buf *out)
{
	size_t ranges = (changed ? changed->n : 0) + (vanished ? vanished->n : 0);
	char *p = rec_begin(out, 20 + 10 * ranges); /* the most; cut below */

	if (p)
		buf_truncate(out, (size_t)(put_set(put_set(p, changed), vanished) - out->p));
}

static void rd_set(struct rd *r, struct set *s)
{
	uint64_t last = 0;

	for (uint64_t n = rd_varint(r); n > 0 && !r->bad; n--) {
		uint64_t first = last + rd_varint(r);
		uint64_t end = first + rd_varint(r);

		/* an empty gap would be one range; both sums are far from overflow when varints are checked one by one */
		if (r->bad || first == last || first - last > UINT32_MAX ||
		    end - first > UINT32_MAX || end > UINT32_MAX) {
			r->bad = true;
			return;
		}
		set_add_range(s, (uint32_t)first, (uint32_t)end);
		last = end;
	}
}

enum err log_decode(struct span body, struct set *changed, struct set *vanished)
{
	struct rd r = rd_of(body);

	rd_set(&r, changed);
	rd_set(&r, vanished);
	return rd_end(&r);
}

/* --- cache: database "cache", key space, uid ----------------------------------------------- */

/*
 *	     5    1  bit n: field n of enum idx_field is here
 *	     6   8m  length and checksum (XXH3, folded) of each of the m fields that are here
 *	     .    .  their bytes, in order
 */
enum { CACHE_ENTRY = 8 }; /* of a field in the head */

size_t cache_head_size(struct span body)
{
	size_t fields = body.n > 0 ? (size_t)__builtin_popcount((uint8_t)body.p[0]) : 0, n = 1 + CACHE_ENTRY * fields;

	return n < body.n ? n : body.n;
}

void cache_encode(const struct idx_cache *c, struct buf *out)
{
	size_t size = 1;
	uint8_t here = 0;
	char *p;

	for (size_t f = 0; f < IDX_FIELDS; f++) {
		if (!c->field[f].p)
			continue;
		here |= (uint8_t)(1u << f);
		size += CACHE_ENTRY + c->field[f].n;
	}
	p = rec_begin(out, size);
	if (!p)
		return;
	p = put8(p, here);
	for (size_t f = 0; f < IDX_FIELDS; f++)
		if (here >> f & 1)
			p = put32(put32(p, (uint32_t)c->field[f].n), rec_sum(c->field[f]));
	for (size_t f = 0; f < IDX_FIELDS; f++)
		if (here >> f & 1)
			p = put_span(p, c->field[f]);
}

enum err cache_decode(struct span body, unsigned want, struct idx_cache *c_r)
{
	struct rd r = rd_of(body);
	struct idx_cache c = { 0 };
	uint32_t size[IDX_FIELDS] = { 0 }, sum[IDX_FIELDS] = { 0 };
	uint8_t here = rd_8(&r);

	if (here >> IDX_FIELDS)
		return ERR_CORRUPT;
	for (size_t f = 0; f < IDX_FIELDS; f++) {
		if (!(here >> f & 1))
			continue;
		size[f] = rd_32(&r);
		sum[f] = rd_32(&r);
	}
	for (size_t f = 0; f < IDX_FIELDS; f++) {
		struct span bytes = rd_take(&r, size[f]);

		if (!(here & want & 1u << f))
			continue;
		if (r.bad || rec_sum(bytes) != sum[f])
			return ERR_CORRUPT;
		c.field[f] = bytes;
	}
	if (rd_end(&r))
		return ERR_CORRUPT;
	*c_r = c;
	return ERR_OK;
}

/* --- to-do: database "todo", key box, sequence ----------------------------------------------- */

/*
 *	     5    1  kind (enum idx_todo_kind, or REC_TODO_PURGE under box 0)
 *	     6    1  system flags wanted
 *	     7    1  k: length of the store's key
 *	     8    2  h: length of the store's hint
 *	    10    4  uid
 *	    14    8  keywords wanted
 *	    22    .  key, hint
 */
enum { TODO_FIXED = 22 - REC_FRAME };

void todo_encode(const struct idx_todo *t, struct buf *out)
{
	char *p = rec_begin(out, TODO_FIXED + t->key.n + t->hint.n);

	if (!p)
		return;
	p = put8(p, (uint8_t)t->kind);
	p = put8(p, t->flags.system & MAIL_SYSTEM);
	p = put8(p, (uint8_t)t->key.n);
	p = put16(p, (uint16_t)t->hint.n);
	p = put32(p, t->uid);
	p = put64(p, t->flags.keywords);
	put_span(put_span(p, t->key), t->hint);
}

enum err todo_decode(struct span body, struct idx_todo *t_r)
{
	struct rd r = rd_of(body);
	uint8_t kind = rd_8(&r);
	struct idx_todo t = { 0 };
	size_t key, hint;

	if ((kind < IDX_TODO_EXPUNGE || kind >= IDX_TODO_KINDS) && kind != REC_TODO_PURGE)
		return ERR_CORRUPT;
	t.kind = (enum idx_todo_kind)kind;
	t.flags.system = rd_8(&r);
	key = rd_8(&r);
	hint = rd_16(&r);
	t.uid = rd_32(&r);
	t.flags.keywords = rd_64(&r);
	t.key = rd_take(&r, key);
	t.hint = rd_take(&r, hint);
	if (rd_end(&r) || (t.flags.system & ~MAIL_SYSTEM))
		return ERR_CORRUPT;
	*t_r = t;
	return ERR_OK;
}
