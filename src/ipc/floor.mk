# Floor ipc: messages between processes.

noinst_LIBRARIES += src/ipc/libipc.a
src_ipc_libipc_a_SOURCES = \
	include/ipc/chan.h src/ipc/chan.c \
	include/ipc/mailcmd.h src/ipc/mailcmd.c \
	include/ipc/msg.h src/ipc/msg.c \
	include/ipc/msgs.h src/ipc/msgs.c
IPC_LIBS = src/ipc/libipc.a $(IO_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_msg tests/unit/test_chan tests/unit/test_mailcmd
tests_unit_test_mailcmd_LDADD = $(IPC_LIBS) $(CMOCKA_LIBS)
tests_unit_test_msg_LDADD = $(IPC_LIBS) $(CMOCKA_LIBS)
tests_unit_test_chan_LDADD = $(IPC_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_ipc_msg
tests_fuzz_fuzz_ipc_msg_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_ipc_msg_LDADD = $(IPC_LIBS)
endif
