/* See owing.c. A mailbox that owes holds a reference to itself. */
#ifndef BOX_OWING_H
#define BOX_OWING_H

#include "room.h"

void owing_add(struct mailbox *mb, uint64_t seq, uint32_t uid, struct mail_flags flags);
/* Was this entry of the to-do list added by this process? */
bool owing_has(const struct mailbox *mb, uint64_t seq);
/* All entries of the to-do list up to seq are in the folder. May free mb when nobody else holds it. */
void owing_written(struct mailbox *mb, uint64_t seq);
void owing_forget(struct mailbox *mb); /* likewise; the account closes, or the mailbox became another */
void owing_settled(struct shelf *s);   /* its to-do list is empty */
/* The index was built anew: tells it again. */
enum err owing_again(struct mailbox *mb, struct errtext *t);

#endif
