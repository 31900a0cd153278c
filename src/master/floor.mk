# Floor master: who runs.

sbin_PROGRAMS += src/master/roost
src_master_roost_SOURCES = \
	src/master/children.c \
	src/master/ctl.c \
	src/master/generation.c \
	src/master/listeners.c \
	src/master/main.c \
	src/master/master.h \
	src/master/owner.c \
	src/master/procs.c \
	src/master/sessions.c \
	src/master/tickets.c \
	src/master/workers.c
src_master_roost_LDADD = $(PROC_LIBS) $(CONF_LIBS)
