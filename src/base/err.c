#include "base/err.h"
#include "base/must.h"

#include <errno.h>
#include <stdarg.h>

static const char *const err_names[] = {
	[ERR_OK] = "success",
	[ERR_SYNTAX] = "syntax error",
	[ERR_NOTFOUND] = "not found",
	[ERR_EXISTS] = "exists already",
	[ERR_PERM] = "permission denied",
	[ERR_CANNOT] = "not possible",
	[ERR_LIMIT] = "limit reached",
	[ERR_OVERQUOTA] = "over quota",
	[ERR_NOSPACE] = "no space left",
	[ERR_IO] = "input/output error",
	[ERR_CORRUPT] = "damaged data",
	[ERR_INUSE] = "in use",
	[ERR_EXPUNGED] = "message gone",
	[ERR_TEMP] = "temporary failure",
	[ERR_MEMORY] = "out of memory",
	[ERR_PROTO] = "message rules broken",
	[ERR_CLOSED] = "closed",
	[ERR_AUTH] = "authentication failed",
	[ERR_CHARSET] = "unknown charset",
	[ERR_CTE] = "unknown transfer encoding",
	[ERR_READONLY] = "read-only",
	[ERR_AGAIN] = "not done yet",
};

const char *err_name(enum err e)
{
	if ((size_t)e >= ARRAY_LEN(err_names))
		return "unknown error";
	return err_names[e];
}

enum err err_from_errno(int errnum)
{
	switch (errnum) {
	case 0:
		return ERR_OK;
	case ENOENT:
	case ENOTDIR:
		return ERR_NOTFOUND;
	case EEXIST:
	case ENOTEMPTY:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
		return ERR_PERM;
	case ENOSPC:
	case EDQUOT:
		return ERR_NOSPACE;
	case EFBIG:
		return ERR_LIMIT;
	case EROFS:
		return ERR_READONLY;
	case ENOMEM:
		return ERR_MEMORY;
	case ENAMETOOLONG:
	case EISDIR:
	case ELOOP:
	case EXDEV:
	case EINVAL:
	case EOPNOTSUPP:
		return ERR_CANNOT;
	case EBUSY:
	case ETXTBSY:
	case EADDRINUSE:
		return ERR_INUSE;
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ETIMEDOUT:
	case ECONNREFUSED:
	case ESTALE:
		return ERR_TEMP;
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return ERR_CLOSED;
	default:
		return ERR_IO;
	}
}

enum err err_say(struct errtext *t, enum err e, const char *fmt, ...)
{
	va_list args;

	if (!t)
		return e;
	va_start(args, fmt);
	vsnprintf(t->text, sizeof(t->text), fmt, args);
	va_end(args);
	return e;
}

enum err err_sys(struct errtext *t, const char *fmt, ...)
{
	int errnum = errno;
	va_list args;
	size_t n;

	if (!t)
		return err_from_errno(errnum);
	va_start(args, fmt);
	vsnprintf(t->text, sizeof(t->text), fmt, args);
	va_end(args);
	n = strlen(t->text);
	snprintf(t->text + n, sizeof(t->text) - n, ": %s", strerror(errnum));
	return err_from_errno(errnum);
}
