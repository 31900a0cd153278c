# Floor codec: compressed and encoded bytes.

noinst_LIBRARIES += src/codec/libcodec.a
src_codec_libcodec_a_SOURCES = \
	include/codec/deflate.h src/codec/deflate.c \
	include/codec/pack.h src/codec/pack.h src/codec/pack.c \
	src/codec/packed.c src/codec/pack_bz2.c src/codec/pack_gz.c src/codec/pack_lz4.c src/codec/pack_zstd.c
src_codec_libcodec_a_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS) $(ZSTD_CFLAGS) $(LZ4_CFLAGS)
CODEC_LIBS = src/codec/libcodec.a $(BASE_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS) $(LZ4_LIBS) $(BZ2_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_deflate tests/unit/test_pack
tests_unit_test_deflate_LDADD = $(CODEC_LIBS) $(CMOCKA_LIBS)
tests_unit_test_pack_LDADD = $(CODEC_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_inflate tests/fuzz/fuzz_pack
tests_fuzz_fuzz_inflate_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_inflate_LDADD = $(CODEC_LIBS)
tests_fuzz_fuzz_pack_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_pack_LDADD = $(CODEC_LIBS)
endif
