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

/* Below a share, and of no user who shares? It is nobody else's either. */
static bool in_share(const struct acct *a, struct span name, size_t prefix)
{
	for (size_t i = 0; i < a->config->shares; i++) {
		struct span of = span_str(a->config->share[i].prefix);

		if (of.n && prefix <= of.n && prefix_matches(name, of))
			return true;
	}
	return false;
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
	e = sharer_space(a, name, &n.space, t);
	if (e)
		return e;
	if (n.space && n.space->ns->foreign_inbox && name.n <= strlen(n.space->ns->prefix)) {
		memcpy(n.storage, "INBOX", 6);
		*n_r = n;
		return ERR_OK;
	}
	n.space = space_of(a, name, &prefix);
	if (in_share(a, name, prefix))
		return err_say(t, ERR_NOTFOUND, "Nobody of this name shares mailboxes");
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
	if (s->ns->foreign_inbox && strcmp(storage, "INBOX") == 0) {
		buf_add_span(out, span_cut(span_str(s->ns->prefix), 0, strlen(s->ns->prefix) - 1));
		return;
	}
	buf_add_str(out, s->ns->prefix);
	at = out->n;
	buf_add_str(out, storage);
	for (; !out->failed && at < out->n; at++)
		if (out->p[at] == s->ns->ops->separator)
			out->p[at] = s->sep;
}

/* A sharer's name ends with a byte that no name has. */
static const char END_OF_SHARER = 1;

size_t name_index_head(const struct space *s)
{
	return 1 + (s->sharer ? strlen(s->sharer) + 1 : 0);
}

struct span name_index(const struct space *s, const char *storage, char *out)
{
	size_t head = name_index_head(s), n = strlen(storage);

	out[0] = (char)s->number;
	if (s->sharer) {
		memcpy(out + 1, s->sharer, head - 2);
		out[head - 1] = END_OF_SHARER;
	}
	memcpy(out + head, storage, n);
	return span_of(out, head + n);
}

struct space *name_of_index(const struct shelf *shelf, const char *name, const char **storage_r)
{
	struct acct *a = shelf->acct;
	size_t share = UINT8_MAX - (unsigned char)name[0];
	const char *end = strchr(name + 1, END_OF_SHARER);
	struct space *s;

	*storage_r = name + 1;
	for (size_t i = 0; i < a->spaces; i++)
		if (a->space[i].shelf == shelf && a->space[i].number == (unsigned char)name[0] && !a->space[i].twin &&
		    !a->space[i].share)
			return &a->space[i];
	if (share >= a->config->shares || !end)
		return NULL;
	*storage_r = end + 1;
	if (sharer_of(a, &a->config->share[share], span_of(name + 1, (size_t)(end - name - 1)), &s, NULL))
		return NULL;
	return s->shelf == shelf ? s : NULL;
}

static struct space *subscriptions_of(struct acct *a, struct span name, size_t *prefix_r)
{
	struct space *best = NULL;

	for (size_t i = 0; i < a->spaces; i++) {
		struct span prefix = span_str(a->space[i].ns->prefix);

		if (!a->space[i].ns->subscriptions || !prefix_matches(name, prefix) || (best && prefix.n < *prefix_r))
			continue;
		best = &a->space[i];
		*prefix_r = prefix.n;
	}
	return best;
}

/* The name of a mailbox in another namespace's file: as clients call it, another user's INBOX by that name, too. */
static enum err foreign_subscription(struct acct *a, struct span name, const struct space *whose, struct name *n_r,
				     struct errtext *t)
{
	bool inbox = whose && whose->ns->foreign_inbox && strcmp(n_r->storage, "INBOX") == 0;
	char sep[2] = { whose ? whose->sep : '\0', '\0' };
	size_t prefix = 0;
	enum err e = ERR_OK;

	n_r->space = subscriptions_of(a, name, &prefix);
	if (!n_r->space)
		return err_say(t, ERR_CANNOT, "No namespace keeps subscriptions for this name");
	if (inbox)
		name = span_cut(span_str(whose->ns->prefix), 0, strlen(whose->ns->prefix) - 1);
	name = span_from(name, prefix);
	for (size_t i = 0; !e && i < name.n; i++)
		if ((unsigned char)name.p[i] < 0x20 || (unsigned char)name.p[i] >= 0x7f)
			e = err_say(t, ERR_CANNOT, "A mailbox name is printable ASCII (modified UTF-7)");
	if (!e && name.n + 7 > NAME_MAX_STORAGE)
		e = err_say(t, ERR_CANNOT, "Mailbox name too long");
	if (!e)
		snprintf(n_r->storage, sizeof(n_r->storage), "%.*s%s%s", (int)name.n, name.p, inbox ? sep : "",
			 inbox ? "INBOX" : "");
	return e;
}

enum err name_subscription(struct acct *a, const char *client, struct name *n_r, struct errtext *t)
{
	struct span name = span_str(client);
	enum err e = name_resolve(a, client, n_r, t);

	/* Also of somebody who shares nothing anymore. */
	if (e ? !in_share(a, name, 0) : n_r->space->ns->subscriptions)
		return e;
	if (!e && name.n > 1 && name.p[name.n - 1] == n_r->space->sep)
		name.n--;
	return foreign_subscription(a, name, e ? NULL : n_r->space, n_r, t);
}

void name_subscribed(struct acct *a, const struct space *s, const char *stored, struct buf *out)
{
	struct name n;

	/* No name of s's own has the separator of clients where the store has another. */
	if (s->sep == s->ns->ops->separator || !strchr(stored, s->sep)) {
		name_client(s, stored, out);
	} else {
		buf_add_str(out, s->ns->prefix);
		buf_add_str(out, stored);
	}
	if (sharer_space(a, buf_span(out), &n.space, NULL) || !n.space || name_resolve(a, buf_cstr(out), &n, NULL))
		return;
	buf_clear(out);
	name_client(n.space, n.storage, out);
}
