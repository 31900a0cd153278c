/* A configuration for tests of auth: the prelude, then lines of the test's own. */
#ifndef TESTS_AUTH_CONF_H
#define TESTS_AUTH_CONF_H

#include "conf/load.h"

static inline struct conf *auth_conf(const char *lines)
{
	struct buf text, errors, warnings;
	struct conf *c = NULL;

	buf_init(&text, 100000);
	buf_init(&errors, 100000);
	buf_init(&warnings, 100000);
	buf_printf(&text, "ssl = no\nprotocols = lmtp\nmail_location = maildir:~/Maildir\n%s",
		   lines);
	if (conf_load_text(buf_span(&text), "/test", CONF_LOAD_NO_FILES, &c, &errors, &warnings))
		fprintf(stderr, "%s", buf_cstr(&errors));
	buf_free(&text);
	buf_free(&errors);
	buf_free(&warnings);
	return c;
}

#endif
