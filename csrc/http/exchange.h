/* exchange.h: one libcurl handle that makes one HTTP attempt after the other: its preparation, its
   callbacks, and what came of the attempt. The callbacks copy bytes and count; they call nothing of
   ours that could fail in another way than by returning. Only the transport includes this. */
#ifndef PT_EXCHANGE_H
#define PT_EXCHANGE_H

#include "http/exchange_end.h"
#include "http/message.h"
#include "http/sockets.h"
#include "http/transport_options.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

/* What the exchanges of one transport share; outlives them. */
typedef struct {
  const pt_transport_options *options;
  CURLU *url; /* of the server */
  bool https;
  pt_sockets sockets;
} pt_exchange_shared;

/* Of the head of a reply, as far as it came. */
typedef struct {
  size_t bytes, lines;  /* those of interim replies and trailers too */
  size_t status_length; /* bytes of the status line */
  size_t expected;      /* bytes of body, by Content-Length; 0 when unknown */
  bool interim;         /* another reply follows (1xx) */
  bool has_length;
  bool doubtful_length; /* several Content-Length lines, or one that is not a plain number */
} pt_exchange_head;

typedef struct pt_exchange {
  CURL *easy;
  pt_exchange_shared *shared;
  pt_reply *reply;
  void *owner;

  /* the transport's */
  struct pt_exchange *next; /* in the idle or the finished list */
  struct pt_exchange *previous_active, *next_active;

  /* what the handle is prepared for */
  struct curl_slist lines[PT_MAX_HEADER_LINES + 1];
  char error[CURL_ERROR_SIZE];
  const char *method;
  bool writes;
  long timeout_ms, connect_timeout_ms;
  bool fresh; /* for a new connection */

  /* what was noted of the attempt */
  pt_exchange_facts facts; /* whole once libcurl ended it */
  pt_exchange_head head;
  bool stale; /* the kept connection cannot be used any more, and nothing was sent on it */
  unsigned long opened; /* connections; set by pt_exchange_measure */
} pt_exchange;

/* NULL when memory is exhausted. */
pt_exchange *pt_exchange_new(pt_exchange_shared *shared);
void pt_exchange_free(pt_exchange *exchange);

/* Makes the handle ready for a request. False when memory is exhausted. */
bool pt_exchange_prepare(pt_exchange *exchange, const pt_exchange_request *request);
/* Makes the handle ready for the same attempt on a new connection: the kept one was stale, and
 * nothing was sent. */
bool pt_exchange_prepare_again(pt_exchange *exchange);

/* Fills `sent`, `reused` and the timings of the reply, as far as the attempt came. */
void pt_exchange_measure(pt_exchange *exchange);
/* Fills the reply of an attempt that libcurl ended with this code. */
void pt_exchange_conclude(pt_exchange *exchange, CURLcode code);
/* Puts one printable line into the reply, where there is memory for it. */
void pt_exchange_set_message(pt_exchange *exchange, const char *text);

#endif
