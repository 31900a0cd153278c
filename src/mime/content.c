#include "content.h"
#include "lex.h"
#include "mime/header.h"

bool content_type_parse(struct span value, struct content_type *t_r)
{
	struct lex l = { .in = value };
	struct content_type t;

	lex_cfws(&l);
	t.type = lex_token(&l);
	lex_cfws(&l);
	if (t.type.n == 0 || lex_peek(&l) != '/')
		return false;
	l.pos++;
	lex_cfws(&l);
	t.subtype = lex_token(&l);
	lex_cfws(&l);
	if (t.subtype.n == 0 || (l.pos < value.n && lex_peek(&l) != ';'))
		return false;
	t.params = span_from(value, l.pos);
	*t_r = t;
	return true;
}

struct span content_token(struct span value)
{
	struct lex l = { .in = value };
	struct span token;

	lex_cfws(&l);
	token = lex_token(&l);
	lex_cfws(&l);
	return l.pos == value.n ? token : SPAN("");
}

struct span content_value(struct span value, struct span *params_r)
{
	struct lex l = { .in = value };
	struct span token;

	lex_cfws(&l);
	token = lex_token(&l);
	lex_until(&l, ";");
	*params_r = span_from(value, l.pos);
	return token;
}

void content_fields_read(struct span header, struct content_fields *f_r)
{
	struct content_fields c = { 0 };
	const struct {
		const char *name;
		struct span *value;
	} table[] = {
		{ "Type", &c.type },
		{ "Transfer-Encoding", &c.encoding },
		{ "ID", &c.id },
		{ "Description", &c.description },
		{ "Disposition", &c.disposition },
		{ "MD5", &c.md5 },
		{ "Language", &c.language },
		{ "Location", &c.location },
	};
	struct mime_header h = mime_header_of(header);
	struct mime_field f;

	while (mime_header_next(&h, &f)) {
		if (!f.colon || !span_istarts(f.name, SPAN("Content-"))) {
			c.mime |= f.colon && span_ieq_str(f.name, "MIME-Version");
			continue;
		}
		for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
			if (!table[i].value->p && span_ieq_str(span_from(f.name, 8), table[i].name))
				*table[i].value = f.value;
	}
	c.mime |= c.type.p != NULL;
	*f_r = c;
}
