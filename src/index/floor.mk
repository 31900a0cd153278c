# Floor index: LMDB.

noinst_LIBRARIES += src/index/libindex.a
src_index_libindex_a_SOURCES = \
	include/index/index.h \
	src/index/boxes.h src/index/boxes.c \
	src/index/bytes.h \
	src/index/cache.c \
	src/index/changes.c \
	src/index/compact.c \
	src/index/env.h src/index/env.c \
	src/index/frame.h src/index/frame.c \
	src/index/guard.h src/index/guard.c \
	src/index/kv.h src/index/kv.c \
	src/index/map.h src/index/map.c \
	src/index/msgs.h src/index/msgs.c \
	src/index/purge.h src/index/purge.c \
	src/index/schema.h src/index/schema.c \
	src/index/todo.c \
	src/index/txn.c \
	src/index/walk.c
src_index_libindex_a_CFLAGS = $(AM_CFLAGS) $(LMDB_CFLAGS) $(XXHASH_CFLAGS)
INDEX_LIBS = src/index/libindex.a $(LMDB_LIBS) $(XXHASH_LIBS) $(BASE_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_index tests/unit/test_index_env tests/unit/test_index_schema
tests_unit_test_index_LDADD = $(INDEX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_index_env_LDADD = $(INDEX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_index_schema_LDADD = $(INDEX_LIBS) $(CMOCKA_LIBS)
endif

# What it costs; see the head of the file.
noinst_PROGRAMS += tests/bench/bench_index
tests_bench_bench_index_SOURCES = tests/bench/bench_index.c
tests_bench_bench_index_LDADD = $(INDEX_LIBS)

# Driven by the scripts of the same name in tests/fault.
noinst_PROGRAMS += tests/fault/index_damage tests/fault/index_full tests/fault/index_kill tests/fault/index_version
tests_fault_index_damage_SOURCES = tests/fault/index_damage.c
tests_fault_index_damage_LDADD = $(INDEX_LIBS)
tests_fault_index_full_SOURCES = tests/fault/index_full.c
tests_fault_index_full_LDADD = $(INDEX_LIBS)
tests_fault_index_kill_SOURCES = tests/fault/index_kill.c
tests_fault_index_kill_LDADD = $(INDEX_LIBS)
tests_fault_index_version_SOURCES = tests/fault/index_version.c
tests_fault_index_version_LDADD = $(INDEX_LIBS)

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_index
tests_fuzz_fuzz_index_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_index_LDADD = $(INDEX_LIBS)
endif
