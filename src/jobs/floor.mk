# Floor jobs: what the administrator does to a user's mail.

noinst_LIBRARIES += src/jobs/libjobs.a
src_jobs_libjobs_a_SOURCES = \
	include/jobs/jobs.h src/jobs/session.c \
	src/jobs/room.h \
	src/jobs/fetch.h src/jobs/fetch.c src/jobs/fields.c \
	src/jobs/folders.c \
	src/jobs/import.c \
	src/jobs/index.c \
	src/jobs/mailbox.c \
	src/jobs/query.h src/jobs/query.c \
	src/jobs/refile.c \
	src/jobs/relay.c \
	src/jobs/report.c \
	src/jobs/save.c
JOBS_LIBS = src/jobs/libjobs.a $(BOX_LIBS) $(WIRE_LIBS) $(IPC_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_jobs_query
tests_unit_test_jobs_query_LDADD = $(JOBS_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_jobs_query
tests_fuzz_fuzz_jobs_query_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_jobs_query_LDADD = $(JOBS_LIBS)
endif
