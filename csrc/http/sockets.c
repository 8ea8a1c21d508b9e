/* sockets.c: see sockets.h. */
#include "http/sockets.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

static pt_socket *find(const pt_sockets *sockets, int fd) {
  for (size_t i = 0; i < sockets->count; i++)
    if (sockets->all[i].fd == fd)
      return &sockets->all[i];
  return NULL;
}

static void drop(pt_sockets *sockets, pt_socket *one) { *one = sockets->all[--sockets->count]; }

void pt_sockets_add(pt_sockets *sockets, int fd) {
  pt_socket *known = find(sockets, fd); /* one that was closed unnoticed */
  if (known != NULL) {
    known->local_port = 0;
    return;
  }
  if (sockets->count == sockets->capacity) {
    size_t capacity = sockets->capacity == 0 ? 8 : sockets->capacity * 2;
    pt_socket *all = pt_realloc(sockets->all, capacity * sizeof *all);
    if (all == NULL)
      return;
    sockets->all = all;
    sockets->capacity = capacity;
  }
  sockets->all[sockets->count++] = (pt_socket){.fd = fd};
}

void pt_sockets_remove(pt_sockets *sockets, int fd) {
  pt_socket *known = find(sockets, fd);
  if (known != NULL)
    drop(sockets, known);
}

/* 0 when it is not an internet socket any more. */
static int local_port_of(int fd) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage room;
  } address;
  socklen_t length = sizeof address;
  if (getsockname(fd, &address.any, &length) != 0)
    return 0;
  return address.any.sa_family == AF_INET    ? ntohs(address.v4.sin_port)
         : address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port)
                                             : 0;
}

bool pt_sockets_quiet(pt_sockets *sockets, int local_port) {
  for (size_t i = sockets->count; i > 0; i--) {
    pt_socket *one = &sockets->all[i - 1];
    if (one->local_port != 0 && one->local_port != local_port)
      continue;
    /* asked again where it was known: the descriptor may be another socket by now */
    one->local_port = local_port_of(one->fd);
    if (one->local_port == 0)
      drop(sockets, one);
    else if (one->local_port == local_port)
      return poll(&(struct pollfd){.fd = one->fd, .events = POLLIN}, 1, 0) <= 0;
  }
  return true;
}

void pt_sockets_free(pt_sockets *sockets) {
  pt_free(sockets->all);
  *sockets = (pt_sockets){0};
}
