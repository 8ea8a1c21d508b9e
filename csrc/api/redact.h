/* redact.h: hides our secrets in what a server sends back: an error is shown, logged and kept, and
   events show headers. Secrets are the keys, the proxy's password, the secret arguments of the call
   and the headers that are secrets by their names; redactor.h says in which forms. */
#ifndef PT_REDACT_H
#define PT_REDACT_H

#include "api/call.h"
#include "api/config.h"
#include "base/redactor.h"

/* Adds every secret of the call. `config` may be NULL. */
void pt_redact_gather(pt_redactor *out, const pt_call *call, const pt_config *config);
/* Hides them in the headers of the last reply, in place. */
void pt_redact_headers(pt_call *call, const pt_config *config);
/* Hides where a redirect leads, if the operation's reply holds a secret: a URL that opens without a
 * key. */
void pt_redact_location(pt_call *call);
/* All of this in all there is of the last reply: body, headers, message. */
void pt_redact_reply(pt_call *call, const pt_config *config);
/* The value of a header line "Name: value" whose name says that it is a secret (pt_secret_named);
 * NULL for another. */
const char *pt_redact_secret_header(const char *line);

#endif
