/* stop_signal.h: lets a long run end when a signal asks for it: remembers SIGINT and SIGTERM. */
#ifndef PT_STOP_SIGNAL_H
#define PT_STOP_SIGNAL_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM are remembered instead of acting. The second one that comes acts
 * as it would have by default, so that a run that hangs can be ended. Returns false where the
 * system refuses. */
bool pt_stop_signal_catch(void);
/* Gives both signals back to whoever had them before, and forgets what came. */
void pt_stop_signal_release(void);
/* The number of the signal that came since, or 0. */
int pt_stop_signal_caught(void);

#endif
