/*
 * What may stand between the % and the name of a variable, as in Dovecot 2.3: a part of the value ("%2.1u": one character behind
 * the first two; "%-2.2u": the last two; "%04i": filled up with noughts) and letters, from left to right:
 *
 *	L U  lower, upper case     M    MD5, in hexadecimal
 *	R    backwards             H N  a hash, in hexadecimal; "%256Nu": modulo 256, "%2.256Nu": of two digits
 *	T    no blanks behind      X    a decimal number in hexadecimal
 *	E    ' " \ behind a \      D    "." becomes ",dc="
 */
#ifndef CONF_MODIFY_H
#define CONF_MODIFY_H

#include "base/buf.h"

struct modifiers {
	int offset;
	unsigned width;    /* 0: all of it */
	bool fill;         /* noughts in front up to width, and nothing is cut off */
	struct span steps; /* letters */
};

/* Takes them off *rest, leaving at least one character for the name. */
void modifiers_take(struct span *rest, struct modifiers *m_r);
/* value with them applied. False: out is full. */
bool modifiers_apply(const struct modifiers *m, struct span value, struct buf *out);
/* "md5", "sha1", "sha256", "sha384", "sha512" of value, in hexadecimal. False: no such. */
bool modify_digest(struct span name, struct span value, struct buf *out);

#endif
