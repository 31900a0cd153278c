/*
 * APPEND (RFC 3501 section 6.3.11). The message goes from the stream to the staged file in pieces
 * as they come; it is refused before the client sends it where that can be known. Several messages
 * in one command are taken all or none (RFC 3502), APPENDUID is always told (RFC 4315).
 */
#include "append.h"
#include "args.h"

#include "mime/date.h"
#include "wire/imap_write.h"

static void append_drop(void *arg)
{
	struct imap_append *ap = arg;

	append_free(&ap->p);
}

static struct imap_append *append_state(struct imap_cmd *c)
{
	struct imap_append *ap = c->state;

	if (ap)
		return ap;
	ap = imap_cmd_state(c, sizeof(*ap));
	if (!ap || arena_cleanup(c->arena, append_drop, ap))
		return ap;
	imap_fail(c, ERR_MEMORY, NULL);
	return NULL;
}

/* What stands in front of the literal: [flags] [date-time]. */
struct message_args {
	uint8_t system;
	const char *const *keywords;
	size_t keywords_n;
	int64_t date;
};

static bool message_args(struct imap_cmd *c, const struct imap_arg *a, struct message_args *m)
{
	struct mime_date d;
	struct span text;

	if (a && a->type == IMAP_ARG_LIST) {
		struct imap_arg flags = *a;

		flags.next = NULL; /* what follows is no flag */
		if (!imap_args_flags(c, &flags, &m->system, &m->keywords, &m->keywords_n))
			return false;
		a = a->next;
	}
	if (imap_arg_string(a, &text)) {
		if (!mime_date_parse_imap(text, &d)) {
			imap_bad(c, "Invalid date-time.");
			return false;
		}
		m->date = d.utc;
		a = a->next;
	}
	return imap_args_end(c, a);
}

static enum step refuse(struct imap_cmd *c, enum err e, struct errtext *t)
{
	if (e == ERR_NOTFOUND)
		return imap_no(c, "TRYCREATE", "Mailbox doesn't exist.");
	return imap_fail(c, e, t->text);
}

/* Checks the arguments so far and opens the stage. STEP_WAITING: the folder is locked. Answered when it is refused. */
static enum step open_message(struct imap_cmd *c, struct imap_append *ap, uint64_t size)
{
	uint64_t max = c->s->cfg.settings.append_max;
	const struct imap_arg *a = c->args;
	struct message_args m = { 0 };
	struct errtext t = { "" };
	enum err e = ERR_OK;

	if (!imap_args_mailbox(c, &a, false, &ap->name))
		return STEP_DONE;
	if (!message_args(c, ap->last ? ap->last->next : a, &m))
		return STEP_DONE;
	if (!size)
		return imap_no(c, NULL, "Can't append an empty message.");
	if (max && size > max)
		return imap_no(c, "TOOBIG", "Message is too large.");
	if (!ap->p)
		e = append_begin(c->s->cfg.acct, ap->name, &ap->p, &t);
	if (!e)
		e = append_start(ap->p, size, m.system, m.keywords, m.keywords_n, m.date, &t);
	if (e == ERR_INUSE)
		return STEP_WAITING;
	return e ? refuse(c, e, &t) : STEP_DONE;
}

/* Binary content that lines of text cannot carry (RFC 3516 section 4.4). */
static void check_binary(struct imap_append *ap, struct span in)
{
	imap_binary_watch(&ap->binary, in);
	if (!ap->err && imap_binary_lossy(&ap->binary))
		ap->err = err_say(&ap->text, ERR_CTE, "Binary content cannot be stored here.");
}

/* The bytes that are there; STEP_DONE when the literal is complete. After an error they are dropped. */
static enum step take_bytes(struct imap_cmd *c, struct imap_append *ap)
{
	while (ap->left) {
		struct span in = stream_input(c->s->stream);

		if (!in.n)
			return STEP_INPUT;
		if (in.n > ap->left)
			in.n = (size_t)ap->left;
		if (ap->literal8)
			check_binary(ap, in);
		if (!ap->err)
			ap->err = append_write(ap->p, in, &ap->text);
		stream_consume(c->s->stream, in.n);
		ap->left -= in.n;
		if (ap->left && imap_slice_over(c))
			return STEP_SLICE;
	}
	if (!ap->err)
		ap->err = append_end(ap->p, &ap->text);
	return STEP_DONE;
}

static const struct imap_arg *last_arg(const struct imap_arg *a)
{
	while (a && a->next)
		a = a->next;
	return a;
}

static enum step append_literal(struct imap_cmd *c)
{
	struct imap_append *ap = append_state(c);
	struct imap_literal lit = imap_lex_literal(c->s->lex);
	enum step step;

	if (ap && !ap->taking) {
		step = ap->err ? refuse(c, ap->err, &ap->text) : open_message(c, ap, lit.size);
		if (step != STEP_DONE)
			return step;
	}
	if (c->cond) {
		imap_lex_skip(c->s->lex);
		return STEP_DONE;
	}
	if (!ap->taking) {
		ap->taking = true;
		ap->left = lit.size;
		ap->literal8 = lit.literal8;
		ap->binary = (struct imap_binary){ .n = 0 };
		if (lit.sync)
			imap_continue(c->s, "OK");
	}
	step = take_bytes(c, ap);
	if (step != STEP_DONE)
		return step;
	ap->taking = false;
	ap->messages++;
	if (imap_lex_taken(c->s->lex))
		ap->last = last_arg(imap_lex_command(c->s->lex)->args);
	if (ap->last && !ap->last->streamed)
		ap->err = err_say(&ap->text, ERR_SYNTAX, "Message literal in a list.");
	return STEP_DONE;
}

static enum step append_step(struct imap_cmd *c)
{
	struct imap_append *ap = c->state;
	const struct set *uids;
	struct errtext t = { "" };
	enum err e = ERR_OK;
	enum step step = append_finish(ap->p, true, &e, &t);
	struct buf code;

	if (step != STEP_DONE)
		return step;
	if (e)
		return refuse(c, e, &t);
	c->s->stats.append += ap->messages;
	imap_session_busy(c->s);
	uids = append_uids(ap->p);
	buf_init(&code, 1 << 20);
	buf_printf(&code, "APPENDUID %u ", append_uidvalidity(ap->p));
	imap_write_set(&code, uids);
	imap_ok(c, code.failed ? NULL : arena_span(c->arena, buf_span(&code)), "Append completed.");
	buf_free(&code);
	return STEP_DONE;
}

static enum step append_start_cmd(struct imap_cmd *c)
{
	struct imap_append *ap = c->state;

	if (!ap || !ap->last || ap->last->next)
		return imap_bad(c, "Message literal is missing or not the last argument.");
	if (ap->err)
		return refuse(c, ap->err, &ap->text);
	c->step = append_step;
	return append_step(c);
}

static const struct imap_command_row commands[] = {
	{ "APPEND", IMAP_ANY, IMAP_CMD_STREAM, append_start_cmd, append_literal },
	{ 0 },
};

const struct imap_module imap_appending = {
	.name = "append",
	.commands = commands,
};
