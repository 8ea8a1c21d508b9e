/* envelope.h: whether a reply is the kind of JSON that its operation promises. */
#ifndef PT_ENVELOPE_H
#define PT_ENVELOPE_H

#include "api/operations.h"
#include "base/buffer.h"

/* The first byte of a JSON value tells its kind: { [ " n t f - 0…9. '\0' where there is none. */
typedef struct {
  char top;  /* of the body */
  char data; /* of its member "data", when the body is an object; of the last of several */
} pt_envelope;

/* Whether an empty body keeps the operation's promise: no body is documented, or the status says
 * that there is none. */
bool pt_envelope_may_be_empty(const pt_operation *operation, int status);

/* Checks the kinds of body and data against what the operation promises. NULL when they fit, else
 * `problem`, with what is wrong written to it. */
const char *pt_envelope_check(const pt_operation *operation, pt_envelope envelope, char *problem,
                              size_t size);

/* Writes what is known of a body that is not valid JSON. Shows a few of its bytes only where it is
 * not JSON at all: JSON may hold what must not be shown. `top` is as in pt_envelope. */
void pt_envelope_describe_text(char *problem, size_t size, const pt_operation *operation,
                               const pt_buffer *body, char top);

#endif
