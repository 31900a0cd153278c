/*
 * A threading at work: thread.c walks the messages and leads, learnt.c keeps what it learns of each, links.c builds the tree
 * of references (RFC 5256 REFERENCES, steps 1 to 3), subjects.c joins what only the subject joins (step 5, and
 * ORDEREDSUBJECT).
 *
 * Nodes are those of the forest, from 1: a message's, or a dummy's (message NOBODY). The final tree is thread_node.up,
 * siblings in the order in which messages stand in thread_run.sort: so no set of siblings is ever sorted by itself.
 */
#ifndef BOX_THREAD_ROOM_H
#define BOX_THREAD_ROOM_H

#include "box/thread.h"
#include "forest.h"
#include "intern.h"
#include "msort.h"
#include "room.h"

enum {
	THREAD_NODES_MAX = 4 << 20,
	THREAD_TEXT_MAX = 256 << 20,
	THREAD_REFS_MAX = 16 << 20, /* references of all messages */
};

#define NOBODY UINT32_MAX

struct thread_message {
	uint32_t uid, node;
	int64_t date;          /* sent (RFC 5256 section 2.2) */
	uint32_t subject;      /* in subjects; NOBODY: empty */
	bool reply;            /* or forward, by its subject */
};

struct thread_node {
	uint32_t message;           /* index, or NOBODY */
	uint32_t up;                /* parent in the final tree; 0: at the top */
	uint32_t first, last, next; /* children, siblings */
	uint32_t children;
	bool seen;
};

/* What a message says of itself. */
struct thread_input {
	uint32_t uid;
	uint32_t id;            /* in ids; NOBODY: none */
	uint32_t subject;       /* in subjects; NOBODY: empty */
	uint32_t ref, refs;     /* what it refers to: so many ids from this place in thread_learnt.ref on */
	bool reply;
	int64_t date;
};

struct thread_learnt {
	const struct space *space;      /* of which mailbox this is */
	char *name;                     /* own: storage name */
	uint32_t uidvalidity;
	struct intern ids, subjects;
	struct thread_input *in;        /* own: by uid, once sorted */
	size_t n, cap;
	uint32_t *ref;                  /* own: ids */
	size_t refs, refs_cap;
	uint64_t used;                  /* clock_ms of the last run */
};

struct thread_run {
	struct view *v;
	enum thread_algorithm how;
	struct set uids;                /* own: what is threaded */
	bool lacking;                   /* some message could not be read: nothing is kept */
	struct thread_learnt *l;        /* own, while it is here */
	size_t at;                      /* in l->in */
	struct view_walk *w;            /* own, while messages are taken */
	struct message *msg;            /* own, while it is being unpacked for its header */
	struct thread_message *message; /* own */
	size_t n;
	struct forest forest;
	struct thread_node *node;       /* own: by forest number */
	size_t nodes_cap;
	uint32_t *node_of;              /* own: by number of the id; 0: none yet */
	uint32_t *reference;            /* own: nodes that the message under way refers to */
	struct buf headers, text, fold; /* own: scratch */
	struct msort sort;
	int phase;
	uint32_t top_first, top_last;   /* the nodes at the top */
	struct thread_item *item;       /* own: the result */
	size_t items;
};

/* --- kept.c --- */

bool thread_kept_find(struct thread_run *r); /* the result of a run like this one: it is r's now */
void thread_kept_put(const struct thread_run *r);

/* --- learnt.c --- */

struct thread_learnt *thread_learnt_take(const struct view *v);         /* what is known of the mailbox, if only its name */
void thread_learnt_put(struct acct *a, struct thread_learnt **l);       /* for the next run; consumes it */
void thread_learnt_free(struct thread_learnt **l);                      /* NULL allowed */
void thread_learnt_sort(struct thread_learnt *l);
void learnt_rest(struct acct *a);                                       /* forgets much of it */

/* --- links.c --- */

uint32_t thread_node_new(struct thread_run *r, uint32_t message);
/* The ids of a message's fields (empty: absent) into in. ERR_LIMIT. */
enum err thread_learn(struct thread_run *r, struct thread_input *in, struct span id, struct span references,
		      struct span in_reply_to);
/* The message of index i, linked as steps 1.A and 1.B say. */
enum err thread_link(struct thread_run *r, uint32_t i, const struct thread_input *in);
void thread_prune(struct thread_run *r); /* step 3: fills in the final tree */

/* --- subjects.c --- */

void thread_by_subject(struct thread_run *r);     /* ORDEREDSUBJECT */
void thread_merge_subjects(struct thread_run *r); /* step 5 */

#endif
