/*
 * The router of roost-auth: requests of logins go to the worker with the least to do, answers go
 * back; failures are held for auth_failure_delay; success becomes a ticket that the master hears
 * of before the login does. It reads no passwords' meaning, no database, and links no SASL.
 */
#ifndef AUTH_ROUTE_H
#define AUTH_ROUTE_H

#include "conf/conf.h"
#include "io/loop.h"
#include "ipc/chan.h"

struct route;

/* All borrowed. */
struct route *route_new(struct loop *l, struct chan *master, const struct conf *c);
void route_free(struct route **r);

/* A channel to another child: a login, control or an auth-worker. False: no such role here. */
bool route_peer(struct route *r, uint32_t child, enum msg_role role, int fd_take);

#endif
