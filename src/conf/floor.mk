# Floor conf: the configuration grammar and the table of settings.

noinst_LIBRARIES += src/conf/libconf.a
src_conf_libconf_a_SOURCES = \
	include/conf/conf.h src/conf/conf.c \
	include/conf/dump.h src/conf/dump.c \
	include/conf/expand.h src/conf/expand.c \
	include/conf/export.h src/conf/export.c \
	include/conf/load.h src/conf/load.c \
	include/conf/location.h src/conf/location.c \
	include/conf/settings.h src/conf/table.c \
	src/conf/check.c \
	src/conf/check.h \
	src/conf/check_mail.c \
	src/conf/filter.h src/conf/filter.c \
	src/conf/finish.h src/conf/finish.c \
	src/conf/lex.h src/conf/lex.c \
	src/conf/model.h \
	src/conf/modify.h src/conf/modify.c \
	src/conf/notes.h src/conf/notes.c \
	src/conf/parse.h src/conf/parse.c \
	src/conf/sharer.c \
	src/conf/source.h src/conf/source.c \
	src/conf/value.h src/conf/value.c
src_conf_libconf_a_CFLAGS = $(AM_CFLAGS) $(LIBMD_CFLAGS)
CONF_LIBS = src/conf/libconf.a $(BASE_LIBS) $(LIBMD_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_conf_load tests/unit/test_conf_export tests/unit/test_conf_expand
tests_unit_test_conf_load_LDADD = $(CONF_LIBS) $(CMOCKA_LIBS)
tests_unit_test_conf_export_LDADD = $(CONF_LIBS) $(CMOCKA_LIBS)
tests_unit_test_conf_expand_LDADD = $(CONF_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_conf tests/fuzz/fuzz_conf_import
tests_fuzz_fuzz_conf_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_conf_LDADD = $(CONF_LIBS)
tests_fuzz_fuzz_conf_import_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_conf_import_LDADD = $(CONF_LIBS)
endif
