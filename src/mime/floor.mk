# Floor mime: how a message is spelled.

noinst_LIBRARIES += src/mime/libmime.a
src_mime_libmime_a_SOURCES = \
	include/mime/address.h src/mime/address.c \
	include/mime/bodystruct.h src/mime/bodystruct.c src/mime/bodycut.c \
	include/mime/crlf.h src/mime/crlf.c \
	include/mime/date.h src/mime/date.c \
	include/mime/decode.h src/mime/decode.c src/mime/charset.c src/mime/words.c \
	include/mime/envelope.h src/mime/envelope.c src/mime/envread.c \
	include/mime/fields.h src/mime/fields.c \
	include/mime/header.h src/mime/header.c \
	include/mime/msgid.h src/mime/msgid.c \
	include/mime/plain.h src/mime/plain.c \
	include/mime/search.h src/mime/search.c \
	include/mime/section.h src/mime/section.c \
	include/mime/subject.h src/mime/subject.c \
	include/mime/tree.h src/mime/tree.c src/mime/parts.c \
	src/mime/content.h src/mime/content.c src/mime/params.c \
	src/mime/lex.h src/mime/lex.c \
	src/mime/wiretext.h src/mime/wiretext.c
MIME_LIBS = src/mime/libmime.a $(BASE_LIBS)

# Compares ENVELOPE and BODYSTRUCTURE with other servers by hand.
noinst_PROGRAMS += tests/tools/mimedump
tests_tools_mimedump_SOURCES = tests/tools/mimedump.c
tests_tools_mimedump_LDADD = $(MIME_LIBS)

if CMOCKA
check_PROGRAMS += \
	tests/unit/test_mime_address \
	tests/unit/test_mime_bodystruct \
	tests/unit/test_mime_crlf \
	tests/unit/test_mime_date \
	tests/unit/test_mime_decode \
	tests/unit/test_mime_envelope \
	tests/unit/test_mime_fields \
	tests/unit/test_mime_header \
	tests/unit/test_mime_hostile \
	tests/unit/test_mime_plain \
	tests/unit/test_mime_search \
	tests/unit/test_mime_section \
	tests/unit/test_mime_subject \
	tests/unit/test_mime_tree
tests_unit_test_mime_address_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_bodystruct_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_crlf_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_date_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_decode_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_envelope_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_fields_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_header_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_hostile_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_plain_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_search_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_section_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_subject_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mime_tree_LDADD = $(MIME_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_mime tests/fuzz/fuzz_mime_decode tests/fuzz/fuzz_mime_fields \
	tests/fuzz/fuzz_mime_subject
tests_fuzz_fuzz_mime_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_mime_LDADD = $(MIME_LIBS)
tests_fuzz_fuzz_mime_decode_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_mime_decode_LDADD = $(MIME_LIBS)
tests_fuzz_fuzz_mime_fields_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_mime_fields_LDADD = $(MIME_LIBS)
tests_fuzz_fuzz_mime_subject_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_mime_subject_LDADD = $(MIME_LIBS)
endif
