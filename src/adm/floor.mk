# Floor adm: the operator's client.

bin_PROGRAMS += src/adm/roostadm
src_adm_roostadm_SOURCES = \
	src/adm/adm.h \
	src/adm/ctl.c \
	src/adm/mail.c \
	src/adm/main.c \
	src/adm/outside.c \
	src/adm/print.c \
	src/adm/progress.c \
	src/adm/relay.c \
	src/adm/server.c \
	src/adm/talk.h src/adm/talk.c \
	src/adm/users.c
completiondir = $(datadir)/bash-completion/completions
dist_completion_DATA = etc/bash-completion/roostadm
src_adm_roostadm_LDADD = $(IPC_LIBS) $(CONF_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_adm_print
tests_unit_test_adm_print_SOURCES = tests/unit/test_adm_print.c src/adm/print.c src/adm/adm.h
tests_unit_test_adm_print_LDADD = $(IPC_LIBS) $(CMOCKA_LIBS)
endif
