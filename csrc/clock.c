/* clock.c: see clock.h. */
#define _POSIX_C_SOURCE 200809L
#include "clock.h"

#include <time.h>

static double seconds(clockid_t id) {
  struct timespec now;
  if (clock_gettime(id, &now) != 0)
    return 0;
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double pt_clock_monotonic(void) { return seconds(CLOCK_MONOTONIC); }

double pt_clock_wall(void) { return seconds(CLOCK_REALTIME); }
