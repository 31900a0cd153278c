# Floor wire: how IMAP and LMTP are spelled. See doc/architecture.md, section 3.

noinst_LIBRARIES += src/wire/libwire.a
src_wire_libwire_a_SOURCES = \
	include/wire/imap_args.h src/wire/imap_args.c \
	include/wire/imap_id.h src/wire/imap_id.c \
	include/wire/imap_lex.h src/wire/imap_lex.c src/wire/imap_lex_literal.c src/wire/lexing.h \
	include/wire/imap_name.h src/wire/imap_name.c \
	include/wire/imap_set.h src/wire/imap_set.c \
	include/wire/imap_speech.h src/wire/imap_speech.c \
	include/wire/imap_url.h src/wire/imap_url.c \
	include/wire/imap_words.h src/wire/imap_words.c \
	include/wire/imap_write.h src/wire/imap_write.c \
	include/wire/line.h src/wire/line.c \
	include/wire/lmtp_cmd.h src/wire/lmtp_cmd.c
WIRE_LIBS = src/wire/libwire.a $(BASE_LIBS)

if CMOCKA
check_PROGRAMS += \
	tests/unit/test_imap_args tests/unit/test_imap_lex tests/unit/test_imap_name \
	tests/unit/test_imap_speech tests/unit/test_imap_id tests/unit/test_imap_set tests/unit/test_imap_words tests/unit/test_imap_write tests/unit/test_line \
	tests/unit/test_lmtp_cmd tests/unit/test_imap_url
tests_unit_test_imap_args_LDADD = $(WIRE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_imap_lex_LDADD = $(WIRE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_imap_name_LDADD = $(WIRE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_imap_set_LDADD = $(WIRE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_imap_speech_LDADD = $(WIRE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_imap_id_LDADD = $(WIRE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_imap_words_LDADD = $(WIRE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_imap_url_LDADD = $(WIRE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_imap_write_LDADD = $(WIRE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_line_LDADD = $(WIRE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_lmtp_cmd_LDADD = $(WIRE_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += \
	tests/fuzz/fuzz_imap_speech tests/fuzz/fuzz_imap_lex tests/fuzz/fuzz_imap_name tests/fuzz/fuzz_imap_set \
	tests/fuzz/fuzz_imap_url tests/fuzz/fuzz_lmtp_cmd tests/fuzz/fuzz_lmtp_dot
tests_fuzz_fuzz_imap_speech_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_imap_speech_LDADD = $(WIRE_LIBS)
tests_fuzz_fuzz_imap_lex_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_imap_lex_LDADD = $(WIRE_LIBS)
tests_fuzz_fuzz_imap_name_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_imap_name_LDADD = $(WIRE_LIBS)
tests_fuzz_fuzz_imap_set_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_imap_set_LDADD = $(WIRE_LIBS)
tests_fuzz_fuzz_imap_url_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_imap_url_LDADD = $(WIRE_LIBS)
tests_fuzz_fuzz_lmtp_cmd_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_lmtp_cmd_LDADD = $(WIRE_LIBS)
tests_fuzz_fuzz_lmtp_dot_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_lmtp_dot_LDADD = $(WIRE_LIBS)
endif
