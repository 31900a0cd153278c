/*
 * subscriptions of anybody: after subscribing a name is there, after unsubscribing it is not, and
 * the others stay.
 */
#include "src/store/subscriptions.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t count(struct span text, bool *has_r)
{
	int version = subs_begin(&text);
	struct span line;
	struct buf name;
	size_t n = 0;

	*has_r = false;
	buf_init(&name, 4096);
	while (span_split(&text, '\n', &line)) {
		if (line.n == 0 || !subs_name(line, version, '.', &name))
			continue;
		must(name.n > 0 && !memchr(name.p, '\0', name.n));
		if (span_eq_str(buf_span(&name), "some.where"))
			*has_r = true;
		else
			n++;
	}
	buf_free(&name);
	return n;
}

static void toggled(struct span text, bool on)
{
	struct buf out;
	bool had, has;
	size_t others = count(text, &had);

	buf_init(&out, 1 << 20);
	if (subs_rewrite(text, '.', "some.where", on, &out)) {
		must(had != on);
		must(count(buf_span(&out), &has) == others && has == on);
	} else {
		must(had == on);
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	toggled(span_of(data, n), true);
	toggled(span_of(data, n), false);
	return 0;
}
