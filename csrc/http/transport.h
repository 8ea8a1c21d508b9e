/* transport.h: moves HTTP messages through one libcurl multi. One exchange is one HTTP attempt.
   Knows nothing of Lua or of the API. https://curl.se/libcurl/c/libcurl-multi.html */
#ifndef PT_TRANSPORT_H
#define PT_TRANSPORT_H

#include "http/message.h"
#include "http/poller.h"
#include "http/transport_options.h"
#include "http/url.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pt_transport pt_transport;
typedef struct pt_exchange pt_exchange;

/* A transport to the origin of `server`; the caller keeps both arguments as long as the transport.
   NULL when memory or libcurl is exhausted. */
pt_transport *pt_transport_new(const pt_base_url *server, const pt_transport_options *options);
/* Ends what runs (nothing is reported for it), closes every connection. */
void pt_transport_free(pt_transport *transport);

/* Begins; nothing is sent before the next step. NULL when memory is exhausted. */
pt_exchange *pt_transport_start(pt_transport *transport, const pt_exchange_request *request);
/* Stops an exchange that has not finished: its connection is closed and never used again. Fills
 * `reply->sent` and the timings. */
void pt_transport_cancel(pt_transport *transport, pt_exchange *exchange);
/* The owner of an exchange that finished since, its reply filled and its handle back in the pool;
 * NULL when there is none. */
void *pt_transport_finished(pt_transport *transport);
/* Whether an exchange has its connection and sends its request, or did. */
bool pt_transport_sending(const pt_exchange *exchange);
/* How many exchanges run; those that finished do not count. */
size_t pt_transport_active(const pt_transport *transport);
/* Whether none runs, and none waits for pt_transport_finished. */
bool pt_transport_unused(const pt_transport *transport);

/* Driving it, while no descriptor is shared: move bytes, then wait until something can move or
 * `seconds` passed. */
void pt_transport_perform(pt_transport *transport);
void pt_transport_wait(pt_transport *transport, double seconds);

/* Driving it by sockets: each is watched by `poller`, which reports it with `tag`. Only while
 * nothing is active. False where libcurl refuses. */
bool pt_transport_use_poller(pt_transport *transport, pt_poller *poller, unsigned tag);
/* `ready` as in pt_poller_event. */
void pt_transport_socket_ready(pt_transport *transport, int fd, unsigned ready);
void pt_transport_timer_due(pt_transport *transport);
/* Monotonic second at which pt_transport_timer_due is wanted; INFINITY when it is not. */
double pt_transport_timer(const pt_transport *transport);

typedef struct {
  unsigned long long opened, reused; /* connections */
} pt_transport_counts;
pt_transport_counts pt_transport_counted(const pt_transport *transport);

#endif
