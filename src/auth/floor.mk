# Floor auth: SASL, users. A library for the databases and exchanges, which only the worker links whole, and two programs.

noinst_LIBRARIES += src/auth/libauth.a
src_auth_libauth_a_SOURCES = \
	src/auth/account.c \
	src/auth/fields.h src/auth/fields.c \
	src/auth/names.h src/auth/names.c \
	src/auth/pwdb.h src/auth/pwdb.c \
	src/auth/pwfile.h src/auth/pwfile.c \
	src/auth/sasl.h src/auth/sasl.c \
	src/auth/scheme.h src/auth/scheme.c \
	src/auth/try.h src/auth/try.c \
	src/auth/userdb.h src/auth/userdb.c \
	src/auth/users.h src/auth/users.c
src_auth_libauth_a_CFLAGS = $(AM_CFLAGS) $(SASL_CFLAGS) $(CRYPT_CFLAGS)
AUTH_LIBS = src/auth/libauth.a $(CONF_LIBS) $(SASL_LIBS) $(CRYPT_LIBS)

# The router links neither SASL nor libcrypt.
pkglibexec_PROGRAMS += src/auth/roost-auth src/auth/roost-auth-worker
src_auth_roost_auth_SOURCES = src/auth/main.c src/auth/route.h src/auth/route.c
src_auth_roost_auth_LDADD = $(PROC_LIBS) $(CONF_LIBS)
src_auth_roost_auth_worker_SOURCES = src/auth/worker_main.c
src_auth_roost_auth_worker_LDADD = src/auth/libauth.a $(PROC_LIBS) $(CONF_LIBS) $(SASL_LIBS) $(CRYPT_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_auth_users tests/unit/test_auth_pwfile tests/unit/test_auth_names \
	tests/unit/test_auth_try tests/unit/test_auth_route
tests_unit_test_auth_users_LDADD = $(AUTH_LIBS) $(CMOCKA_LIBS)
tests_unit_test_auth_pwfile_LDADD = $(AUTH_LIBS) $(CMOCKA_LIBS)
tests_unit_test_auth_names_LDADD = $(AUTH_LIBS) $(CMOCKA_LIBS)
tests_unit_test_auth_try_LDADD = $(AUTH_LIBS) $(CMOCKA_LIBS)
tests_unit_test_auth_route_SOURCES = tests/unit/test_auth_route.c src/auth/route.c
tests_unit_test_auth_route_LDADD = $(IPC_LIBS) $(CONF_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_auth_pwfile tests/fuzz/fuzz_auth_sasl
tests_fuzz_fuzz_auth_pwfile_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_auth_pwfile_LDADD = $(AUTH_LIBS)
tests_fuzz_fuzz_auth_sasl_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_auth_sasl_LDADD = $(AUTH_LIBS)
endif
