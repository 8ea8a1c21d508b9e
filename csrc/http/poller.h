/* poller.h: one descriptor that is readable when a watched socket or the timer is ready, for a host
   that waits on descriptors of its own. One file for each system that has such a thing;
   poller_none.c for the others. */
#ifndef PT_POLLER_H
#define PT_POLLER_H

#include <stdbool.h>
#include <stddef.h>

enum { PT_READABLE = 1, PT_WRITABLE = 2, PT_BROKEN = 4 };

typedef struct {
  int fd;         /* -1: the timer fired */
  unsigned tag;   /* as given to pt_poller_watch */
  unsigned ready; /* PT_READABLE, PT_WRITABLE and PT_BROKEN */
} pt_poller_event;

typedef struct pt_poller pt_poller;

/* NULL where the system has none, or no descriptor or memory is left. */
pt_poller *pt_poller_new(void);
void pt_poller_free(pt_poller *poller);

/* Watches a socket for what is wanted (PT_READABLE, PT_WRITABLE). `again`: it is watched already,
 * as far as the caller knows. */
bool pt_poller_watch(pt_poller *poller, int fd, unsigned tag, unsigned wanted, bool again);
/* Nothing happens when it is not watched: a closed socket has left by itself. */
void pt_poller_forget(pt_poller *poller, int fd);

/* Waits at most `seconds` and returns how many events there are, at most `room`. Readiness that is
 * not acted on is reported again. */
size_t pt_poller_wait(pt_poller *poller, double seconds, pt_poller_event *events, size_t room);

/* The descriptor to wait on; the timer is there from now on. -1 when no descriptor is left. */
int pt_poller_descriptor(pt_poller *poller);
/* Lets the timer fire at this monotonic second (INFINITY: never), if it is there. */
void pt_poller_arm(pt_poller *poller, double when);

#endif
