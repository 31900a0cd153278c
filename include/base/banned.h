/*
 * Calls that must not be used here; any use fails to compile.
 * Included by every other header of base, so it reaches every file.
 * System headers that declare these names must be included before it takes effect.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef strcpy
#undef strcat
#undef strncpy
#define strcpy(d, s) banned_use_buf_or_span_instead_of_strcpy
#define strcat(d, s) banned_use_buf_or_span_instead_of_strcat
#define strncpy(d, s, n) banned_use_buf_or_span_instead_of_strncpy
#define sprintf(...) banned_use_snprintf_or_buf_printf
#define vsprintf(...) banned_use_vsnprintf
#define strtok(s, d) banned_use_span_split
#define gets(s) banned_gets
#define atoi(s) banned_use_text_u32
#define atol(s) banned_use_text_u64

#endif
