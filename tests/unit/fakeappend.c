#include "fakeappend.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct append {
	struct acct *a;
	int fd; /* own */
	char mailbox[64];
};

enum err append_begin(struct acct *a, const char *name, struct append **p_r, struct errtext *t)
{
	if (a->begin != ERR_OK)
		return a->begin;
	if (a->no_folders && strcmp(name, "INBOX") != 0)
		return ERR_NOTFOUND;
	struct append *p = mem_alloc(sizeof(*p));
	p->a = a;
	p->fd = -1;
	snprintf(p->mailbox, sizeof(p->mailbox), "%s", name);
	a->begun++;
	*p_r = p;
	return ERR_OK;
}

enum err append_start(struct append *p, uint64_t size_hint, uint8_t flags, const char *const *keywords, size_t nkeywords,
		      int64_t internaldate, struct errtext *t)
{
	if (p->a->start == ERR_OK)
		p->fd = memfd_create("message", MFD_CLOEXEC);
	return p->a->start;
}

enum err append_write(struct append *p, struct span bytes, struct errtext *t)
{
	if (p->a->write == ERR_OK)
		must(write(p->fd, bytes.p, bytes.n) == (ssize_t)bytes.n);
	return p->a->write;
}

enum err append_fd(struct append *p, int *fd_r, struct errtext *t)
{
	*fd_r = p->a->fd == ERR_OK ? p->fd : -1;
	return p->a->fd;
}

void append_recent(struct append *p)
{
}

enum err append_end(struct append *p, struct errtext *t)
{
	return p->a->end;
}

enum step append_finish(struct append *p, bool number, enum err *err_r, struct errtext *t)
{
	char piece[4096];
	ssize_t n;
	if (p->a->waits > 0) {
		p->a->waits--;
		return STEP_WAITING;
	}
	*err_r = p->a->finish;
	if (*err_r != ERR_OK)
		return STEP_DONE;
	p->a->saved++;
	memcpy(p->a->mailbox, p->mailbox, sizeof(p->mailbox));
	buf_clear(&p->a->bytes);
	for (off_t at = 0; (n = pread(p->fd, piece, sizeof(piece), at)) > 0; at += n)
		buf_add(&p->a->bytes, piece, (size_t)n);
	return STEP_DONE;
}

struct span append_header(const struct append *p, const char *name)
{
	return SPAN("");
}

void append_sizes(const struct append *p, uint64_t *size_r, uint64_t *vsize_r)
{
	*size_r = *vsize_r = 0;
}

void append_free(struct append **pp)
{
	struct append *p = *pp;
	*pp = NULL;
	if (p == NULL)
		return;
	p->a->freed++;
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

enum err acct_create(struct acct *a, const char *name, const char *special_use, struct errtext *t)
{
	a->created++;
	a->no_folders = false;
	return ERR_OK;
}

enum err acct_subscribe(struct acct *a, const char *name, bool on, struct errtext *t)
{
	return ERR_OK;
}

bool acct_busy(const struct acct *a)
{
	return false;
}
