/* The common part of the helper programs' main(). */
#include "proc/helper.h"

#include "base/log.h"
#include "base/mem.h"
#include "proc/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef ROOST_SANITIZE
/* The leak checker cannot look into a confined process, and would say so by failing it. Unit tests look for leaks. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static struct span read_conf(int fd)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || st.st_size == 0)
		return span_of(NULL, 0);
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		log_fatal(EXIT_INTERNAL, "cannot map the configuration: %s", strerror(errno));
	close(fd);
	return span_of(p, (size_t)st.st_size);
}

void helper_init(struct helper *h, int argc, char **argv)
{
	struct errtext why;
	*h = (struct helper){ 0 };
	log_name(argc > 1 ? argv[1] : "roost");
	if (proc_child_init(argc, argv, &h->self, &why) != ERR_OK)
		log_fatal(EXIT_INTERNAL, "%s is started by roost, not by hand: %s", argv[0],
			  why.text);
	log_name(h->self.name);
	h->conf = read_conf(CHILD_FD_CONF);
	if (!helper_is_template(h))
		h->loop = loop_new();
	else
		prctl(PR_SET_NAME, "roost-" CHILD_TEMPLATE, 0, 0, 0);
}

bool helper_is_template(const struct helper *h)
{
	return strcmp(h->self.name, CHILD_TEMPLATE) == 0;
}

void helper_copies(struct helper *h, const char *name)
{
	char program[16]; /* all that the kernel keeps */
	if (!helper_is_template(h))
		return;
	h->self.child = template_serve();
	free((char *)(uintptr_t)h->self.name);
	h->self.name = mem_str(name);
	log_name(h->self.name);
	snprintf(program, sizeof(program), "roost-%s", name);
	prctl(PR_SET_NAME, program, 0, 0, 0);
	proc_title(&h->self, "");
	h->loop = loop_new();
}

static void master_gone(void *ctx, struct chan *c, enum err why)
{
	if (why != ERR_CLOSED)
		log_error("channel to master: %s", chan_why(c));
	_exit(why == ERR_CLOSED ? 0 : EXIT_INTERNAL);
}

void helper_log_begin(const struct log_form *form)
{
	int fd[LOG_SINKS];

	for (int i = 0; i < LOG_SINKS; i++)
		fd[i] = CHILD_FD_LOG + i;
	log_from_fds(fd, form);
}

void helper_start(struct helper *h, enum msg_role role, const struct chan_row *rows, size_t n,
		  struct log_form form, void *ctx)
{
	h->ctx = ctx;
	h->form = form;
	helper_log_begin(&form);
	h->master = chan_new(h->loop, CHILD_FD_CHAN, role, ROLE_MASTER, rows, n, master_gone, h);
}

void helper_free(struct helper *h)
{
	chan_free(&h->master);
	loop_free(&h->loop);
	if (h->conf.n > 0)
		munmap((void *)(uintptr_t)h->conf.p, h->conf.n);
	h->conf = span_of(NULL, 0);
	free((char *)(uintptr_t)h->self.name);
	h->self.name = NULL;
}

void helper_become(struct helper *h, const struct confine *c)
{
	struct confine_note note = { "" };
	struct errtext why;
	if (confine_self(c, &note, &why) != ERR_OK)
		log_fatal(EXIT_INTERNAL, "cannot confine itself: %s", why.text);
	if (note.text[0] != '\0' && h->self.child <= 1)
		log_warning("confinement: %s", note.text);
}

enum err helper_confine(struct helper *h, struct msg_in *m, struct confine *c)
{
	uid_t uid = msg_get_u32(m);
	gid_t gid = msg_get_u32(m);
	char root[4096];
	msg_get_cstr(m, root, sizeof(root));
	if (!msg_end(m))
		return ERR_PROTO;
	c->uid = uid;
	c->gid = gid;
	c->chroot = root[0] != '\0' ? root : NULL;
	helper_become(h, c);
	chan_send_empty(h->master, MSG_READY, 0);
	return ERR_OK;
}

void helper_hostname(const char *setting, char *out, size_t n)
{
	snprintf(out, n, "%s", setting);
	if (out[0] == '\0' && gethostname(out, n - 1) != 0)
		snprintf(out, n, "localhost");
}

enum err helper_log(void *ctx, struct chan *c, struct msg_in *m)
{
	struct helper *h = ctx;
	if (!msg_end(m))
		return ERR_PROTO;
	for (int i = 0; i < LOG_SINKS; i++) {
		int fd = msg_take_fd(m);
		if (fd < 0 || dup3(fd, CHILD_FD_LOG + i, O_CLOEXEC) < 0)
			return ERR_PROTO;
		close(fd);
	}
	helper_log_begin(&h->form);
	return ERR_OK;
}

enum err helper_quit(void *ctx, struct chan *c, struct msg_in *m)
{
	struct helper *h = ctx;

	if (!msg_end(m))
		return ERR_PROTO;
	loop_stop(h->loop);
	return ERR_OK;
}
