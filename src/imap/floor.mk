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
	src/imap/ext_enable.c \
	src/imap/ext_id.c \
	src/imap/ext_idle.c \
	src/imap/ext_literal.c \
	src/imap/ext_move.c \
	src/imap/ext_namespace.c \
	src/imap/ext_special_use.c \
	src/imap/ext_uidplus.c \
	src/imap/ext_unselect.c \
	src/imap/fail.c \
	src/imap/fetch.h \
	src/imap/fetch_body.c \
	src/imap/fetch_meta.c \
	src/imap/list.h \
	src/imap/modules.h src/imap/modules.c \
	src/imap/out.c \
	src/imap/search.h src/imap/search_keys.c \
	src/imap/select.h \
	src/imap/session.c \
	src/imap/settings.c \
	src/imap/store.h
