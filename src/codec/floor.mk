# Floor codec: compressed and encoded bytes.

noinst_LIBRARIES += src/codec/libcodec.a
src_codec_libcodec_a_SOURCES = include/codec/deflate.h src/codec/deflate.c
src_codec_libcodec_a_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS)
CODEC_LIBS = src/codec/libcodec.a $(BASE_LIBS) $(ZLIB_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_deflate
tests_unit_test_deflate_LDADD = $(CODEC_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_inflate
tests_fuzz_fuzz_inflate_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_inflate_LDADD = $(CODEC_LIBS)
endif
