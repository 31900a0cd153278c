/* save: a message that comes along in pieces. */
#include "room.h"

#include "base/must.h"

struct saving {
	struct append *append; /* own */
	bool ended;
};

static void saving_drop(void *state)
{
	struct saving *s = state;

	append_free(&s->append);
}

static enum err save_start(struct jobs *j, struct errtext *t)
{
	struct saving *s = job_state(j, sizeof(*s), saving_drop);
	const char *given = j->option['m'] ? j->option['m'] : "INBOX", *name = job_name(j, span_str(given));
	enum err e = s ? ERR_OK : ERR_MEMORY;

	if (!name)
		return err_say(t, ERR_CANNOT, "nothing was done");
	if (!e && j->dry)
		e = acct_exists(j->cfg.acct, name, t);
	else if (!e)
		e = append_begin(j->cfg.acct, name, &s->append, t);
	if (!e && !j->dry)
		e = append_start(s->append, 0, 0, NULL, 0, 0, t);
	if (e == ERR_NOTFOUND)
		return err_say(t, e, "Failed to open mailbox %s: Mailbox doesn't exist: %s", given, given);
	return e;
}

/* "=LENGTH\n": a piece begins; that of length 0 is the end. */
static enum err read_head(struct jobs *j, struct span in, size_t *used_r, struct errtext *t)
{
	size_t eol = span_find(in, '\n');
	struct span n = span_cut(in, 1, eol == SIZE_MAX ? 0 : eol - 1);

	if (in.p[0] != '=' || eol == 0 || !span_u64(n, &j->data_left) || j->data_left > APPEND_MOST)
		return err_say(t, ERR_PROTO, "The message came broken");
	j->data_end = j->data_left == 0;
	*used_r = eol + 1;
	return ERR_OK;
}

enum err job_take_data(struct jobs *j, struct append *to, struct errtext *t)
{
	struct span in = stream_input(j->io);
	enum err e = ERR_OK;
	size_t used = 0;

	while (!e && in.n && !j->data_end && (j->data_left || span_find(in, '\n') != SIZE_MAX)) {
		if (j->data_left) {
			struct span piece = span_cut(in, 0, j->data_left < SIZE_MAX ? (size_t)j->data_left : SIZE_MAX);

			e = to ? append_write(to, piece, t) : ERR_OK;
			j->data_left -= piece.n;
			used = piece.n;
		} else {
			e = read_head(j, in, &used, t);
		}
		if (e != ERR_PROTO)
			stream_consume(j->io, used);
		in = stream_input(j->io);
	}
	return e;
}

static enum step save_step(struct jobs *j)
{
	struct saving *s = j->state;
	struct errtext t = { "" };
	enum err e = j->data_end ? ERR_OK : job_take_data(j, s->append, &t);
	enum step step = STEP_DONE;

	if (!e && !j->data_end)
		return job_want_input(j);
	if (!e && s->append && !s->ended) {
		e = append_end(s->append, &t);
		s->ended = true;
	}
	if (!e && s->append)
		step = append_finish(s->append, true, &e, &t);
	if (step == STEP_DONE && e)
		job_fail(j, e, &t, "Saving failed");
	return step;
}

const struct job_row job_rows_save[] = {
	{ .name = "save", .start = save_start, .step = save_step },
	{ 0 },
};
