/* poller_none.c: poller.h where the system has no descriptor that others can wait on. */
#include "http/poller.h"

#if !defined(__linux__) || defined(PT_NO_EPOLL)

pt_poller *pt_poller_new(void) { return NULL; }

void pt_poller_free(pt_poller *poller) { (void)poller; }

bool pt_poller_watch(pt_poller *poller, int fd, unsigned tag, unsigned wanted, bool again) {
  (void)poller, (void)fd, (void)tag, (void)wanted, (void)again;
  return false;
}

void pt_poller_forget(pt_poller *poller, int fd) { (void)poller, (void)fd; }

size_t pt_poller_wait(pt_poller *poller, double seconds, pt_poller_event *events, size_t room) {
  (void)poller, (void)seconds, (void)events, (void)room;
  return 0;
}

int pt_poller_descriptor(pt_poller *poller) {
  (void)poller;
  return -1;
}

void pt_poller_arm(pt_poller *poller, double when) { (void)poller, (void)when; }

#endif
