/* attempt.h: how one attempt of a call went; the words that transport, call, retry and binding
 * share. */
#ifndef PT_ATTEMPT_H
#define PT_ATTEMPT_H

#include <stdbool.h>

typedef enum {
  PT_END_ANSWERED,     /* a complete reply: look at the status */
  PT_END_DNS,          /* the name was not resolved */
  PT_END_CONNECT,      /* no connection: refused, unreachable */
  PT_END_TLS,          /* handshake or verification */
  PT_END_PROXY,        /* the proxy refused or failed */
  PT_END_TIMEOUT,      /* attempt_timeout, connect_timeout or the deadline */
  PT_END_NETWORK,      /* reset, closed or cut short */
  PT_END_PROTOCOL,     /* the reply is not HTTP */
  PT_END_BAD_RESPONSE, /* 2xx, complete, but not the promised JSON */
  PT_END_TOO_LARGE,    /* past max_response_bytes or the header limit */
  PT_END_MEMORY,       /* our own memory ran out */
  PT_END_CANCELLED,    /* by the caller */
  PT_END_CLOSED        /* the client was closed */
} pt_attempt_end;

/* One row of a call's timeline. Times are seconds since the attempt began. */
typedef struct {
  pt_attempt_end end;
  int status;        /* of the reply, or of the proxy's answer to CONNECT; 0 when there was none */
  double name;       /* until the name was resolved; 0 when re-used */
  double tcp;        /* until the connection was open, before any TLS; 0 when re-used */
  double connect;    /* until the connection was ready, TLS included; 0 when re-used */
  double first_byte; /* until the first byte of the reply; 0 when there was none */
  double total;
  double waited;     /* back-off before this attempt */
  double retry_wait; /* back-off after it, or negative when no attempt followed */
  bool reused;       /* an idle connection was used */
  bool sent;         /* request bytes may have left */
} pt_attempt;

#endif
