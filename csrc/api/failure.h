/* failure.h: what a call that failed is called and what is said of it: its kind, its outcome, what
 * went wrong and what to do about it. No Lua. */
#ifndef PT_FAILURE_H
#define PT_FAILURE_H

#include "api/call.h"
#include "api/config.h"

/* "timeout", "conflict" …: the member `kind` of an error of the operation. NULL for a success. */
const char *pt_failure_kind(const pt_operation *operation, pt_attempt_end end, int status);

/* "done", "unsent", "rejected", "unknown": the member `outcome` of an error, and back. */
const char *pt_outcome_word(pt_outcome outcome);
pt_outcome pt_outcome_of(const char *word);

/* Copies as much of a text that may hold NUL as there is room for, and no half of a character. */
void pt_failure_copy_text(char *out, size_t size, const char *text, size_t length);

/* Writes what went wrong with a call whose reply says nothing about it. */
void pt_failure_write_detail(char *detail, size_t size, const pt_call *call);

/* Writes what may help: which key the operation needs and which was sent, where the API itself may
   have answered; which authority verified the server; "" when nothing does. `config` is NULL when
   the client was closed. */
void pt_failure_write_hint(char *hint, size_t size, const pt_call *call, const pt_config *config,
                           bool from_api);

/* Writes which key is missing for an operation when none that fits was given. */
void pt_failure_write_missing_key(char *detail, size_t size, pt_auth auth);

/* Writes the message of an error, one printable line: "create_org: 409 conflict: … (request …)". */
void pt_failure_write_message(char *message, size_t size, const pt_call *call, const char *kind,
                              const char *detail);

#endif
