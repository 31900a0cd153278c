/*
 * A packet of any bytes: first bytes choose what a handler reads from the rest. Nothing is read outside the
 * packet, strings have no NUL, and what was read whole writes to the same bytes again.
 */
#include "base/must.h"
#include "ipc/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_one(struct msg_in *m, unsigned what, struct msg *again)
{
	struct msg_conn conn;
	struct msg_user user;
	struct span s;
	char text[32], ticket[TICKET_SIZE];

	switch (what % 9) {
	case 0:
		msg_put_u8(again, msg_get_u8(m));
		break;
	case 1:
		msg_put_u16(again, msg_get_u16(m));
		break;
	case 2:
		msg_put_u64(again, msg_get_u64(m));
		break;
	case 3:
		msg_put_bool(again, msg_get_bool(m));
		break;
	case 4:
		s = msg_get_str(m, 1000);
		must(span_find(s, '\0') == SIZE_MAX && s.n <= 1000);
		msg_put_span(again, s);
		break;
	case 5:
		msg_get_cstr(m, text, sizeof(text));
		msg_put_str(again, text);
		break;
	case 6:
		msg_get_bytes(m, ticket, sizeof(ticket));
		msg_put_span(again, span_of(ticket, sizeof(ticket)));
		break;
	case 7:
		msg_get_conn(m, &conn);
		msg_put_conn(again, &conn);
		break;
	default:
		msg_get_user(m, &user);
		msg_put_user(again, &user);
		while (msg_extra_next(&user.extra, &s, &s))
			must(s.n <= MSG_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t steps = n < 4 ? n : 4;
	struct span packet = span_of(data + steps, n - steps);
	struct msg_in m;
	struct msg again;

	if (!msg_parse(packet, &m))
		return 0;
	msg_init(&again, m.type, m.id);
	for (size_t i = 0; i < steps; i++)
		read_one(&m, data[i], &again);
	must(!msg_end(&m) || span_eq(buf_span(&again.b), packet));
	msg_free(&again);
	return 0;
}
