#include "args.h"
#include "modules.h"
#include "names.h"

#include "wire/imap_name.h"
#include "wire/imap_set.h"

bool imap_args_end(struct imap_cmd *c, const struct imap_arg *a)
{
	if (!a)
		return true;
	imap_bad(c, "Too many arguments.");
	return false;
}

const struct acct_ns *imap_args_namespace(const struct imap_session *s, struct span name)
{
	const struct acct_config *cfg = acct_config_of(s->cfg.acct);
	const struct acct_ns *best = NULL;

	for (size_t i = 0; i < cfg->namespaces; i++) {
		const struct acct_ns *ns = &cfg->ns[i];
		struct span prefix = span_str(ns->prefix);

		if (span_starts(name, prefix) && (!best || prefix.n > strlen(best->prefix)))
			best = ns;
	}
	return best ? best : &cfg->ns[0];
}

char imap_args_separator(const struct imap_session *s, struct span name)
{
	const struct acct_config *cfg = acct_config_of(s->cfg.acct);
	const struct acct_ns *ns = imap_args_namespace(s, name);

	for (size_t i = 0; i < cfg->shares; i++)
		if (span_starts(name, span_str(cfg->share[i].prefix)) && strlen(cfg->share[i].prefix) > strlen(ns->prefix))
			return cfg->share[i].separator;
	return ns->separator ? ns->separator : ns->ops->separator;
}

bool imap_args_mailbox(struct imap_cmd *c, const struct imap_arg **a, bool strict, const char **name_r)
{
	struct errtext t = { "" };
	const char *name;
	struct span s;
	enum err e;

	if (!imap_arg_astring(*a, &s)) {
		imap_bad(c, "Invalid or missing mailbox name.");
		return false;
	}
	*a = (*a)->next;
	if (memchr(s.p ? s.p : "", '\0', s.n)) {
		imap_bad(c, "Mailbox name holds a NUL.");
		return false;
	}
	e = imap_name_heard(c, s, strict, &name, &t);
	if (!e) {
		s = span_str(name);
		if (s.n > 1 && s.p[s.n - 1] == imap_args_separator(c->s, s))
			s.n--;
		*name_r = imap_name_is_inbox(s) ? "INBOX" : s.n < strlen(name) ? arena_span(c->arena, s) : name;
		e = *name_r ? ERR_OK : ERR_MEMORY;
	}
	if (e)
		imap_fail(c, e, t.text);
	return !e;
}

static void free_set(void *arg)
{
	set_free(arg);
}

bool imap_args_own_set(struct imap_cmd *c, struct set *s)
{
	if (arena_cleanup(c->arena, free_set, s))
		return true;
	set_free(s);
	imap_fail(c, ERR_MEMORY, NULL);
	return false;
}

/* Numbers are checked against what the client has been told, which is what the view holds. */
static bool take_seqs(struct imap_cmd *c, struct span text, struct set *uids_r)
{
	struct view *v = c->s->view;
	uint32_t exists = view_state(v)->exists;
	struct set seqs = SET_EMPTY;
	bool ok = imap_set_parse(text, exists, &seqs) && set_max(&seqs) <= exists;

	if (ok)
		view_seqs_to_uids(v, &seqs, uids_r);
	set_free(&seqs);
	return ok;
}

static bool take_uids(struct imap_cmd *c, struct span text, struct set *uids_r)
{
	const struct set *have = view_uids(c->s->view);

	if (!imap_set_parse(text, set_max(have), uids_r))
		return false;
	set_intersect(uids_r, have);
	return true;
}

/* "$": UIDs all the same. Those that are gone have left the view. */
static bool take_saved(struct imap_cmd *c, struct span text, struct set *uids_r)
{
	set_copy(uids_r, &c->s->saved);
	set_intersect(uids_r, view_uids(c->s->view));
	return true;
}

bool imap_args_set(struct imap_cmd *c, const struct imap_arg **a, struct set *uids_r)
{
	struct span text;
	bool ok = imap_arg_atom(*a, &text) &&
		  (span_eq_str(text, "$")	  ? take_saved
		   : c->row->flags & IMAP_CMD_UID ? take_uids
						  : take_seqs)(c, text, uids_r);

	if (!ok) {
		set_free(uids_r);
		imap_bad(c, c->row->flags & IMAP_CMD_UID ? "Invalid uidset." : "Invalid messageset.");
		return false;
	}
	*a = (*a)->next;
	return imap_args_own_set(c, uids_r);
}

bool imap_args_flags(struct imap_cmd *c, const struct imap_arg *a, uint8_t *system_r,
		     const char *const **keywords_r, size_t *n_r)
{
	struct imap_flags f;
	struct errtext why;
	const char **names;
	enum err e = imap_arg_flags(a, c->arena, &f, &why);

	if (e) {
		imap_fail(c, e, why.text);
		return false;
	}
	names = arena_array(c->arena, f.count + 1, sizeof(*names));
	for (uint32_t i = 0; names && i < f.count; i++) {
		if (f.keywords[i].n > c->s->cfg.settings.keyword_max) {
			imap_fail(c, ERR_LIMIT, "Keyword is too long.");
			return false;
		}
		names[i] = arena_span(c->arena, f.keywords[i]);
		if (!names[i])
			names = NULL;
	}
	if (!names) {
		imap_fail(c, ERR_MEMORY, NULL);
		return false;
	}
	*system_r = f.system;
	*keywords_r = names;
	*n_r = f.count;
	return true;
}

bool imap_args_modifiers(struct imap_cmd *c, const struct imap_arg *list, enum imap_modifier_of of,
			 void *state)
{
	const struct imap_arg *a;

	if (!imap_arg_list(list, &a)) {
		imap_bad(c, "Invalid parameters.");
		return false;
	}
	while (a) {
		struct span name;
		const struct imap_modifier *m =
			imap_arg_atom(a, &name) ? imap_modifier_find(c->s, name, of) : NULL;
		enum err e;

		if (!m) {
			imap_bad(c, "Unknown parameter.");
			return false;
		}
		a = a->next;
		e = m->parse(c, state, &a);
		if (e) {
			if (!c->cond)
				imap_fail(c, e, NULL);
			return false;
		}
	}
	return true;
}
