/*
 * Whole conversations before authentication: the first byte chooses IMAP or LMTP and how others behave, a byte 0xff in the
 * input cuts it into separate sends. Auth, master and workers are played by tests/unit/fakelogin.c.
 */
#include "../unit/fakelogin.h"
#include "base/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	log_open("/dev/null", "", "", NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake f;
	struct span rest, part;

	if (size < 1)
		return 0;
	fake_start(&f, "message_size_max = 1k\nlmtp_save_to_detail_mailbox = yes\n");
	f.handoff_fails = data[0] & 2;
	f.stage_fails = data[0] & 4;
	f.commit_fails = data[0] & 8;
	fake_connect(&f, data[0] & 1 ? &front_lmtp : &front_imap);
	rest = span_of((const char *)data + 1, size - 1);
	for (int i = 0; i < 20 && !f.client_eof && span_split(&rest, (char)0xff, &part); i++)
		fake_send(&f, part);
	fake_stop(&f);
	return 0;
}
