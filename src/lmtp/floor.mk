# Floor lmtp: what delivery means.

noinst_LIBRARIES += src/lmtp/liblmtp.a
src_lmtp_liblmtp_a_SOURCES = \
	include/lmtp/delivery.h src/lmtp/delivery.c \
	src/lmtp/trace.h src/lmtp/trace.c
LMTP_LIBS = src/lmtp/liblmtp.a $(BOX_LIBS) $(IPC_LIBS) $(CONF_LIBS)
