/* LMTP command lines: verb, then what each verb allows, then ESMTP parameters. */
#include "wire/lmtp_cmd.h"
#include "base/must.h"

static const char bad_args[] = "501 5.5.4 Invalid arguments";
static const char no_args[] = "501 5.5.4 This command takes no arguments";
static const char bad_param[] = "555 5.5.4 Unsupported parameter";

static bool is_printable(char c)
{
	return c > 0x20 && c < 0x7f;
}

static bool is_atext(char c)
{
	return ascii_isalpha(c) || ascii_isdigit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool domain_valid(struct span d)
{
	if (d.n == 0 || d.n > LMTP_DOMAIN_MAX)
		return false;
	if (d.p[0] == '[') { /* address literal: what is in it is the MTA's matter */
		for (size_t i = 1; i + 1 < d.n; i++) {
			if (!is_printable(d.p[i]) || strchr("[]\\<>\"", d.p[i]))
				return false;
		}
		return d.n > 2 && d.p[d.n - 1] == ']';
	}
	for (size_t i = 0; i < d.n; i++) {
		bool dot = d.p[i] == '.';

		if (!dot && !ascii_isalpha(d.p[i]) && !ascii_isdigit(d.p[i]) && d.p[i] != '-' && d.p[i] != '_')
			return false;
		if (dot && (i == 0 || d.p[i - 1] == '.'))
			return false;
	}
	return d.p[d.n - 1] != '.';
}

static bool local_put(struct lmtp_path *path, char c)
{
	if (path->local_n >= LMTP_LOCAL_MAX)
		return false;
	path->local[path->local_n++] = c;
	path->local[path->local_n] = '\0';
	return true;
}

/* "..." at the front of *rest. */
static bool local_quoted(struct span *rest, struct lmtp_path *path)
{
	for (size_t i = 1; i < rest->n; i++) {
		char c = rest->p[i];

		if (c == '"') {
			*rest = span_from(*rest, i + 1);
			return true;
		}
		if (c == '\\' && ++i < rest->n)
			c = rest->p[i];
		if (i >= rest->n || !(is_printable(c) || c == ' ') || !local_put(path, c))
			return false;
	}
	return false;
}

/* Dots are taken where they stand ("a..b", ".a"): such addresses exist and harm nobody. */
static bool local_plain(struct span *rest, struct lmtp_path *path)
{
	size_t i = 0;

	while (i < rest->n && (is_atext(rest->p[i]) || rest->p[i] == '.')) {
		if (!local_put(path, rest->p[i++]))
			return false;
	}
	*rest = span_from(*rest, i);
	return i > 0;
}

static bool drop_route(struct span *text)
{
	size_t colon;

	if (text->n == 0 || text->p[0] != '@')
		return true;
	colon = span_find(*text, ':');
	if (colon == SIZE_MAX)
		return false;
	*text = span_from(*text, colon + 1);
	return text->n > 0;
}

bool lmtp_path_parse(struct span text, struct lmtp_path *path_r)
{
	struct span rest;

	path_r->local[0] = '\0';
	path_r->local_n = 0;
	path_r->domain = span_of(NULL, 0);
	if (!drop_route(&text))
		return false;
	path_r->text = rest = text;
	if (text.n == 0)
		return true;
	if (!(text.p[0] == '"' ? local_quoted(&rest, path_r) : local_plain(&rest, path_r)))
		return false;
	if (path_r->local_n == 0)
		return false;
	if (rest.n == 0)
		return true;
	path_r->domain = span_from(rest, 1);
	return rest.p[0] == '@' && domain_valid(path_r->domain);
}

/* Where the bracketed path at the front of s ends: the index of '>' outside of quotes. */
static size_t closing_bracket(struct span s)
{
	bool quoted = false;

	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\' && quoted)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == '>' && !quoted)
			return i;
	}
	return SIZE_MAX;
}

/* "FROM:" or "TO:", then the path; *args is left at the parameters. */
static bool take_path(struct span *args, const char *keyword, struct lmtp_path *path)
{
	struct span kw = span_str(keyword), s;
	size_t end;

	if (!span_istarts(*args, kw))
		return false;
	s = span_from(*args, kw.n);
	while (s.n > 0 && s.p[0] == ' ')
		s = span_from(s, 1);
	if (s.n > 0 && s.p[0] == '<') {
		end = closing_bracket(s);
		if (end == SIZE_MAX || !lmtp_path_parse(span_cut(s, 1, end - 1), path))
			return false;
		end++;
	} else {
		end = span_find(s, ' ');
		if (!lmtp_path_parse(span_cut(s, 0, end), path) || path->text.n == 0)
			return false;
	}
	s = span_from(s, end);
	if (s.n > 0 && s.p[0] != ' ')
		return false;
	*args = span_trim(s);
	return true;
}

static const char *mail_param(struct span key, struct span value, struct lmtp_command *cmd)
{
	if (span_ieq_str(key, "SIZE")) {
		if (cmd->has_size || !span_u64(value, &cmd->size))
			return "501 5.5.4 Invalid SIZE";
		cmd->has_size = true;
		return NULL;
	}
	if (span_ieq_str(key, "BODY")) {
		if (span_ieq_str(value, "8BITMIME"))
			cmd->body = LMTP_BODY_8BITMIME;
		else if (!span_ieq_str(value, "7BIT"))
			return "501 5.5.4 Unsupported BODY";
		return NULL;
	}
	if (span_ieq_str(key, "AUTH") || span_ieq_str(key, "RET") || span_ieq_str(key, "ENVID"))
		return NULL; /* said out of habit by relays; they change nothing in a final delivery */
	return bad_param;
}

static const char *rcpt_param(struct span key, struct span value, struct lmtp_command *cmd)
{
	if (span_ieq_str(key, "ORCPT")) {
		cmd->orcpt = value;
		return NULL;
	}
	return span_ieq_str(key, "NOTIFY") ? NULL : bad_param;
}

static const char *params(struct span args, struct lmtp_command *cmd,
			  const char *(*param)(struct span, struct span, struct lmtp_command *))
{
	struct span word;

	while (span_split(&args, ' ', &word)) {
		size_t eq = span_find(word, '=');
		const char *bad;

		if (word.n == 0)
			continue;
		bad = param(span_cut(word, 0, eq), eq == SIZE_MAX ? span_of(NULL, 0) : span_from(word, eq + 1), cmd);
		if (bad)
			return bad;
	}
	return NULL;
}

static const char *on_mail(struct span args, struct lmtp_command *cmd)
{
	if (!take_path(&args, "FROM:", &cmd->path))
		return "501 5.1.7 Bad sender address syntax";
	return params(args, cmd, mail_param);
}

static const char *on_rcpt(struct span args, struct lmtp_command *cmd)
{
	if (!take_path(&args, "TO:", &cmd->path) || cmd->path.text.n == 0)
		return "501 5.1.3 Bad recipient address syntax";
	return params(args, cmd, rcpt_param);
}

/* RFC 2033 4.1: the name is required; what it is is not judged, but it must be harmless in a header line. */
static const char *on_lhlo(struct span args, struct lmtp_command *cmd)
{
	if (args.n == 0 || args.n > LMTP_DOMAIN_MAX)
		return bad_args;
	for (size_t i = 0; i < args.n; i++) {
		if (!is_printable(args.p[i]) || strchr("()<>\"\\,;", args.p[i]))
			return bad_args;
	}
	cmd->arg = args;
	return NULL;
}

static const char *on_text(struct span args, struct lmtp_command *cmd)
{
	cmd->arg = args;
	return NULL;
}

static const char *on_text_needed(struct span args, struct lmtp_command *cmd)
{
	cmd->arg = args;
	return args.n > 0 ? NULL : bad_args;
}

static const char *on_nothing(struct span args, struct lmtp_command *cmd)
{
	return args.n == 0 ? NULL : no_args;
}

static const struct {
	const char *name;
	enum lmtp_verb verb;
	const char *(*parse)(struct span args, struct lmtp_command *cmd);
} verbs[] = {
	{ "LHLO", LMTP_LHLO, on_lhlo },
	{ "MAIL", LMTP_MAIL, on_mail },
	{ "RCPT", LMTP_RCPT, on_rcpt },
	{ "DATA", LMTP_DATA, on_nothing },
	{ "RSET", LMTP_RSET, on_nothing },
	{ "QUIT", LMTP_QUIT, on_nothing },
	{ "NOOP", LMTP_NOOP, on_text },
	{ "STARTTLS", LMTP_STARTTLS, on_nothing },
	{ "VRFY", LMTP_VRFY, on_text_needed },
	{ "EXPN", LMTP_EXPN, on_text },
	{ "HELP", LMTP_HELP, on_text },
	{ "HELO", LMTP_HELO, on_text },
	{ "EHLO", LMTP_HELO, on_text },
};

const char *lmtp_parse(struct span line, struct lmtp_command *cmd_r)
{
	size_t space = span_find(line, ' ');
	struct span verb = span_cut(line, 0, space);
	struct span args = space == SIZE_MAX ? span_of(NULL, 0) : span_trim(span_from(line, space + 1));

	memset(cmd_r, 0, sizeof(*cmd_r));
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (!span_ieq_str(verb, verbs[i].name))
			continue;
		cmd_r->verb = verbs[i].verb;
		return verbs[i].parse(args, cmd_r);
	}
	return NULL;
}
