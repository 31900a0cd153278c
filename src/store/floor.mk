# Floor store: how mail lies on disk.

noinst_LIBRARIES += src/store/libstore.a
src_store_libstore_a_SOURCES = \
	include/store/store.h src/store/store.c \
	src/store/dotlock.h src/store/dotlock.c \
	src/store/extra.h src/store/extra.c \
	src/store/faulty.c \
	src/store/file.h src/store/file.c \
	src/store/keytab.h src/store/keytab.c \
	src/store/lines.h src/store/lines.c \
	src/store/maildir.h src/store/maildir.c \
	src/store/maildir_find.c \
	src/store/maildir_keywords.c \
	src/store/maildir_list.c \
	src/store/maildir_name.h src/store/maildir_name.c \
	src/store/maildir_save.c \
	src/store/maildir_scan.c \
	src/store/maildir_uidlist.c \
	src/store/maildir_uidvalidity.c \
	src/store/mem.c \
	src/store/subscriptions.h src/store/subscriptions.c \
	src/store/uidlist.h src/store/uidlist.c
src_store_libstore_a_CFLAGS = $(AM_CFLAGS) $(XXHASH_CFLAGS)
STORE_LIBS = src/store/libstore.a $(BASE_LIBS) $(XXHASH_LIBS)

# Drives a store from a shell, for tests of alternation with other programs.
noinst_PROGRAMS += tests/tools/storectl
tests_tools_storectl_SOURCES = tests/tools/storectl.c
tests_tools_storectl_LDADD = $(STORE_LIBS)
