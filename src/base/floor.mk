# Floor base: memory and bytes in RAM.

noinst_LIBRARIES += src/base/libbase.a
src_base_libbase_a_SOURCES = \
	include/base/arena.h src/base/arena.c \
	include/base/banned.h \
	include/base/base64.h src/base/base64.c \
	include/base/buf.h src/base/buf.c \
	include/base/clock.h src/base/clock.c \
	include/base/err.h src/base/err.c \
	include/base/fskind.h src/base/fskind.c \
	include/base/guid.h src/base/guid.c \
	include/base/lf.h src/base/lf.c \
	include/base/log.h src/base/log.c \
	include/base/mailflags.h \
	include/base/mem.h src/base/mem.c \
	include/base/must.h src/base/must.c \
	include/base/mutf7.h src/base/mutf7.c \
	include/base/set.h src/base/set.c \
	include/base/span.h src/base/span.c \
	include/base/step.h \
	include/base/utf8.h src/base/utf8.c
src_base_libbase_a_CFLAGS = $(AM_CFLAGS) $(UTF8PROC_CFLAGS)
BASE_LIBS = src/base/libbase.a $(UTF8PROC_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_arena tests/unit/test_base64 tests/unit/test_buf tests/unit/test_guid tests/unit/test_log \
	tests/unit/test_lf tests/unit/test_set tests/unit/test_span tests/unit/test_utf8
tests_unit_test_arena_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_base64_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_buf_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_guid_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_log_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_lf_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_set_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_span_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_utf8_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_base64 tests/fuzz/fuzz_utf8
tests_fuzz_fuzz_base64_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_base64_LDADD = $(BASE_LIBS)
tests_fuzz_fuzz_utf8_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_utf8_LDADD = $(BASE_LIBS)
endif

# Driven by tests/fault/power_cut.py.
noinst_PROGRAMS += tests/fault/power
tests_fault_power_SOURCES = tests/fault/power.c
tests_fault_power_LDADD = $(BASE_LIBS)
