/*
 * Hearing of mailboxes that are not selected, and of the list of folders: what NOTIFY (RFC 5465) rests on.
 *
 * Nothing is polled and nothing costs anything while nothing happens. Changes made in this process are told at once, out of
 * whatever made them; those of other programs out of the loop, as far as the process lends watches (acct_watcher).
 * All callbacks only schedule: no function of box may be called from them.
 */
#ifndef BOX_HEED_H
#define BOX_HEED_H

#include "box/acct.h"

/* --- one mailbox's messages --------------------------------------------------------- */

struct heed;

/*
 * fn(ctx, found): something may have changed in the mailbox; acct_status tells what. found: it is not the doing of
 * whoever acts at this moment, who has come upon it at most. The mailbox need not exist (then only what this process
 * does can be told). acct_heed gives NULL: not a possible name.
 */
typedef void heed_fn(void *ctx, bool found);
struct heed *acct_heed(struct acct *a, const char *name, heed_fn *fn, void *ctx);
bool heed_watched(const struct heed *h); /* false: other programs' changes are not told; ask from time to time */
void acct_unheed(struct heed **h);       /* NULL allowed */

/* --- the folders -------------------------------------------------------------------- */

enum folder_news_kind { NEWS_CREATED, NEWS_DELETED, NEWS_RENAMED, NEWS_SUBSCRIBED, NEWS_UNSUBSCRIBED };

/* Client names, valid during the call. Of a folder that is renamed with all below it only the uppermost is told. */
struct folder_news {
	enum folder_news_kind kind;
	const char *name;
	const char *old; /* RENAMED: what it was called */
};

struct folder_heed;

/* fn(ctx, NULL): another program may have changed something: acct_folders_look will tell. */
typedef void folder_heed_fn(void *ctx, const struct folder_news *news);

enum err acct_folders_heed(struct acct *a, folder_heed_fn *fn, void *ctx, struct folder_heed **h_r, struct errtext *t);
bool folder_heed_watched(const struct folder_heed *h); /* as heed_watched */
void acct_folders_unheed(struct folder_heed **h);      /* NULL allowed */

/* Compares the folders with what was known of them, when they may have changed (always: force), and tells all who listen. */
enum err acct_folders_look(struct acct *a, bool force, struct errtext *t);

#endif
