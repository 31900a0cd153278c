#include "proc/confine.h"
#include "base/must.h"
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <iconv.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void confine_note_add(struct confine_note *note, const char *fmt, ...)
{
	size_t n = strlen(note->text);
	va_list args;

	if (n && n + 2 < sizeof(note->text))
		n += (size_t)snprintf(note->text + n, sizeof(note->text) - n, "; ");
	va_start(args, fmt);
	vsnprintf(note->text + n, sizeof(note->text) - n, fmt, args);
	va_end(args);
}

/* What libraries open at first use, and would not find later: the time zone and the list of character sets. */
void confine_preload(void)
{
	iconv_t cd = iconv_open("UTF-8", "US-ASCII"); /* reads the list, loads no module */

	if (cd != (iconv_t)-1)
		iconv_close(cd);
	tzset();
}

/* For good: the hard limit too. Not above what there is, unless we may raise it (root in a container may not). */
static bool confine_limit(int what, rlim_t value)
{
	struct rlimit lim, want = { value, value };

	if (setrlimit((__rlimit_resource_t)what, &want) == 0)
		return true;
	if (getrlimit((__rlimit_resource_t)what, &lim) < 0 || value <= lim.rlim_max)
		return false;
	lim.rlim_cur = lim.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &lim) == 0;
}

static enum err confine_limits(const struct confine *c, struct errtext *why)
{
	if (!confine_limit(RLIMIT_CORE, 0))
		return err_sys(why, "cannot forbid core dumps");
	if (c->files_max && !confine_limit(RLIMIT_NOFILE, c->files_max))
		return err_sys(why, "cannot allow %u open files", c->files_max);
#ifndef ROOST_SANITIZE
	if (c->memory_max && !confine_limit(RLIMIT_AS, c->memory_max))
		return err_sys(why, "cannot limit memory");
#endif
	return ERR_OK;
}

static enum err confine_chroot(const struct confine *c, struct errtext *why)
{
	if (!c->chroot || geteuid() != 0)
		return ERR_OK;
	if (chroot(c->chroot) < 0 || chdir("/") < 0)
		return err_sys(why, "chroot %s", c->chroot);
	return ERR_OK;
}

static enum err confine_groups(const struct confine *c, struct errtext *why)
{
	bool own = c->gid != (gid_t)-1;
	const gid_t *groups = c->ngroups ? c->groups : &c->gid;
	size_t n = c->ngroups ? c->ngroups : own;

	if (setgroups(n, groups) < 0)
		return err_sys(why, "cannot set %zu groups", n);
	if (own && setresgid(c->gid, c->gid, c->gid) < 0)
		return err_sys(why, "cannot become gid %u", c->gid);
	return ERR_OK;
}

static enum err confine_ids(const struct confine *c, struct errtext *why)
{
	enum err e;

	if (c->uid == 0 && !c->stay_root)
		return err_say(why, ERR_PERM, "uid 0 is refused");
	if (geteuid() != 0 || (c->uid == (uid_t)-1 && c->gid == (gid_t)-1))
		return ERR_OK;
	e = confine_groups(c, why);
	if (e || c->uid == (uid_t)-1)
		return e;
	if (setresuid(c->uid, c->uid, c->uid) < 0)
		return err_sys(why, "cannot become uid %u", c->uid);
	if (c->uid != 0 && setresuid(0, 0, 0) == 0)
		return err_say(why, ERR_PERM, "could still become root after uid %u", c->uid);
	return ERR_OK;
}

/*
 * Who stays root does so to read files that are root's: of root's powers it keeps the one to read whatever there is, or
 * in a container that has not got it the one above.
 */
static enum err confine_root(const struct confine *c, struct errtext *why)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct has[2] = { 0 }, keep[2] = { 0 };

	if (!c->stay_root || geteuid() != 0)
		return ERR_OK;
	if (syscall(SYS_capget, &head, has) < 0)
		return err_sys(why, "cannot look at the capabilities");
	keep[0].permitted = has[0].permitted & 1U << CAP_DAC_READ_SEARCH;
	if (!keep[0].permitted)
		keep[0].permitted = has[0].permitted & 1U << CAP_DAC_OVERRIDE;
	keep[0].effective = keep[0].permitted;
	return syscall(SYS_capset, &head, keep) < 0 ? err_sys(why, "cannot drop capabilities") : ERR_OK;
}

static enum err confine_privileges(struct errtext *why)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(why, "no_new_privs");
#ifndef ROOST_SANITIZE /* the leak checker looks into itself */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(why, "cannot forbid looking in from outside");
#endif
	return ERR_OK;
}

enum err confine_self(const struct confine *c, struct confine_note *note_r, struct errtext *why)
{
	struct confine_note note = { "" };
	enum err e;

	confine_preload();
	e = confine_limits(c, why);
	if (!e)
		e = confine_chroot(c, why);
	if (!e)
		e = confine_ids(c, why);
	if (!e)
		e = confine_root(c, why);
	if (!e)
		e = confine_privileges(why);
	if (!e && c->prepare)
		c->prepare(c->prepare_ctx);
	if (!e && c->landlock)
		e = sandbox_files(c, &note, why);
	if (!e && c->calls != CALLS_ANY)
		e = sandbox_calls(c, &note, why);
	if (!e)
		*note_r = note;
	return e;
}
