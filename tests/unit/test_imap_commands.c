/* The commands about mailboxes: SELECT, LIST, STATUS, CREATE and kin, APPEND, COPY, MOVE, and the small extensions. */
#include "test.h"
#include "imap_harness.h"

static const char one[] = "Subject: one\r\n\r\nBody.\r\n";

static void begin(struct harness *h)
{
	harness_init(h);
	fake_add(h->acct, "INBOX", one, MAIL_SEEN);
	fake_add(h->acct, "INBOX", one, 0);
	harness_open(h, 0);
}

static void test_select(void **state)
{
	struct harness h;

	begin(&h);
	assert_string_equal(harness_say(&h, 0, "SELECT inbox"),
			    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
			    "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags permitted.\r\n"
			    "* 2 EXISTS\r\n* 2 RECENT\r\n* OK [UNSEEN 2] First unseen.\r\n"
			    "* OK [UIDVALIDITY 1001] UIDs valid\r\n* OK [UIDNEXT 3] Predicted next UID\r\n"
			    "* OK [MAILBOXID (F00000000000000000000000000000000)] Ok\r\n"
			    "* OK [HIGHESTMODSEQ 3] Highest\r\nx OK [READ-WRITE] Select completed.\r\n");
	assert_non_null(strstr(harness_say(&h, 0, "EXAMINE INBOX"),
			       "* OK [PERMANENTFLAGS ()] Read-only mailbox.\r\n* 2 EXISTS\r\n* 0 RECENT\r\n"));
	assert_string_equal(harness_say(&h, 0, "STORE 1 FLAGS ()"), "x NO [READ-ONLY] Mailbox is read-only.\r\n");
	assert_string_equal(harness_say(&h, 0, "EXPUNGE"), "x NO [READ-ONLY] Mailbox is read-only.\r\n");
	assert_string_equal(harness_say(&h, 0, "SELECT nowhere"),
			    "* OK [CLOSED] Previous mailbox closed.\r\nx NO [NONEXISTENT] Mailbox doesn't exist: nowhere\r\n");
	assert_string_equal(harness_say(&h, 0, "EXPUNGE"), "x BAD No mailbox selected.\r\n");
	harness_say(&h, 0, "SELECT INBOX/");
	assert_string_equal(imap_session_mailbox(h.client[0].s), "INBOX");
	assert_string_equal(harness_say(&h, 0, "UNSELECT"), "x OK Unselect completed.\r\n");
	harness_free(&h);
}

static void test_list(void **state)
{
	struct harness h;

	begin(&h);
	assert_string_equal(harness_say(&h, 0, "LIST \"\" *"),
			    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
			    "* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts\r\n"
			    "* LIST (\\Noselect \\HasChildren) \"/\" a\r\n"
			    "* LIST (\\HasNoChildren) \"/\" a/b\r\nx OK List completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "LIST a/ %"), "* LIST (\\HasNoChildren) \"/\" a/b\r\nx OK List completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "LIST \"\" inbox"), "* LIST (\\HasNoChildren) \"/\" INBOX\r\nx OK List completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "LIST \"\" \"\""), "* LIST (\\Noselect) \"/\" \"\"\r\nx OK List completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "LIST (SPECIAL-USE) \"\" (* %) RETURN (SPECIAL-USE)"),
			    "* LIST (\\HasNoChildren \\Subscribed \\Drafts) \"/\" Drafts\r\nx OK List completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "LSUB \"\" %"),
			    "* LSUB (\\HasNoChildren \\Drafts) \"/\" Drafts\r\n"
			    "* LSUB (\\Noselect \\HasChildren) \"/\" a\r\nx OK Lsub completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "LSUB \"\" *"),
			    "* LSUB (\\HasNoChildren \\Drafts) \"/\" Drafts\r\n"
			    "* LSUB (\\HasNoChildren) \"/\" a/b\r\nx OK Lsub completed.\r\n");
	assert_non_null(strstr(harness_say(&h, 0, "XLIST \"\" *"), "* XLIST (\\HasNoChildren \\Inbox) \"/\" INBOX\r\n"));
	assert_memory_equal(harness_say(&h, 0, "LIST (FROB) \"\" *"), "x BAD", 5);
	assert_memory_equal(harness_say(&h, 0, "LIST \"\""), "x BAD", 5);
	harness_free(&h);
}

static void test_folders(void **state)
{
	struct harness h;

	begin(&h);
	assert_string_equal(harness_say(&h, 0, "CREATE new/"), "x OK [MAILBOXID (F00000000000000000000000000000000)] Create completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "CREATE new"), "x NO [ALREADYEXISTS] Mailbox already exists.\r\n");
	assert_memory_equal(harness_say(&h, 0, "CREATE \"caf\xc3\xa9\""), "x NO [CANNOT]", 13);
	assert_memory_equal(harness_say(&h, 0, "CREATE &AGE-b"), "x NO [CANNOT]", 13);
	assert_string_equal(harness_say(&h, 0, "RENAME new \"two words\""), "x OK Rename completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "SUBSCRIBE \"two words\""), "x OK Subscribe completed.\r\n");
	assert_non_null(strstr(harness_say(&h, 0, "LSUB \"\" tw%"), "\"/\" \"two words\"\r\n"));
	assert_string_equal(harness_say(&h, 0, "UNSUBSCRIBE \"two words\""), "x OK Unsubscribe completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "DELETE \"two words\""), "x OK Delete completed.\r\n");
	assert_memory_equal(harness_say(&h, 0, "DELETE INBOX"), "x NO [CANNOT]", 13);
	harness_say(&h, 0, "SELECT a/b");
	assert_string_equal(harness_say(&h, 0, "DELETE a/b"), "x OK Delete completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "CHECK"), "x BAD No mailbox selected.\r\n");
	harness_free(&h);
}

static void test_status(void **state)
{
	struct harness h;

	begin(&h);
	assert_string_equal(harness_say(&h, 0, "STATUS inbox (MESSAGES UNSEEN RECENT UIDNEXT UIDVALIDITY)"),
			    "* STATUS INBOX (MESSAGES 2 UNSEEN 1 RECENT 2 UIDNEXT 3 UIDVALIDITY 1001)\r\nx OK Status completed.\r\n");
	assert_memory_equal(harness_say(&h, 0, "STATUS INBOX (FROB)"), "x BAD", 5);
	assert_memory_equal(harness_say(&h, 0, "STATUS INBOX ()"), "x BAD", 5);
	assert_memory_equal(harness_say(&h, 0, "STATUS none (MESSAGES)"), "x NO [NONEXISTENT]", 18);
	harness_free(&h);
}

static void test_append(void **state)
{
	struct harness h;

	begin(&h);
	harness_send(&h, 0, "a APPEND INBOX (\\Flagged $Work) \" 1-Feb-1994 10:11:12 +0100\" {22}\r\n");
	assert_string_equal(harness_expect(&h, 0, "\n"), "+ OK\r\n");
	harness_send(&h, 0, "Subject: x\r\n\r\n");
	harness_run(&h, 5);
	harness_send(&h, 0, "Hello.\r\n\r\n");
	assert_string_equal(harness_expect(&h, 0, "a OK"), "a OK [APPENDUID 1001 3] Append completed.\r\n");
	harness_say(&h, 0, "SELECT INBOX");
	assert_non_null(strstr(harness_say(&h, 0, "FETCH 3 (FLAGS INTERNALDATE)"), "(FLAGS (\\Flagged \\Recent $Work) INTERNALDATE \"01-Feb-1994 "));
	harness_send(&h, 0, "b APPEND nowhere {30}\r\n");
	assert_string_equal(harness_expect(&h, 0, "b NO"), "b NO [TRYCREATE] Mailbox doesn't exist.\r\n");
	harness_send(&h, 0, "c APPEND nowhere {5+}\r\nA: b\n\r\nd NOOP\r\n");
	assert_string_equal(harness_expect(&h, 0, "d OK"), "c NO [TRYCREATE] Mailbox doesn't exist.\r\nd OK NOOP completed.\r\n");
	harness_send(&h, 0, "e APPEND INBOX (\\Frob) {5+}\r\nA: b\n\r\n");
	assert_memory_equal(harness_expect(&h, 0, "\n"), "e BAD", 5);
	harness_send(&h, 0, "f APPEND INBOX ({5+}\r\nA: b\n)\r\n");
	assert_memory_equal(harness_expect(&h, 0, "\n"), "f BAD", 5);
	harness_send(&h, 0, "g APPEND INBOX {5+}\r\nA: b\n x\r\n");
	assert_memory_equal(harness_expect(&h, 0, "\n"), "g BAD", 5);
	assert_memory_equal(harness_say(&h, 0, "APPEND INBOX text"), "x BAD", 5);
	harness_send(&h, 0, "h APPEND {5+}\r\nINBOX {5+}\r\nA: b\n\r\n");
	assert_non_null(strstr(harness_expect(&h, 0, "h OK"), "* 4 EXISTS"));
	harness_send(&h, 0, "i APPEND INBOX {5+}\r\nA: b\n (\\Seen) {5+}\r\nA: c\n\r\n");
	assert_non_null(strstr(harness_expect(&h, 0, "i OK"), "i OK [APPENDUID 1001 5:6] Append completed."));
	harness_send(&h, 0, "j APPEND INBOX {0+}\r\n\r\n");
	assert_memory_equal(harness_expect(&h, 0, "\n"), "j NO", 4);
	harness_free(&h);
}

static void test_append_limit(void **state)
{
	struct harness h;

	harness_init(&h);
	h.settings.append_max = 10;
	harness_open(&h, 0);
	harness_send(&h, 0, "a APPEND INBOX {11}\r\n");
	assert_string_equal(harness_expect(&h, 0, "a NO"), "a NO [TOOBIG] Message is too large.\r\n");
	harness_free(&h);
}

/* The old message goes only when the new one is there; what fails is told, and what there is then. */
static void test_replace(void **state)
{
	struct harness h;

	begin(&h);
	harness_say(&h, 0, "SELECT INBOX");
	harness_send(&h, 0, "a REPLACE 1 INBOX {22+}\r\nSubject: x\r\n\r\nHello.\r\n\r\n");
	assert_string_equal(harness_expect(&h, 0, "a OK"),
			    "* OK [APPENDUID 1001 3] Replacement message ready.\r\n* 1 EXPUNGE\r\n* 2 EXISTS\r\n"
			    "a OK Replace completed.\r\n");
	fake_fail(h.acct, 0, ERR_NOSPACE);
	harness_send(&h, 0, "b UID REPLACE 2 INBOX {22+}\r\nSubject: x\r\n\r\nHello.\r\n\r\n");
	assert_string_equal(harness_expect(&h, 0, "b NO"), "b NO [OVERQUOTA] Not enough disk space.\r\n");
	fake_fail(h.acct, 1, ERR_IO);
	harness_send(&h, 0, "c UID REPLACE 2 INBOX {22+}\r\nSubject: x\r\n\r\nHello.\r\n\r\n");
	assert_string_equal(harness_expect(&h, 0, "c NO"),
			    "* OK [APPENDUID 1001 4] Replacement message ready.\r\n* 3 EXISTS\r\n* 3 RECENT\r\n"
			    "c NO [SERVERBUG] The new message was added; the old one could not be removed.\r\n");
	fake_lock(h.acct, 2);
	harness_send(&h, 0, "d UID REPLACE 2 Drafts {22+}\r\nSubject: x\r\n\r\nHello.\r\n\r\n");
	assert_string_equal(harness_expect(&h, 0, "d OK"),
			    "* OK [APPENDUID 1002 1] Replacement message ready.\r\n* 1 EXPUNGE\r\n* 2 RECENT\r\nd OK Replace completed.\r\n");
	harness_free(&h);
}

static void test_copy_and_move(void **state)
{
	struct harness h;

	begin(&h);
	harness_say(&h, 0, "SELECT INBOX");
	assert_string_equal(harness_say(&h, 0, "COPY 1:2 Drafts"), "x OK [COPYUID 1002 1:2 1:2] Copy completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "UID COPY 9 Drafts"), "x OK No messages found.\r\n");
	assert_memory_equal(harness_say(&h, 0, "COPY 1 nowhere"), "x NO [TRYCREATE]", 16);
	assert_string_equal(harness_say(&h, 0, "MOVE 1 Drafts"), "* OK [COPYUID 1002 1 3] Moved UIDs.\r\n* 1 EXPUNGE\r\n* 1 RECENT\r\n"
								 "x OK Move completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "UID MOVE 2 Drafts"), "* OK [COPYUID 1002 2 4] Moved UIDs.\r\n* 1 EXPUNGE\r\n* 0 RECENT\r\n"
								     "x OK Move completed.\r\n");
	harness_free(&h);
}

static void test_uid_expunge(void **state)
{
	struct harness h;

	begin(&h);
	harness_say(&h, 0, "SELECT INBOX");
	harness_say(&h, 0, "STORE 1:2 +FLAGS.SILENT \\Deleted");
	assert_string_equal(harness_say(&h, 0, "UID EXPUNGE 2:9"), "* 2 EXPUNGE\r\n* 1 RECENT\r\nx OK Expunge completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "EXPUNGE"), "* 1 EXPUNGE\r\n* 0 RECENT\r\nx OK Expunge completed.\r\n");
	harness_free(&h);
}

static void test_small_extensions(void **state)
{
	struct harness h;

	begin(&h);
	assert_string_equal(harness_say(&h, 0, "NAMESPACE"), "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\nx OK Namespace completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "ENABLE FROB CONDSTORE-NOT"), "* ENABLED\r\nx OK Enabled.\r\n");
	assert_memory_equal(harness_say(&h, 0, "ENABLE"), "x BAD", 5);
	assert_string_equal(harness_say(&h, 0, "ID (\"name\" \"x\" \"version\" NIL)"), "* ID (\"name\" \"Roost\")\r\nx OK ID completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "ID NIL"), "* ID (\"name\" \"Roost\")\r\nx OK ID completed.\r\n");
	assert_memory_equal(harness_say(&h, 0, "ID (\"name\")"), "x BAD", 5);
	assert_memory_equal(harness_say(&h, 0, "ID"), "x BAD", 5);
	harness_free(&h);
}

static void test_idle(void **state)
{
	struct harness h;

	harness_init(&h);
	h.settings.idle_notify_ms = 0;
	h.settings.idle_check_ms = 40;
	harness_open(&h, 0);
	harness_say(&h, 0, "SELECT INBOX");
	harness_send(&h, 0, "a IDLE\r\n");
	harness_expect(&h, 0, "+ idling\r\n");
	assert_string_equal(imap_session_state(h.client[0].s), "IDLE");
	fake_add(h.acct, "INBOX", one, 0);
	assert_string_equal(harness_expect(&h, 0, "RECENT\r\n"), "* 1 EXISTS\r\n* 1 RECENT\r\n"); /* by polling */
	harness_free(&h);

	harness_init(&h);
	h.settings.idle_notify_ms = 60;
	harness_open(&h, 0);
	harness_say(&h, 0, "SELECT INBOX");
	harness_send(&h, 0, "a IDLE\r\n");
	harness_expect(&h, 0, "+ idling\r\n");
	assert_string_equal(harness_expect(&h, 0, "here\r\n"), "* OK Still here\r\n");
	harness_send(&h, 0, "DO");
	harness_run(&h, 5);
	harness_send(&h, 0, "NE\r\nb IDLE\r\nfrob\r\n");
	harness_expect(&h, 0, "b BAD");
	harness_free(&h);
}

/* A look that a lock prevents is made good soon after, not at the next poll. */
static void test_idle_with_lock(void **state)
{
	struct harness h;

	harness_init(&h);
	h.settings.idle_check_ms = 50000;
	harness_open(&h, 0);
	harness_say(&h, 0, "SELECT INBOX");
	fake_add(h.acct, "INBOX", one, 0);
	fake_hide_until_refresh(h.acct);
	fake_lock(h.acct, 1);
	harness_send(&h, 0, "a IDLE\r\n");
	assert_string_equal(harness_expect(&h, 0, "RECENT\r\n"), "+ idling\r\n* 1 EXISTS\r\n* 1 RECENT\r\n");
	harness_free(&h);
}

static void test_capability_setting(void **state)
{
	struct imap_settings s;
	struct buf b;

	buf_init(&b, 4096);
	imap_settings_default(&s);
	s.capability = "+XWORD -MOVE  -frob Y";
	imap_capability_text(&s, &b);
	assert_memory_equal(buf_cstr(&b), "IMAP4rev1 ", 10);
	assert_non_null(strstr(buf_cstr(&b), " XWORD Y"));
	assert_null(strstr(buf_cstr(&b), "MOVE"));
	buf_clear(&b);
	s.capability = "IMAP4rev1 ONLY";
	imap_capability_text(&s, &b);
	assert_string_equal(buf_cstr(&b), "IMAP4rev1 ONLY");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_append_limit),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_copy_and_move),
		cmocka_unit_test(test_uid_expunge),
		cmocka_unit_test(test_small_extensions),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_idle_with_lock),
		cmocka_unit_test(test_capability_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
