/* The trace headers of a delivery. */
#include "trace.h"

#include <time.h>

/* s without control bytes and line ends: it stands in a header. */
static void add_clean(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f)
			buf_add_char(out, s.p[i]);
}

static void add_path(struct buf *out, struct span path)
{
	buf_add_char(out, '<');
	add_clean(out, path);
	buf_add_char(out, '>');
}

/* RFC 5322 section 3.3, in the server's zone. */
static void add_date(struct buf *out, int64_t now)
{
	static const char day[] = "SunMonTueWedThuFriSat";
	static const char month[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)now;
	struct tm tm;
	localtime_r(&seconds, &tm);
	long zone = tm.tm_gmtoff / 60;
	buf_printf(out, "%.3s, %02d %.3s %d %02d:%02d:%02d %c%02ld%02ld",
		   day + (size_t)tm.tm_wday * 3, tm.tm_mday, month + (size_t)tm.tm_mon * 3,
		   tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, zone < 0 ? '-' : '+',
		   labs(zone) / 60, labs(zone) % 60);
}

static void add_received(const struct trace *t, struct buf *out)
{
	buf_add_str(out, "Received: from ");
	add_clean(out, t->lhlo);
	if (t->rip.n > 0) {
		buf_add_str(out, " ([");
		add_clean(out, t->rip);
		buf_add_str(out, "])");
	}
	buf_printf(out, "\n\tby %s with ", t->hostname);
	add_clean(out, t->with);
	buf_printf(out, "\n\tid %s\n\t(envelope-from ", t->id);
	add_path(out, t->sender);
	buf_add_str(out, ")\n\tfor ");
	add_path(out, t->recipient);
	buf_add_str(out, "; ");
	add_date(out, t->now);
	buf_add_char(out, '\n');
}

void trace_write(const struct trace *t, struct buf *out)
{
	buf_add_str(out, "Return-Path: ");
	add_path(out, t->sender);
	buf_add_char(out, '\n');
	if (t->delivered_to.n > 0) {
		buf_add_str(out, "Delivered-To: ");
		add_clean(out, t->delivered_to);
		buf_add_char(out, '\n');
	}
	if (t->received)
		add_received(t, out);
}
