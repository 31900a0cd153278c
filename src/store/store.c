/* The table of drivers, and what a mailbox name must be before it may become a path. */
#include "store/store.h"

#include "base/guid.h"
#include "base/must.h"

#include <xxhash.h>

static const struct store_ops *const drivers[] = {
	&store_maildir,
	&store_maildir_fs,
	&store_mbox,
};

const struct store_ops *store_driver(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (strcmp(drivers[i]->driver, name) == 0)
			return drivers[i];
	return NULL;
}

static bool level_valid(const struct store_ops *ops, struct span level)
{
	if (level.n == 0 || level.p[0] == '~' || (level.p[0] == '.' && !ops->dots) ||
	    span_eq(level, SPAN(".")) || span_eq(level, SPAN("..")))
		return false;
	for (size_t i = 0; ops->reserved && ops->reserved[i]; i++)
		if (span_eq_str(level, ops->reserved[i]))
			return false;
	for (size_t i = 0; i < level.n; i++) {
		unsigned char c = (unsigned char)level.p[i];

		if (c < ' ' || c == 127 || c == '/' || strchr(ops->bad_chars, c))
			return false;
	}
	return true;
}

bool store_name_valid(const struct store_ops *ops, const char *name)
{
	struct span rest = span_str(name), level;

	if (rest.n == 0 || rest.n > STORE_NAME_MAX || rest.p[rest.n - 1] == ops->separator)
		return false;
	while (span_split(&rest, ops->separator, &level))
		if (!level_valid(ops, level))
			return false;
	return true;
}

void store_guid(struct span text, uint8_t guid_r[16])
{
	XXH128_canonical_t canonical;

	if (guid_read(text, guid_r))
		return;
	XXH128_canonicalFromHash(&canonical, XXH3_128bits(text.p, text.n));
	memcpy(guid_r, canonical.digest, 16);
}
