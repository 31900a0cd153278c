# Floor control: who asks.

pkglibexec_PROGRAMS += src/control/roost-control
src_control_roost_control_SOURCES = src/control/main.c
src_control_roost_control_LDADD = $(PROC_LIBS) $(CONF_LIBS)
