/* message.h: what one HTTP attempt sends, and what came back. */
#ifndef PT_MESSAGE_H
#define PT_MESSAGE_H

#include "base/buffer.h"
#include "http/attempt.h"

#include <stdbool.h>
#include <stddef.h>

#define PT_MESSAGE_SIZE 256
#define PT_MAX_HEADER_LINES 80
#define PT_MAX_HEADER_BYTES (256u * 1024u)
#define PT_MAX_HEADERS 5000u /* lines; as in newer libcurl */

/* What the server sent back; owned by the caller, filled by the transport. Buffers are empty and
 * valid when zeroed. */
typedef struct {
  pt_attempt_end end;
  int status;
  double name, tcp, connect, first_byte, total; /* seconds, as in pt_attempt */
  bool reused;
  bool sent;
  bool cut_by_close; /* the body ended with the connection: it may be incomplete */
  bool compressed;   /* the body was compressed: its end may be missing unnoticed */
  pt_buffer headers; /* raw lines of the last header block */
  pt_buffer body;    /* decoded */
  /* What went wrong, one printable line; NULL when nothing did, or no memory. The caller's. */
  char *message;
} pt_reply;

/* All pointers stay valid until the exchange is finished or cancelled. */
typedef struct {
  const char *method;
  const char *target;       /* path and query */
  const char *const *lines; /* header lines "Name: value" */
  size_t line_count;        /* at most PT_MAX_HEADER_LINES */
  const char *body;
  size_t body_length;
  bool writes;            /* the method carries a body (a length is sent even when it is 0) */
  bool compressed;        /* ask for a compressed reply */
  double timeout;         /* seconds, body included */
  double connect_timeout; /* seconds */
  pt_reply *reply;
  void *owner; /* handed back by pt_transport_finished */
} pt_exchange_request;

#endif
