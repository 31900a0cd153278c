#include "tests/unit/box_deeds.h"

#include <unistd.h>

enum { MOVED = 2, LATE = 5, OF_THIRD = DEEDS_TEXTS - 2, LAST = DEEDS_TEXTS - 1, NEXT_UID = 1000 };

static const uint8_t new_guid[16] = "a new identity.";

const char *deeds_text(int i)
{
	static const char *const all[DEEDS_TEXTS] = {
		"x: 0\r\n\r\nzero\r\n",  "x: 1\r\n\r\none\r\n",  "x: 2\r\n\r\ntwo\r\n", "x: 3\r\n\r\nthree\r\n",
		"x: 4\r\n\r\nfour\r\n", "x: 5\r\n\r\nfive\r\n", "x: 6\r\n\r\nsix\r\n", "x: 7\r\n\r\nseven\r\n",
	};

	return all[i];
}

/* How many messages have this text; the last one's UID. */
static unsigned count_of(struct view *v, const char *want, uint32_t *uid_r)
{
	unsigned n = 0;

	*uid_r = 0;
	for (uint32_t seq = 1; seq <= view_state(v)->exists; seq++) {
		struct errtext t;
		struct message *m = NULL;

		if (message_open(v, view_uid(v, seq), &m, &t))
			continue;
		message_close(&m);
		if (strcmp(text_of(v, view_uid(v, seq)), want) != 0)
			continue;
		*uid_r = view_uid(v, seq);
		n++;
	}
	return n;
}

static uint32_t uid_with(struct view *v, const char *want)
{
	uint32_t uid;

	(void)count_of(v, want, &uid);
	return uid;
}

static void work(struct house *h)
{
	for (int i = 0; i < 50 && acct_work(h->a) != STEP_DONE; i++)
		;
}

static void add(struct house *h, struct deeds *k, const char *name, int i)
{
	k->added[i] = try_append(h, name, deeds_text(i), &k->uid[i]) == ERR_OK;
}

/* --- the deeds ----------------------------------------------------------------------------------- */

static void note_state(struct deeds *k, struct view *v)
{
	const struct view_state *s = view_state(v);

	k->uidvalidity = s->uidvalidity;
	k->uidnext = s->uidnext;
	k->highestmodseq = s->highestmodseq;
}

static bool told(const struct deeds *k, struct view *v, int i)
{
	return k->uid[i] && view_seq(v, k->uid[i]);
}

static void flag(struct house *h, struct deeds *k, struct view *v)
{
	k->flagged = !try_store(v, k->uid[0], VIEW_FLAGS_ADD, MAIL_FLAGGED, NULL);
	k->keyword = !try_store(v, k->uid[0], VIEW_FLAGS_ADD, 0, "$K");
	work(h);
	k->written = !acct_busy(h->a);
}

static void in_view(struct house *h, struct deeds *k, struct view *v)
{
	note_state(k, v);
	if (told(k, v, 0))
		flag(h, k, v);
	if (told(k, v, 1) && !try_store(v, k->uid[1], VIEW_FLAGS_ADD, MAIL_DELETED, NULL)) {
		k->tried_expunge = true;
		k->expunged = !try_expunge(v);
	}
	if (told(k, v, 0))
		k->copied = !try_copy(v, k->uid[0], k->uid[0], "Other", false, NULL);
	if (told(k, v, MOVED)) {
		k->tried_move = true;
		k->moved = !try_copy(v, k->uid[MOVED], k->uid[MOVED], "Other", true, NULL);
	}
}

static enum err rename_box(struct house *h, const char *from, const char *to)
{
	struct acct_rename job = { .from = from, .to = to };
	enum step step = STEP_SLICE;

	for (int i = 0; i < 20000 && step != STEP_DONE; i++) {
		step = acct_rename(h->a, &job);
		if (step == STEP_WAITING)
			usleep(1000);
	}
	acct_rename_free(&job);
	return step == STEP_DONE ? job.err : ERR_INUSE;
}

static enum err identify_box(struct house *h, const char *name)
{
	struct acct_identify job = { .name = name, .uidnext = NEXT_UID, .guid = new_guid };
	enum step step = STEP_SLICE;

	for (int i = 0; i < 500 && step != STEP_DONE; i++) {
		step = acct_identify(h->a, &job);
		if (step == STEP_WAITING)
			usleep(1000);
	}
	acct_identify_free(&job);
	return step == STEP_DONE ? job.err : ERR_INUSE;
}

static void folders(struct house *h, struct deeds *k)
{
	struct errtext t;

	k->identified = !identify_box(h, "Other");

	if (!acct_create(h->a, "Third", NULL, &t))
		add(h, k, "Third", OF_THIRD);
	k->subscribed = !acct_subscribe(h->a, "Third", true, &t);
	if (!k->subscribed)
		(void)acct_subscribe(h->a, "Third", true, &t);
	k->tried_rename = true;
	k->renamed = !rename_box(h, "Third", "Fourth");
	if (!acct_create(h->a, "Fifth", NULL, &t))
		k->deleted = !acct_delete(h->a, "Fifth", &t);
}

/* Goes on whatever fails; tries nothing that needs a UID it was not told. */
void deeds_do(struct house *h, struct deeds *k)
{
	struct view *v = NULL;
	struct view_changes c;
	struct errtext t;

	(void)acct_create(h->a, "Other", "\\Sent", &t);
	for (int i = 0; i < 4; i++)
		add(h, k, "INBOX", i);
	if (try_view(h, "INBOX", false, &v) == ERR_OK)
		in_view(h, k, v);
	k->added[4] = try_deliver(h, "INBOX", deeds_text(4)) == ERR_OK;
	if (v && view_update(v, true, h->ar, &c, &t) == ERR_OK) {
		view_changes_free(&c);
		note_state(k, v);
	}
	if (v)
		(void)try_refresh(v, true);
	folders(h, k);
	view_close(&v);
	k->added[LATE] = try_deliver(h, "INBOX", deeds_text(LATE)) == ERR_OK;
	work(h);
	k->away = !rename_box(h, "INBOX", "Archive");
	work(h);
}

bool deeds_last(struct house *h, struct deeds *k)
{
	/* A lock file that could not be removed is known to be ours after some seconds. */
	for (int i = 0; i < 6 && !k->added[LAST]; i++)
		add(h, k, "INBOX", LAST);
	return k->added[LAST];
}

bool deeds_all_done(const struct deeds *k)
{
	for (int i = 0; i < LAST; i++)
		if (!k->added[i])
			return false;
	return k->flagged && k->keyword && k->written && k->expunged && k->copied && k->moved && k->identified && k->renamed &&
	       k->subscribed && k->deleted && k->away;
}

/* --- what must be true ------------------------------------------------------------------------------ */

static uint32_t uid_in(struct view *v, struct view *away, int i)
{
	uint32_t uid = uid_with(v, deeds_text(i));

	return uid || !away ? uid : uid_with(away, deeds_text(i));
}

#define claim(true_, what) \
	do { \
		if (!(true_)) \
			fail_msg("%s: %s", where, what); \
	} while (0)

/* away: where INBOX was renamed to, NULL: nothing is there. What failed half way may be in both. */
static void check_inbox(struct view *v, struct view *away, const struct deeds *k, const char *where)
{
	const struct view_state *s = view_state(v);

	claim(!k->uidvalidity || s->uidvalidity == k->uidvalidity, "another UIDVALIDITY");
	claim(s->uidnext >= k->uidnext, "UIDNEXT went back");
	claim(s->highestmodseq >= k->highestmodseq, "HIGHESTMODSEQ went back");
	for (int i = 0; i < DEEDS_TEXTS; i++) {
		uint32_t uid, there;
		unsigned n = count_of(v, deeds_text(i), &uid), moved = away ? count_of(away, deeds_text(i), &there) : 0;
		bool left = (i == 1 && k->tried_expunge) || (i == MOVED && k->tried_move);

		if (i == OF_THIRD)
			continue;
		claim(!k->added[i] || left || n + moved > 0, "a message is lost");
		claim(!k->added[i] || i == LAST || (n <= 1 && moved <= 1), "a message is there twice");
		claim(!k->added[i] || i == LAST || !k->away || !n, "a message is back in the renamed INBOX");
		claim(!uid || !k->uid[i] || !k->added[i] || i == LAST || uid == k->uid[i], "a message has another UID");
	}
	claim(!k->expunged || !uid_in(v, away, 1), "an expunged message is back");
	claim(!k->moved || !uid_in(v, away, MOVED), "a moved message is back");
}

static void check_flags(struct view *v, struct view *away, const struct deeds *k, const char *where)
{
	bool here = !away || view_seq(v, k->uid[0]);
	uint32_t uid = here ? k->uid[0] : uid_with(away, deeds_text(0));
	struct view *at = here ? v : away;

	claim(!k->flagged || flags_of(at, uid).system & MAIL_FLAGGED, "a flag is lost");
	claim(!k->keyword || has_keyword(at, uid, "$K"), "a keyword is lost");
}

/* A move that failed half way leaves it in one place at least. */
static void check_other(struct house *h, struct view *v, struct view *away, const struct deeds *k, const char *where)
{
	struct view *other = NULL;

	if (try_view(h, "Other", false, &other))
		claim(!k->copied && !k->moved && !k->identified, "a mailbox is lost");
	claim(!k->identified || view_state(other)->uidnext >= NEXT_UID, "UIDNEXT went back from where it was set");
	claim(!k->identified || memcmp(view_state(other)->guid, new_guid, 16) == 0, "a GUID is lost");
	claim(!k->copied || uid_with(other, deeds_text(0)), "a copy is lost");
	claim(!k->moved || uid_with(other, deeds_text(MOVED)), "a moved message is lost");
	if (k->tried_move && k->added[MOVED])
		claim(uid_in(v, away, MOVED) || (other && uid_with(other, deeds_text(MOVED))), "a message is lost in a move");
	view_close(&other);
}

static bool is_subscribed(struct house *h, const char *name)
{
	struct folder *f = NULL;
	struct errtext t;
	size_t n = 0;

	assert_int_equal(acct_folders(h->a, h->ar, &f, &n, &t), ERR_OK);
	for (size_t i = 0; i < n; i++)
		if (strcmp(f[i].name, name) == 0)
			return f[i].flags & FOLDER_SUBSCRIBED;
	return false;
}

static void check_folders(struct house *h, const struct deeds *k, const char *where)
{
	struct view *third = NULL, *fourth = NULL;
	bool old, new;

	old = !try_view(h, "Third", false, &third);
	new = !try_view(h, "Fourth", false, &fourth);
	claim(!k->renamed || (new && !old), "a mailbox is not renamed");
	if (k->added[OF_THIRD]) {
		uint32_t uid = old ? uid_with(third, deeds_text(OF_THIRD)) : 0;

		uid = !uid && new ? uid_with(fourth, deeds_text(OF_THIRD)) : uid;
		claim(uid && (!k->uid[OF_THIRD] || uid == k->uid[OF_THIRD]), "a renamed mailbox lost its message, or the UID");
	}
	view_close(&third);
	view_close(&fourth);
	claim(!k->subscribed || is_subscribed(h, "Third") || is_subscribed(h, "Fourth"), "a subscription is lost");
	claim(!k->deleted || try_view(h, "Fifth", false, &third), "a deleted mailbox is back");
}

void deeds_check(struct house *h, const struct deeds *k, const char *where, bool without_index)
{
	struct view *v = NULL, *away = NULL;

	if (try_view(h, "INBOX", false, &v))
		fail_msg("%s: INBOX cannot be opened", where);
	claim(!try_view(h, "Archive", false, &away) || !k->away, "the mailbox with INBOX's messages is lost");
	check_inbox(v, away, k, where);
	if (!without_index || k->written)
		check_flags(v, away, k, where);
	check_other(h, v, away, k, where);
	check_folders(h, k, where);
	view_close(&v);
	view_close(&away);
}
