# Floor login: before login. See doc/architecture.md, section 3.

noinst_LIBRARIES += src/login/liblogin.a
src_login_liblogin_a_SOURCES = \
	src/login/client.c \
	src/login/imap.c src/login/imap.h \
	src/login/imap_auth.c \
	src/login/imap_text.c \
	src/login/lmtp.c src/login/lmtp.h \
	src/login/lmtp_data.c \
	src/login/lmtp_rcpt.c \
	src/login/login.c src/login/login.h \
	src/login/session.c
LOGIN_LIBS = src/login/liblogin.a $(WIRE_LIBS) $(CONF_LIBS) $(PROC_LIBS)

pkglibexec_PROGRAMS += src/login/roost-login
src_login_roost_login_SOURCES = src/login/main.c
src_login_roost_login_LDADD = $(LOGIN_LIBS)
