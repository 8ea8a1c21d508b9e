/* curl_command.h: a call as a shell command that repeats it, without its secrets. */
#ifndef PT_CURL_COMMAND_H
#define PT_CURL_COMMAND_H

#include "api/call.h"

/* Appends the command. The key is a shell variable ("$POLYTOMIC_PARTNER_KEY"), secret arguments are
 * `***`, all else is quoted for sh. */
void pt_curl_command(pt_buffer *out, const pt_call *call, const char *origin);

#endif
