/* CRLF to LF, streaming. */
#include "base/lf.h"

size_t lf_form(struct lf_form *f, struct span in, char *out)
{
	char *to = out;

	while (in.n > 0) {
		size_t cr = span_find(in, '\r');
		size_t n = cr < in.n ? cr : in.n;

		if (f->held && (in.p[0] != '\n' || f->after_cr))
			*to++ = '\r';
		f->after_cr = f->held && n == 0;
		memcpy(to, in.p, n);
		to += n;
		f->held = n < in.n;
		in = span_from(in, f->held ? n + 1 : n);
	}
	return (size_t)(to - out);
}

size_t lf_form_end(struct lf_form *f, char *out)
{
	size_t n = f->held;

	if (f->held)
		*out = '\r';
	*f = (struct lf_form)LF_FORM_START;
	return n;
}
