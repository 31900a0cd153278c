# Floor worker: after login.

pkglibexec_PROGRAMS += src/worker/roost-worker
src_worker_roost_worker_SOURCES = \
	src/worker/account_config.c \
	src/worker/accounts.c \
	src/worker/admin.c \
	src/worker/attach.c \
	src/worker/deliver.c \
	src/worker/doors.c \
	src/worker/imap.c \
	src/worker/main.c \
	src/worker/worker.h
src_worker_roost_worker_LDADD = $(IMAP_LIBS) $(LMTP_LIBS) $(JOBS_LIBS) $(PROC_LIBS) $(CONF_LIBS)
