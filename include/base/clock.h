/* Time. Monotonic for deadlines, wall time for dates and names. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ms(void);       /* monotonic milliseconds */
uint64_t clock_us(void);       /* monotonic microseconds */
uint64_t clock_cpu_us(void);   /* processor time of this thread, microseconds */
int64_t clock_wall(void);      /* seconds since 1970 */
uint64_t clock_wall_us(void);  /* microseconds since 1970 */

#endif
