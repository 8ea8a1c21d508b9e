/* sockets.h: the open sockets of a transport, found again by their local ports. */
#ifndef PT_SOCKETS_H
#define PT_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  int fd;
  int local_port; /* 0: not looked up yet */
} pt_socket;

typedef struct {
  pt_socket *all;
  size_t count, capacity;
} pt_sockets;

/* Notes a socket that was opened. Where memory is exhausted it stays unknown. libcurl reports the
   end of a socket only where it became a connection, so the list may hold descriptors that are
   closed, or used by other code now; never more than one entry for each. */
void pt_sockets_add(pt_sockets *sockets, int fd);
/* Nothing happens when it is unknown. */
void pt_sockets_remove(pt_sockets *sockets, int fd);
/* False when the connected socket with this local port has something to read, was closed or broke:
   on a connection between two requests none of that may be (RFC 9112 section 9.6). True also of one
   that is unknown. */
bool pt_sockets_quiet(pt_sockets *sockets, int local_port);
void pt_sockets_free(pt_sockets *sockets);

#endif
