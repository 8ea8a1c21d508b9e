/* sigpipe.c: see sigpipe.h. */
#include "http/sigpipe.h"

#include <errno.h>

static sigset_t only_sigpipe(void) {
  sigset_t set;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGPIPE);
  return set;
}

static bool is_pending(void) {
  sigset_t pending;
  return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

pt_sigpipe pt_sigpipe_hold(bool needed) {
  pt_sigpipe state = {.held = false};
  if (!needed)
    return state;
  sigset_t set = only_sigpipe();
  if (pthread_sigmask(SIG_BLOCK, &set, &state.before) == 0)
    state.held = sigismember(&state.before, SIGPIPE) == 0; /* else the host's own affair */
  return state;
}

void pt_sigpipe_release(const pt_sigpipe *state) {
  if (!state->held)
    return;
  int saved = errno, number;
  sigset_t set = only_sigpipe();
  if (is_pending())
    (void)sigwait(&set, &number);
  (void)pthread_sigmask(SIG_SETMASK, &state->before, NULL);
  errno = saved;
}
