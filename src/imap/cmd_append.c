/*
 * APPEND (RFC 3501 section 6.3.11). The message goes from the stream to the staged file in pieces
 * as they come; it is refused before the client sends it where that can be known. Several messages
 * in one command are taken all or none (RFC 3502), APPENDUID is always told (RFC 4315).
 */
#include "append.h"
#include "args.h"
#include "modules.h"

#include "mime/date.h"
#include "wire/imap_write.h"

static void append_drop(void *arg)
{
	struct imap_append *ap = arg;

	append_free(&ap->p);
}

void *imap_append_state(struct imap_cmd *c, const struct imap_arg *mailbox, size_t size)
{
	struct imap_append *ap = c->state;

	if (ap)
		return ap;
	if (!mailbox) {
		imap_bad(c, "Mailbox name or message is missing.");
		return NULL;
	}
	ap = imap_cmd_state(c, size);
	if (!ap)
		return NULL;
	ap->mailbox = ap->last = mailbox;
	if (arena_cleanup(c->arena, append_drop, ap))
		return ap;
	imap_fail(c, ERR_MEMORY, NULL);
	return NULL;
}

static enum step refuse(struct imap_cmd *c, enum err e, struct errtext *t)
{
	if (e == ERR_NOTFOUND)
		return imap_no(c, "TRYCREATE", "Mailbox doesn't exist.");
	return imap_fail(c, e, t->text);
}

/* ---- the message's head ---- */

/* What stands in front of the bytes: [flags] [date-time]. */
struct message_args {
	uint8_t system;
	const char *const *keywords;
	size_t keywords_n;
	int64_t date;
};

/* *a is moved behind it. */
static bool message_args(struct imap_cmd *c, const struct imap_arg **a, struct message_args *m)
{
	struct mime_date d;
	struct span text;

	if (*a && (*a)->type == IMAP_ARG_LIST) {
		struct imap_arg flags = **a;

		flags.next = NULL; /* what follows is no flag */
		if (!imap_args_flags(c, &flags, &m->system, &m->keywords, &m->keywords_n))
			return false;
		*a = (*a)->next;
	}
	if (imap_arg_string(*a, &text)) {
		if (!mime_date_parse_imap(text, &d)) {
			imap_bad(c, "Invalid date-time.");
			return false;
		}
		m->date = d.utc;
		*a = (*a)->next;
	}
	return true;
}

/* Opens the stage. STEP_WAITING: the folder is locked. Answered when it is refused. */
static enum step open_message(struct imap_cmd *c, struct imap_append *ap, uint64_t size)
{
	const struct imap_arg *mailbox = ap->mailbox, *a = ap->last->next;
	struct message_args m = { 0 };
	struct errtext t = { "" };
	enum err e = ERR_OK;

	if (ap->single && ap->messages)
		return imap_bad(c, "One message only.");
	if (!ap->p && !imap_args_mailbox(c, &mailbox, false, &ap->name))
		return STEP_DONE;
	if (!message_args(c, &a, &m))
		return STEP_DONE;
	if (!ap->p)
		e = append_begin(c->s->cfg.acct, ap->name, &ap->p, &t);
	if (!e)
		e = append_start(ap->p, size, m.system, m.keywords, m.keywords_n, m.date, &t);
	if (e == ERR_INUSE)
		return STEP_WAITING;
	ap->open = !e;
	ap->size = 0;
	ap->plain = imap_header8_refused(c->s);
	ap->header = (struct imap_header8){ .body = false };
	return e ? refuse(c, e, &t) : STEP_DONE;
}

/* ---- bytes ---- */

enum step imap_append_more(struct imap_cmd *c, struct imap_append *ap, uint64_t n)
{
	uint64_t max = c->s->cfg.settings.append_max, had = ap->open ? ap->size : 0;
	enum step step = STEP_DONE;

	if (!max || max > APPEND_MOST)
		max = APPEND_MOST;
	if (n > max || had > max - n)
		return imap_no(c, "TOOBIG", "Message is too large.");
	if (!ap->open)
		step = open_message(c, ap, n);
	if (step == STEP_DONE && !c->cond)
		ap->size += n;
	return step;
}

/* RFC 9755 section 4. */
static void check_header(struct imap_append *ap, struct span in)
{
	imap_header8_watch(&ap->header, in);
	if (!ap->err && ap->header.found)
		ap->err = err_say(&ap->text, ERR_CANNOT, "8-bit octets in the header need ENABLE UTF8=ACCEPT.");
}

void imap_append_bytes(struct imap_append *ap, struct span bytes)
{
	if (ap->plain)
		check_header(ap, bytes);
	if (!ap->err)
		ap->err = append_write(ap->p, bytes, &ap->text);
}

static void message_end(struct imap_append *ap)
{
	if (!ap->err)
		ap->err = append_end(ap->p, &ap->text);
	ap->open = false;
	ap->messages++;
}

/* ---- arguments ---- */

/* Does a data item begin? What comes before it is only looked at. False: a literal is due, or c is answered. */
static bool item_begins(struct imap_cmd *c, struct imap_append *ap)
{
	const struct imap_arg *a = ap->last->next;
	struct message_args m;
	struct span name;

	if (!a || !message_args(c, &a, &m) || !a)
		return false;
	ap->item = imap_arg_atom(a, &name) ? imap_append_item_find(c->s, name) : NULL;
	ap->list = a->next;
	ap->part = NULL;
	if (ap->item && ap->list && ap->list->type == IMAP_ARG_LIST)
		return true;
	imap_bad(c, "Invalid arguments before the message.");
	return false;
}

static enum step item_ends(struct imap_cmd *c, struct imap_append *ap)
{
	if (ap->want || !ap->part)
		return imap_bad(c, "A part of the message is missing.");
	if (!ap->size)
		return imap_no(c, NULL, "Can't append an empty message.");
	message_end(ap);
	ap->last = ap->list;
	ap->item = NULL;
	return STEP_DONE;
}

/* Uses what is complete; level: the list that is not yet. STEP_DONE: all is used, or c is answered. */
static enum step use_arguments(struct imap_cmd *c, struct imap_append *ap, const struct imap_arg *level)
{
	while (!c->cond && !ap->err && (ap->item || item_begins(c, ap))) {
		enum step step = ap->item->parts(c, ap);

		if (step != STEP_DONE)
			return step;
		if (c->cond || ap->err || level == ap->list)
			break;
		item_ends(c, ap);
	}
	if (ap->err && !c->cond)
		refuse(c, ap->err, &ap->text);
	return STEP_DONE;
}

enum step imap_append_rest(struct imap_cmd *c, struct imap_append *ap)
{
	enum step step = use_arguments(c, ap, NULL);

	if (step == STEP_DONE && !c->cond && (!ap->messages || ap->last->next))
		imap_bad(c, "Message literal is missing or not the last argument.");
	return step;
}

/* ---- literals ---- */

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
		imap_append_bytes(ap, in);
		stream_consume(c->s->stream, in.n);
		ap->left -= in.n;
		if (ap->left && imap_slice_over(c))
			return STEP_SLICE;
	}
	return STEP_DONE;
}

/* What stands before it is used, the client is told to go on. Not taking then: it is collected, or c is answered. */
static enum step literal_begin(struct imap_cmd *c, struct imap_append *ap)
{
	struct imap_literal lit = imap_lex_literal(c->s->lex);
	const struct imap_arg *level = imap_lex_level(c->s->lex);
	enum step step = use_arguments(c, ap, level);

	if (step != STEP_DONE || c->cond)
		return step;
	if (ap->item && ap->want == IMAP_APPEND_ARGUMENT) {
		imap_lex_collect(c->s->lex);
		return STEP_DONE;
	}
	if (ap->item ? ap->want != IMAP_APPEND_BYTES : level != NULL)
		return imap_bad(c, "A literal has no place there.");
	if (!ap->item && !lit.size)
		return imap_no(c, NULL, "Can't append an empty message.");
	step = imap_append_more(c, ap, lit.size);
	if (step != STEP_DONE || c->cond)
		return step;
	ap->taking = true;
	ap->left = lit.size;
	ap->literal8 = lit.literal8;
	ap->binary = (struct imap_binary){ .n = 0 };
	if (lit.sync)
		imap_continue(c->s, "OK");
	return STEP_DONE;
}

static void literal_end(struct imap_cmd *c, struct imap_append *ap)
{
	ap->taking = false;
	if (!imap_lex_taken(c->s->lex) || ap->item)
		return;
	message_end(ap);
	while (ap->last->next)
		ap->last = ap->last->next;
}

enum step imap_append_literal(struct imap_cmd *c)
{
	struct imap_append *ap = c->state;
	enum step step = STEP_DONE;

	if (!c->cond && !ap->taking)
		step = literal_begin(c, ap);
	if (step != STEP_DONE)
		return step;
	if (c->cond) {
		imap_lex_skip(c->s->lex);
		return STEP_DONE;
	}
	if (!ap->taking)
		return STEP_DONE;
	step = take_bytes(c, ap);
	if (step == STEP_DONE)
		literal_end(c, ap);
	return step;
}

/* ---- the end ---- */

static char *appenduid(struct imap_cmd *c, const struct append *p)
{
	struct buf b;
	char *code;

	if (!append_uids(p)->n)
		return NULL;
	buf_init(&b, 1 << 20);
	buf_printf(&b, "APPENDUID %u ", append_uidvalidity(p));
	imap_write_set(&b, append_uids(p));
	code = b.failed ? NULL : arena_span(c->arena, buf_span(&b));
	buf_free(&b);
	return code;
}

enum step imap_append_commit(struct imap_cmd *c, struct imap_append *ap, const char **code_r)
{
	struct errtext t = { "" };
	enum err e = ERR_OK;
	enum step step = append_finish(ap->p, true, &e, &t);

	if (step != STEP_DONE)
		return step;
	if (e)
		return refuse(c, e, &t);
	c->s->stats.append += ap->messages;
	imap_session_busy(c->s);
	if (c->s->view && !strcmp(view_state(c->s->view)->name, ap->name))
		set_add_set(&c->s->own, append_uids(ap->p));
	*code_r = appenduid(c, ap->p);
	return STEP_DONE;
}

/* ---- APPEND ---- */

static enum step append_literal(struct imap_cmd *c)
{
	if (!c->cond)
		imap_append_state(c, c->args, sizeof(struct imap_append));
	return imap_append_literal(c);
}

static enum step append_step(struct imap_cmd *c)
{
	const char *code = NULL;
	enum step step = imap_append_commit(c, c->state, &code);

	if (step == STEP_DONE && !c->cond)
		imap_ok(c, code, "Append completed.");
	return step;
}

static enum step append_start_cmd(struct imap_cmd *c)
{
	struct imap_append *ap = imap_append_state(c, c->args, sizeof(*ap));
	enum step step = ap ? imap_append_rest(c, ap) : STEP_DONE;

	if (step != STEP_DONE || c->cond)
		return step;
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
