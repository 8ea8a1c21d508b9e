/* sigpipe.h: keeps SIGPIPE from ending the process while libcurl before 7.88 writes to a TLS
   connection that was reset: there the TLS library writes by itself, without MSG_NOSIGNAL. */
#ifndef PT_SIGPIPE_H
#define PT_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

typedef struct {
  bool held; /* blocked by pt_sigpipe_hold, to be let through again */
  sigset_t before;
} pt_sigpipe;

/* Blocks SIGPIPE in this thread where it is `needed` and not blocked already. */
pt_sigpipe pt_sigpipe_hold(bool needed);
/* Discards a SIGPIPE that came meanwhile and restores what was before. */
void pt_sigpipe_release(const pt_sigpipe *state);

#endif
