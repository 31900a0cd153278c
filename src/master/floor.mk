# Floor master: who runs. All but main() in a library, for the tests.

noinst_LIBRARIES += src/master/libmaster.a
src_master_libmaster_a_SOURCES = \
	src/master/children.c \
	src/master/ctl.c \
	src/master/generation.c \
	src/master/listeners.c \
	src/master/master.h \
	src/master/owner.c \
	src/master/procs.c \
	src/master/sessions.c \
	src/master/spool.c \
	src/master/template.c \
	src/master/tickets.c \
	src/master/workers.c
MASTER_LIBS = src/master/libmaster.a $(PROC_LIBS) $(CONF_LIBS)

sbin_PROGRAMS += src/master/roost
src_master_roost_SOURCES = src/master/main.c
src_master_roost_LDADD = $(MASTER_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_master_tickets tests/unit/test_master_owner tests/unit/test_master_spool
tests_unit_test_master_tickets_SOURCES = tests/unit/test_master_tickets.c tests/unit/fakemaster.c tests/unit/fakemaster.h
tests_unit_test_master_tickets_LDADD = $(MASTER_LIBS) $(CMOCKA_LIBS)
tests_unit_test_master_owner_SOURCES = tests/unit/test_master_owner.c tests/unit/fakemaster.c tests/unit/fakemaster.h
tests_unit_test_master_owner_LDADD = $(MASTER_LIBS) $(CMOCKA_LIBS)
tests_unit_test_master_spool_SOURCES = tests/unit/test_master_spool.c tests/unit/fakemaster.c tests/unit/fakemaster.h
tests_unit_test_master_spool_LDADD = $(MASTER_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_master
tests_fuzz_fuzz_master_SOURCES = tests/fuzz/fuzz_master.c tests/unit/fakemaster.c
tests_fuzz_fuzz_master_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_master_LDADD = $(MASTER_LIBS)
endif
