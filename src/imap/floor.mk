# Floor imap: what IMAP means after login.

noinst_LIBRARIES += src/imap/libimap.a
src_imap_libimap_a_SOURCES = \
	include/imap/module.h \
	include/imap/session.h \
	src/imap/announce.c \
	src/imap/append.h \
	src/imap/args.h src/imap/args.c \
	src/imap/cmd_any.c \
	src/imap/cmd_append.c \
	src/imap/cmd_copy.c \
	src/imap/create.h src/imap/cmd_create.c src/imap/ext_create_special_use.c \
	src/imap/cmd_expunge.c \
	src/imap/cmd_fetch.c \
	src/imap/cmd_folder.c \
	src/imap/cmd_list.c \
	src/imap/cmd_search.c \
	src/imap/cmd_select.c \
	src/imap/cmd_status.c \
	src/imap/cmd_store.c \
	src/imap/copy.h \
	src/imap/core.h \
	src/imap/dispatch.c \
	src/imap/expunge.h \
	src/imap/ext_appendlimit.c \
	src/imap/binary.h src/imap/binary.c src/imap/ext_binary.c \
	src/imap/ext_catenate.c \
	src/imap/ext_compress.c \
	src/imap/condstore.h src/imap/ext_condstore.c \
	src/imap/ext_context.c \
	src/imap/ext_enable.c \
	src/imap/esearch.h src/imap/ext_esearch.c \
	src/imap/ext_i18nlevel.c \
	src/imap/ext_id.c \
	src/imap/ext_idle.c \
	src/imap/ext_list_extended.c \
	src/imap/ext_list_status.c \
	src/imap/ext_inprogress.c \
	src/imap/ext_literal.c \
	src/imap/ext_move.c \
	src/imap/ext_multiappend.c \
	src/imap/ext_namespace.c \
	src/imap/ext_notify.c \
	src/imap/notify.h src/imap/notify_boxes.c src/imap/notify_folders.c \
	src/imap/notify_spec.h src/imap/notify_spec.c \
	src/imap/ext_partial.c \
	src/imap/objectid.h src/imap/ext_objectid.c \
	src/imap/ext_qresync.c \
	src/imap/ext_searchres.c \
	src/imap/ext_preview.c \
	src/imap/ext_replace.c \
	src/imap/ext_savedate.c \
	src/imap/ext_sort.c \
	src/imap/ext_special_use.c \
	src/imap/ext_status_size.c \
	src/imap/ext_thread.c \
	src/imap/ext_uidplus.c \
	src/imap/ext_unselect.c \
	src/imap/header8.h src/imap/header8.c src/imap/ext_utf8.c \
	src/imap/ext_within.c \
	src/imap/fail.c \
	src/imap/fetch.h \
	src/imap/fetch_body.c \
	src/imap/fetch_meta.c \
	src/imap/fetch_standing.c \
	src/imap/list.h \
	src/imap/modules.h src/imap/modules.c \
	src/imap/names.h src/imap/names.c \
	src/imap/out.c \
	src/imap/search.h src/imap/search_keys.c \
	src/imap/section.h src/imap/section.c \
	src/imap/select.h \
	src/imap/session.c \
	src/imap/settings.c \
	src/imap/status.h \
	src/imap/store.h
IMAP_LIBS = src/imap/libimap.a $(BOX_LIBS) $(WIRE_LIBS) $(CONF_LIBS) $(IO_LIBS)

# Sessions over one Maildir without login: dialogues, benchmarks, profiles. Not installed.
noinst_PROGRAMS += tests/tools/imapstdio
tests_tools_imapstdio_SOURCES = tests/tools/imapstdio.c
tests_tools_imapstdio_LDADD = $(IMAP_LIBS)

if CMOCKA
# Sessions over mailboxes in memory (fakebox): box itself is tested on its own floor and by the dialogues.
IMAP_TEST_SOURCES = tests/unit/fakebox.c tests/unit/fakebox.h tests/unit/imap_harness.c tests/unit/imap_harness.h
IMAP_TEST_LIBS = src/imap/libimap.a src/mime/libmime.a src/wire/libwire.a src/conf/libconf.a src/io/libio.a \
	$(CODEC_LIBS) $(SSL_LIBS) $(UTF8PROC_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += \
	tests/unit/test_imap_announce \
	tests/unit/test_imap_binary \
	tests/unit/test_imap_commands \
	tests/unit/test_imap_fetch \
	tests/unit/test_imap_header8 \
	tests/unit/test_imap_search \
	tests/unit/test_imap_session
tests_unit_test_imap_binary_LDADD = $(IMAP_TEST_LIBS)
tests_unit_test_imap_header8_LDADD = $(IMAP_TEST_LIBS)
tests_unit_test_imap_session_SOURCES = tests/unit/test_imap_session.c $(IMAP_TEST_SOURCES)
tests_unit_test_imap_session_LDADD = $(IMAP_TEST_LIBS)
tests_unit_test_imap_announce_SOURCES = tests/unit/test_imap_announce.c $(IMAP_TEST_SOURCES)
tests_unit_test_imap_announce_LDADD = $(IMAP_TEST_LIBS)
tests_unit_test_imap_fetch_SOURCES = tests/unit/test_imap_fetch.c $(IMAP_TEST_SOURCES)
tests_unit_test_imap_fetch_LDADD = $(IMAP_TEST_LIBS)
tests_unit_test_imap_search_SOURCES = tests/unit/test_imap_search.c $(IMAP_TEST_SOURCES)
tests_unit_test_imap_search_LDADD = $(IMAP_TEST_LIBS)
tests_unit_test_imap_commands_SOURCES = tests/unit/test_imap_commands.c $(IMAP_TEST_SOURCES)
tests_unit_test_imap_commands_LDADD = $(IMAP_TEST_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_imap_session
tests_fuzz_fuzz_imap_session_SOURCES = tests/fuzz/fuzz_imap_session.c tests/unit/fakebox.c
tests_fuzz_fuzz_imap_session_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_imap_session_LDADD = src/imap/libimap.a src/mime/libmime.a src/wire/libwire.a src/conf/libconf.a \
	src/io/libio.a $(CODEC_LIBS) $(SSL_LIBS) $(UTF8PROC_LIBS)
endif
