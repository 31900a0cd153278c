# Floor proc: becoming a confined process.

noinst_LIBRARIES += src/proc/libproc.a
src_proc_libproc_a_SOURCES = \
	include/proc/confine.h src/proc/confine.c \
	include/proc/helper.h src/proc/helper.c \
	include/proc/spawn.h src/proc/spawn.c \
	include/proc/template.h src/proc/template.c \
	src/proc/landlock.c src/proc/sandbox.h src/proc/seccomp.c
src_proc_libproc_a_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
PROC_LIBS = src/proc/libproc.a $(IPC_LIBS) $(SECCOMP_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_confine tests/unit/test_spawn tests/unit/test_template
tests_unit_test_confine_LDADD = $(PROC_LIBS) $(CMOCKA_LIBS)
tests_unit_test_spawn_LDADD = $(PROC_LIBS) $(CMOCKA_LIBS)
tests_unit_test_template_LDADD = $(PROC_LIBS) $(CMOCKA_LIBS)
endif
