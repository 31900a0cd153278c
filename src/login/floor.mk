# Floor login: before login. See doc/architecture.md, section 3.

noinst_LIBRARIES += src/login/liblogin.a
src_login_liblogin_a_SOURCES = \
	src/login/client.c \
	src/login/imap.c src/login/imap.h \
	src/login/imap_text.c \
	src/login/lmtp.c src/login/lmtp.h \
	src/login/lmtp_data.c \
	src/login/lmtp_rcpt.c \
	src/login/login.c src/login/login.h \
	src/login/logon.c src/login/logon.h \
	src/login/logon_log.c \
	src/login/session.c
LOGIN_LIBS = src/login/liblogin.a $(WIRE_LIBS) $(CONF_LIBS) $(PROC_LIBS)

pkglibexec_PROGRAMS += src/login/roost-login
src_login_roost_login_SOURCES = src/login/main.c
src_login_roost_login_LDADD = $(LOGIN_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/test_login_imap tests/unit/test_login_lmtp tests/unit/test_login_tls
tests_unit_test_login_imap_SOURCES = tests/unit/test_login_imap.c tests/unit/fakelogin.c tests/unit/fakelogin.h
tests_unit_test_login_imap_LDADD = $(LOGIN_LIBS) $(CMOCKA_LIBS)
tests_unit_test_login_lmtp_SOURCES = tests/unit/test_login_lmtp.c tests/unit/fakelogin.c tests/unit/fakelogin.h
tests_unit_test_login_lmtp_LDADD = $(LOGIN_LIBS) $(CMOCKA_LIBS)
tests_unit_test_login_tls_SOURCES = tests/unit/test_login_tls.c tests/unit/fakelogin.c tests/unit/fakelogin.h \
	tests/unit/tls_client.c tests/unit/tls_client.h
tests_unit_test_login_tls_LDADD = $(LOGIN_LIBS) $(CMOCKA_LIBS)
endif

if FUZZ
EXTRA_PROGRAMS += tests/fuzz/fuzz_login
tests_fuzz_fuzz_login_SOURCES = tests/fuzz/fuzz_login.c tests/unit/fakelogin.c
tests_fuzz_fuzz_login_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_login_LDADD = $(LOGIN_LIBS)
endif
