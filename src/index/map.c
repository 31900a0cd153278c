/* The uid map. Not here: counters of the mailbox (msgs.c), the records themselves (msgs.c). */
#include "map.h"

#include "index/index.h"
#include "kv.h"

#include "base/must.h"

/* --- blocks of a transaction ----------------------------------------------------------- */

static struct rec_key block_key(const struct map_slot *s)
{
	return rec_key32_32(s->box->rec.space, s->no);
}

static bool empty(const struct map_block *b)
{
	uint64_t any = 0;

	for (size_t i = 0; i < MAP_WORDS; i++)
		any |= b->present[i];
	return !any;
}

/* Writes or deletes the block; what was stored leaves the mailbox's sum, what is stored enters it. */
static enum err write_back(struct idx_txn *x, struct map_slot *s)
{
	struct rec_key key = block_key(s);
	uint32_t old = s->stored ? s->stored_sum : 0, sum = 0;
	bool keep = !empty(&s->b);
	enum err e = ERR_OK;

	if (keep) {
		map_encode(&s->b, &x->scratch);
		e = kv_put_scratch(x, REC_MAP, &key, false, &sum);
	} else if (s->stored) {
		e = kv_del(x, REC_MAP, rec_key_span(&key));
		if (e == ERR_NOTFOUND)
			e = txn_fail(x, ERR_CORRUPT);
	}
	if (e)
		return e;
	s->stored = keep;
	s->stored_sum = sum;
	s->dirty = false;
	s->box->rec.map_sum ^= old ^ sum;
	s->box->dirty = true;
	return ERR_OK;
}

enum err map_flush(struct idx_txn *x)
{
	for (size_t k = 0; k < MAP_SLOTS; k++) {
		struct map_slot *s = &x->map[k];
		enum err e = s->box && s->dirty ? write_back(x, s) : ERR_OK;

		if (e)
			return e;
	}
	return ERR_OK;
}

void map_drop(struct idx_txn *x, const struct box_slot *box)
{
	for (size_t k = 0; k < MAP_SLOTS; k++)
		if (x->map[k].box == box)
			x->map[k].box = NULL;
}

static enum err load(struct idx_txn *x, struct map_slot *s)
{
	struct rec_key key = block_key(s);
	struct span body;
	enum err e = kv_open(x, REC_MAP, &key, &body, &s->stored_sum);

	s->dirty = false;
	s->stored = e == ERR_OK;
	if (e == ERR_NOTFOUND) {
		memset(&s->b, 0, sizeof(s->b));
		return ERR_OK;
	}
	return e ? e : txn_fail(x, map_decode(body, &s->b));
}

/* The slot that held something for longest, written back. */
static enum err free_slot(struct idx_txn *x, struct map_slot **s_r)
{
	struct map_slot *s = &x->map[x->map_turn++ % MAP_SLOTS];
	enum err e = s->box && s->dirty ? write_back(x, s) : ERR_OK;

	if (e)
		return e;
	s->box = NULL;
	*s_r = s;
	return ERR_OK;
}

enum err map_slot(struct idx_txn *x, struct box_slot *box, uint32_t uid, struct map_slot **s_r)
{
	uint32_t no = uid / MAP_UIDS;
	struct map_slot *s;
	enum err e;

	for (size_t k = 0; k < MAP_SLOTS; k++) {
		if (x->map[k].box == box && x->map[k].no == no) {
			*s_r = &x->map[k];
			return ERR_OK;
		}
	}
	e = free_slot(x, &s);
	if (e)
		return e;
	s->box = box;
	s->no = no;
	e = load(x, s);
	if (e) {
		s->box = NULL;
		return e;
	}
	*s_r = s;
	return ERR_OK;
}

/* --- one UID ---------------------------------------------------------------------------- */

static size_t word_of(uint32_t uid)
{
	return uid % MAP_UIDS / 64;
}

static uint64_t bit_of(uint32_t uid)
{
	return 1ull << uid % 64;
}

bool map_has(const struct map_slot *s, uint32_t uid)
{
	return s->b.present[word_of(uid)] & bit_of(uid);
}

uint8_t map_flags(const struct map_slot *s, uint32_t uid)
{
	uint8_t flags = 0;

	for (unsigned f = 0; f < MAP_FLAGS; f++)
		flags |= (uint8_t)((s->b.flag[f][word_of(uid)] >> uid % 64 & 1) << f);
	return flags;
}

uint8_t map_tag(const struct map_slot *s, uint32_t uid)
{
	return s->b.tag[uid % MAP_UIDS];
}

void map_set(struct map_slot *s, uint32_t uid, uint8_t flags, uint8_t tag)
{
	size_t w = word_of(uid);
	uint64_t bit = bit_of(uid);

	s->b.present[w] |= bit;
	for (unsigned f = 0; f < MAP_FLAGS; f++)
		s->b.flag[f][w] = flags >> f & 1 ? s->b.flag[f][w] | bit : s->b.flag[f][w] & ~bit;
	s->b.tag[uid % MAP_UIDS] = tag;
	s->dirty = true;
}

void map_clear(struct map_slot *s, uint32_t uid)
{
	map_set(s, uid, 0, 0);
	s->b.present[word_of(uid)] &= ~bit_of(uid);
}

/* --- walking ------------------------------------------------------------------------------ */

static uint32_t next_in(const uint64_t *present, uint32_t bit)
{
	uint64_t w;

	for (uint32_t i = bit / 64; i < MAP_WORDS; i++) {
		w = present[i];
		if (i == bit / 64)
			w &= ~0ull << bit % 64;
		if (w)
			return i * 64 + (uint32_t)__builtin_ctzll(w);
	}
	return MAP_UIDS;
}

/* The number of the first stored block from no on. Kept-back blocks must be in the database first. */
static enum err seek_block(struct idx_txn *x, const struct box_slot *box, uint32_t no,
			   uint32_t *no_r)
{
	struct rec_key from = rec_key32_32(box->rec.space, no);
	struct span key, value;
	uint32_t space;
	enum err e = map_flush(x);

	if (!e)
		e = kv_seek(x, REC_MAP, rec_key_span(&from), &key, &value);
	if (e)
		return e;
	if (!rec_key_read32_32(key, &space, no_r))
		return txn_fail(x, ERR_CORRUPT);
	if (space != box->rec.space)
		return ERR_NOTFOUND;
	return *no_r > UINT32_MAX / MAP_UIDS ? txn_fail(x, ERR_CORRUPT) : ERR_OK;
}

enum err map_next(struct idx_txn *x, struct box_slot *box, uint32_t uid, uint32_t *uid_r,
		  struct map_slot **s_r)
{
	uint32_t no = uid / MAP_UIDS, bit = uid % MAP_UIDS;
	enum err e;

	for (;;) {
		e = map_slot(x, box, no * MAP_UIDS, s_r);
		if (e)
			return e;
		bit = next_in((*s_r)->b.present, bit);
		if (bit < MAP_UIDS) {
			*uid_r = no * MAP_UIDS + bit;
			return ERR_OK;
		}
		if (no == UINT32_MAX / MAP_UIDS)
			return ERR_NOTFOUND;
		bit = 0;
		e = seek_block(x, box, no + 1, &no);
		if (e)
			return e;
	}
}

/* --- sets of UIDs ---------------------------------------------------------------------------- */

/* Runs of bits on their way into a set; a run may go on in the next word and block. */
struct runs {
	struct set *set;
	uint64_t first, next; /* the open run is [first, next) */
};

static void run_close(struct runs *r)
{
	if (r->next > r->first)
		set_add_range(r->set, (uint32_t)r->first, (uint32_t)(r->next - 1));
}

static void run_add(struct runs *r, uint64_t first, uint64_t n)
{
	if (first != r->next || r->next == r->first) {
		run_close(r);
		r->first = first;
	}
	r->next = first + n;
}

static void add_word(struct runs *r, uint64_t base, uint64_t w)
{
	while (w) {
		unsigned from = (unsigned)__builtin_ctzll(w);
		uint64_t rest = ~(w >> from);
		unsigned n = rest ? (unsigned)__builtin_ctzll(rest) : 64;

		run_add(r, base + from, n);
		if (from + n >= 64)
			return;
		w &= ~0ull << (from + n);
	}
}

/* What a pass over the whole map collects, and what it must add up to. */
struct pass {
	const struct box_slot *box;
	uint32_t sum;
	uint64_t messages;
	struct runs runs;
	int flag;  /* index into map_block.flag; -1: all that are present */
	bool want; /* with that flag, or without */
};

static void pass_block(struct pass *p, uint32_t no, const struct map_block *b)
{
	for (size_t i = 0; i < MAP_WORDS; i++) {
		uint64_t w = b->present[i];

		p->messages += (unsigned)__builtin_popcountll(w);
		if (p->flag >= 0)
			w &= p->want ? b->flag[p->flag][i] : ~b->flag[p->flag][i];
		add_word(&p->runs, (uint64_t)no * MAP_UIDS + i * 64, w);
	}
}

static enum err pass_record(struct pass *p, struct span key, struct span value)
{
	struct map_block b;
	struct span body;
	uint32_t space, no, sum;
	enum err e;

	if (!rec_key_read32_32(key, &space, &no) || no > UINT32_MAX / MAP_UIDS)
		return ERR_CORRUPT;
	if (space != p->box->rec.space)
		return ERR_NOTFOUND;
	e = rec_open(REC_MAP, key, value, &body, &sum);
	if (!e)
		e = map_decode(body, &b);
	if (e)
		return e;
	p->sum ^= sum;
	pass_block(p, no, &b);
	return ERR_OK;
}

/* The whole map, checked against the mailbox record: a block that was lost or is an old one shows. */
static enum err pass_all(struct idx_txn *x, struct pass *p)
{
	struct rec_key from = rec_key32_32(p->box->rec.space, 0);
	struct span key, value;
	enum err e = map_flush(x);

	if (!e)
		e = kv_seek(x, REC_MAP, rec_key_span(&from), &key, &value);
	while (!e) {
		e = pass_record(p, key, value);
		if (!e)
			e = kv_next(x, REC_MAP, &key, &value);
	}
	if (e != ERR_NOTFOUND)
		return txn_fail(x, e);
	run_close(&p->runs);
	if (p->sum != p->box->rec.map_sum || p->messages != p->box->rec.pub.messages)
		return txn_fail(x, ERR_CORRUPT);
	return ERR_OK;
}

static enum err collect(struct idx_txn *x, uint32_t id, int flag, bool want, struct set *uids_r)
{
	struct set found = SET_EMPTY;
	struct pass p = { .flag = flag, .want = want, .runs.set = &found };
	struct box_slot *box;
	enum err e = box_slot(x, id, &box);

	if (!e) {
		p.box = box;
		e = pass_all(x, &p);
	}
	if (e) {
		set_free(&found);
		return e;
	}
	set_free(uids_r);
	*uids_r = found;
	return ERR_OK;
}

enum err idx_uids(struct idx_txn *x, uint32_t box, struct set *uids_r)
{
	return collect(x, box, -1, false, uids_r);
}

enum err idx_uids_flagged(struct idx_txn *x, uint32_t box, uint8_t flag, bool want,
			  struct set *uids_r)
{
	must(flag && !(flag & (flag - 1)) && (flag & MAIL_SYSTEM));
	return collect(x, box, __builtin_ctz(flag), want, uids_r);
}

static uint32_t first_unseen_in(const struct map_slot *s)
{
	const uint64_t *seen = s->b.flag[__builtin_ctz(MAIL_SEEN)];

	for (uint32_t i = 0; i < MAP_WORDS; i++) {
		uint64_t w = s->b.present[i] & ~seen[i];

		if (w)
			return s->no * MAP_UIDS + i * 64 + (uint32_t)__builtin_ctzll(w);
	}
	return 0;
}

enum err idx_first_unseen(struct idx_txn *x, uint32_t id, uint32_t *uid_r)
{
	struct box_slot *box;
	struct map_slot *s;
	uint32_t no = 0, uid;
	enum err e = box_slot(x, id, &box);

	if (e)
		return e;
	if (box->rec.pub.unseen == 0) {
		*uid_r = 0;
		return ERR_OK;
	}
	for (;; no++) {
		e = seek_block(x, box, no, &no);
		if (!e)
			e = map_slot(x, box, no * MAP_UIDS, &s);
		if (e) /* the counter says that there is one */
			return txn_fail(x, e == ERR_NOTFOUND ? ERR_CORRUPT : e);
		uid = first_unseen_in(s);
		if (uid > 0) {
			*uid_r = uid;
			return ERR_OK;
		}
	}
}
