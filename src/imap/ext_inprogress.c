/*
 * INPROGRESS (RFC 9585): a long command says now and then how far it is. Called by the dispatcher
 * at the end of each time slice; quick commands never see that. Commands set c->done and c->goal
 * where they know them, and c->midway while a response of theirs is only half written.
 */
#include "core.h"

#include "wire/imap_write.h"

/* ("tag" 17 100), with NIL for what is not known. */
static void write_details(const struct imap_cmd *c, struct buf *code)
{
	uint64_t done = c->goal && c->done >= c->goal ? c->goal - 1 : c->done;

	buf_add_str(code, "INPROGRESS (");
	if (span_find(c->tag, ']') == SIZE_MAX)
		imap_write_string(code, c->tag);
	else
		buf_add_str(code, "NIL");
	buf_add_char(code, ' ');
	if (c->goal || done)
		buf_add_u64(code, done);
	else
		buf_add_str(code, "NIL");
	buf_add_char(code, ' ');
	if (c->goal)
		buf_add_u64(code, c->goal);
	else
		buf_add_str(code, "NIL");
	buf_add_char(code, ')');
}

void imap_progress(struct imap_cmd *c)
{
	struct imap_session *s = c->s;
	uint64_t now = loop_now(s->cfg.loop);
	struct buf code;

	if (c->midway || s->listening || now - c->noted_ms < s->cfg.settings.progress_ms)
		return;
	c->noted_ms = now;
	buf_init(&code, IMAP_LINE_MAX);
	write_details(c, &code);
	imap_write_status(imap_out(s), (struct span){ NULL, 0 }, "OK", buf_cstr(&code),
			  "Still working on this.");
	stream_push(s->stream);
	buf_free(&code);
}

static const struct imap_capability capabilities[] = {
	{ "INPROGRESS", NULL },
	{ 0 },
};

const struct imap_module imap_ext_inprogress = {
	.name = "inprogress",
	.capabilities = capabilities,
};
