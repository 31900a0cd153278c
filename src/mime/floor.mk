# Floor mime: how a message is spelled.

noinst_LIBRARIES += src/mime/libmime.a
src_mime_libmime_a_SOURCES = \
	include/mime/address.h src/mime/address.c \
	include/mime/bodystruct.h src/mime/bodystruct.c \
	src/mime/content.h src/mime/content.c src/mime/params.c \
	include/mime/crlf.h src/mime/crlf.c \
	include/mime/envelope.h src/mime/envelope.c \
	include/mime/header.h src/mime/header.c \
	src/mime/lex.h src/mime/lex.c \
	include/mime/section.h src/mime/section.c \
	include/mime/tree.h src/mime/tree.c src/mime/parts.c \
	src/mime/wiretext.h src/mime/wiretext.c
MIME_LIBS = src/mime/libmime.a $(BASE_LIBS)

# Compares ENVELOPE and BODYSTRUCTURE with other servers by hand.
noinst_PROGRAMS += tests/tools/mimedump
tests_tools_mimedump_SOURCES = tests/tools/mimedump.c
tests_tools_mimedump_LDADD = $(MIME_LIBS)
