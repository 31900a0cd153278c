#include "content.h"
#include "lex.h"
#include "mime/decode.h"
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

static struct span *place_of(struct content_fields *c, enum mime_name name)
{
	switch (name) {
	case MIME_CONTENT_TYPE:
		return &c->type;
	case MIME_CONTENT_ENCODING:
		return &c->encoding;
	case MIME_CONTENT_ID:
		return &c->id;
	case MIME_CONTENT_DESCRIPTION:
		return &c->description;
	case MIME_CONTENT_DISPOSITION:
		return &c->disposition;
	case MIME_CONTENT_MD5:
		return &c->md5;
	case MIME_CONTENT_LANGUAGE:
		return &c->language;
	case MIME_CONTENT_LOCATION:
		return &c->location;
	default:
		return NULL;
	}
}

static void take(struct content_fields *c, enum mime_name name, struct span value)
{
	struct span *place = place_of(c, name);

	if (place && !place->p)
		*place = value;
	c->mime |= name == MIME_VERSION || name == MIME_CONTENT_TYPE;
}

void content_fields_of(const struct mime_fields *fields, struct content_fields *f_r)
{
	*f_r = (struct content_fields){ 0 };
	for (size_t i = 0; i < fields->n; i++)
		take(f_r, fields->f[i].name, fields->f[i].value);
}

void content_fields_read(struct span header, struct content_fields *f_r)
{
	struct mime_header h = mime_header_of(header);
	struct mime_field f;

	*f_r = (struct content_fields){ 0 };
	while (mime_header_next(&h, &f))
		if (f.colon)
			take(f_r, mime_name_of(f.name), f.value);
}

void content_converter(const struct content_fields *f, struct mime_charsets *cs, struct mime_to_utf8 *conv)
{
	struct content_params params = { 0 };
	struct span charset = SPAN("UTF-8");
	struct content_type t;

	if (f->type.p && content_type_parse(f->type, &t)) {
		content_params_parse(t.params, &params);
		content_params_find(&params, "charset", &charset);
	}
	mime_to_utf8_init(conv, cs, charset);
	content_params_free(&params);
}
