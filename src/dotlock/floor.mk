# Floor dotlock: lock files where mail processes may not write.

pkglibexec_PROGRAMS += src/dotlock/roost-dotlock
src_dotlock_roost_dotlock_SOURCES = src/dotlock/main.c
src_dotlock_roost_dotlock_LDADD = $(STORE_LIBS) $(PROC_LIBS) $(CONF_LIBS)
