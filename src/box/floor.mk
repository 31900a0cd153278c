# Floor box: how facts and bytes make a mailbox.

noinst_LIBRARIES += src/box/libbox.a
src_box_libbox_a_SOURCES = \
	include/box/acct.h src/box/acct.c \
	include/box/query.h src/box/query.h src/box/kept.c src/box/query.c src/box/query_tree.c src/box/match.c \
	include/box/sort.h src/box/sort.c \
	include/box/thread.h src/box/thread.h src/box/thread.c src/box/learnt.c src/box/links.c src/box/subjects.c \
	include/box/patience.h \
	include/box/uidl.h src/box/uidl.c \
	include/box/view.h src/box/view.c src/box/update.c \
	src/box/room.h \
	src/box/adopt.c \
	src/box/aging.h src/box/aging.c \
	src/box/append.c \
	src/box/arrive.h src/box/arrive.c \
	src/box/bytes.c \
	src/box/copy.c \
	src/box/expunge.c \
	src/box/flags.c \
	src/box/folders.c \
	src/box/forest.h src/box/forest.c \
	include/box/heed.h src/box/heed.c \
	src/box/identify.c \
	src/box/intern.h src/box/intern.c \
	src/box/known.c \
	src/box/made.h src/box/made.c \
	src/box/mailbox.c \
	src/box/manage.c \
	src/box/msort.h src/box/msort.c \
	src/box/names.c \
	src/box/object.c \
	src/box/owing.h src/box/owing.c \
	src/box/preview.c \
	src/box/rec.c \
	src/box/reindex.c \
	src/box/release.c \
	src/box/sharers.c \
	src/box/shelf.c \
	src/box/since.c \
	src/box/status.c \
	src/box/sync.h src/box/sync.c \
	src/box/threadid.c \
	src/box/todo.c \
	src/box/verify.c \
	src/box/walk.c
src_box_libbox_a_CFLAGS = $(AM_CFLAGS) $(XXHASH_CFLAGS)
BOX_LIBS = src/box/libbox.a $(INDEX_LIBS) $(STORE_LIBS) $(MIME_LIBS) $(XXHASH_LIBS)

if CMOCKA
BOX_HOUSE = tests/unit/box_house.h tests/unit/box_house.c
BOX_DEEDS = tests/unit/box_deeds.h tests/unit/box_deeds.c $(BOX_HOUSE)
# Driven by the scripts of the same names in tests/fault.
noinst_PROGRAMS += tests/fault/disk_calls tests/fault/maildir_churn
tests_fault_disk_calls_SOURCES = tests/fault/disk_calls.c $(BOX_DEEDS)
tests_fault_disk_calls_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_fault_maildir_churn_SOURCES = tests/fault/maildir_churn.c $(BOX_HOUSE)
tests_fault_maildir_churn_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += \
	tests/unit/test_box_add \
	tests/unit/test_box_aging \
	tests/unit/test_box_objectid \
	tests/unit/test_box_bytes \
	tests/unit/test_box_faulty \
	tests/unit/test_box_folders \
	tests/unit/test_box_heed \
	tests/unit/test_box_copy \
	tests/unit/test_box_known \
	tests/unit/test_box_mbox \
	tests/unit/test_box_made \
	tests/unit/test_box_random \
	tests/unit/test_box_rec \
	tests/unit/test_box_rebuild \
	tests/unit/test_box_search \
	tests/unit/test_box_sharers \
	tests/unit/test_box_sync \
	tests/unit/test_box_thread \
	tests/unit/test_box_two \
	tests/unit/test_box_view
tests_unit_test_box_objectid_SOURCES = tests/unit/test_box_objectid.c $(BOX_HOUSE)
tests_unit_test_box_objectid_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_add_SOURCES = tests/unit/test_box_add.c $(BOX_HOUSE)
tests_unit_test_box_add_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_aging_SOURCES = tests/unit/test_box_aging.c $(BOX_HOUSE)
tests_unit_test_box_aging_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_bytes_SOURCES = tests/unit/test_box_bytes.c $(BOX_HOUSE)
tests_unit_test_box_bytes_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_faulty_SOURCES = tests/unit/test_box_faulty.c $(BOX_DEEDS)
tests_unit_test_box_faulty_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_folders_SOURCES = tests/unit/test_box_folders.c $(BOX_HOUSE)
tests_unit_test_box_folders_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_heed_SOURCES = tests/unit/test_box_heed.c $(BOX_HOUSE)
tests_unit_test_box_heed_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_copy_SOURCES = tests/unit/test_box_copy.c $(BOX_HOUSE)
tests_unit_test_box_copy_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_known_SOURCES = tests/unit/test_box_known.c $(BOX_HOUSE)
tests_unit_test_box_known_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_mbox_SOURCES = tests/unit/test_box_mbox.c $(BOX_HOUSE)
tests_unit_test_box_mbox_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_made_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_random_SOURCES = tests/unit/test_box_random.c $(BOX_HOUSE)
tests_unit_test_box_random_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_rec_SOURCES = tests/unit/test_box_rec.c $(BOX_HOUSE)
tests_unit_test_box_rec_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_rebuild_SOURCES = tests/unit/test_box_rebuild.c $(BOX_HOUSE)
tests_unit_test_box_rebuild_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_search_SOURCES = tests/unit/test_box_search.c $(BOX_HOUSE)
tests_unit_test_box_search_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_sharers_SOURCES = tests/unit/test_box_sharers.c $(BOX_HOUSE)
tests_unit_test_box_sharers_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_sync_SOURCES = tests/unit/test_box_sync.c $(BOX_HOUSE)
tests_unit_test_box_sync_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_thread_SOURCES = tests/unit/test_box_thread.c $(BOX_HOUSE)
tests_unit_test_box_thread_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_two_SOURCES = tests/unit/test_box_two.c $(BOX_HOUSE)
tests_unit_test_box_two_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_box_view_SOURCES = tests/unit/test_box_view.c $(BOX_HOUSE)
tests_unit_test_box_view_LDADD = $(BOX_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_box_made
tests_fuzz_fuzz_box_made_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_box_made_LDADD = $(BOX_LIBS)
endif
