#include "msort.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void msort_init(struct msort *m, size_t n)
{
	*m = (struct msort){ .n = n, .width = 1 };
	m->a = mem_array(n + 1, sizeof(*m->a));
	m->b = mem_array(n + 1, sizeof(*m->b));
	for (size_t i = 0; i < n; i++)
		m->a[i] = (uint32_t)i;
}

void msort_free(struct msort *m)
{
	free(m->a);
	free(m->b);
	*m = (struct msort){ .n = 0 };
}

static size_t least(size_t x, size_t y)
{
	return x < y ? x : y;
}

/* Sets up the merge of the two runs at lo; runs that follow each other are taken as they are. */
static void begin_merge(struct msort *m, msort_cmp *cmp, const void *ctx)
{
	m->mid = least(m->lo + m->width, m->n);
	m->hi = least(m->mid + m->width, m->n);
	m->i = m->k = m->lo;
	m->j = m->mid;
	m->merging = true;
	if (m->mid < m->hi && cmp(ctx, m->a[m->mid - 1], m->a[m->mid]) > 0)
		return;
	memcpy(m->b + m->lo, m->a + m->lo, (m->hi - m->lo) * sizeof(*m->a));
	m->i = m->mid;
	m->j = m->hi;
}

static bool merge(struct msort *m, msort_cmp *cmp, const void *ctx, size_t *work)
{
	while (m->i < m->mid || m->j < m->hi) {
		bool left =
			m->j == m->hi || (m->i < m->mid && cmp(ctx, m->a[m->i], m->a[m->j]) <= 0);

		if (!*work)
			return false;
		--*work;
		m->b[m->k++] = left ? m->a[m->i++] : m->a[m->j++];
	}
	m->merging = false;
	m->lo = m->hi;
	return true;
}

static void next_width(struct msort *m)
{
	uint32_t *a = m->a;

	m->a = m->b;
	m->b = a;
	m->width *= 2;
	m->lo = 0;
}

bool msort_step(struct msort *m, msort_cmp *cmp, const void *ctx, size_t work)
{
	while (m->width < m->n) {
		while (m->lo < m->n) {
			if (!work)
				return false;
			work--;
			if (!m->merging)
				begin_merge(m, cmp, ctx);
			if (!merge(m, cmp, ctx, &work))
				return false;
		}
		next_width(m);
	}
	return true;
}
