# Floor store: how mail lies on disk.

noinst_LIBRARIES += src/store/libstore.a
src_store_libstore_a_SOURCES = \
	include/store/store.h src/store/store.c \
	include/store/dotlock.h src/store/dotlock.c \
	src/store/dovecot_seen.h src/store/dovecot_seen.c \
	src/store/extra.h src/store/extra.c \
	src/store/faulty.c \
	src/store/file.h src/store/file.c \
	src/store/keytab.h src/store/keytab.c \
	src/store/lines.h src/store/lines.c src/store/list_state.h \
	src/store/maildir.h src/store/maildir.c \
	src/store/maildir_courier.c \
	src/store/maildir_find.c \
	src/store/maildir_folders.h src/store/maildir_fs.c \
	src/store/maildir_keywords.c \
	src/store/maildir_list.c src/store/maildir_listing.c \
	src/store/maildir_make.c \
	src/store/maildir_moving.c \
	src/store/maildir_name.h src/store/maildir_name.c \
	src/store/maildir_number.c \
	src/store/maildir_pack.c \
	src/store/maildir_path.c \
	src/store/maildir_save.c \
	src/store/maildir_scan.c \
	src/store/maildir_seen.c \
	src/store/maildir_trash.c \
	src/store/maildir_uidlist.c \
	src/store/mbox.h src/store/mbox.c \
	src/store/mbox_base.c \
	src/store/mbox_beside.c \
	src/store/mbox_beside.h \
	src/store/mbox_folders.c \
	src/store/mbox_from.h src/store/mbox_from.c \
	src/store/mbox_head.h src/store/mbox_head.c \
	src/store/mbox_journal.h src/store/mbox_journal.c \
	src/store/mbox_lock.c \
	src/store/mbox_map.c \
	src/store/mbox_packed.c \
	src/store/mbox_parse.h src/store/mbox_parse.c \
	src/store/mbox_rewrite.c \
	src/store/mbox_save.c \
	src/store/mbox_scan.c \
	src/store/mem.c \
	src/store/seen.h src/store/seen.c \
	src/store/special_use.h src/store/special_use.c \
	src/store/subscriptions.h src/store/subscriptions.c \
	src/store/uidlist.h src/store/uidlist.c \
	src/store/uidvalidity.h src/store/uidvalidity.c
src_store_libstore_a_CFLAGS = $(AM_CFLAGS) $(XXHASH_CFLAGS)
STORE_LIBS = src/store/libstore.a $(MIME_LIBS) $(CODEC_LIBS) $(BASE_LIBS) $(XXHASH_LIBS)

# Drives a store from a shell, for tests of alternation with other programs.
noinst_PROGRAMS += tests/tools/storectl
tests_tools_storectl_SOURCES = tests/tools/storectl.c
tests_tools_storectl_LDADD = $(STORE_LIBS)

# Driven by the script of the same name in tests/fault.
noinst_PROGRAMS += tests/fault/mbox_cut
tests_fault_mbox_cut_SOURCES = tests/fault/mbox_cut.c
tests_fault_mbox_cut_LDADD = $(STORE_LIBS)

if CMOCKA
check_PROGRAMS += \
	tests/unit/test_maildir \
	tests/unit/test_maildir_courier \
	tests/unit/test_maildir_find \
	tests/unit/test_maildir_how \
	tests/unit/test_maildir_fs \
	tests/unit/test_maildir_keywords \
	tests/unit/test_maildir_list \
	tests/unit/test_maildir_name \
	tests/unit/test_maildir_save \
	tests/unit/test_maildir_scan \
	tests/unit/test_maildir_uidlist \
	tests/unit/test_maildir_uidvalidity \
	tests/unit/test_mbox \
	tests/unit/test_mbox_from \
	tests/unit/test_mbox_head \
	tests/unit/test_mbox_odd \
	tests/unit/test_store_contract \
	tests/unit/test_store_dotlock \
	tests/unit/test_store_dovecot_seen \
	tests/unit/test_store_extra \
	tests/unit/test_store_file \
	tests/unit/test_store_keytab \
	tests/unit/test_store_seen \
	tests/unit/test_store_special_use \
	tests/unit/test_store_subscriptions \
	tests/unit/test_store_uidlist
tests_unit_test_maildir_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_courier_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_find_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_how_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_fs_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_keywords_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_list_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_name_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_save_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_scan_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_uidlist_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_uidvalidity_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_store_seen_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_store_special_use_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mbox_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mbox_from_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mbox_head_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mbox_odd_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_store_contract_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_store_dotlock_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_store_dovecot_seen_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_store_extra_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_store_file_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_store_keytab_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_store_subscriptions_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_store_uidlist_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += \
	tests/fuzz/fuzz_maildir_courier \
	tests/fuzz/fuzz_maildir_extra \
	tests/fuzz/fuzz_maildir_keywords \
	tests/fuzz/fuzz_dovecot_seen \
	tests/fuzz/fuzz_store_seen \
	tests/fuzz/fuzz_store_special_use \
	tests/fuzz/fuzz_maildir_name \
	tests/fuzz/fuzz_maildir_subscriptions \
	tests/fuzz/fuzz_maildir_uidlist \
	tests/fuzz/fuzz_mbox
tests_fuzz_fuzz_mbox_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_mbox_LDADD = $(STORE_LIBS)
tests_fuzz_fuzz_maildir_courier_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_maildir_courier_LDADD = $(STORE_LIBS)
tests_fuzz_fuzz_maildir_extra_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_maildir_extra_LDADD = $(STORE_LIBS)
tests_fuzz_fuzz_dovecot_seen_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_dovecot_seen_LDADD = $(STORE_LIBS)
tests_fuzz_fuzz_store_seen_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_store_seen_LDADD = $(STORE_LIBS)
tests_fuzz_fuzz_store_special_use_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_store_special_use_LDADD = $(STORE_LIBS)
tests_fuzz_fuzz_maildir_keywords_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_maildir_keywords_LDADD = $(STORE_LIBS)
tests_fuzz_fuzz_maildir_name_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_maildir_name_LDADD = $(STORE_LIBS)
tests_fuzz_fuzz_maildir_subscriptions_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_maildir_subscriptions_LDADD = $(STORE_LIBS)
tests_fuzz_fuzz_maildir_uidlist_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_maildir_uidlist_LDADD = $(STORE_LIBS)
endif
