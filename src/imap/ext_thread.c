/* THREAD and UID THREAD (RFC 5256), with THREAD=REFS. A search whose result box threads. */
#include "args.h"
#include "modules.h"
#include "search.h"

#include "box/thread.h"

struct thread {
	enum thread_algorithm how;
	struct thread_run *run; /* own */
	bool begun;
	size_t at; /* the item to be written next */
	struct set_ranks ranks; /* sequence numbers; begun only */
};

static const struct {
	const char *name;
	enum thread_algorithm how;
} algorithms[] = {
	{ "ORDEREDSUBJECT", THREAD_ORDEREDSUBJECT },
	{ "REFERENCES", THREAD_REFERENCES },
	{ "REFS", THREAD_REFS },
	{ NULL, 0 },
};

static void thread_free(void *arg)
{
	struct thread *th = arg;

	thread_end(&th->run);
	set_ranks_free(&th->ranks);
}

/* Closes what was opened from item i upwards, to below parent. */
static void close_to(struct buf *out, const struct thread_item *item, uint32_t i, uint32_t parent)
{
	for (; i != parent; i = item[i].parent)
		if (item[i].split)
			buf_add_char(out, ')');
}

/* One item: what stands before it is closed, then "(" or a blank, then its number. */
static void write_item(struct imap_search *s, const struct thread_item *item, uint32_t i)
{
	const struct thread *th = s->variant;
	struct buf *out = imap_out(s->c->s);
	bool real_parent = item[i].parent != UINT32_MAX && item[item[i].parent].uid;
	bool first_child = i > 0 && item[i].parent == i - 1;
	uint32_t uid = item[i].uid;

	if (i)
		close_to(out, item, i - 1, item[i].parent);
	else
		buf_add_char(out, ' ');
	if (first_child && real_parent)
		buf_add_char(out, ' ');
	if (item[i].split)
		buf_add_char(out, '(');
	if (uid)
		buf_add_u64(out, s->c->row->flags & IMAP_CMD_UID ? uid
								 : set_ranks_of(&th->ranks, uid) + 1);
}

static enum step write_threads(struct imap_search *s)
{
	struct imap_session *ses = s->c->s;
	struct thread *th = s->variant;
	const struct thread_item *item;
	size_t n;

	item = thread_result(th->run, &n);
	if (!th->begun) {
		buf_add_str(imap_out(ses), "* THREAD");
		set_ranks_init(&th->ranks, view_uids(ses->view));
	}
	th->begun = true;
	while (th->at < n) {
		write_item(s, item, (uint32_t)th->at++);
		if (th->at % 1024)
			continue;
		stream_push(ses->stream);
		if (imap_out_full(ses))
			return STEP_OUTPUT_FULL;
	}
	if (n)
		close_to(imap_out(ses), item, (uint32_t)n - 1, UINT32_MAX);
	buf_add_str(imap_out(ses), "\r\n");
	stream_push(ses->stream);
	return STEP_DONE;
}

static enum step thread_on(struct imap_search *s)
{
	struct thread *th = s->variant;
	struct errtext t = { "" };
	enum err e = ERR_OK;
	enum step step;

	if (!th->run)
		e = thread_start(s->c->s->view, &s->uids, th->how, &th->run, &t);
	if (e)
		return imap_fail(s->c, e, t.text);
	step = thread_step(th->run, &e, &t);
	if (step != STEP_DONE)
		return step;
	return e ? imap_fail(s->c, e, t.text) : STEP_DONE;
}

static bool read_algorithm(struct thread *th, const struct imap_arg **a)
{
	size_t i = 0;

	while (algorithms[i].name && !imap_arg_word(*a, algorithms[i].name))
		i++;
	if (!algorithms[i].name)
		return false;
	th->how = algorithms[i].how;
	*a = (*a)->next;
	return true;
}

static enum step thread_begin(struct imap_cmd *c)
{
	struct imap_search *s = imap_search_new(c);
	const struct imap_arg *a = c->args;
	struct thread *th;

	if (!s)
		return STEP_DONE;
	th = arena_alloc(c->arena, sizeof(*th));
	if (!th || !arena_cleanup(c->arena, thread_free, th))
		return imap_fail(c, ERR_MEMORY, NULL);
	if (!read_algorithm(th, &a))
		return imap_bad(c, "Unknown thread algorithm.");
	if (!imap_search_charset(s, &a, false))
		return STEP_DONE;
	s->variant = th;
	s->refine = thread_on;
	s->result = write_threads;
	s->done = "Thread completed.";
	return imap_search_run(s, a);
}

static const struct imap_capability capabilities[] = {
	{ "THREAD=REFERENCES", NULL },
	{ "THREAD=REFS", NULL },
	{ "THREAD=ORDEREDSUBJECT", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "THREAD", IMAP_SELECTED, IMAP_CMD_SEQUENCE, thread_begin, NULL },
	{ "UID THREAD", IMAP_SELECTED, IMAP_CMD_UID, thread_begin, NULL },
	{ 0 },
};

const struct imap_module imap_ext_thread = {
	.name = "thread",
	.capabilities = capabilities,
	.commands = commands,
};
