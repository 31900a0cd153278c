#include "names.h"
#include "base/utf8.h"
#include "conf/expand.h"

#include <arpa/inet.h>

static enum err check_char(const char *allowed, unsigned char c, struct errtext *t)
{
	if (c < 0x20 || c == 0x7f)
		return err_say(t, ERR_SYNTAX, "control character 0x%02x in the user name", c);
	if (*allowed && !strchr(allowed, c))
		return err_say(t, ERR_SYNTAX, "character 0x%02x is not in auth_username_chars", c);
	return ERR_OK;
}

static char translate(const char *pairs, char c)
{
	for (; pairs[0] && pairs[1]; pairs += 2)
		if (pairs[0] == c)
			return pairs[1];
	return c;
}

/* The name with realm, checked and translated character by character. */
static enum err clean(const struct conf *c, struct span given, struct buf *out, struct errtext *t)
{
	const char *allowed = conf_str(c, CONF_AUTH_USERNAME_CHARS);
	const char *pairs = conf_str(c, CONF_AUTH_USERNAME_TRANSLATION);
	const char *realm = conf_str(c, CONF_AUTH_DEFAULT_REALM);

	if (given.n == 0 || given.n > USER_GIVEN_MAX)
		return err_say(t, ERR_SYNTAX, "the user name is %s",
			       given.n ? "too long" : "empty");
	if (!utf8_valid(given))
		return err_say(t, ERR_SYNTAX, "the user name is not UTF-8");
	for (size_t i = 0; i < given.n; i++) {
		enum err e = check_char(allowed, (unsigned char)given.p[i], t);

		if (e)
			return e;
		buf_add_char(out, translate(pairs, given.p[i]));
	}
	if (*realm && span_find(buf_span(out), '@') == SIZE_MAX)
		buf_printf(out, "@%s", realm);
	return ERR_OK;
}

enum err name_normalise(const struct conf *c, struct span given, struct buf *out, struct errtext *t)
{
	struct expand_var vars[EXPAND_USER_VARS];
	const char *format = conf_str(c, CONF_AUTH_USERNAME_FORMAT);
	size_t before = out->n;
	struct buf name;
	enum err e;

	buf_init(&name, 1000);
	e = clean(c, given, &name, t);
	if (!e) {
		expand_user(vars, buf_span(&name), SPAN(""));
		e = expand(*format ? format : "%u", vars, out, t);
	}
	if (!e && out->n == before)
		e = err_say(t, ERR_SYNTAX, "auth_username_format makes the user name empty");
	buf_free(&name);
	return e;
}

/* ---- networks ---- */

struct address {
	unsigned char b[16];
	unsigned bits;
};

/* IPv4 lies in IPv6 as ::ffff:a.b.c.d, so that one comparison serves both. */
static bool read_address(struct span s, struct address *a)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char v4[4];

	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET6, text, a->b) == 1) {
		a->bits = 128;
		return true;
	}
	if (inet_pton(AF_INET, text, v4) != 1)
		return false;
	memset(a->b, 0, 10);
	memset(a->b + 10, 0xff, 2);
	memcpy(a->b + 12, v4, 4);
	a->bits = 32;
	return true;
}

static bool read_net(struct span s, struct address *a)
{
	size_t slash = span_find(s, '/');
	unsigned width;
	uint32_t bits;

	if (!read_address(slash == SIZE_MAX ? s : span_cut(s, 0, slash), a))
		return false;
	width = a->bits;
	if (slash != SIZE_MAX) {
		if (!span_u32(span_from(s, slash + 1), &bits) || bits > width)
			return false;
		a->bits = bits;
	}
	a->bits += 128 - width;
	return true;
}

static bool within(const struct address *ip, const struct address *net)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (memcmp(ip->b, net->b, whole) != 0)
		return false;
	return rest == 0 || ((ip->b[whole] ^ net->b[whole]) >> (8 - rest)) == 0;
}

bool nets_allow(const char *nets, const char *rip)
{
	struct span rest = span_str(nets), word;
	struct address ip, net;
	bool known = read_address(span_str(rip), &ip);

	while (span_split(&rest, ',', &word)) {
		word = span_trim(word);
		if (!known && span_eq_str(word, "local"))
			return true;
		if (known && read_net(word, &net) && within(&ip, &net))
			return true;
	}
	return false;
}
