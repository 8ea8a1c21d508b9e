/* transport.h: moves HTTP messages through one libcurl multi. One exchange is one HTTP attempt.
   Knows nothing of Lua or of the API. https://curl.se/libcurl/c/libcurl-multi.html */
#ifndef PT_TRANSPORT_H
#define PT_TRANSPORT_H

#include "http/attempt.h"
#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether sockets can live in one descriptor that others wait on. */
#if defined(__linux__) && !defined(PT_NO_EPOLL)
#define PT_HAVE_EPOLL 1
#else
#define PT_HAVE_EPOLL 0
#endif

typedef struct pt_transport pt_transport;
typedef struct pt_exchange pt_exchange;

/* Every string lives as long as the transport and is owned by the caller; NULL where not given. */
typedef struct {
  const char *origin;  /* "https://host:port" */
  const char *proxy;   /* URL, "" for none, NULL for libcurl's environment rules */
  const char *ca_file; /* CURLOPT_CAINFO; NULL: libcurl's */
  const char *ca_path; /* CURLOPT_CAPATH; NULL: libcurl's */
  const char *client_cert;
  const char *client_key;
  bool https;
  bool http2;
  long max_connections;      /* kept open at once */
  size_t max_response_bytes; /* decoded */
} pt_transport_options;

#define PT_MESSAGE_SIZE 256
#define PT_MAX_HEADER_LINES 48
#define PT_MAX_HEADER_BYTES (256u * 1024u)
#define PT_MAX_HEADERS 5000u /* lines; as in newer libcurl */

/* What the server sent back; owned by the caller, filled by the transport. Buffers are empty and
 * valid when zeroed. */
typedef struct {
  pt_attempt_end end;
  int status;
  double connect, first_byte, total; /* seconds, as in pt_attempt */
  bool reused;
  bool sent;
  bool
      cut_by_close; /* the body ended with the connection, without a length: it may be incomplete */
  bool compressed;  /* the body was compressed: its end may be missing unnoticed */
  pt_buffer headers; /* raw lines of the last header block */
  pt_buffer body;    /* decoded */
  char *message; /* what went wrong, one printable line; NULL when nothing did, or no memory; owned
                    by the caller */
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

/* NULL when memory or libcurl is exhausted. libcurl is initialised once for the process at the
 * first call. */
pt_transport *pt_transport_new(const pt_transport_options *options);
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
size_t pt_transport_active(const pt_transport *transport);

/* Driving it, while no descriptor is shared: move bytes, then wait until something can move or
 * `seconds` passed. */
void pt_transport_perform(pt_transport *transport);
void pt_transport_wait(pt_transport *transport, double seconds);

/* Driving it by sockets: each socket is put into `epoll` with data `tag << 32 | fd`. Only while
 * nothing is active. False where there is no epoll. */
bool pt_transport_use_epoll(pt_transport *transport, int epoll, unsigned tag);
void pt_transport_socket_ready(pt_transport *transport, int fd, unsigned epoll_events);
void pt_transport_timer_due(pt_transport *transport);
/* Monotonic second at which pt_transport_timer_due is wanted; INFINITY when it is not. */
double pt_transport_timer(const pt_transport *transport);

typedef struct {
  unsigned long long opened, reused; /* connections */
} pt_transport_counts;
pt_transport_counts pt_transport_counted(const pt_transport *transport);

/* The version of libcurl, "7.88.1". */
const char *pt_transport_library(void);
/* The CA file and directory libcurl was built to use; NULL when unknown. The directory only where
 * the TLS library looks certificates up in it. */
void pt_transport_default_ca(const char **file, const char **path);
/* Whether libcurl can read a proxy's URL: it has a host, and its port is one. */
bool pt_transport_reads_proxy(const char *url);

#endif
