/* foreign_reply.h: what to quote of a reply that is not the API's: the page of a proxy, a filter or
 * a captive portal, or a plain text. */
#ifndef PT_FOREIGN_REPLY_H
#define PT_FOREIGN_REPLY_H

#include "api/call.h"

/* Bytes of such a reply that an error keeps. */
#define PT_MAX_FOREIGN_BODY (64u * 1024u)

/* Whether the reply says that it is JSON (RFC 9110 section 8.3), or says nothing and begins like an
 * object or a list. */
bool pt_reply_claims_json(const pt_call *call);

/* Writes the title of an HTML page, else the text that is to be read on it, else the beginning of a
   plain text, on one line, cut after a whole character; "" where there is nothing to read. */
void pt_foreign_reply_quote(char *out, size_t size, const pt_buffer *body);

#endif
