# Floor io: epoll, TLS, streams.

noinst_LIBRARIES += src/io/libio.a
src_io_libio_a_SOURCES = \
	include/io/listen.h src/io/listen.c \
	include/io/loop.h src/io/loop.c \
	include/io/relay.h src/io/relay.c \
	include/io/stream.h src/io/stream.c src/io/stream_deflate.c \
	src/io/stream_impl.h src/io/stream_out.c \
	include/io/tls.h src/io/tls.c src/io/tls_conn.h src/io/tls_wire.h src/io/tls_wire.c \
	include/io/watch.h src/io/watch.c
src_io_libio_a_CFLAGS = $(AM_CFLAGS) $(SSL_CFLAGS)
IO_LIBS = src/io/libio.a $(CODEC_LIBS) $(SSL_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_loop tests/unit/test_stream tests/unit/test_stream_deflate tests/unit/test_tls tests/unit/test_listen \
	tests/unit/test_relay tests/unit/test_watch
tests_unit_test_loop_LDADD = $(IO_LIBS) $(CMOCKA_LIBS)
tests_unit_test_stream_LDADD = $(IO_LIBS) $(CMOCKA_LIBS)
tests_unit_test_stream_deflate_LDADD = $(IO_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c tests/unit/tls_client.c tests/unit/tls_client.h
tests_unit_test_tls_LDADD = $(IO_LIBS) $(CMOCKA_LIBS)
tests_unit_test_listen_LDADD = $(IO_LIBS) $(CMOCKA_LIBS)
tests_unit_test_relay_SOURCES = tests/unit/test_relay.c tests/unit/tls_client.c
tests_unit_test_relay_LDADD = $(IO_LIBS) $(CMOCKA_LIBS)
tests_unit_test_watch_LDADD = $(IO_LIBS) $(CMOCKA_LIBS)
endif
