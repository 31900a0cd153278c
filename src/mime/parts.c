/*
 * The tree as bytes for the index cache.
 *
 *   version    1 byte, PARTS_VERSION
 *   count      number of parts, 1..MIME_PARTS_MAX
 *   then for each part, in the order of the tree:
 *     flags       enum mime_part_flag
 *     children    how many; they follow before the next part that is no descendant
 *     gap         bytes from the start of the parent's body to the part's header (part 0: 0)
 *     header      size, bare, lines
 *     body        size, bare, lines
 *
 * All but version are LEB128: seven bits a byte, low ones first, the top bit set in all but the
 * last.
 */
#include "mime/tree.h"

#include "base/mem.h"

enum {
	PARTS_VERSION = 1,
	PARTS_FLAGS = MIME_PART_MULTIPART | MIME_PART_DIGEST | MIME_PART_MESSAGE | MIME_PART_TEXT |
		      MIME_PART_MIME | MIME_PART_NUL,
};

static const uint64_t parts_size_max = UINT64_C(1) << 56; /* no sum of two overflows */

static void put(struct buf *out, uint64_t v)
{
	while (v >= 0x80) {
		buf_add_char(out, (char)(v | 0x80));
		v >>= 7;
	}
	buf_add_char(out, (char)v);
}

static bool get(struct span *in, uint64_t max, uint64_t *v_r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 63 && in->n; shift += 7) {
		unsigned char c = (unsigned char)in->p[0];

		*in = span_from(*in, 1);
		v |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80)) {
			*v_r = v;
			return v <= max;
		}
	}
	return false;
}

static bool get32(struct span *in, uint32_t *v_r)
{
	uint64_t v;

	if (!get(in, UINT32_MAX, &v))
		return false;
	*v_r = (uint32_t)v;
	return true;
}

static uint64_t body_start(const struct mime_part *p)
{
	return p->start + p->header_size;
}

static uint64_t part_end(const struct mime_part *p)
{
	return body_start(p) + p->body_size;
}

void mime_tree_encode(const struct mime_tree *t, struct buf *out)
{
	buf_add_char(out, PARTS_VERSION);
	put(out, t->n);
	for (size_t i = 0; i < t->n; i++) {
		const struct mime_part *p = &t->part[i];

		put(out, p->flags);
		put(out, p->children);
		put(out, p->start - (i ? body_start(&t->part[p->parent]) : 0));
		put(out, p->header_size);
		put(out, p->header_bare);
		put(out, p->header_lines);
		put(out, p->body_size);
		put(out, p->body_bare);
		put(out, p->body_lines);
	}
}

/* The fields of one part, parent known, checked as far as the part alone allows. */
static bool get_part(struct span *in, uint64_t base, struct mime_part *p)
{
	uint64_t gap;

	if (!get32(in, &p->flags) || !get32(in, &p->children) || !get(in, parts_size_max, &gap))
		return false;
	if (!get(in, parts_size_max, &p->header_size) ||
	    !get(in, p->header_size, &p->header_bare) || !get32(in, &p->header_lines))
		return false;
	if (!get(in, parts_size_max, &p->body_size) || !get(in, p->body_size, &p->body_bare) ||
	    !get32(in, &p->body_lines))
		return false;
	p->start = base + gap;
	return p->header_bare <= p->header_lines && p->header_lines <= p->header_size &&
	       p->body_bare <= p->body_lines && p->body_lines <= p->body_size;
}

static bool flags_fit(const struct mime_part *p, bool first)
{
	uint32_t kind = p->flags & (MIME_PART_MULTIPART | MIME_PART_MESSAGE | MIME_PART_TEXT);

	if ((p->flags & ~(uint32_t)PARTS_FLAGS) || (kind & (kind - 1)) ||
	    (!first && (p->flags & MIME_PART_NUL)))
		return false;
	if ((p->flags & MIME_PART_DIGEST) && kind != MIME_PART_MULTIPART)
		return false;
	if (kind == MIME_PART_MESSAGE)
		return p->children == 1;
	return kind == MIME_PART_MULTIPART || p->children == 0;
}

/* The parts whose children are still to come. */
struct open {
	unsigned n;
	uint32_t part[MIME_DEPTH_MAX];
	uint32_t left[MIME_DEPTH_MAX]; /* children to come */
	uint32_t last[MIME_DEPTH_MAX]; /* the child before, or MIME_NONE */
};

/*
 * Links part i below the innermost open part; false when it does not lie behind its sibling and
 * inside its parent.
 */
static bool link_part(struct mime_tree *t, uint32_t i, struct open *o)
{
	struct mime_part *p = &t->part[i];
	unsigned top = o->n - 1;
	struct mime_part *parent = &t->part[o->part[top]];

	if (part_end(p) > part_end(parent))
		return false;
	if (o->last[top] == MIME_NONE)
		parent->child = i;
	else if (p->start < part_end(&t->part[o->last[top]]))
		return false;
	else
		t->part[o->last[top]].next = i;
	p->parent = o->part[top];
	o->last[top] = i;
	o->left[top]--;
	return true;
}

static bool decode_part(struct span *in, struct mime_tree *t, uint32_t i, struct open *o)
{
	struct mime_part *p = &t->part[i];
	uint64_t base = i ? body_start(&t->part[o->part[o->n - 1]]) : 0;

	*p = (struct mime_part){ .parent = MIME_NONE, .next = MIME_NONE, .child = MIME_NONE };
	if (!get_part(in, base, p) || !flags_fit(p, i == 0) || p->start > parts_size_max)
		return false;
	if (i == 0 ? p->start != 0 : !link_part(t, i, o))
		return false;
	if (p->children) {
		if (o->n == MIME_DEPTH_MAX)
			return false;
		o->part[o->n] = i;
		o->left[o->n] = p->children;
		o->last[o->n++] = MIME_NONE;
	}
	while (o->n && o->left[o->n - 1] == 0)
		o->n--;
	return true;
}

static bool decode(struct span in, struct mime_tree *t, uint64_t n)
{
	struct open o = { 0 };

	for (uint64_t i = 0; i < n; i++) {
		if ((i && o.n == 0) || !decode_part(&in, t, (uint32_t)i, &o))
			return false;
		t->n = (size_t)i + 1;
	}
	return o.n == 0 && in.n == 0;
}

enum err mime_tree_decode(struct span in, struct mime_tree *t)
{
	uint64_t n;

	t->n = 0;
	if (in.n == 0 || in.p[0] != PARTS_VERSION)
		return ERR_CORRUPT;
	in = span_from(in, 1);
	if (!get(&in, MIME_PARTS_MAX, &n) || n == 0 || in.n < 9 * n)
		return ERR_CORRUPT;
	if (t->cap < n) {
		t->part = mem_grow(t->part, (size_t)n, sizeof(*t->part));
		t->cap = (size_t)n;
	}
	if (decode(in, t, n))
		return ERR_OK;
	t->n = 0;
	return ERR_CORRUPT;
}
