/* LMTP command lines: every span lies in the line, every reply is one, accepted paths obey their limits. */
#include "base/must.h"
#include "wire/line.h"
#include "wire/lmtp_cmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct span part, struct span line)
{
	must(part.n == 0 || (part.p >= line.p && part.p + part.n <= line.p + line.n));
}

static void one(struct span line)
{
	struct lmtp_command cmd;
	const char *reply = lmtp_parse(line, &cmd);

	within(cmd.arg, line);
	within(cmd.orcpt, line);
	if (reply) {
		must(reply[0] == '5' && reply[3] == ' ');
		return;
	}
	if (cmd.verb != LMTP_MAIL && cmd.verb != LMTP_RCPT)
		return;
	within(cmd.path.text, line);
	within(cmd.path.domain, line);
	must(cmd.path.local_n <= LMTP_LOCAL_MAX && cmd.path.domain.n <= LMTP_DOMAIN_MAX);
	must(strlen(cmd.path.local) == cmd.path.local_n);
	must((cmd.path.text.n == 0) == (cmd.path.local_n == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), line;
	struct line_reader r;
	size_t used;

	line_init(&r, LMTP_LINE_MAX, false);
	while (in.n > 0) {
		if (line_feed(&r, span_cut(in, 0, 7), &used, &line) == LINE_READY)
			one(line);
		in = span_from(in, used);
	}
	line_free(&r);
	return 0;
}
