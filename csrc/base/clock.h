/* clock.h: the monotonic and the wall clock, in seconds. */
#ifndef PT_CLOCK_H
#define PT_CLOCK_H

/* Monotonic seconds (CLOCK_MONOTONIC): every timeout and deadline; no relation to the date. */
double pt_clock_monotonic(void);
/* Seconds since the epoch: only for comparing with dates a server sent. */
double pt_clock_wall(void);
/* Blocks the thread, at most until a signal. */
void pt_clock_sleep(double seconds);

#endif
