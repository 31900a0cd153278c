/* What a client may send in an exchange: first byte the mechanism, then steps with a length byte
 * each. */
#include "base/must.h"
#include "src/auth/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool check(void *ctx, struct span user, struct span password)
{
	unsigned *calls = ctx;

	must(++*calls == 1);
	must(span_find(user, '\0') == SIZE_MAX);
	return span_eq(user, SPAN("u")) && span_eq(password, SPAN("p"));
}

static bool take(struct span *rest, struct span *step)
{
	size_t len;

	if (rest->n == 0)
		return false;
	len = (unsigned char)*rest->p;
	*step = span_cut(*rest, 1, len);
	*rest = span_from(*rest, 1 + step->n);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static bool ready;
	struct span rest = span_of(data, n), step = SPAN(""), out;
	enum exchange_state state;
	struct exchange *x;
	unsigned calls = 0;
	bool has;

	if (!ready)
		must(exchange_init(NULL) == ERR_OK);
	ready = true;
	if (n < 2)
		return 0;
	must(exchange_new(data[0] & 1 ? SPAN("PLAIN") : SPAN("LOGIN"), "imap", check, &calls, &x,
			  NULL) == ERR_OK);
	rest = span_from(rest, 1);
	has = (data[0] & 2) && take(&rest, &step);
	state = exchange_start(x, has, step, &out);
	while (state == EXCHANGE_MORE && take(&rest, &step))
		state = exchange_step(x, step, &out);
	must(state != EXCHANGE_OK || calls == 1);
	exchange_free(&x);
	return 0;
}
