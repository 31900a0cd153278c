/*
 * What a folder has noted of its messages for POP3: UIDLs of the server that it was brought over from, and the order in which
 * that one listed them. The others' UIDLs follow a pattern (pop3_uidl_format), which is no concern of this floor.
 */
#ifndef BOX_UIDL_H
#define BOX_UIDL_H

#include "box/view.h"

struct view_uidls;

/* Reads the folder, all of it: once a session. ERR_INUSE: it is locked. */
enum err view_uidls_load(struct view *v, struct view_uidls **u_r, struct errtext *t);
/* False: nothing is noted of this UID. *uidl_r may be empty, *order_r 0; borrowed until the end. */
bool view_uidls_find(const struct view_uidls *u, uint32_t uid, struct span *uidl_r, uint32_t *order_r);
void view_uidls_free(struct view_uidls **u); /* NULL allowed */

#endif
