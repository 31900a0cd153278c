/* What goes to the client: untagged lines and continuations, gathered in the stream's output buffer. */
#include "core.h"
#include "wire/imap_write.h"

#include <stdarg.h>

struct buf *imap_out(struct imap_session *s)
{
	return stream_out(s->stream);
}

bool imap_out_full(const struct imap_session *s)
{
	return stream_full(s->stream);
}

/* "* " text CRLF. Only for our own words and for what a wire writer has spelled. */
void imap_untagged(struct imap_session *s, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	stream_printf(s->stream, "* %s\r\n", line);
}

void imap_continue(struct imap_session *s, const char *text)
{
	stream_printf(s->stream, "+ %s\r\n", text);
	stream_flush(s->stream);
}
