/* redact.h: hides our secrets in what a server sends back: an error is shown, logged and kept, and
 * events show headers. Secrets are the keys, the proxy's password and the secret arguments of the
 * call; each is hidden as it was sent and as it was before it was encoded. */
#ifndef PT_REDACT_H
#define PT_REDACT_H

#include "api/call.h"
#include "api/config.h"

/* Overwrites in place; `config` is NULL when the client was closed. */
void pt_redact_text(char *text, size_t length, const pt_call *call, const pt_config *config);
/* The same in the headers of the last reply. */
void pt_redact_headers(pt_call *call, const pt_config *config);
/* Hides where a redirect leads, if the operation's reply holds a secret: a URL that opens without a
 * key. */
void pt_redact_location(pt_call *call);
/* All of this in all there is of the last reply: body, headers, message. */
void pt_redact_reply(pt_call *call, const pt_config *config);

#endif
