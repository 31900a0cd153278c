/*
 * Settings of one role as bytes.
 *
 *   "RCF1"  u32 fingerprint of the table  u32 role
 *   one value for each row that the role sees, in the order of enum conf_id
 *   u32 filters, each: u32 conditions, each: u32 kind, string; u32 values, each: u32 row, value; only such rows
 *   for worker:  u32 namespaces, each: string name, fields, u32 mailboxes, each: string name,
 * fields u32 plugin pairs, each: string key, string value for auth:    u32 passdbs, u32 userdbs,
 * each: string name, fields
 *
 *   value: number: u64 | string, file content: u32 length, bytes | words: u32 count, strings
 *   integers in the byte order of the machine: the file never leaves it
 */
#include "conf/export.h"
#include "filter.h"
#include "finish.h"
#include "value.h"
#include "base/must.h"

static const char magic[4] = { 'R', 'C', 'F', '1' };

/* FNV-1a over what a reader of another build would understand differently. */
static uint32_t fingerprint(void)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < CONF_N; i++) {
		const struct conf_row *row = &conf_rows[i];
		const char *texts[] = { row->name, row->words ? row->words : "" };

		for (size_t t = 0; t < ARRAY_LEN(texts); t++)
			for (const char *s = texts[t]; *s; s++)
				h = (h ^ (unsigned char)*s) * 16777619u;
		h = (h ^ (uint32_t)row->type) * 16777619u;
		h = (h ^ row->roles) * 16777619u;
	}
	return h;
}

static bool sees(unsigned role, size_t i)
{
	return conf_rows[i].roles & role;
}

/* ---- writing ---- */

static void put_u32(struct buf *out, size_t v)
{
	uint32_t n = (uint32_t)v;

	must(v <= UINT32_MAX);
	buf_add(out, &n, sizeof(n));
}

static void put_bytes(struct buf *out, const char *p, size_t n)
{
	put_u32(out, n);
	buf_add(out, p, n);
}

static void put_str(struct buf *out, const char *s)
{
	put_bytes(out, s, strlen(s));
}

static void put_value(struct buf *out, const struct conf_row *row, const struct conf_value *v)
{
	size_t n = 0;

	switch (row->type) {
	case CONF_T_STRING:
	case CONF_T_FILE:
		put_bytes(out, v->text, v->len);
		break;
	case CONF_T_WORDS:
		while (v->words[n])
			n++;
		put_u32(out, n);
		for (size_t i = 0; i < n; i++)
			put_str(out, v->words[i]);
		break;
	default:
		buf_add(out, &v->num, sizeof(v->num));
	}
}

static void put_struct(struct buf *out, const struct sect *sect, const char *name, const void *base)
{
	put_str(out, name);
	for (size_t i = 0; i < sect->rows_n; i++) {
		struct conf_value v;

		value_fetch(&sect->rows[i], base, &v);
		put_value(out, &sect->rows[i], &v);
	}
}

static void put_filters(struct buf *out, const struct conf *c, unsigned role)
{
	put_u32(out, c->filters);
	for (size_t n = 0; n < c->filters; n++) {
		const struct filter *f = &c->filter[n];
		size_t seen = 0;

		put_u32(out, f->conds);
		for (size_t i = 0; i < f->conds; i++) {
			put_u32(out, f->cond[i].kind);
			put_str(out, f->cond[i].text);
		}
		for (size_t i = 0; i < f->values; i++)
			seen += sees(role, f->value[i].id);
		put_u32(out, seen);
		for (size_t i = 0; i < f->values; i++) {
			if (!sees(role, f->value[i].id))
				continue;
			put_u32(out, f->value[i].id);
			put_value(out, &conf_rows[f->value[i].id], &f->value[i].v);
		}
	}
}

static void put_for_worker(struct buf *out, const struct conf *c)
{
	put_u32(out, c->ns_n);
	for (size_t i = 0; i < c->ns_n; i++) {
		const struct conf_namespace *ns = &c->ns[i];

		put_struct(out, &sects[SECT_NAMESPACE], ns->name, ns);
		put_u32(out, ns->mailboxes_n);
		for (size_t j = 0; j < ns->mailboxes_n; j++)
			put_struct(out, &sects[SECT_MAILBOX], ns->mailboxes[j].name,
				   &ns->mailboxes[j]);
	}
	put_u32(out, c->plugin_n);
	for (size_t i = 0; i < c->plugin_n; i++) {
		put_str(out, c->plugin[i].key);
		put_str(out, c->plugin[i].value);
	}
}

static void put_for_auth(struct buf *out, const struct conf *c)
{
	put_u32(out, c->passdb_n);
	for (size_t i = 0; i < c->passdb_n; i++)
		put_struct(out, &sects[SECT_PASSDB], c->passdb[i].name, &c->passdb[i]);
	put_u32(out, c->userdb_n);
	for (size_t i = 0; i < c->userdb_n; i++)
		put_struct(out, &sects[SECT_USERDB], c->userdb[i].name, &c->userdb[i]);
}

enum err conf_export(const struct conf *c, enum conf_role role, struct buf *out)
{
	must(c->role == CONF_EVERY_ROLE && role != CONF_MASTER);
	buf_add(out, magic, sizeof(magic));
	put_u32(out, fingerprint());
	put_u32(out, role);
	for (size_t i = 0; i < CONF_N; i++)
		if (sees(role, i))
			put_value(out, &conf_rows[i], &c->v[i]);
	put_filters(out, c, role);
	if (role == CONF_WORKER)
		put_for_worker(out, c);
	if (role == CONF_AUTH)
		put_for_auth(out, c);
	return out->failed ? ERR_LIMIT : ERR_OK;
}

/* ---- reading ---- */

/* After the first thing that does not fit, ok is false and everything reads as nothing. */
struct reader {
	struct span rest;
	struct arena *a;
	bool ok;
};

static struct span take(struct reader *r, size_t n)
{
	struct span s = SPAN("");

	if (!r->ok || n > r->rest.n) {
		r->ok = false;
		return s;
	}
	s = span_cut(r->rest, 0, n);
	r->rest = span_from(r->rest, n);
	return s;
}

static uint32_t take_u32(struct reader *r)
{
	struct span s = take(r, sizeof(uint32_t));
	uint32_t v = 0;

	if (r->ok)
		memcpy(&v, s.p, sizeof(v));
	return v;
}

static const char *take_bytes(struct reader *r, bool nul_allowed, size_t *n_r)
{
	struct span s = take(r, take_u32(r));
	const char *copy;

	if (!nul_allowed && s.n > 0 && memchr(s.p, 0, s.n))
		r->ok = false;
	copy = r->ok ? arena_span(r->a, s) : NULL;
	r->ok = copy != NULL;
	*n_r = copy ? s.n : 0;
	return copy ? copy : "";
}

static const char *take_str(struct reader *r)
{
	size_t n;

	return take_bytes(r, false, &n);
}

/* A count of things of at least four bytes each: never more than the rest can hold. */
static size_t take_count(struct reader *r)
{
	size_t n = take_u32(r);

	if (n > r->rest.n / 4)
		r->ok = false;
	return r->ok ? n : 0;
}

static const char *const *take_words(struct reader *r)
{
	static const char *const none[] = { NULL };
	size_t n = take_count(r);
	const char **words = arena_array(r->a, n + 1, sizeof(*words));

	if (!words)
		r->ok = false;
	for (size_t i = 0; r->ok && i < n; i++)
		words[i] = take_str(r);
	return r->ok ? words : none;
}

static bool num_fits(const struct conf_row *row, uint64_t num)
{
	if (row->type == CONF_T_BOOL)
		return num <= 1;
	if (row->type == CONF_T_MODE)
		return num <= 0777;
	return row->type != CONF_T_ENUM || words_nth(row->words, num).n > 0;
}

static void take_num(struct reader *r, const struct conf_row *row, struct conf_value *v)
{
	struct span s = take(r, sizeof(v->num)), word;

	if (!r->ok)
		return;
	memcpy(&v->num, s.p, sizeof(v->num));
	r->ok = num_fits(row, v->num);
	if (!r->ok || row->type != CONF_T_ENUM)
		return;
	word = words_nth(row->words, v->num);
	v->text = arena_span(r->a, word);
	v->len = word.n;
	r->ok = v->text != NULL;
}

static void take_value(struct reader *r, const struct conf_row *row, struct conf_value *v)
{
	*v = (struct conf_value){ .text = "" };
	if (row->type == CONF_T_STRING || row->type == CONF_T_FILE)
		v->text = take_bytes(r, false, &v->len);
	else if (row->type == CONF_T_WORDS)
		v->words = take_words(r);
	else
		take_num(r, row, v);
}

static const char *take_struct(struct reader *r, const struct sect *sect, void *base)
{
	const char *name = take_str(r);

	for (size_t i = 0; r->ok && i < sect->rows_n; i++) {
		struct conf_value v;

		take_value(r, &sect->rows[i], &v);
		if (r->ok)
			value_store(&sect->rows[i], &v, base);
	}
	return name;
}

/* An array of the structs of one kind of section, each with its name. */
static void *take_list(struct reader *r, enum sect_kind kind, size_t name_off, size_t *n_r)
{
	const struct sect *sect = &sects[kind];
	size_t n = take_count(r);
	char *list = arena_array(r->a, n + 1, sect->size);

	r->ok = r->ok && list;
	for (size_t i = 0; r->ok && i < n; i++) {
		char *base = list + i * sect->size;

		*(const char **)(base + name_off) = take_struct(r, sect, base);
	}
	*n_r = r->ok ? n : 0;
	return list;
}

static void take_namespaces(struct reader *r, struct conf *c)
{
	size_t n = take_count(r);

	c->ns = arena_array(r->a, n + 1, sizeof(*c->ns));
	r->ok = r->ok && c->ns && n > 0;
	for (size_t i = 0; r->ok && i < n; i++) {
		struct conf_namespace *ns = &c->ns[i];

		ns->name = take_struct(r, &sects[SECT_NAMESPACE], ns);
		ns->mailboxes = take_list(r, SECT_MAILBOX, offsetof(struct conf_mailbox, name),
					  &ns->mailboxes_n);
		c->ns_n++;
	}
}

static void take_plugin(struct reader *r, struct conf *c)
{
	size_t n = take_count(r);

	c->plugin = arena_array(r->a, n + 1, sizeof(*c->plugin));
	r->ok = r->ok && c->plugin;
	for (size_t i = 0; r->ok && i < n; i++) {
		c->plugin[i].key = take_str(r);
		c->plugin[i].value = take_str(r);
		c->plugin_n++;
	}
}

static void take_conds(struct reader *r, struct filter *f)
{
	size_t n = take_count(r);

	f->cond = arena_array(r->a, n + 1, sizeof(*f->cond));
	r->ok = r->ok && f->cond;
	for (size_t i = 0; r->ok && i < n; i++) {
		uint32_t kind = take_u32(r);

		if (kind != SECT_PROTOCOL && kind != SECT_LOCAL && kind != SECT_REMOTE)
			r->ok = false;
		f->cond[f->conds++] = (struct cond){ kind, take_str(r) };
	}
}

static void take_values(struct reader *r, unsigned role, struct filter *f)
{
	size_t n = take_count(r);

	f->value = arena_array(r->a, n + 1, sizeof(*f->value));
	r->ok = r->ok && f->value;
	for (size_t i = 0; r->ok && i < n; i++) {
		struct filter_value *v = &f->value[f->values];

		v->id = take_u32(r);
		r->ok = r->ok && v->id < CONF_N && sees(role, v->id);
		if (!r->ok)
			return;
		take_value(r, &conf_rows[v->id], &v->v);
		f->values++;
	}
}

static void take_filters(struct reader *r, struct conf *c)
{
	size_t n = take_count(r);

	if (n > FILTERS_MAX)
		r->ok = false;
	c->filter = r->ok ? arena_array(r->a, n + 1, sizeof(*c->filter)) : NULL;
	r->ok = r->ok && c->filter;
	for (size_t i = 0; r->ok && i < n; i++) {
		c->filters++;
		take_conds(r, &c->filter[i]);
		take_values(r, c->role, &c->filter[i]);
	}
}

static void take_all(struct reader *r, struct conf *c)
{
	struct span head = take(r, sizeof(magic));

	r->ok = r->ok && memcmp(head.p, magic, sizeof(magic)) == 0;
	r->ok = take_u32(r) == fingerprint() && r->ok;
	r->ok = take_u32(r) == c->role && r->ok;
	for (size_t i = 0; r->ok && i < CONF_N; i++)
		if (sees(c->role, i))
			take_value(r, &conf_rows[i], &c->v[i]);
	take_filters(r, c);
	if (c->role == CONF_WORKER) {
		take_namespaces(r, c);
		take_plugin(r, c);
	}
	if (c->role == CONF_AUTH) {
		c->passdb =
			take_list(r, SECT_PASSDB, offsetof(struct conf_passdb, name), &c->passdb_n);
		c->userdb =
			take_list(r, SECT_USERDB, offsetof(struct conf_userdb, name), &c->userdb_n);
	}
	r->ok = r->ok && r->rest.n == 0;
}

enum err conf_import(struct span bytes, enum conf_role role, struct conf **c_r)
{
	struct conf *c = conf_new(role);
	struct reader r = { bytes, c->arena, true };

	/* Rows that the role does not see stay at their defaults; nobody can read them. */
	r.ok = finish_defaults(c);
	take_all(&r, c);
	if (!r.ok) {
		conf_free(&c);
		return ERR_PROTO;
	}
	*c_r = c;
	return ERR_OK;
}
