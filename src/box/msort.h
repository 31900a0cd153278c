/* A stable merge sort of the numbers 0..n-1 that can pause: n log n at worst, n where the order is there already. */
#ifndef BOX_MSORT_H
#define BOX_MSORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int msort_cmp(const void *ctx, uint32_t x, uint32_t y);

struct msort {
	uint32_t *a;     /* own: the numbers; sorted when msort_step says so */
	uint32_t *b;     /* own: the other half of the work */
	size_t n, width; /* runs of this width are sorted */
	size_t lo, mid, hi, i, j, k; /* the merge under way */
	bool merging;
};

void msort_init(struct msort *m, size_t n);
/* True: done. Looks at about work numbers at most. */
bool msort_step(struct msort *m, msort_cmp *cmp, const void *ctx, size_t work);
void msort_free(struct msort *m);

#endif
