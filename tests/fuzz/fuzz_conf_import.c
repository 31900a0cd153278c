/* The settings of a role as a child reads them: any bytes are refused or read, never trusted. */
#include "base/buf.h"
#include "base/must.h"
#include "conf/export.h"
#include "conf/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The first byte chooses the role; the head of a real export goes in front, so that the fuzzer
 * passes it. */
static void put_head(enum conf_role role, struct buf *out)
{
	static const char text[] = "ssl = no\nmail_location = maildir:~/Maildir\nprotocols = lmtp\n"
				   "userdb {\n driver = passwd\n}\n";
	struct buf errors, warnings;
	struct conf *c;

	buf_init(&errors, 4096);
	buf_init(&warnings, 4096);
	must(conf_load_text(SPAN(text), "/f", CONF_LOAD_NO_FILES, &c, &errors, &warnings) ==
	     ERR_OK);
	must(conf_export(c, role, out) == ERR_OK);
	conf_free(&c);
	buf_free(&errors);
	buf_free(&warnings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum conf_role roles[] = { CONF_LOGIN, CONF_AUTH, CONF_WORKER, CONF_CONTROL, CONF_DOTLOCK };
	struct buf bytes;
	struct conf *c;
	size_t keep;

	if (n < 3)
		return 0;
	buf_init(&bytes, 1 << 20);
	put_head(roles[data[0] % ARRAY_LEN(roles)], &bytes);
	/* Keep a part of the real bytes, then go on with the fuzzer's. */
	keep = 12 + (data[1] | (size_t)data[2] << 8) % bytes.n;
	if (keep < bytes.n)
		buf_truncate(&bytes, keep);
	buf_add(&bytes, data + 3, n - 3);
	if (conf_import(buf_span(&bytes), roles[data[0] % ARRAY_LEN(roles)], &c) == ERR_OK)
		conf_free(&c);
	buf_free(&bytes);
	return 0;
}
