# Floor adm: the operator's client.

bin_PROGRAMS += src/adm/roostadm
src_adm_roostadm_SOURCES = src/adm/main.c
src_adm_roostadm_LDADD = $(CONF_LIBS)
