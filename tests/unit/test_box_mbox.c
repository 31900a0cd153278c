/* An mbox that has grown: only what is new is looked at, and the rest when a client makes sure. */
#include "tests/unit/box_house.h"

#include <fcntl.h>
#include <unistd.h>

static struct house h;

#define FROM "From joe@example.org Fri Jan  5 12:12:12 1996\n"

static void write_inbox(int flags, const char *text)
{
	int fd = open(h.inbox, O_WRONLY | O_CREAT | flags, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static int begin(void **state)
{
	house_begin(&h, &store_mbox);
	house_append(&h, "INBOX", "Subject: 1\n\none\n", 0, NULL);
	house_append(&h, "INBOX", "Subject: 2\n\ntwo\n", 0, NULL);
	return 0;
}

static int end(void **state)
{
	house_end(&h);
	return 0;
}

/* Another program has read the first message; then one is delivered. */
static void read_and_delivered(void)
{
	char text[4096] = "", *at;
	int fd = open(h.inbox, O_RDONLY);

	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	at = strstr(text, "Status: O ");
	assert_non_null(at);
	at[8] = 'R';
	at[9] = 'O';
	write_inbox(O_TRUNC, text);
	write_inbox(O_APPEND, FROM "Subject: new\n\nthree\n\n");
}

static uint8_t flags_after(struct view *v)
{
	assert_int_equal(try_refresh(v, false), ERR_OK);
	view_quiet(&h, v);
	assert_int_equal(view_state(v)->exists, 3);
	return flags_of(v, 1).system;
}

/* It is known already: opened once more, or asked to make sure, the view looks. */
static void test_sure(void **state)
{
	struct view *v = house_view(&h, "INBOX", false), *w;

	usleep(50000); /* older than the clock's tick */
	view_look(v);
	read_and_delivered();
	assert_int_equal(flags_after(v), 0);
	assert_int_equal(flags_after(v), 0);
	if (*state) {
		w = house_view(&h, "INBOX", false);
		assert_int_equal(flags_after(w), MAIL_SEEN);
		view_close(&w);
	} else {
		view_make_sure(v);
	}
	assert_int_equal(flags_after(v), MAIL_SEEN);
	view_close(&v);
}

/* It is seen only when the mailbox is opened. */
static void test_opened(void **state)
{
	struct view *v = house_view(&h, "INBOX", false), *w;

	usleep(50000);
	view_look(v);
	read_and_delivered();
	w = house_view(&h, "INBOX", false);
	assert_int_equal(flags_after(w), MAIL_SEEN);
	view_close(&w);
	view_close(&v);
}

/* Who saw it goes before he made sure: the next process does. */
static void test_again(void **state)
{
	struct view *v = house_view(&h, "INBOX", false);

	usleep(50000);
	view_look(v);
	read_and_delivered();
	assert_int_equal(flags_after(v), 0);
	view_close(&v);
	house_again(&h, false);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(flags_after(v), MAIL_SEEN);
	view_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sure, begin, end),
		{ "test_sure_by_another", test_sure, begin, end, &h },
		cmocka_unit_test_setup_teardown(test_opened, begin, end),
		cmocka_unit_test_setup_teardown(test_again, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
