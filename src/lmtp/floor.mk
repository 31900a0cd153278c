# Floor lmtp: what delivery means.

noinst_LIBRARIES += src/lmtp/liblmtp.a
src_lmtp_liblmtp_a_SOURCES = \
	include/lmtp/delivery.h src/lmtp/delivery.c \
	src/lmtp/trace.h src/lmtp/trace.c
LMTP_LIBS = src/lmtp/liblmtp.a $(BOX_LIBS) $(IPC_LIBS) $(CONF_LIBS)

# Deliveries over one message in RAM (fakeappend): box itself is tested on its own floor.
if CMOCKA
check_PROGRAMS += tests/unit/test_lmtp_delivery
tests_unit_test_lmtp_delivery_SOURCES = tests/unit/test_lmtp_delivery.c tests/unit/fakeappend.c tests/unit/fakeappend.h
tests_unit_test_lmtp_delivery_LDADD = src/lmtp/liblmtp.a $(IPC_LIBS) $(CONF_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_lmtp_delivery
tests_fuzz_fuzz_lmtp_delivery_SOURCES = tests/fuzz/fuzz_lmtp_delivery.c tests/unit/fakeappend.c
tests_fuzz_fuzz_lmtp_delivery_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_lmtp_delivery_LDADD = src/lmtp/liblmtp.a $(IPC_LIBS) $(CONF_LIBS)
endif
