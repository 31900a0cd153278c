/*
 * Who an mbox is: UIDVALIDITY, last UID, keyword names, from its base (X-IMAPbase of the first message).
 *
 * A file without messages has no base. What it shall have is noted in roost-extra, together with the GUID. A base that
 * comes later and says something else was made by another program, and holds. Once the note was used in the file, it is good
 * no more: another program may have emptied the file since, and nobody knows which UIDs it had. Who saw the file shortly
 * before knows; else the next UIDVALIDITY is a new one.
 */
#include "mbox_beside.h"
#include "uidvalidity.h"

#include "base/mem.h"
#include "base/must.h"

#include <xxhash.h>

static enum err extra_ready(struct mbox_box *b, struct errtext *t)
{
	if (!b->extra)
		b->extra = extra_new();
	return extra_refresh(b->extra, b->control_fd, t);
}

static enum err extra_save(struct mbox_box *b, struct errtext *t)
{
	return extra_write(b->extra, b->control_fd, b->r->file_mode, b->r->sync != STORE_SYNC_NEVER, t);
}

/* Without a note: from what stays as long as the mailbox keeps its name. */
static void guid_made(const struct mbox_box *b, uint32_t validity, uint8_t guid[16])
{
	char *text = mem_printf("mbox %u %s", validity, b->name);
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(text, strlen(text)));
	memcpy(guid, canonical.digest, 16);
	free(text);
}

static enum err base_note(struct mbox_box *b, uint32_t validity, uint32_t last, struct errtext *t)
{
	struct extra_base base = *extra_base(b->extra);

	if (base.validity == validity && base.last >= last)
		return ERR_OK;
	if (!base.validity)
		guid_made(b, validity, base.guid);
	base.validity = validity;
	base.last = last;
	extra_set_base(b->extra, &base);
	return extra_save(b, t);
}

/* UIDs were given under the noted UIDVALIDITY, and whoever empties the file takes with him how many. */
#define SPENT UINT32_MAX

enum err mbox_base_claim(struct mbox_box *b, bool use, uint32_t *validity_r, uint32_t *last_r, struct errtext *t)
{
	struct uidvalidity u = { .mode = b->r->file_mode, .sync = b->r->sync != STORE_SYNC_NEVER };
	enum err e = mbox_control_make(b, t);

	if (!e)
		e = extra_ready(b, t);
	if (e)
		return e;
	const struct extra_base *noted = extra_base(b->extra);
	bool spent = noted->last == SPENT, seen = spent && b->seen.validity == noted->validity;

	*validity_r = noted->validity;
	*last_r = seen ? b->seen.last : noted->last;
	if (!*validity_r || (spent && !seen)) {
		u.dir_fd = mbox_validity_dir(b->r);
		*last_r = 0;
		e = uidvalidity_claim(&u, noted->validity, validity_r, t);
		if (!e)
			e = base_note(b, *validity_r, 0, t);
	}
	return !e && use ? base_note(b, *validity_r, SPENT, t) : e;
}

static void identity_give(struct mbox_box *b, uint32_t validity, uint32_t last, struct store_identity *id_r)
{
	const struct extra_base *noted = extra_base(b->extra);

	*id_r = (struct store_identity){ .uidvalidity = validity,
					 .uidnext = last + 1,
					 .modseq_floor = extra_floor(b->extra) };
	if (noted->validity)
		memcpy(id_r->guid, noted->guid, sizeof(id_r->guid));
	else
		guid_made(b, validity, id_r->guid);
}

/* Gives the file a base, if it has messages to carry one. */
static enum err base_make(struct mbox_box *b, struct errtext *t)
{
	struct mbox_want want = { .number = true };
	enum err e;

	mbox_unlock(b);
	e = mbox_lock(b, F_WRLCK, t);
	if (!e)
		e = mbox_map_update(b, MBOX_LOOK_NEW, t);
	return e ? e : mbox_rewrite(b, &want, t);
}

static enum err identity_locked(struct mbox_box *b, struct store_identity *id_r, struct errtext *t)
{
	uint32_t validity, last;
	enum err e = mbox_map_update(b, MBOX_LOOK_NEW, t);

	if (!e)
		e = extra_ready(b, t);
	if (!e && !b->map.based && b->map.n && b->writable)
		e = base_make(b, t);
	if (!e)
		e = mbox_number_beside(b, t);
	if (e)
		return e;
	if (!b->writable && b->beside.validity && (!b->map.based || b->beside.validity == b->map.validity)) {
		last = b->map.based && b->map.last >= b->beside.next ? b->map.last : b->beside.next - 1;
		identity_give(b, b->beside.validity, last, id_r);
		return ERR_OK;
	}
	if (b->map.based) {
		identity_give(b, b->map.validity, b->map.last, id_r);
		return ERR_OK;
	}
	if (b->head.readonly) { /* an empty file */
		identity_give(b, (uint32_t)(XXH64(b->path, strlen(b->path), 0) & INT32_MAX) | 1, 0, id_r);
		return ERR_OK;
	}
	e = mbox_base_claim(b, false, &validity, &last, t);
	if (!e)
		identity_give(b, validity, last, id_r);
	return e;
}

enum err mbox_identity(struct store_box *sb, struct store_identity *id_r, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	enum err e = mbox_lock(b, F_RDLCK, t);

	if (e)
		return e;
	e = identity_locked(b, id_r, t);
	mbox_unlock(b);
	return e;
}

enum err mbox_guid_keep(struct store_box *sb, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	struct store_identity id;
	enum err e = mbox_identity(sb, &id, t);

	if (!e && !extra_base(b->extra)->validity)
		e = mbox_control_make(b, t);
	return e || extra_base(b->extra)->validity ? e : base_note(b, id.uidvalidity, b->map.based ? SPENT : id.uidnext - 1, t);
}

/* What the file cannot carry, or not as yet, is noted. */
static enum err identify_note(struct mbox_box *b, const struct store_identify *want, const struct store_identity *id,
			      struct errtext *t)
{
	struct extra_base base = *extra_base(b->extra);
	enum err e = mbox_control_make(b, t);

	if (e)
		return e;
	memcpy(base.guid, want->guid ? want->guid : id->guid, sizeof(base.guid));
	base.validity = want->uidvalidity ? want->uidvalidity : id->uidvalidity;
	base.last = b->map.based ? SPENT : want->uidnext > id->uidnext ? want->uidnext - 1 : id->uidnext - 1;
	extra_set_base(b->extra, &base);
	return extra_save(b, t);
}

static enum err identify_locked(struct mbox_box *b, const struct store_identify *want, struct errtext *t)
{
	struct mbox_want file = { .number = true,
				  .validity = want->uidvalidity,
				  .last = want->uidnext ? want->uidnext - 1 : 0,
				  .sync = b->r->sync != STORE_SYNC_NEVER };
	struct uidvalidity u = { .mode = b->r->file_mode, .sync = file.sync };
	struct store_identity id;
	enum err e = identity_locked(b, &id, t);

	if (!e && !b->map.based && b->map.n)
		e = err_say(t, ERR_READONLY, "%s is read-only", b->name);
	if (!e)
		e = mbox_control_make(b, t);
	u.dir_fd = b->r->control_fd;
	if (!e && want->uidvalidity)
		e = uidvalidity_given(&u, want->uidvalidity, t);
	/* The GUID of a mailbox without a note is made from its UIDVALIDITY: it is noted before that changes. */
	if (!e)
		e = identify_note(b, want, &id, t);
	return e || !b->map.based ? e : mbox_rewrite(b, &file, t);
}

enum err mbox_identify(struct store_box *sb, const struct store_identify *want, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	enum err e = b->head.readonly ? err_say(t, ERR_READONLY, "%s is read-only", b->name) : ERR_OK;

	if (!e && want->uidnext > MBOX_LAST_BELIEVED)
		e = err_say(t, ERR_LIMIT, "%s: such UIDs are not believed in an mbox", b->name);
	if (!e)
		e = mbox_lock(b, F_WRLCK, t);
	if (e)
		return e;
	e = identify_locked(b, want, t);
	mbox_unlock(b);
	return e;
}

/* --- keywords -------------------------------------------------------------------------------- */

enum err mbox_keywords(struct store_box *sb, struct arena *a, const char **names, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	const char *now[MAIL_KEYWORDS_MAX];
	enum err e = ERR_OK;

	if (!b->map.known) {
		e = mbox_lock(b, F_RDLCK, t);
		if (e)
			return e;
		e = mbox_map_update(b, MBOX_LOOK_NEW, t);
		mbox_unlock(b);
	}
	mbox_names(b, now);
	for (unsigned i = 0; !e && i < MAIL_KEYWORDS_MAX; i++) {
		names[i] = now[i] ? arena_str(a, now[i]) : NULL;
		if (now[i] && !names[i])
			e = ERR_LIMIT;
	}
	return e;
}

static unsigned slot_for(const struct mbox_box *b, const char *name)
{
	const char *now[MAIL_KEYWORDS_MAX];
	unsigned bit = MAIL_KEYWORDS_MAX;

	mbox_names(b, now);
	for (unsigned i = MAIL_KEYWORDS_MAX; i-- > 0;) {
		if (now[i] && span_ieq_str(span_str(now[i]), name))
			return i;
		if (!now[i])
			bit = i;
	}
	return bit;
}

enum err mbox_keyword_add(struct store_box *sb, const char *name, unsigned *bit_r, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	struct mbox_want want = { .number = true, .sync = b->r->sync == STORE_SYNC_ALWAYS };
	enum err e = b->head.readonly ? ERR_READONLY : mbox_lock(b, F_WRLCK, t);

	if (e)
		return e;
	e = mbox_map_update(b, MBOX_LOOK_NEW, t);
	unsigned bit = slot_for(b, name);
	if (!e && (bit == MAIL_KEYWORDS_MAX || !mail_keyword_valid(span_str(name)) || strlen(name) > MBOX_NAME_MAX))
		e = err_say(t, ERR_LIMIT, "%s has no room for the keyword", b->name);
	if (!e && !b->map.name[bit] && !b->added[bit]) {
		b->added[bit] = mem_str(name);
		e = mbox_rewrite(b, &want, t);
		if (e) {
			free(b->added[bit]);
			b->added[bit] = NULL;
		}
	}
	mbox_unlock(b);
	if (!e)
		*bit_r = bit;
	return e;
}

enum err mbox_set_modseq_floor(struct store_box *sb, uint64_t floor, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	enum err e = b->head.readonly ? ERR_READONLY : mbox_control_make(b, t);

	if (!e)
		e = extra_ready(b, t);
	if (e || extra_floor(b->extra) >= floor)
		return e;
	extra_set_floor(b->extra, floor);
	return extra_save(b, t);
}
