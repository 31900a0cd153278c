/* A configuration file of anybody: no crash; what is accepted is printed, read back and printed the
 * same. */
#include "base/must.h"
#include "conf/dump.h"
#include "conf/export.h"
#include "conf/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool load(struct span text, struct conf **c)
{
	struct buf errors, warnings;
	enum err e;

	buf_init(&errors, 65536);
	buf_init(&warnings, 65536);
	e = conf_load_text(text, "/fuzz/roost.conf", CONF_LOAD_NO_FILES, c, &errors, &warnings);
	must(e == ERR_OK || errors.n > 0);
	buf_free(&errors);
	buf_free(&warnings);
	return e == ERR_OK;
}

static void check_role(const struct conf *a, const struct conf *b, enum conf_role role)
{
	struct conf *copy;
	struct buf x, y;

	buf_init(&x, CONF_EXPORT_MAX);
	buf_init(&y, CONF_EXPORT_MAX);
	if (conf_export(a, role, &x) == ERR_OK) {
		must(conf_export(b, role, &y) == ERR_OK);
		must(span_eq(buf_span(&x), buf_span(&y)));
		must(conf_import(buf_span(&x), role, &copy) == ERR_OK);
		conf_free(&copy);
	}
	buf_free(&x);
	buf_free(&y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char prelude[] = "ssl = no\nmail_location = maildir:~/Maildir\n"
				      "passdb {\n driver = passwd-file\n args = /u\n}\n"
				      "userdb {\n driver = passwd\n}\n";
	struct conf *a, *b;
	struct buf text, dump;

	buf_init(&text, 1 << 20);
	buf_init(&dump, 1 << 20);
	buf_add(&text, prelude, sizeof(prelude) - 1);
	buf_add(&text, data, n);
	if (load(buf_span(&text), &a)) {
		conf_dump(a, false, &dump);
		if (!dump.failed) {
			must(load(buf_span(&dump), &b));
			check_role(a, b, CONF_WORKER);
			check_role(a, b, CONF_LOGIN);
			check_role(a, b, CONF_AUTH);
			conf_free(&b);
		}
		conf_free(&a);
	}
	buf_free(&text);
	buf_free(&dump);
	return 0;
}
