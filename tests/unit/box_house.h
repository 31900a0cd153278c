/*
 * A user's account for tests of box, over the RAM store or a Maildir in a directory of its own. Every call
 * asserts that it succeeds unless it returns an enum err.
 */
#ifndef TESTS_UNIT_BOX_HOUSE_H
#define TESTS_UNIT_BOX_HOUSE_H

#include "box/acct.h"
#include "box/query.h"
#include "box/view.h"

#include "tests/unit/test.h"

struct house {
	char dir[128];         /* own: removed at the end */
	char mail[160], index[160], inbox[160]; /* the last: the file of an mbox */
	struct acct_ns ns;
	struct acct_config config;
	struct acct *a;
	struct arena *ar;
};

void house_begin(struct house *h, const struct store_ops *ops);
void house_prepare(struct house *h, const struct store_ops *ops); /* without opening it */
void house_end(struct house *h);
/* A test's row: over the RAM store and over a Maildir, or over that alone; h is its house. */
#define OVER_MAILDIR(t, h) cmocka_unit_test_prestate_setup_teardown(t, house_maildir, house_leave, &(h))
#define OVER_BOTH(t, h) cmocka_unit_test_prestate_setup_teardown(t, house_memory, house_leave, &(h)), OVER_MAILDIR(t, h)
int house_memory(void **state);
int house_maildir(void **state);
int house_leave(void **state);
/* Closes and opens the account, as another process would; with without_index the index directory goes in between. */
void house_again(struct house *h, bool without_index);
void house_open(struct house *h);
void house_close(struct house *h);
void house_work(struct house *h); /* until nothing is owed */
/* As if the last change of the Maildir's INBOX had been a day ago: a scan can then trust what it sees. */
void house_settle(struct house *h);
/* As if it was changed this very moment, however slow the machine: a scan proves nothing until it is settled. */
void house_stir(struct house *h);
void remove_tree(const char *path);

/* Appends (number: for the UID) one message; text as it comes. */
uint32_t house_append(struct house *h, const char *name, const char *text, uint8_t flags, const char *keyword);
enum err try_append(struct house *h, const char *name, const char *text, uint32_t *uid_r);
/* As LMTP would: into the arrivals, UIDs not asked for. */
enum err try_deliver(struct house *h, const char *name, const char *text);
void house_deliver(struct house *h, const char *name, const char *text);

struct view *house_view(struct house *h, const char *name, bool readonly); /* opened, refreshed, updated once */
enum err try_view(struct house *h, const char *name, bool readonly, struct view **v_r);
enum err try_refresh(struct view *v, bool force);
void view_look(struct view *v); /* refresh by force */
/* Update; what it says. The caller frees with view_changes_free. */
struct view_changes view_news(struct house *h, struct view *v, bool expunge);
/* Update with expunge, forgetting what it says. */
void view_quiet(struct house *h, struct view *v);

struct mail_flags flags_of(struct view *v, uint32_t uid); /* without MAIL_RECENT */
bool is_recent(struct view *v, uint32_t uid);
bool has_keyword(struct view *v, uint32_t uid, const char *name);
enum err try_store(struct view *v, uint32_t uid, enum view_store_mode mode, uint8_t flags, const char *keyword);
void view_flag(struct view *v, uint32_t uid, enum view_store_mode mode, uint8_t flags, const char *keyword);
enum err try_expunge(struct view *v);
enum err try_copy(struct view *v, uint32_t first, uint32_t last, const char *dest, bool move, struct view_copy *job_r);
/* The whole message in CRLF form; static buffer. */
const char *text_of(struct view *v, uint32_t uid);

/* Files of the Maildir: how many in DIR/new or DIR/cur; the name of the one that contains part (static), or NULL. */
unsigned count_files(const char *dir);
const char *find_file(const char *dir, const char *part);
void put_file(const char *path, const char *text);

#endif
