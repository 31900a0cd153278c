#include "scheme.h"
#include "base/mem.h"
#include "base/must.h"

#include <crypt.h>

enum kind { KIND_NONE, KIND_PLAIN, KIND_CRYPT };

static const struct {
	const char *name;
	enum kind kind;
	const char *begins; /* data of another beginning is not of this scheme */
} schemes[] = {
	{ "PLAIN", KIND_PLAIN, "" },	       { "CLEAR", KIND_PLAIN, "" },
	{ "CLEARTEXT", KIND_PLAIN, "" },       { "CRYPT", KIND_CRYPT, "" },
	{ "DES-CRYPT", KIND_CRYPT, "" },       { "MD5", KIND_CRYPT, "$1$" },
	{ "MD5-CRYPT", KIND_CRYPT, "$1$" },    { "SHA256-CRYPT", KIND_CRYPT, "$5$" },
	{ "SHA512-CRYPT", KIND_CRYPT, "$6$" }, { "BLF-CRYPT", KIND_CRYPT, "$2" },
};

static int find_scheme(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (span_ieq_str(name, schemes[i].name))
			return (int)i;
	return -1;
}

bool scheme_known(struct span name)
{
	return find_scheme(name) >= 0;
}

/* Time depends on the lengths only. */
static bool equal(struct span a, struct span b)
{
	unsigned char differ = a.n != b.n;

	for (size_t i = 0; i < b.n; i++)
		differ |= (unsigned char)(b.p[i] ^ (a.n > 0 ? a.p[i % a.n] : 0));
	return differ == 0;
}

/* Splits "{NAME}data"; name is the default where there is none. */
static struct span split_scheme(struct span stored, const char *default_scheme, struct span *data_r)
{
	size_t end = stored.n > 0 && *stored.p == '{' ? span_find(stored, '}') : SIZE_MAX;

	*data_r = end == SIZE_MAX ? stored : span_from(stored, end + 1);
	return end == SIZE_MAX ? span_str(default_scheme) : span_cut(stored, 1, end - 1);
}

static bool verify_crypt(struct span data, struct span password)
{
	struct crypt_data *work = mem_alloc(sizeof(*work));
	char *setting = span_dup(data), *phrase = span_dup(password);
	const char *made = crypt_rn(phrase, setting, work, sizeof(*work));
	bool match = made && *made != '*' && equal(data, span_str(made));

	mem_wipe(work, sizeof(*work));
	mem_wipe(phrase, password.n);
	free(work);
	free(setting);
	free(phrase);
	return match;
}

enum err scheme_verify(struct span stored, const char *default_scheme, struct span password,
		       bool *match_r, struct errtext *t)
{
	struct span data, name = split_scheme(stored, default_scheme, &data);
	int i = find_scheme(name);

	if (i < 0)
		return err_say(t, ERR_CANNOT, "password scheme {%.*s} is not served",
			       (int)(name.n < 40 ? name.n : 40), name.p);
	*match_r = false;
	if (data.n == 0 || data.n > PASSWORD_MAX || password.n > PASSWORD_MAX ||
	    span_find(password, '\0') != SIZE_MAX || span_find(data, '\0') != SIZE_MAX)
		return ERR_OK;
	if (schemes[i].kind == KIND_PLAIN)
		*match_r = equal(data, password);
	else if (span_starts(data, span_str(schemes[i].begins)))
		*match_r = verify_crypt(data, password);
	return ERR_OK;
}

void scheme_pretend(struct span stored, const char *default_scheme, struct span password)
{
	static const struct span usual = { "$6$Zr4wQk0eYb$", 14 };
	struct span data, name = split_scheme(stored, default_scheme, &data);
	int i = find_scheme(name);
	bool match;

	if (i < 0 || schemes[i].kind == KIND_PLAIN)
		return;
	if (data.n == 0)
		verify_crypt(usual, span_cut(password, 0, PASSWORD_MAX));
	else
		scheme_verify(stored, default_scheme, password, &match, NULL);
}
