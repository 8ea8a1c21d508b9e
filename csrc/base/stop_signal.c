/* stop_signal.c: see stop_signal.h. */
#include "base/stop_signal.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught;
static bool catching;
static struct sigaction interrupt_before, terminate_before;

static void remember(int number) {
  if (caught != 0) {
    (void)signal(number, SIG_DFL);
    (void)raise(number);
  }
  caught = number;
}

bool pt_stop_signal_catch(void) {
  if (catching)
    return true;
  caught = 0;
  struct sigaction action = {.sa_handler = remember}; /* without SA_RESTART: waits end */
  (void)sigemptyset(&action.sa_mask);
  if (sigaction(SIGINT, &action, &interrupt_before) != 0)
    return false;
  if (sigaction(SIGTERM, &action, &terminate_before) != 0) {
    (void)sigaction(SIGINT, &interrupt_before, NULL);
    return false;
  }
  catching = true;
  return true;
}

void pt_stop_signal_release(void) {
  if (!catching)
    return;
  (void)sigaction(SIGINT, &interrupt_before, NULL);
  (void)sigaction(SIGTERM, &terminate_before, NULL);
  catching = false;
  caught = 0;
}

int pt_stop_signal_caught(void) { return (int)caught; }
