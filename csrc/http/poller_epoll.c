/* poller_epoll.c: poller.h on Linux, with epoll and a timerfd. */
#include "http/poller.h"

#if defined(__linux__) && !defined(PT_NO_EPOLL)

#include "base/memory.h"

#include <math.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { MAX_EVENTS = 64 };
/* In the place of a tag; no caller has so many. */
#define TIMER_TAG UINT32_MAX

struct pt_poller {
  int epoll;
  int timer;    /* -1 until a descriptor was asked for */
  double armed; /* when `timer` fires */
};

pt_poller *pt_poller_new(void) {
  pt_poller *poller = pt_malloc(sizeof *poller);
  if (poller == NULL)
    return NULL;
  *poller = (pt_poller){.epoll = epoll_create1(EPOLL_CLOEXEC), .timer = -1, .armed = INFINITY};
  if (poller->epoll >= 0)
    return poller;
  pt_free(poller);
  return NULL;
}

void pt_poller_free(pt_poller *poller) {
  if (poller == NULL)
    return;
  if (poller->timer >= 0)
    (void)close(poller->timer);
  (void)close(poller->epoll);
  pt_free(poller);
}

/* The descriptor and its tag, together in what epoll gives back. */
static uint64_t pack(int fd, uint32_t tag) { return (uint64_t)tag << 32 | (uint32_t)fd; }

bool pt_poller_watch(pt_poller *poller, int fd, unsigned tag, unsigned wanted, bool again) {
  struct epoll_event event = {0};
  if (wanted & PT_READABLE)
    event.events |= EPOLLIN;
  if (wanted & PT_WRITABLE)
    event.events |= EPOLLOUT;
  event.data.u64 = pack(fd, tag);
  int first = again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, second = again ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  return epoll_ctl(poller->epoll, first, fd, &event) == 0 ||
         epoll_ctl(poller->epoll, second, fd, &event) == 0;
}

void pt_poller_forget(pt_poller *poller, int fd) {
  (void)epoll_ctl(poller->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static pt_poller_event read_event(pt_poller *poller, const struct epoll_event *event) {
  pt_poller_event out = {.fd = (int)(event->data.u64 & UINT32_MAX),
                         .tag = (unsigned)(event->data.u64 >> 32)};
  if (out.tag == TIMER_TAG) {
    uint64_t expirations;
    if (read(poller->timer, &expirations, sizeof expirations) > 0)
      poller->armed = INFINITY;
    return (pt_poller_event){.fd = -1};
  }
  if (event->events & EPOLLIN)
    out.ready |= PT_READABLE;
  if (event->events & EPOLLOUT)
    out.ready |= PT_WRITABLE;
  if (event->events & (EPOLLERR | EPOLLHUP))
    out.ready |= PT_BROKEN;
  return out;
}

size_t pt_poller_wait(pt_poller *poller, double seconds, pt_poller_event *events, size_t room) {
  struct epoll_event found[MAX_EVENTS];
  int milliseconds = (int)fmin(ceil(seconds * 1000.0), 60000.0);
  int most = (int)(room < MAX_EVENTS ? room : MAX_EVENTS);
  int count = epoll_wait(poller->epoll, found, most, milliseconds);
  for (int i = 0; i < count; i++)
    events[i] = read_event(poller, &found[i]);
  return count > 0 ? (size_t)count : 0;
}

int pt_poller_descriptor(pt_poller *poller) {
  if (poller->timer >= 0)
    return poller->epoll;
  poller->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (poller->timer < 0)
    return -1;
  struct epoll_event event = {.events = EPOLLIN};
  event.data.u64 = pack(poller->timer, TIMER_TAG);
  if (epoll_ctl(poller->epoll, EPOLL_CTL_ADD, poller->timer, &event) == 0)
    return poller->epoll;
  (void)close(poller->timer);
  poller->timer = -1;
  return -1;
}

void pt_poller_arm(pt_poller *poller, double when) {
  if (poller->timer < 0 || when == poller->armed) /* both may be INFINITY */
    return;
  poller->armed = when;
  struct itimerspec setting = {{0, 0}, {0, 0}};
  if (when < INFINITY) {
    const double most = 2e9; /* fits every time_t: 63 years after the machine was started */
    when = fmin(when, most);
    double whole = floor(when);
    setting.it_value.tv_sec = (time_t)whole;
    setting.it_value.tv_nsec = (long)((when - whole) * 1e9);
    if (setting.it_value.tv_sec == 0 && setting.it_value.tv_nsec == 0)
      setting.it_value.tv_nsec = 1; /* 0 would disarm it */
  }
  (void)timerfd_settime(poller->timer, TFD_TIMER_ABSTIME, &setting, NULL);
}

#endif
