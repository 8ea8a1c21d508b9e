/* clock.c: see clock.h. */
#define _POSIX_C_SOURCE 200809L
#include "base/clock.h"

#include <time.h>

static double read_clock(clockid_t id) {
  struct timespec now;
  if (clock_gettime(id, &now) != 0)
    return 0;
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double pt_clock_monotonic(void) { return read_clock(CLOCK_MONOTONIC); }

double pt_clock_wall(void) { return read_clock(CLOCK_REALTIME); }

void pt_clock_sleep(double seconds) {
  const double most = 86400.0; /* the caller looks at the clock again; more may not fit time_t */
  seconds = seconds < most ? seconds : most;
  time_t whole = (time_t)seconds;
  struct timespec left = {.tv_sec = whole, .tv_nsec = (long)((seconds - (double)whole) * 1e9)};
  (void)nanosleep(&left, NULL); /* cut short by a signal: the caller looks at the clock again */
}
