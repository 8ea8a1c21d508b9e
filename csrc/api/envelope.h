/* envelope.h: what kind of JSON a reply is, before anything is built from it. */
#ifndef PT_ENVELOPE_H
#define PT_ENVELOPE_H

#include "base/buffer.h"

/* The first byte of a JSON value tells its kind: { [ " n t f - 0…9. '\0' where there is none. */
typedef struct {
  char top;  /* of the body */
  char data; /* of its member "data", when the body is an object */
} pt_envelope;

/* Never fails: text that is not JSON gives whatever it begins with. */
pt_envelope pt_envelope_look(const pt_buffer *body);

#endif
