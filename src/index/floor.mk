# Floor index: LMDB.

noinst_LIBRARIES += src/index/libindex.a
src_index_libindex_a_SOURCES = \
	include/index/index.h \
	src/index/boxes.h src/index/boxes.c \
	src/index/cache.c \
	src/index/changes.c \
	src/index/env.h src/index/env.c \
	src/index/guard.h src/index/guard.c \
	src/index/kv.h src/index/kv.c \
	src/index/map.h src/index/map.c \
	src/index/msgs.h src/index/msgs.c \
	src/index/purge.h src/index/purge.c \
	src/index/schema.h src/index/schema.c \
	src/index/todo.c \
	src/index/walk.c
src_index_libindex_a_CFLAGS = $(AM_CFLAGS) $(LMDB_CFLAGS) $(XXHASH_CFLAGS)
INDEX_LIBS = src/index/libindex.a $(LMDB_LIBS) $(XXHASH_LIBS) $(BASE_LIBS)
