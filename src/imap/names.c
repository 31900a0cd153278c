/*
 * A UTF-8 name is taken as it stands if there is such a mailbox, whoever made it; else in
 * normalization form C, which is how new ones are made (RFC 9755 section 3, RFC 5198 section 2).
 */
#include "names.h"

#include "base/mutf7.h"
#include "base/utf8.h"
#include "wire/imap_name.h"
#include "wire/imap_write.h"

enum { NAME_MAX_WIRE = 64 << 10 };

static bool is_plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] >= 0x80 || s.p[i] == '&')
			return false;
	return true;
}

/* ---- heard ---- */

static bool exists(struct imap_cmd *c, const char *name)
{
	struct errtext t;

	return name && !acct_exists(c->s->cfg.acct, name, &t);
}

/* NULL: not UTF-8, or the arena's limit. */
static const char *to_wire(struct arena *arena, struct span utf8)
{
	const char *name = NULL;
	struct buf wire;

	buf_init(&wire, NAME_MAX_WIRE);
	if (mutf7_from_utf8(utf8, &wire) && !wire.failed)
		name = arena_span(arena, buf_span(&wire));
	buf_free(&wire);
	return name;
}

static enum err heard_utf8(struct imap_cmd *c, struct span said, bool to_make, const char **name_r, struct errtext *t)
{
	const char *name = to_wire(c->arena, said);
	struct buf form;
	enum err e = ERR_OK;

	buf_init(&form, NAME_MAX_WIRE);
	if (!exists(c, name) && utf8_nfc(said, &form)) {
		if (to_make && !imap_name_valid(buf_span(&form)))
			e = err_say(t, ERR_CANNOT, "Invalid mailbox name: it holds characters that it may not.");
		name = to_wire(c->arena, buf_span(&form));
	}
	buf_free(&form);
	if (!e && !name)
		e = err_say(t, ERR_CANNOT, "Invalid mailbox name: it is not valid UTF-8 text.");
	*name_r = name;
	return e;
}

static enum err heard_utf7(struct imap_cmd *c, struct span said, bool to_make, const char **name_r, struct errtext *t)
{
	struct buf utf8;
	bool valid;

	buf_init(&utf8, 4 * said.n + 16);
	valid = !to_make || (mutf7_to_utf8(said, &utf8) && imap_name_valid(buf_span(&utf8)));
	buf_free(&utf8);
	if (!valid)
		return err_say(t, ERR_CANNOT, "Invalid mailbox name: it is not valid modified UTF-7 text.");
	*name_r = arena_span(c->arena, said);
	return *name_r ? ERR_OK : ERR_MEMORY;
}

enum err imap_name_heard(struct imap_cmd *c, struct span said, bool to_make, const char **name_r, struct errtext *t)
{
	return c->s->hooks.utf8 && !is_plain(said) ? heard_utf8(c, said, to_make, name_r, t)
						   : heard_utf7(c, said, to_make, name_r, t);
}

/* ---- told ---- */

/* What other programs made and is no modified UTF-7 is told as it is. False then: nothing is appended. */
static bool told(const struct imap_session *s, struct span name, struct buf *utf8)
{
	return s->hooks.utf8 && !is_plain(name) && mutf7_to_utf8(name, utf8);
}

const char *imap_name_told(const struct imap_session *s, struct arena *arena, const char *name)
{
	struct buf utf8;

	buf_init(&utf8, NAME_MAX_WIRE);
	if (told(s, span_str(name), &utf8))
		name = arena_span(arena, buf_span(&utf8));
	buf_free(&utf8);
	return name;
}

static void write_name(const struct imap_session *s, struct buf *out, const char *name,
		       void (*write)(struct buf *out, struct span s))
{
	struct buf utf8;

	buf_init(&utf8, NAME_MAX_WIRE);
	if (told(s, span_str(name), &utf8))
		imap_write_mailbox(out, buf_span(&utf8), true); /* quoted: it is not plain */
	else
		write(out, span_str(name));
	buf_free(&utf8);
}

void imap_name_write(const struct imap_session *s, struct buf *out, const char *name)
{
	write_name(s, out, name, imap_write_astring);
}

void imap_name_write_string(const struct imap_session *s, struct buf *out, const char *name)
{
	write_name(s, out, name, imap_write_string);
}
