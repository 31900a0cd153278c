/*
 * The settings, one row each. This list is the whole of a setting: src/conf/table.c makes the
 * table from it, roost.conf(5) prints it, the enum below names it.
 *
 * X(id, "2.3 name", "2.4 name" or NULL when it is the same, type, "default", roles, flags,
 *   "words of an enum" or NULL, "sentence")
 *
 * type    one of enum conf_type without its prefix
 * roles   which roles may see it, letters of enum conf_role: M L A W C D; all: ALL
 * flags   0; PEER: read for each connection, so that local and remote sections, and a userdb field of its name, may
 *         set it; NOEFFECT: Dovecot 2.3 knows it, we accept it, nothing reads it yet. Setting it to
 *         another value than the default gives a warning at start and a mark in `roost -n`.
 *
 * Rows are sorted by name. Settings of 2.3 that nobody reads at all stand in table.c only.
 */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#define CONF_SETTINGS(X) \
	X(AUTH_DEBUG, "auth_debug", "log_debug", BOOL, "no", A, 0, NULL, \
	  "Log every step of an authentication (never passwords).") \
	X(AUTH_DEFAULT_REALM, "auth_default_realm", "auth_default_domain", STRING, "", A, 0, NULL, \
	  "Domain added to a user name that has none.") \
	X(AUTH_FAILURE_DELAY, "auth_failure_delay", NULL, TIME, "2 secs", A, 0, NULL, \
	  "How long the answer to a failed authentication is held back.") \
	X(AUTH_MECHANISMS, "auth_mechanisms", NULL, WORDS, "plain", L | A, PEER, NULL, \
	  "SASL mechanisms offered: plain, login.") \
	X(AUTH_REALMS, "auth_realms", NULL, WORDS, "", A, NOEFFECT, NULL, \
	  "Realms for mechanisms that need them; plain and login do not.") \
	X(AUTH_USERNAME_CHARS, "auth_username_chars", NULL, STRING, \
	  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@", A, 0, NULL, \
	  "Characters a user name may hold; a name with any other fails. Empty allows all but " \
	  "control characters.") \
	X(AUTH_USERNAME_FORMAT, "auth_username_format", NULL, STRING, "%Lu", A, 0, NULL, \
	  "How a user name is normalised before it is looked up: %Lu lower case, %n without domain.") \
	X(AUTH_USERNAME_TRANSLATION, "auth_username_translation", NULL, STRING, "", A, 0, NULL, \
	  "Pairs of characters: each first one in a user name is replaced by the second.") \
	X(AUTH_VERBOSE, "auth_verbose", NULL, BOOL, "no", A, 0, NULL, \
	  "Log why an authentication failed.") \
	X(AUTH_WORKER_MAX_COUNT, "auth_worker_max_count", "service auth-worker process_limit", UINT, \
	  "30", M | A, 0, NULL, "Most processes that verify passwords at a time.") \
	X(BASE_DIR, "base_dir", NULL, STRING, RUNSTATEDIR "/roost", M | C, 0, NULL, \
	  "Directory for sockets; relative unix_listener paths start here.") \
	X(DEBUG_LOG_PATH, "debug_log_path", NULL, STRING, "", M, 0, NULL, \
	  "Log for debug lines; empty is info_log_path.") \
	X(DEFAULT_CLIENT_LIMIT, "default_client_limit", NULL, UINT, "1000", M | L, 0, NULL, \
	  "Most connections of one process, unless its service says otherwise.") \
	X(DEFAULT_INTERNAL_GROUP, "default_internal_group", NULL, STRING, "roost", M, NOEFFECT, NULL, \
	  "Group of our sockets.") \
	X(DEFAULT_INTERNAL_USER, "default_internal_user", NULL, STRING, "roost", M, 0, NULL, \
	  "User of the helper processes that need no rights.") \
	X(DEFAULT_LOGIN_USER, "default_login_user", NULL, STRING, "roostnull", M, 0, NULL, \
	  "User of the processes that speak with strangers.") \
	X(DEFAULT_PROCESS_LIMIT, "default_process_limit", NULL, UINT, "100", M, 0, NULL, \
	  "Most processes of one service, unless it says otherwise.") \
	X(DEFAULT_VSZ_LIMIT, "default_vsz_limit", NULL, SIZE, "256 M", M, NOEFFECT, NULL, \
	  "Address space of one process, unless its service says otherwise; 0 is no limit.") \
	X(DELIVER_LOG_FORMAT, "deliver_log_format", NULL, STRING, "msgid=%m: %$", W, PEER, NULL, \
	  "Log line of one delivery: %$ what happened, %m Message-ID, %s subject, %f From, %e envelope " \
	  "sender, %p size, %w size with CRLF.") \
	X(DISABLE_PLAINTEXT_AUTH, "disable_plaintext_auth", "auth_allow_cleartext", BOOL, "yes", \
	  L | A, PEER, NULL, "Refuse passwords on connections without TLS, except from this host.") \
	X(FIRST_VALID_GID, "first_valid_gid", NULL, UINT, "1", M | A, 0, NULL, \
	  "Smallest group id a mail user may have.") \
	X(FIRST_VALID_UID, "first_valid_uid", NULL, UINT, "500", M | A, 0, NULL, \
	  "Smallest user id a mail user may have.") \
	X(HOSTNAME, "hostname", NULL, STRING, "", M | L | W | D, 0, NULL, \
	  "Our name in greetings and headers; empty is the name of the host.") \
	X(IMAP_CAPABILITY, "imap_capability", NULL, STRING, "", L | W, PEER, NULL, \
	  "Replaces the CAPABILITY list; or, beginning with + or -, adds WORD and +WORD and takes -WORD " \
	  "away. What is not in the list is not served either. +LITERAL- takes LITERAL+ away. " \
	  "Without UTF8=ACCEPT, APPEND takes 8-bit headers from all clients.") \
	X(IMAP_CLIENT_WORKAROUNDS, "imap_client_workarounds", NULL, WORDS, "", W, PEER, NULL, \
	  "Concessions to clients. delay-newmail: new messages are told of by NOOP, CHECK and IDLE only. " \
	  "tb-extra-mailbox-sep, tb-lsub-flags: done for every client, asked for or not.") \
	X(IMAP_FETCH_FAILURE, "imap_fetch_failure", NULL, ENUM, "no-after", W, PEER, \
	  "disconnect-immediately disconnect-after no-after", \
	  "When a message cannot be read: end the connection at once, or behind the answer, or only say NO " \
	  "behind the other messages (Dovecot's default is disconnect-immediately).") \
	X(IMAP_ID_LOG, "imap_id_log", NULL, STRING, "", L | W, PEER, NULL, \
	  "Fields of the client's ID that are logged: names, or * for all.") \
	X(IMAP_ID_SEND, "imap_id_send", NULL, STRING, "name *", L | W, PEER, NULL, \
	  "Fields answered to ID: name value pairs; * stands for our own value.") \
	X(IMAP_IDLE_NOTIFY_INTERVAL, "imap_idle_notify_interval", NULL, TIME, "2 mins", W, PEER, NULL, \
	  "How often an idling client hears that the connection lives.") \
	X(IMAP_LOGOUT_FORMAT, "imap_logout_format", NULL, STRING, \
	  "in=%i out=%o deleted=%{deleted} expunged=%{expunged} trashed=%{trashed} " \
	  "hdr_count=%{fetch_hdr_count} hdr_bytes=%{fetch_hdr_bytes} " \
	  "body_count=%{fetch_body_count} body_bytes=%{fetch_body_bytes}", W, PEER, NULL, \
	  "Log line at the end of an IMAP session.") \
	X(IMAP_MAX_LINE_LENGTH, "imap_max_line_length", NULL, SIZE, "64 k", L | W, PEER, NULL, \
	  "Longest IMAP command line after login; at least 1 M is allowed.") \
	X(INFO_LOG_PATH, "info_log_path", NULL, STRING, "", M, 0, NULL, \
	  "Log for informational lines; empty is log_path.") \
	X(INSTANCE_NAME, "instance_name", NULL, STRING, "roost", ALL, 0, NULL, \
	  "Name of this server in logs and process titles.") \
	X(LAST_VALID_GID, "last_valid_gid", NULL, UINT, "0", M | A, 0, NULL, \
	  "Greatest group id a mail user may have; 0 is no bound.") \
	X(LAST_VALID_UID, "last_valid_uid", NULL, UINT, "0", M | A, 0, NULL, \
	  "Greatest user id a mail user may have; 0 is no bound.") \
	X(LDA_MAILBOX_AUTOCREATE, "lda_mailbox_autocreate", NULL, BOOL, "no", W, 0, NULL, \
	  "Create the mailbox that a delivery asks for.") \
	X(LDA_MAILBOX_AUTOSUBSCRIBE, "lda_mailbox_autosubscribe", NULL, BOOL, "no", W, 0, NULL, \
	  "Subscribe to mailboxes that a delivery created.") \
	X(LISTEN, "listen", NULL, WORDS, "*, ::", M, 0, NULL, \
	  "Addresses for listeners that name none.") \
	X(LMTP_ADD_RECEIVED_HEADER, "lmtp_add_received_header", NULL, BOOL, "yes", L | W, PEER, NULL, \
	  "Put a Received header in front of delivered mail.") \
	X(LMTP_CLIENT_WORKAROUNDS, "lmtp_client_workarounds", NULL, WORDS, "", L, NOEFFECT, NULL, \
	  "Concessions to LMTP clients.") \
	X(LMTP_HDR_DELIVERY_ADDRESS, "lmtp_hdr_delivery_address", NULL, ENUM, "final", L | W, PEER, \
	  "final original none", "Address in the Delivered-To header.") \
	X(LMTP_SAVE_TO_DETAIL_MAILBOX, "lmtp_save_to_detail_mailbox", NULL, BOOL, "no", L | W, PEER, \
	  NULL, "Deliver to user+detail into the mailbox named detail.") \
	X(LMTP_USER_CONCURRENCY_LIMIT, "lmtp_user_concurrency_limit", NULL, UINT, "0", L, NOEFFECT, NULL, \
	  "Most deliveries to one user at a time; 0 is no limit.") \
	X(LOG_PATH, "log_path", NULL, STRING, "syslog", M, 0, NULL, \
	  "Log for errors and warnings: syslog, a file, or /dev/stderr.") \
	X(LOG_TIMESTAMP, "log_timestamp", NULL, STRING, "%b %d %H:%M:%S ", ALL, 0, NULL, \
	  "strftime(3) format before each line of a log file.") \
	X(LOGIN_GREETING, "login_greeting", NULL, STRING, "Roost ready.", L, PEER, NULL, \
	  "Text of the greeting.") \
	X(LOGIN_LOG_FORMAT, "login_log_format", NULL, STRING, "%$: %s", L, PEER, NULL, \
	  "Log line of a login: %s is the event, %$ the elements.") \
	X(LOGIN_LOG_FORMAT_ELEMENTS, "login_log_format_elements", NULL, STRING, \
	  "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>", L, PEER, NULL, \
	  "Elements of login_log_format; those whose variable is empty are left out.") \
	X(LOGIN_PROCESSES, "login_processes", NULL, UINT, "2", M, 0, NULL, \
	  "Processes that hold connections before and, under TLS, after login.") \
	X(LOGIN_TRUSTED_NETWORKS, "login_trusted_networks", NULL, WORDS, "", L | A, NOEFFECT, NULL, \
	  "Networks whose proxies may name the client address.") \
	X(MAIL_ACCESS_GROUPS, "mail_access_groups", NULL, WORDS, "", M, 0, NULL, \
	  "Groups that every mail process is a member of: whoever may log in shares their rights.") \
	X(MAIL_DEBUG, "mail_debug", "log_debug", BOOL, "no", W, 0, NULL, \
	  "Log debug lines of mail processes.") \
	X(MAIL_FSYNC, "mail_fsync", NULL, ENUM, "optimized", W, 0, "optimized always never", \
	  "Which writes reach the disk before they are acknowledged.") \
	X(MAIL_GID, "mail_gid", NULL, STRING, "", M | A, 0, NULL, \
	  "Group of mail users whose userdb names none: name or number.") \
	X(MAIL_CACHE_MAX_SIZE, "mail_cache_max_size", NULL, SIZE, "1 G", W, 0, NULL, \
	  "Most bytes that envelopes, structures and header fields take in a user's index; older messages make room for " \
	  "newer ones.") \
	X(MAIL_HOME, "mail_home", NULL, STRING, "", M | A | W, 0, NULL, \
	  "Home of mail users whose userdb names none; % variables.") \
	X(MAIL_INDEX_FALLBACK, "mail_index_fallback", NULL, STRING, "", M | W, 0, NULL, \
	  "Directory on a local disk, with % variables, for the index of a user whose own place for it is " \
	  "read-only or on a network file system (ours).") \
	X(MAIL_LOCATION, "mail_location", "mail_driver, mail_path", STRING, "", M | W, 0, NULL, \
	  "Where mail lies: driver:path[:KEY=value]...; % variables, ~/ is the home.") \
	X(MAIL_LOG_PREFIX, "mail_log_prefix", NULL, STRING, "%s(%u)<%{pid}><%{session}>: ", W, NOEFFECT, \
	  NULL, "Prefix of log lines of a mail session.") \
	X(MAIL_MAX_KEYWORD_LENGTH, "mail_max_keyword_length", NULL, UINT, "50", W, 0, NULL, \
	  "Longest name of a keyword.") \
	X(MAIL_MAX_USERIP_CONNECTIONS, "mail_max_userip_connections", NULL, UINT, "10", M | W, PEER, NULL, \
	  "Most sessions of one user from one address; 0 is no limit.") \
	X(MAIL_PLUGINS, "mail_plugins", NULL, STRING, "", W, 0, NULL, \
	  "Plug-ins; what they do is built in or not there. zlib: new messages are stored compressed as zlib_save says.") \
	X(MAIL_PRIVILEGED_GROUP, "mail_privileged_group", NULL, STRING, "", M, 0, NULL, \
	  "Group that may write to the directory of INBOX= mboxes (/var/mail): of the one process that makes and removes " \
	  "lock files there; no mail process is a member.") \
	X(MAIL_SHARED_EXPLICIT_INBOX, "mail_shared_explicit_inbox", NULL, BOOL, "no", W, 0, NULL, \
	  "Another user's INBOX is called so below his prefix, not as the prefix itself.") \
	X(MAIL_UID, "mail_uid", NULL, STRING, "", M | A, 0, NULL, \
	  "User of mail users whose userdb names none: name or number.") \
	X(MAILBOX_IDLE_CHECK_INTERVAL, "mailbox_idle_check_interval", NULL, TIME, "30 secs", W, PEER, \
	  NULL, "How often a mailbox is looked at where the kernel cannot watch it.") \
	X(MAILDIR_BROKEN_FILENAME_SIZES, "maildir_broken_filename_sizes", NULL, BOOL, "no", W, \
	  0, NULL, "Believe neither S= nor W= in the names of Maildir files: sizes are counted and kept in the index.") \
	X(MAILDIR_COPY_WITH_HARDLINKS, "maildir_copy_with_hardlinks", NULL, BOOL, "yes", W, 0, NULL, \
	  "Copy messages between Maildirs by hard link.") \
	X(MAILDIR_EMPTY_NEW, "maildir_empty_new", NULL, BOOL, "no", W, 0, NULL, \
	  "Move messages from new to cur also when who opens the mailbox leaves them \\Recent (EXAMINE).") \
	X(MAILDIR_STAT_DIRS, "maildir_stat_dirs", NULL, BOOL, "no", W, 0, NULL, \
	  "Look whether an entry of a Maildir is a directory before it is listed: always done, asked for or not.") \
	X(MAILDIR_VERY_DIRTY_SYNCS, "maildir_very_dirty_syncs", NULL, BOOL, "no", W, 0, NULL, \
	  "Only this server changes cur: while its time stands still it is not listed, however lately that time was set.") \
	X(MBOX_DIRTY_SYNCS, "mbox_dirty_syncs", NULL, BOOL, "yes", W, 0, NULL, \
	  "An mbox that has grown is read from its old end on only; all headers when it is selected, or a while later.") \
	X(MBOX_DOTLOCK_CHANGE_TIMEOUT, "mbox_dotlock_change_timeout", NULL, TIME, "2 mins", W | D, 0, NULL, \
	  "How long a lock file is respected while the mbox does not change.") \
	X(MBOX_LAZY_WRITES, "mbox_lazy_writes", NULL, BOOL, "yes", W, 0, NULL, \
	  "Flags reach an mbox within a second; no: before they are acknowledged.") \
	X(MBOX_LOCK_TIMEOUT, "mbox_lock_timeout", NULL, TIME, "5 mins", W, 0, NULL, \
	  "How long an mbox that another program has locked is waited for; never more than half a minute.") \
	X(MBOX_MD5, "mbox_md5", NULL, ENUM, "apop3d", W, 0, "apop3d all", \
	  "By which header lines a message without a UID is told again in an mbox that may not be written to.") \
	X(MBOX_MIN_INDEX_SIZE, "mbox_min_index_size", NULL, SIZE, "0", W, 0, NULL, \
	  "Smaller mboxes need no index in Dovecot; here an index costs nothing worth saving, and all have one.") \
	X(MBOX_READ_LOCKS, "mbox_read_locks", NULL, WORDS, "fcntl", W, 0, NULL, \
	  "Locks for reading an mbox, in this order: fcntl, flock, lockf, dotlock, dotlock_try.") \
	X(MBOX_VERY_DIRTY_SYNCS, "mbox_very_dirty_syncs", NULL, BOOL, "no", W, 0, NULL, \
	  "mbox_dirty_syncs, also when a mailbox is selected: that another program changed flags before it grew is never seen.") \
	X(MBOX_WRITE_LOCKS, "mbox_write_locks", NULL, WORDS, "fcntl dotlock", W, 0, NULL, \
	  "Locks for writing to an mbox, in this order.") \
	X(MESSAGE_SIZE_MAX, "message_size_max", NULL, SIZE, "100 M", L | W, PEER, NULL, \
	  "Largest message accepted by LMTP and APPEND (ours).") \
	X(POSTMASTER_ADDRESS, "postmaster_address", NULL, STRING, "", L | W, NOEFFECT, NULL, \
	  "Sender of notices; empty is postmaster at hostname.") \
	X(PROTOCOLS, "protocols", NULL, WORDS, "imap lmtp", M | L, 0, NULL, \
	  "Protocols to serve: imap, lmtp.") \
	X(RECIPIENT_DELIMITER, "recipient_delimiter", NULL, STRING, "+", L | A, PEER, NULL, \
	  "Characters that part user and detail in a recipient.") \
	X(SHUTDOWN_CLIENTS, "shutdown_clients", NULL, BOOL, "yes", M, NOEFFECT, NULL, \
	  "End the sessions when the server stops.") \
	X(SSL, "ssl", NULL, ENUM, "yes", M | L, PEER, "no yes required", \
	  "TLS: not at all, offered, or required before authentication. Where it is no outside of local and remote " \
	  "sections, it is no inside.") \
	X(SSL_CERT, "ssl_cert", "ssl_server_cert_file", FILE, "", L, 0, NULL, \
	  "Certificate chain (PEM), written as </path.") \
	X(SSL_CIPHER_LIST, "ssl_cipher_list", NULL, STRING, "", L, 0, NULL, \
	  "Cipher suites of TLS 1.2 (OpenSSL list); empty is our own choice of AEAD suites.") \
	X(SSL_KEY, "ssl_key", "ssl_server_key_file", FILE, "", L, 0, NULL, \
	  "Private key (PEM), written as </path.") \
	X(SSL_MIN_PROTOCOL, "ssl_min_protocol", NULL, ENUM, "TLSv1.2", L, 0, "TLSv1.2 TLSv1.3", \
	  "Oldest TLS version accepted.") \
	X(SSL_PREFER_SERVER_CIPHERS, "ssl_prefer_server_ciphers", "ssl_server_prefer_ciphers", BOOL, \
	  "no", L, 0, NULL, "Our order of cipher suites wins over the client's.") \
	X(STATE_DIR, "state_dir", NULL, STRING, LOCALSTATEDIR "/lib/roost", M | W, NOEFFECT, NULL, \
	  "Directory for data that outlives a restart.") \
	X(SYSLOG_FACILITY, "syslog_facility", NULL, ENUM, "mail", ALL, 0, \
	  "mail auth authpriv cron daemon ftp kern lpr news syslog user uucp local0 local1 local2 " \
	  "local3 local4 local5 local6 local7", "Facility when logging to syslog.") \
	X(VERBOSE_PROCTITLE, "verbose_proctitle", NULL, BOOL, "no", M | L | W, NOEFFECT, NULL, \
	  "Show user and address in the process list.") \
	X(VERBOSE_SSL, "verbose_ssl", "log_debug", BOOL, "no", L, NOEFFECT, NULL, \
	  "Log why TLS handshakes fail.") \
	X(WORKER_LINGER, "worker_linger", NULL, TIME, "60 secs", M | W, 0, NULL, \
	  "How long a worker outlives its user's last session (ours).") \
	X(WORKER_MODE, "worker_mode", NULL, ENUM, "auto", M, 0, "auto single pooled", \
	  "One worker a user until the process limit (auto), always (single), or users " \
	  "of one uid together from the start (pooled) (ours).") \
	X(WORKER_SPARES, "worker_spares", NULL, UINT, "2", M, 0, NULL, \
	  "Workers kept waiting, so that a login need not start one (ours).")

enum conf_id {
#define CONF_ID(id, ...) CONF_##id,
	CONF_SETTINGS(CONF_ID)
#undef CONF_ID
	CONF_N
};

enum conf_type {
	CONF_T_BOOL,   /* yes, no */
	CONF_T_UINT,   /* decimal */
	CONF_T_SIZE,   /* bytes: 10, 64 k, 1 M, 2G, 1T */
	CONF_T_TIME,   /* milliseconds: 500 msecs, 2 secs, 2 mins, 1h, 7d, 1w; no unit: seconds */
	CONF_T_STRING,
	CONF_T_ENUM,   /* the number of the word in the row's list */
	CONF_T_WORDS,  /* words parted by blanks or commas */
	CONF_T_FILE,   /* content of a file, written as </path */
	CONF_T_MODE,   /* octal file mode */
};

enum conf_role {
	CONF_MASTER = 1,
	CONF_LOGIN = 2,
	CONF_AUTH = 4, /* and its workers */
	CONF_WORKER = 8,
	CONF_CONTROL = 16,
	CONF_DOTLOCK = 32,
	CONF_EVERY_ROLE = 63,
};

/* Numbers of the words of CONF_T_ENUM rows. */
enum conf_mbox_md5 { CONF_MBOX_MD5_APOP3D, CONF_MBOX_MD5_ALL };
enum conf_ssl { CONF_SSL_NO, CONF_SSL_YES, CONF_SSL_REQUIRED };
enum conf_tls { CONF_TLS_1_2, CONF_TLS_1_3 };
enum conf_fsync { CONF_FSYNC_OPTIMIZED, CONF_FSYNC_ALWAYS, CONF_FSYNC_NEVER };
enum conf_delivered_to { CONF_DELIVERED_FINAL, CONF_DELIVERED_ORIGINAL, CONF_DELIVERED_NONE };
enum conf_fetch_failure { CONF_FETCH_END_NOW, CONF_FETCH_END_AFTER, CONF_FETCH_NO_AFTER };
enum conf_worker_mode { CONF_WORKER_AUTO, CONF_WORKER_SINGLE, CONF_WORKER_POOLED };

#endif
