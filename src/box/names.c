/* Client names and storage names: prefixes, separators, INBOX in any case. */
#include "room.h"

/* Does the client name begin with the prefix? Its INBOX part, if any, in any case. */
static bool prefix_matches(struct span name, struct span prefix)
{
	size_t inbox = span_istarts(prefix, SPAN("INBOX")) ? 5 : 0;

	return name.n > prefix.n &&
	       span_istarts(name, span_cut(prefix, 0, inbox)) &&
	       span_starts(span_from(name, inbox), span_from(prefix, inbox));
}

static struct space *space_of(struct acct *a, struct span name, size_t *prefix_r)
{
	struct space *best = NULL;

	for (size_t i = 0; i < a->spaces; i++) {
		struct span prefix = span_str(a->space[i].ns->prefix);

		if (!prefix_matches(name, prefix) || (best && prefix.n < *prefix_r))
			continue;
		best = &a->space[i];
		*prefix_r = prefix.n;
	}
	return best;
}

static struct space *space_inbox(struct acct *a)
{
	for (size_t i = 0; i < a->spaces; i++)
		if (a->space[i].ns->inbox)
			return &a->space[i];
	return &a->space[0];
}

/* One byte of a level. */
static enum err byte_possible(const struct store_ops *ops, char c, struct errtext *t)
{
	if ((unsigned char)c < 0x20 || (unsigned char)c >= 0x7f)
		return err_say(t, ERR_CANNOT, "A mailbox name is printable ASCII (modified UTF-7)");
	if (c == ops->separator || (ops->bad_chars && strchr(ops->bad_chars, c)))
		return err_say(t, ERR_CANNOT, "Mailbox names cannot contain '%c' here", c);
	return ERR_OK;
}

static enum err translate(const struct space *s, struct span rest, char *out, struct errtext *t)
{
	const struct store_ops *ops = s->ns->ops;

	if (rest.n >= NAME_MAX_STORAGE)
		return err_say(t, ERR_CANNOT, "Mailbox name too long");
	for (size_t i = 0; i < rest.n; i++) {
		enum err e = rest.p[i] == s->sep ? ERR_OK : byte_possible(ops, rest.p[i], t);

		if (e)
			return e;
		out[i] = rest.p[i];
		if (out[i] == s->sep)
			out[i] = ops->separator;
	}
	out[rest.n] = '\0';
	if (rest.n >= 5 && span_ieq(span_cut(rest, 0, 5), SPAN("INBOX")) && (rest.n == 5 || rest.p[5] == s->sep))
		memcpy(out, "INBOX", 5);
	return ERR_OK;
}

enum err name_resolve(struct acct *a, const char *client, struct name *n_r, struct errtext *t)
{
	struct span name = span_str(client);
	struct name n;
	size_t prefix = 0;
	enum err e;

	if (span_ieq(name, SPAN("INBOX"))) {
		n.space = space_inbox(a);
		memcpy(n.storage, "INBOX", 6);
		*n_r = n;
		return ERR_OK;
	}
	n.space = space_of(a, name, &prefix);
	if (!n.space)
		return err_say(t, ERR_CANNOT, "No namespace holds such a name");
	name = span_from(name, prefix);
	if (name.n > 1 && name.p[name.n - 1] == n.space->sep)
		name.n--;
	e = translate(n.space, name, n.storage, t);
	if (e)
		return e;
	if (n.space->ns->inbox && prefix > 0 && strcmp(n.storage, "INBOX") == 0)
		return err_say(t, ERR_CANNOT, "The inbox is called INBOX");
	if (!store_name_valid(n.space->ns->ops, n.storage))
		return err_say(t, ERR_CANNOT, "Not a possible mailbox name");
	if (n.space->twin)
		n.space = n.space->twin;
	*n_r = n;
	return ERR_OK;
}

bool name_is_inbox(const struct name *n)
{
	return n->space->ns->inbox && strcmp(n->storage, "INBOX") == 0;
}

void name_client(const struct space *s, const char *storage, struct buf *out)
{
	size_t at;

	if (s->ns->inbox && strcmp(storage, "INBOX") == 0) {
		buf_add_str(out, "INBOX");
		return;
	}
	buf_add_str(out, s->ns->prefix);
	at = out->n;
	buf_add_str(out, storage);
	for (; !out->failed && at < out->n; at++)
		if (out->p[at] == s->ns->ops->separator)
			out->p[at] = s->sep;
}

struct span name_index(const struct space *s, const char *storage, char *out)
{
	size_t n = strlen(storage);

	out[0] = (char)s->number;
	memcpy(out + 1, storage, n);
	return span_of(out, n + 1);
}

enum err name_subscription(struct acct *a, const char *client, struct name *n_r, struct errtext *t)
{
	struct span name = span_str(client);
	struct space *best = NULL;
	size_t best_n = 0;
	enum err e = name_resolve(a, client, n_r, t);

	if (e || n_r->space->ns->subscriptions)
		return e;
	for (size_t i = 0; i < a->spaces; i++) {
		struct span prefix = span_str(a->space[i].ns->prefix);

		if (!a->space[i].ns->subscriptions || !prefix_matches(name, prefix) || (best && prefix.n < best_n))
			continue;
		best = &a->space[i];
		best_n = prefix.n;
	}
	if (!best)
		return err_say(t, ERR_CANNOT, "No namespace keeps subscriptions for this name");
	n_r->space = best;
	return translate(best, span_from(name, best_n), n_r->storage, t);
}
