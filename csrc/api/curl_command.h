/* curl_command.h: a call as a shell command that repeats it, without its secrets. */
#ifndef PT_CURL_COMMAND_H
#define PT_CURL_COMMAND_H

#include "api/call.h"
#include "api/config.h"

/* Appends the command. The key is a shell variable ("$POLYTOMIC_PARTNER_KEY"), secret arguments are
   `***` and hidden where they are a second time, all else is quoted for sh. Puts the call's marks
   in order. */
void pt_curl_command(pt_buffer *out, pt_call *call, const pt_config *config);

#endif
