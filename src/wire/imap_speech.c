#include "wire/imap_speech.h"

enum {
	AT_START,   /* of a line, up to what begins as BYE does */
	AT_TEXT,
	AT_NUMBER,  /* behind { */
	AT_CLOSED,  /* behind } */
	AT_CR,      /* behind that */
	AT_LITERAL,
	AT_BYE,     /* in the line that is the last one */
	AT_END,     /* nothing is known, or more needs not be */
};

static const char bye[] = "* BYE ";

static int text(struct imap_speech *f, char c)
{
	f->number = 0;
	switch (c) {
	case '{':
		return AT_NUMBER;
	case '\n':
		return AT_START;
	case '\0':
		return AT_END;
	default:
		return AT_TEXT;
	}
}

static int start(struct imap_speech *f, char c)
{
	if (c != bye[f->number])
		return text(f, c);
	return bye[++f->number] ? AT_START : AT_BYE;
}

static int number(struct imap_speech *f, char c)
{
	if (c == '}')
		return AT_CLOSED;
	if (c < '0' || c > '9' || f->number > UINT32_MAX)
		return text(f, c);
	f->number = f->number * 10 + (uint64_t)(c - '0');
	return AT_NUMBER;
}

/* An octet outside of literals. */
static int next(struct imap_speech *f, char c)
{
	switch (f->at) {
	case AT_START:
		return start(f, c);
	case AT_NUMBER:
		return number(f, c);
	case AT_CLOSED:
		return c == '\r' ? AT_CR : text(f, c);
	case AT_CR:
		return c == '\n' ? AT_LITERAL : text(f, c);
	case AT_BYE:
		return c == '\n' ? AT_END : AT_BYE;
	default:
		return text(f, c);
	}
}

static size_t before(char c, const char *p, size_t n)
{
	const char *at = memchr(p, c, n);

	return at ? (size_t)(at - p) : n;
}

/* How many of n octets cannot change where we are. */
static size_t skip(struct imap_speech *f, const char *p, size_t n)
{
	if (f->at == AT_TEXT)
		return before('\0', p, before('{', p, before('\n', p, n)));
	if (f->at != AT_LITERAL)
		return 0;
	n = f->number < n ? (size_t)f->number : n;
	f->number -= n;
	return n;
}

size_t imap_speech_add(struct imap_speech *f, struct span said)
{
	size_t end = 0, i = 0, part;

	while (i < said.n && f->at != AT_END) {
		part = skip(f, said.p + i, said.n - i);
		i += part;
		if (part)
			continue;
		f->at = next(f, said.p[i++]);
		if (imap_speech_between(f))
			end = i;
	}
	return end;
}

void imap_speech_over(struct imap_speech *f)
{
	f->at = AT_END;
}

bool imap_speech_between(const struct imap_speech *f)
{
	return f->at == AT_START && !f->number;
}
