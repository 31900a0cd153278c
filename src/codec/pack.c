/* Compressed files whatever their kind: recognising them, and the loops around the steps of a kind. */
#include "pack.h"

#include "base/mem.h"
#include "base/must.h"

enum { PACK_STEP = 16384 }; /* room taken at a time */

static const struct {
	struct span magic;
	enum pack_kind kind;
} magics[] = {
	{ SPAN_INIT("\x1f\x8b\x08"), PACK_GZ },
	{ SPAN_INIT("\x28\xb5\x2f\xfd"), PACK_ZSTD },
	{ SPAN_INIT("Dovecot-LZ4\x0d\x2a\x9b\xc5"), PACK_LZ4 },
};

static bool is_bz2(struct span head)
{
	return span_starts(head, SPAN("BZh")) && head.n >= 10 && head.p[3] >= '1' && head.p[3] <= '9' &&
	       span_starts(span_from(head, 4), SPAN("\x31\x41\x59\x26\x53\x59"));
}

enum pack_kind pack_kind_of(struct span head)
{
	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		if (span_starts(head, magics[i].magic))
			return magics[i].kind;
	return is_bz2(head) ? PACK_BZ2 : PACK_NONE;
}

const struct pack_coder *pack_coder(enum pack_kind kind)
{
	static const struct pack_coder *const coders[] = {
		[PACK_NONE] = NULL,
		[PACK_GZ] = &pack_gz,
#ifdef HAVE_BZ2
		[PACK_BZ2] = &pack_bz2,
#else
		[PACK_BZ2] = NULL,
#endif
#ifdef HAVE_ZSTD
		[PACK_ZSTD] = &pack_zstd,
#else
		[PACK_ZSTD] = NULL,
#endif
#ifdef HAVE_LZ4
		[PACK_LZ4] = &pack_lz4,
#else
		[PACK_LZ4] = NULL,
#endif
	};

	return coders[kind];
}

enum pack_kind pack_named(const char *name)
{
	for (enum pack_kind k = PACK_GZ; k <= PACK_LZ4; k++)
		if (pack_coder(k) && strcmp(pack_coder(k)->name, name) == 0)
			return k;
	return PACK_NONE;
}

int pack_level(enum pack_kind kind, int level)
{
	const struct pack_coder *c = pack_coder(kind);

	if (!c)
		return 0;
	return level >= c->level_least && level <= c->level_most ? level : c->level_usual;
}

/* --- unpacking --- */

struct unpacker {
	const struct pack_coder *coder;
	void *state;  /* own; NULL: between two streams */
	bool more;
};

enum err unpacker_new(enum pack_kind kind, struct unpacker **u_r)
{
	struct unpacker *u;

	if (!pack_coder(kind))
		return ERR_CANNOT;
	u = mem_alloc(sizeof(*u));
	u->coder = pack_coder(kind);
	u->state = u->coder->unpack_open();
	if (!u->state) {
		free(u);
		return ERR_MEMORY;
	}
	*u_r = u;
	return ERR_OK;
}

void unpacker_free(struct unpacker **u)
{
	if (!*u)
		return;
	if ((*u)->state)
		(*u)->coder->unpack_close((*u)->state);
	free(*u);
	*u = NULL;
}

/* A stream ended: what follows, if anything does, is another. */
static void stream_over(struct unpacker *u)
{
	u->coder->unpack_close(u->state);
	u->state = NULL;
	u->more = false;
}

enum err unpacker_run(struct unpacker *u, struct span *in, size_t room, struct buf *out)
{
	while (room && (in->n || u->more)) {
		struct pack_io io = { .in = *in, .room = room < PACK_STEP ? room : PACK_STEP };
		size_t had = io.room;
		enum err e;

		if (!u->state)
			u->state = u->coder->unpack_open();
		if (!u->state)
			return ERR_MEMORY;
		if (!buf_reserve(out, io.room))
			return ERR_LIMIT;
		io.out = out->p + out->n;
		e = u->coder->unpack(u->state, &io);
		out->n += had - io.room;
		room -= had - io.room;
		u->more = io.room == 0;
		*in = io.in;
		if (e == ERR_CLOSED)
			stream_over(u);
		else if (e)
			return e;
	}
	return ERR_OK;
}

bool unpacker_more(const struct unpacker *u)
{
	return u->more;
}

bool unpacker_whole(const struct unpacker *u)
{
	return !u->state || (u->coder->unpack_whole && u->coder->unpack_whole(u->state));
}

/* --- packing --- */

struct packer {
	const struct pack_coder *coder;
	void *state;  /* own */
};

enum err packer_new(enum pack_kind kind, int level, struct packer **p_r)
{
	struct packer *p;

	if (!pack_coder(kind))
		return ERR_CANNOT;
	p = mem_alloc(sizeof(*p));
	p->coder = pack_coder(kind);
	p->state = p->coder->pack_open(pack_level(kind, level));
	if (!p->state) {
		free(p);
		return ERR_MEMORY;
	}
	*p_r = p;
	return ERR_OK;
}

void packer_free(struct packer **p)
{
	if (!*p)
		return;
	(*p)->coder->pack_close((*p)->state);
	free(*p);
	*p = NULL;
}

enum err packer_run(struct packer *p, struct span in, bool last, struct buf *out)
{
	struct pack_io io = { .in = in };
	enum err e = ERR_OK;

	do {
		if (!buf_reserve(out, PACK_STEP))
			return ERR_LIMIT;
		io.out = out->p + out->n;
		io.room = PACK_STEP;
		e = p->coder->pack(p->state, &io, last);
		out->n += PACK_STEP - io.room;
	} while (!e && (io.in.n || io.room == 0 || last));
	return e == ERR_CLOSED ? ERR_OK : e;
}
