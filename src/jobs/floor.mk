# Floor jobs: what the administrator does to a user's mail.

noinst_LIBRARIES += src/jobs/libjobs.a
src_jobs_libjobs_a_SOURCES = \
	include/jobs/jobs.h src/jobs/session.c \
	src/jobs/room.h \
	src/jobs/folders.c \
	src/jobs/index.c \
	src/jobs/mailbox.c \
	src/jobs/query.h src/jobs/query.c
JOBS_LIBS = src/jobs/libjobs.a $(BOX_LIBS) $(WIRE_LIBS) $(IPC_LIBS)
