/*
 * A command at work: its arguments, its answer, and the mailboxes it goes through.
 *
 * A row's start reads the arguments and says which columns come; step is called until STEP_DONE. A command that goes
 * through mailboxes has no step of its own but mailbox, called until STEP_DONE for each, with its view (j->v) and the
 * messages that match (j->uids). What must be freed is registered with j->arena.
 */
#ifndef JOBS_ROOM_H
#define JOBS_ROOM_H

#include "base/buf.h"
#include "base/step.h"
#include "box/view.h"
#include "io/stream.h"
#include "ipc/mailcmd.h"
#include "jobs/jobs.h"

enum {
	JOB_ARENA = 256 << 20, /* folders of the account, a query, a state */
	JOB_SLICE_US = 4000,
};

struct job_row;
struct query_run;

struct jobs {
	struct jobs_config cfg;
	struct stream *io;       /* own */
	struct loop_timer timer;
	struct arena *arena;     /* own */
	const struct mailcmd *cmd;
	const struct job_row *row; /* NULL: nothing asked yet */
	struct span *arg;        /* arena */
	size_t args;
	const char *option[128]; /* arena: by letter; "" for one without a value; NULL: not given */
	bool dry;
	int status;              /* enum mailcmd_status: the first that is not OK */
	bool over;
	bool data_end;           /* the message has come to its end */
	uint64_t data_left;      /* of the piece under way */
	uint64_t heard;          /* bytes of input that there were when the command last wanted more */
	uint64_t told_ms;        /* when progress was told last */
	uint64_t end_us;         /* of the slice */
	void *state;             /* the command's own */

	/* The mailboxes: folders.c */
	struct acct *acct;       /* borrowed: cfg.acct, or whence import takes them */
	struct folder *folder;   /* arena */
	size_t folders, at;
	bool *chosen;            /* arena: by folder */
	const struct span *query; /* NULL: all messages */
	size_t query_n;
	bool writes;             /* views may change flags */
	enum { BOX_NONE, BOX_BEFORE, BOX_OPENING, BOX_SEARCHING, BOX_READY } phase;
	unsigned reopened;       /* how often the one under way was, because it was there and was not */
	struct view *v;          /* own */
	struct query_run *run;   /* own */
	struct arena *box_arena; /* own: of the mailbox under way */
	struct set uids;         /* own: what matches */
	const char *name;        /* of the mailbox under way, UTF-8; box_arena */
	void *box_state;         /* the command's own for this mailbox: box_arena; NULL at first */
};

struct job_row {
	const char *name;
	enum err (*start)(struct jobs *j, struct errtext *t);
	enum step (*step)(struct jobs *j);
	enum step (*before)(struct jobs *j);  /* before a mailbox is opened; may be NULL */
	enum step (*mailbox)(struct jobs *j);
	enum step (*last)(struct jobs *j); /* after the last mailbox; may be NULL */
	bool looks;                        /* for those who have not moved here: makes nothing */
};

extern const struct job_row job_rows_mailbox[], job_rows_fetch[], job_rows_change[], job_rows_save[], job_rows_import[],
	job_rows_relay[], job_rows_index[], job_rows_dump[];

/* --- session.c: saying things --- */

void job_columns(struct jobs *j, const char *const *name, const unsigned *flags, size_t n);
/* A row: begin, cells, end. A long cell: job_cell_begin, job_cell_add in pieces. */
void job_row_begin(struct jobs *j);
void job_cell(struct jobs *j, struct span text);
void job_cell_str(struct jobs *j, const char *text);
void job_cell_u64(struct jobs *j, uint64_t n);
void job_cell_begin(struct jobs *j);
void job_cell_add(struct jobs *j, struct span piece);
void job_row_end(struct jobs *j);
void job_warn(struct jobs *j, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "what: why", with the status that fits. */
void job_fail(struct jobs *j, enum err e, const struct errtext *t, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int job_status(enum err e);
/* Twice a second at most, unless it is the end of something. */
void job_progress(struct jobs *j, uint64_t done, uint64_t goal, const char *what);
bool job_slice_over(const struct jobs *j); /* or the output is full */
enum step job_yield(const struct jobs *j); /* what to return then */
enum step job_want_input(struct jobs *j);  /* what to return when more must come than there is */
/* Frees with the arena. NULL when memory is short: the caller fails (job_short, when there is no other way to say so). */
void *job_state(struct jobs *j, size_t size, void (*drop)(void *state));
void *job_box_state(struct jobs *j, size_t size, void (*drop)(void *state));
enum step job_short(struct jobs *j); /* tells that the mailbox under way is passed over; STEP_DONE */

/* --- folders.c: going through mailboxes --- */

/* Those that a mask matches, or all when there is none. A name without a wildcard must exist, if strict. */
enum err job_choose_masks(struct jobs *j, const struct span *mask, size_t n, bool strict, struct errtext *t);
/* Those where the query may be true. bound: it must say in every branch which mailbox, and which messages. */
enum err job_choose_query(struct jobs *j, const struct span *word, size_t n, bool bound, struct errtext *t);
enum step job_mailboxes(struct jobs *j); /* the step of commands that have none */
void job_box_close(struct jobs *j);
/* Client names of box are modified UTF-7; people's are UTF-8. NULL: not possible. */
const char *job_name_in(struct arena *a, struct span utf8);
/* A name that was given, in j->arena. NULL: told. */
const char *job_name(struct jobs *j, struct span utf8);
const char *job_name_out(struct arena *a, const char *mutf7);

/* --- fetch.c --- */

/* search's rows; also what a dry run says of the messages it leaves alone. */
void job_found_columns(struct jobs *j);
enum step job_found_mailbox(struct jobs *j);
void job_flags_write(const struct view_state *st, struct mail_flags flags, struct buf *out);

/* --- save.c --- */

/*
 * What has come of the message under way; j->data_end: all of it. to NULL: it is passed over. ERR_PROTO: it is no message;
 * after any other failure the rest can be passed over.
 */
enum err job_take_data(struct jobs *j, struct append *to, struct errtext *t);

/* --- import.c --- */

/* The mailbox below which others are made, a client name or "", and what stands between levels there. */
enum err job_parent(struct jobs *j, struct span utf8, const char **parent_r, char *separator_r, struct errtext *t);
/* The name below parent; theirs: what stands between the levels of name. NULL: memory. */
const char *job_name_below(struct arena *a, const char *parent, char separator, const char *name, char theirs);
enum err job_make_mailbox(struct jobs *j, const char *name, struct errtext *t); /* unless it is there; -s: subscribed to */
enum err job_location(struct jobs *j, const char *text, struct errtext *t); /* j->acct: the mail of a mail_location */
/* The keywords of flags; keyword: MAIL_KEYWORDS_MAX of them. */
size_t job_keywords(const struct view_state *st, struct mail_flags flags, const char **keyword);

/* --- refile.c --- */

enum { JOB_BATCH = VIEW_EXPUNGE_BATCH }; /* messages that are moved, flagged or removed at once */

/* "\\Seen foo": system flags and keywords. */
struct job_flags {
	uint8_t system;
	const char **keyword; /* arena */
	size_t keywords;
};
enum err job_flags_read(struct jobs *j, struct span text, struct job_flags *f_r, struct errtext *t);

#endif
