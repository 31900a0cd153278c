/* Session ids: unique over processes and time, short, printable. */
#include "base/base64.h"
#include "base/clock.h"
#include "base/must.h"
#include "login.h"

#include <sys/random.h>

/*
 *   0      7         12
 *   | time | random  |     microseconds since 1970, low byte first; sixteen base64 digits
 */
void session_id_make(char out[SESSION_ID_MAX])
{
	uint64_t now = clock_wall_us();
	unsigned char raw[12];
	struct buf b;

	for (size_t i = 0; i < 7; i++)
		raw[i] = (unsigned char)(now >> (8 * i));
	must(getrandom(raw + 7, 5, 0) == 5);
	buf_init(&b, SESSION_ID_MAX);
	base64_encode(span_of(raw, sizeof(raw)), &b);
	snprintf(out, SESSION_ID_MAX, "%s", buf_cstr(&b));
	buf_free(&b);
}
