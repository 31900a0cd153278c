/* Values of settings: from text, to text, and the place in a struct that a row names. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "model.h"

/*
 * Reads text as the row's type; what it keeps is copied into a. ERR_SYNTAX: t says what is wrong
 * with the value, without naming the setting. ERR_LIMIT: the arena is full. FILE rows take the
 * text as the content.
 */
enum err value_parse(const struct conf_row *row, struct span text, struct arena *a,
		     struct conf_value *v_r, struct errtext *t);

/* Appends v as it may stand behind "name = ". */
void value_print(const struct conf_row *row, const struct conf_value *v, struct buf *out);

/* Appends s, in quotes where the grammar needs them. */
void value_print_text(struct span s, struct buf *out);

bool value_equal(const struct conf_row *row, const struct conf_value *a, const struct conf_value *b);

/* Between a value and the field at row->offset of a section's struct. */
void value_store(const struct conf_row *row, const struct conf_value *v, void *base);
void value_fetch(const struct conf_row *row, const void *base, struct conf_value *v_r);

/* The n-th of words parted by one blank; empty when there are fewer. */
struct span words_nth(const char *words, uint64_t n);

#endif
