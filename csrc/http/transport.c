/* transport.c: see transport.h. The only file that knows libcurl.
   Callbacks copy bytes and count; they call nothing of ours that could fail in another way than by
   returning. */
#include "http/transport.h"

#include "base/ascii.h"
#include "base/clock.h"
#include "http/headers.h"
#include "base/memory.h"
#include "http/sockets.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#if PT_HAVE_EPOLL
#include <sys/epoll.h>
#endif

#if LIBCURL_VERSION_NUM < 0x074400
#error "libcurl 7.68 or newer is needed"
#endif

/* From 7.80 a callback just before a request goes out can veto libcurl's own repetition on a
   re-used connection that died. Older versions get a fresh connection for every request that must
   not be repeated. */
#if LIBCURL_VERSION_NUM >= 0x075000 && !defined(PT_NO_PREREQ)
#define HAVE_PREREQ 1
#else
#define HAVE_PREREQ 0
#endif

struct pt_exchange {
  CURL *easy;
  pt_transport *transport;
  pt_exchange *next; /* in the idle or the finished list */
  pt_exchange *previous_active, *next_active;
  pt_reply *reply;
  void *owner;
  struct curl_slist lines[PT_MAX_HEADER_LINES + 1];
  char error[CURL_ERROR_SIZE];
  const char *method; /* what the handle is prepared for */
  bool writes;
  long timeout_ms, connect_timeout_ms;
  bool fresh;     /* the handle is prepared for a new connection */
  unsigned sends; /* how often libcurl went to send this attempt's request */
  size_t header_bytes, header_count;
  bool headers_done;
  bool has_length_line;
  bool doubtful_length; /* several Content-Length lines, or one that is no plain number */
  bool bad_length;
  bool stale;   /* the connection that was kept is no good any more, and nothing was sent on it */
  bool refused; /* an HTTP/2 peer said that it did not process the request */
  bool too_large;
  bool out_of_memory;
};

struct pt_transport {
  pt_transport_options options;
  CURLM *multi;
  CURLU *url;
  pt_sockets sockets;
  pt_exchange *idle, *active;
  pt_exchange *finished, *last_finished;
  size_t active_count;
  pt_transport_counts counts;
  int epoll; /* -1: driven by pt_transport_perform */
  unsigned tag;
  double timer;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_result = CURLE_FAILED_INIT;

#ifdef PT_TESTING
static char *testing_strdup(const char *text) { return pt_copy(text, strlen(text)); }
static void *testing_calloc(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size)
    return NULL;
  return pt_zalloc(count * size);
}
#endif

/* Keeps this module mapped for good: lua_close would unload it while a resolver thread of libcurl
   may still run. Here rather than by a linker's flag, which LuaRocks cannot pass on. Where it fails
   nothing is lost but that. */
static void stay_mapped(void) {
  static const char inside = 0;
  Dl_info module;
  if (dladdr(&inside, &module) != 0 && module.dli_fname != NULL)
    (void)dlopen(module.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

/* Never undone: other code of the process may use libcurl. */
static void initialise(void) {
  stay_mapped();
#ifdef PT_TESTING
  global_result = curl_global_init_mem(CURL_GLOBAL_DEFAULT, pt_malloc, pt_free, pt_realloc,
                                       testing_strdup, testing_calloc);
#else
  global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
#endif
}

/* ---- callbacks ---- */

static size_t keep_body(char *bytes, size_t one, size_t length, void *context) {
  pt_exchange *exchange = context;
  size_t added = one * length;
  pt_buffer *body = &exchange->reply->body;
  if (added > exchange->transport->options.max_response_bytes - body->length) {
    exchange->too_large =
        true; /* CURLOPT_MAXFILESIZE counts before decompression: count here instead */
    return 0;
  }
  pt_buffer_add(body, bytes, added);
  if (body->failed) {
    exchange->out_of_memory = true;
    return 0;
  }
  return added;
}

static bool is_chunked(const pt_buffer *headers) {
  pt_header header;
  return pt_headers_find(headers, "transfer-encoding", &header);
}

/* A Content-Length that is a plain number and the only one needs no second look. */
static void note_length(pt_exchange *exchange, const char *line, size_t length) {
  static const char name[] = "content-length:";
  const size_t name_length = sizeof name - 1;
  if (length <= name_length || (line[0] != 'c' && line[0] != 'C') ||
      strncasecmp(line, name, name_length) != 0)
    return;
  size_t i = name_length;
  while (i < length && line[i] == ' ')
    i++;
  size_t first = i;
  while (i < length && pt_is_digit(line[i]))
    i++;
  bool plain = i > first && i - first <= 18 && i < length && (line[i] == '\r' || line[i] == '\n');
  exchange->doubtful_length = exchange->doubtful_length || exchange->has_length_line || !plain;
  exchange->has_length_line = true;
}

static size_t keep_header(char *bytes, size_t one, size_t length, void *context) {
  pt_exchange *exchange = context;
  size_t added = one * length;
  pt_buffer *headers = &exchange->reply->headers;
  exchange->header_bytes += added;
  if (exchange->header_bytes > PT_MAX_HEADER_BYTES || ++exchange->header_count > PT_MAX_HEADERS) {
    exchange->too_large = true;
    return 0;
  }
  if (exchange->headers_done) {
    if (added < 5 || memcmp(bytes, "HTTP/", 5) != 0)
      return added;                 /* trailers say nothing we use */
    exchange->headers_done = false; /* the block before was an interim reply (1xx) */
    exchange->doubtful_length = exchange->has_length_line = false;
    pt_buffer_clear(headers);
  }
  note_length(exchange, bytes, added);
  if (added <= 2 && (added == 0 || bytes[0] == '\r' || bytes[0] == '\n')) {
    exchange->headers_done = true;
    /* libcurl takes the last of several lengths and the digits of "30x": where the body ends is
     * anybody's guess, and the connection must go */
    exchange->bad_length =
        exchange->doubtful_length && !is_chunked(headers) && !pt_headers_lengths_agree(headers);
    return exchange->bad_length ? 0 : added;
  }
  pt_buffer_add(headers, bytes, added);
  if (headers->failed) {
    exchange->out_of_memory = true;
    return 0;
  }
  return added;
}

#if HAVE_PREREQ
static bool is_reused(const pt_exchange *exchange) {
  long connects = 1;
  return curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK &&
         connects == 0;
}

/* https://curl.se/libcurl/c/CURLOPT_PREREQFUNCTION.html : runs each time a request is about to go
   out. libcurl repeats a request, a POST too, on a re-used connection that dies before the first
   byte of the reply: whether to repeat is not its decision. And it takes up a kept connection that
   was reset, or on which a reply nobody asked for has arrived and would be taken for ours. */
static int before_send(void *context, char *ip, char *local_ip, int port, int local_port) {
  (void)ip, (void)local_ip, (void)port;
  pt_exchange *exchange = context;
  if (exchange->sends == 0 && is_reused(exchange) &&
      !pt_sockets_quiet(&exchange->transport->sockets, local_port)) {
    exchange->stale = true;
    return CURL_PREREQFUNC_ABORT;
  }
  exchange->sends++;
  return exchange->sends > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* https://curl.se/libcurl/c/CURLOPT_SOCKOPTFUNCTION.html : a socket was opened. */
static int note_socket(void *context, curl_socket_t fd, curlsocktype purpose) {
  (void)purpose;
  pt_transport *transport = context;
  pt_sockets_add(&transport->sockets, fd);
  return CURL_SOCKOPT_OK;
}

/* https://curl.se/libcurl/c/CURLOPT_CLOSESOCKETFUNCTION.html */
static int close_socket(void *context, curl_socket_t fd) {
  pt_transport *transport = context;
  pt_sockets_remove(&transport->sockets, fd);
  return close(fd);
}
#endif

static bool contains(const char *text, size_t length, const char *word) {
  return memmem(text, length, word, strlen(word)) != NULL;
}

/* https://curl.se/libcurl/c/CURLOPT_DEBUGFUNCTION.html , for HTTP/2 only: a stream refused by
   RST_STREAM, or above the last one of a GOAWAY, was not processed (RFC 9113 section 8.7). libcurl
   repeats it by itself, which before_send forbids, and says that it was refused nowhere else; of a
   refusal on a re-used connection it says nothing at all, and the reply counts as lost. */
static int hear(CURL *easy, curl_infotype type, char *text, size_t length, void *context) {
  (void)easy;
  pt_exchange *exchange = context;
  if (type != CURLINFO_TEXT || exchange->sends == 0)
    return 0;
  if (contains(text, length, "REFUSED_STREAM") ||
      (contains(text, length, "GOAWAY") && contains(text, length, "last_stream=0")))
    exchange->refused = true;
  return 0;
}

#if PT_HAVE_EPOLL
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known) {
  (void)easy;
  pt_transport *transport = context;
  if (what == CURL_POLL_REMOVE) {
    (void)epoll_ctl(transport->epoll, EPOLL_CTL_DEL, fd,
                    NULL); /* a closed socket has left by itself */
    return 0;
  }
  struct epoll_event event = {0};
  if (what & CURL_POLL_IN)
    event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT)
    event.events |= EPOLLOUT;
  event.data.u64 = (uint64_t)transport->tag << 32 | (uint32_t)fd;
  int first = known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(transport->epoll, first, fd, &event) != 0 &&
      epoll_ctl(transport->epoll, first == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
                &event) != 0)
    return -1;
  if (known == NULL)
    (void)curl_multi_assign(transport->multi, fd, transport);
  return 0;
}

static int set_timer(CURLM *multi, long milliseconds, void *context) {
  (void)multi;
  pt_transport *transport = context;
  transport->timer =
      milliseconds < 0 ? INFINITY : pt_clock_monotonic() + (double)milliseconds / 1000.0;
  return 0;
}
#endif

/* ---- handles ---- */

#define SET(option, value)                                 \
  do {                                                     \
    if (curl_easy_setopt(easy, option, value) != CURLE_OK) \
      return false;                                        \
  } while (0)

static bool set_protocols(CURL *easy, bool https) {
#if LIBCURL_VERSION_NUM >= 0x075500
  SET(CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
#else
  SET(CURLOPT_PROTOCOLS, https ? (long)CURLPROTO_HTTPS : (long)CURLPROTO_HTTP);
#endif
  return true;
}

static bool set_tls(CURL *easy, const pt_transport_options *options) {
  SET(CURLOPT_SSL_VERIFYPEER, 1L);
  SET(CURLOPT_SSL_VERIFYHOST, 2L);
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  if (options->ca_file != NULL || options->ca_path != NULL) {
    /* what was not chosen must not add trust beside what was */
    SET(CURLOPT_CAINFO, options->ca_file);
    SET(CURLOPT_CAPATH, options->ca_path);
  }
  if (options->client_cert != NULL)
    SET(CURLOPT_SSLCERT, options->client_cert);
  if (options->client_key != NULL)
    SET(CURLOPT_SSLKEY, options->client_key);
  return true;
}

static bool set_proxy(CURL *easy, const pt_transport_options *options) {
  if (options->proxy != NULL) {
    SET(CURLOPT_PROXY, options->proxy);
    SET(CURLOPT_NOPROXY, ""); /* the environment has no say in it */
  }
  /* Always a tunnel: the proxy sees neither Authorization nor a body. */
  SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
  SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
#if LIBCURL_VERSION_NUM >= 0x073600
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
#endif
  return true;
}

/* All that never changes between two exchanges of one transport. */
static bool prepare(pt_exchange *exchange) {
  CURL *easy = exchange->easy;
  const pt_transport_options *options = &exchange->transport->options;
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_PRIVATE, exchange);
  SET(CURLOPT_ERRORBUFFER, exchange->error);
  SET(CURLOPT_CURLU, exchange->transport->url);
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  SET(CURLOPT_HTTP09_ALLOWED, 0L);
  SET(CURLOPT_ACCEPT_ENCODING,
      "gzip, deflate"); /* what is not asked for, by link_lines, is decoded all the same */
  SET(CURLOPT_HTTP_VERSION,
      options->http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
  if (options->http2) {
    SET(CURLOPT_PIPEWAIT, 1L);
    SET(CURLOPT_DEBUGFUNCTION, hear);
    SET(CURLOPT_DEBUGDATA, exchange);
    SET(CURLOPT_VERBOSE, 1L);
  }
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_WRITEFUNCTION, keep_body);
  SET(CURLOPT_WRITEDATA, exchange);
  SET(CURLOPT_HEADERFUNCTION, keep_header);
  SET(CURLOPT_HEADERDATA, exchange);
#if HAVE_PREREQ
  SET(CURLOPT_PREREQFUNCTION, before_send);
  SET(CURLOPT_PREREQDATA, exchange);
  if (!options
           ->http2) { /* there a connection may always have something to say, and libcurl listens */
    SET(CURLOPT_SOCKOPTFUNCTION, note_socket);
    SET(CURLOPT_SOCKOPTDATA, exchange->transport);
    SET(CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, exchange->transport);
  }
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
  SET(CURLOPT_QUICK_EXIT, 1L); /* closing never waits for a name look-up */
#endif
  return set_protocols(easy, options->https) && set_tls(easy, options) && set_proxy(easy, options);
}

/* Without the veto, libcurl may repeat what it sends on a kept connection. */
static bool needs_fresh(const pt_exchange_request *request) {
  return !HAVE_PREREQ && strcmp(request->method, "GET") != 0;
}

/* All that an exchange noted of an attempt. */
static void forget_attempt(pt_exchange *exchange) {
  exchange->sends = 0;
  exchange->header_bytes = exchange->header_count = 0;
  exchange->headers_done = exchange->has_length_line = exchange->doubtful_length =
      exchange->bad_length = exchange->stale = exchange->refused = exchange->too_large =
          exchange->out_of_memory = false;
  exchange->error[0] = '\0';
}

static bool set_fresh(pt_exchange *exchange, bool fresh) {
  CURL *easy = exchange->easy;
  if (exchange->fresh != fresh)
    SET(CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
  exchange->fresh = fresh;
  return true;
}

/* What changes with the method: HTTP has a body or not, and libcurl a preset for each. */
static bool prepare_method(pt_exchange *exchange, const pt_exchange_request *request) {
  CURL *easy = exchange->easy;
  if (exchange->method != NULL && exchange->writes == request->writes &&
      strcmp(exchange->method, request->method) == 0)
    return true;
  exchange->method = NULL;
  if (request->writes)
    SET(CURLOPT_POST, 1L);
  else
    SET(CURLOPT_HTTPGET, 1L);
  SET(CURLOPT_CUSTOMREQUEST, request->method);
#if !HAVE_PREREQ
  SET(CURLOPT_FORBID_REUSE, needs_fresh(request) ? 1L : 0L);
#endif
  exchange->writes = request->writes;
  exchange->method = request->method;
  return true;
}

static long to_milliseconds(double seconds) {
  if (seconds > 86400.0 * 365.0)
    seconds = 86400.0 * 365.0;
  double milliseconds = ceil(seconds * 1000.0);
  return milliseconds < 1.0 ? 1L : (long)milliseconds;
}

static bool prepare_timeouts(pt_exchange *exchange, const pt_exchange_request *request) {
  CURL *easy = exchange->easy;
  long timeout_ms = to_milliseconds(request->timeout);
  long connect_timeout_ms = to_milliseconds(request->connect_timeout);
  if (timeout_ms != exchange->timeout_ms) {
    exchange->timeout_ms = 0;
    SET(CURLOPT_TIMEOUT_MS, timeout_ms);
    exchange->timeout_ms = timeout_ms;
  }
  if (connect_timeout_ms != exchange->connect_timeout_ms) {
    exchange->connect_timeout_ms = 0;
    SET(CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms);
    exchange->connect_timeout_ms = connect_timeout_ms;
  }
  return true;
}

static void link_line(pt_exchange *exchange, size_t place, const char *text) {
  union {
    const char *readable;
    char *text;
  } line = {text};
  exchange->lines[place].data = line.text;
  exchange->lines[place].next = place > 0 ? &exchange->lines[place - 1] : NULL;
}

/* The caller's lines, as a list that needs no allocation: libcurl reads it and never writes. A name
 * without a value takes out libcurl's own line. */
static struct curl_slist *link_lines(pt_exchange *exchange, const pt_exchange_request *request) {
  size_t count = 0;
  if (!request->compressed)
    link_line(exchange, count++, "Accept-Encoding:");
  for (size_t i = request->line_count; i > 0; i--)
    link_line(exchange, count++, request->lines[i - 1]);
  return count > 0 ? &exchange->lines[count - 1] : NULL;
}

static bool prepare_request(pt_exchange *exchange, const pt_exchange_request *request) {
  CURL *easy = exchange->easy;
  if (!prepare_method(exchange, request) || !prepare_timeouts(exchange, request) ||
      !set_fresh(exchange, needs_fresh(request)))
    return false;
  SET(CURLOPT_REQUEST_TARGET, request->target);
  if (request->writes) {
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    SET(CURLOPT_POSTFIELDS, request->body_length > 0 ? request->body : "");
  }
  SET(CURLOPT_HTTPHEADER, link_lines(exchange, request));
  return true;
}

static void exchange_free(pt_exchange *exchange) {
  if (exchange->easy != NULL)
    curl_easy_cleanup(exchange->easy);
  pt_free(exchange);
}

static pt_exchange *exchange_new(pt_transport *transport) {
  pt_exchange *exchange = pt_zalloc(sizeof *exchange);
  if (exchange == NULL)
    return NULL;
  exchange->transport = transport;
  exchange->easy = curl_easy_init();
  if (exchange->easy == NULL || !prepare(exchange)) {
    exchange_free(exchange);
    return NULL;
  }
  return exchange;
}

/* ---- how an exchange ended ---- */

static pt_attempt_end end_of_aborted(const pt_exchange *exchange, CURLcode code) {
  if (exchange->bad_length)
    return PT_END_PROTOCOL;
  if (exchange->too_large)
    return PT_END_TOO_LARGE;
  if (exchange->out_of_memory)
    return PT_END_MEMORY;
  /* with ABORTED_BY_CALLBACK the veto: the re-used connection died before the reply began; else
   * libcurl's decoder, at bytes behind the end */
  return code == CURLE_WRITE_ERROR ? PT_END_PROTOCOL : PT_END_NETWORK;
}

/* libcurl says "out of memory" too for a header line past its own limit (100 KB). */
static pt_attempt_end end_of_memory(const pt_exchange *exchange, bool sent) {
  return sent && !exchange->out_of_memory ? PT_END_TOO_LARGE : PT_END_MEMORY;
}

static bool says(const pt_exchange *exchange, const char *words) {
  return strstr(exchange->error, words) != NULL;
}

/* A connection that breaks off in the middle of the handshake says nothing about trust. In the
   words of libcurl and OpenSSL; what another TLS library says stays a TLS failure. */
static pt_attempt_end end_of_handshake(const pt_exchange *exchange) {
  bool broke_off = says(exchange, "SSL_ERROR_SYSCALL") || says(exchange, "Recv failure") ||
                   says(exchange, "Send failure") || says(exchange, "unexpected eof");
  return broke_off ? PT_END_NETWORK : PT_END_TLS;
}

/* Failures to send, to receive, to get a whole reply. Under TLS 1.3 a server refuses a client
 * certificate only after the handshake, by an alert. */
static pt_attempt_end end_of_stream(const pt_exchange *exchange) {
  return says(exchange, "SSL routines") && says(exchange, " alert ") ? PT_END_TLS : PT_END_NETWORK;
}

/* https://curl.se/libcurl/c/libcurl-errors.html */
static pt_attempt_end end_of(const pt_exchange *exchange, CURLcode code, bool sent) {
  switch (code) {
  case CURLE_OK: /* also for a head cut short */
    return exchange->headers_done ? PT_END_ANSWERED : PT_END_NETWORK;
  case CURLE_COULDNT_RESOLVE_HOST: return PT_END_DNS;
  case CURLE_COULDNT_RESOLVE_PROXY:
#if LIBCURL_VERSION_NUM >= 0x074900
  case CURLE_PROXY:
#endif
    return PT_END_PROXY;
  case CURLE_COULDNT_CONNECT:
  case CURLE_INTERFACE_FAILED: return PT_END_CONNECT;
  case CURLE_OPERATION_TIMEDOUT: return PT_END_TIMEOUT;
  case CURLE_SSL_CONNECT_ERROR: return end_of_handshake(exchange);
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CRL_BADFILE:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_ENGINE_INITFAILED:
  case CURLE_SSL_ENGINE_NOTFOUND:
  case CURLE_SSL_ENGINE_SETFAILED:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
#if LIBCURL_VERSION_NUM >= 0x074d00
  case CURLE_SSL_CLIENTCERT:
#endif
  case CURLE_USE_SSL_FAILED: return PT_END_TLS;
  case CURLE_WRITE_ERROR:
  case CURLE_ABORTED_BY_CALLBACK: return end_of_aborted(exchange, code);
  case CURLE_OUT_OF_MEMORY: return end_of_memory(exchange, sent);
  case CURLE_FILESIZE_EXCEEDED:
#if LIBCURL_VERSION_NUM >= 0x080600
  case CURLE_TOO_LARGE:
#endif
    return PT_END_TOO_LARGE;
  case CURLE_BAD_FUNCTION_ARGUMENT: /* of header lines it cannot keep, such as a folded one that
                                       continues nothing */
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_BAD_CONTENT_ENCODING:
  case CURLE_TOO_MANY_REDIRECTS: return PT_END_PROTOCOL;
  default: /* HTTP2 also for a connection that said GOAWAY; PARTIAL_FILE, GOT_NOTHING, SEND_ERROR,
              RECV_ERROR, HTTP2_STREAM … */
    return end_of_stream(exchange);
  }
}

static double seconds_of(CURL *easy, CURLINFO info) {
  curl_off_t microseconds = 0;
  return curl_easy_getinfo(easy, info, &microseconds) == CURLE_OK ? (double)microseconds / 1e6
                                                                  : 0.0;
}

static long number_of(CURL *easy, CURLINFO info) {
  long number = 0;
  return curl_easy_getinfo(easy, info, &number) == CURLE_OK ? number : 0;
}

/* True when request bytes may have left this machine. */
static bool was_sent(const pt_exchange *exchange) {
#if HAVE_PREREQ
  if (exchange->sends == 0 || exchange->refused)
    return false;
#endif
  return number_of(exchange->easy, CURLINFO_REQUEST_SIZE) > 0;
}

/* libcurl quotes a proxy's URL that it cannot read, with the password in it: what it says before
 * that is enough. */
static const char *bad_proxy(const pt_exchange *exchange) {
  if (says(exchange, "Unsupported proxy syntax"))
    return "the proxy's URL cannot be read";
  return says(exchange, "Unsupported proxy scheme")
             ? "the scheme of the proxy's URL is none libcurl knows"
             : NULL;
}

static void copy_message(const pt_exchange *exchange, CURLcode code, pt_reply *reply) {
  const char *text = exchange->error[0] != '\0' ? exchange->error : curl_easy_strerror(code),
             *proxy = bad_proxy(exchange);
  if (proxy != NULL)
    text = proxy;
  else if (exchange->refused)
    text = "the server refused the HTTP/2 stream";
  else if (exchange->sends > 1)
    text = "the connection was closed before a reply began";
  else if (reply->end == PT_END_TOO_LARGE)
    text = exchange->too_large && exchange->headers_done
               ? "the body is larger than max_response_bytes"
               : "the headers are too large";
  else if (reply->end == PT_END_MEMORY)
    text = "not enough memory for the reply";
  else if (code == CURLE_WRITE_ERROR && !exchange->bad_length)
    text = "there are bytes behind the compressed body";
  else if (code == CURLE_BAD_FUNCTION_ARGUMENT)
    text = "a header line continues nothing";
  else if (exchange->bad_length)
    text = "Content-Length is not a number, or not the only one";
  else if (code == CURLE_OK)
    text = exchange->headers_done ? "the status is none of a final reply"
                                  : "the connection was closed in the middle of the headers";
  reply->message = pt_copy(text, strnlen(text, PT_MESSAGE_SIZE));
  for (char *c = reply->message; c != NULL && *c != '\0'; c++)
    if (*c < ' ' || *c > '~')
      *c = ' ';
}

static bool has_length(const pt_reply *reply, CURL *easy) {
  curl_off_t length = -1;
  if (curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK &&
      length >= 0)
    return true;
  return is_chunked(&reply->headers);
}

static void measure(pt_exchange *exchange, pt_reply *reply) {
  CURL *easy = exchange->easy;
  long connects = number_of(easy, CURLINFO_NUM_CONNECTS);
  reply->total = seconds_of(easy, CURLINFO_TOTAL_TIME_T);
  reply->first_byte = seconds_of(easy, CURLINFO_STARTTRANSFER_TIME_T);
  if (connects > 0)
    reply->connect =
        seconds_of(easy, exchange->transport->options.https ? CURLINFO_APPCONNECT_TIME_T
                                                            : CURLINFO_CONNECT_TIME_T);
  exchange->transport->counts.opened += (unsigned long long)connects;
  reply->sent = was_sent(exchange);
  reply->reused =
      reply->sent &&
      (connects == 0 ||
       exchange->sends > 1); /* a second connection was made for the repetition that was vetoed */
  if (reply->reused)
    exchange->transport->counts.reused++;
}

/* The host or port of our server's URL, without brackets; NULL when memory is exhausted. Free with
 * curl_free. */
static char *part_of_server(const pt_exchange *exchange, CURLUPart part) {
  char *text = NULL;
  if (curl_url_get(exchange->transport->url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK)
    return NULL;
  size_t length = strlen(text);
  if (text[0] == '[' && text[length - 1] == ']') {
    memmove(text, text + 1, length - 2);
    text[length - 2] = '\0';
  }
  return text;
}

/* Whether libcurl says that it could not connect to another place than our server: a proxy of the
 * environment. */
static bool missed_another(const pt_exchange *exchange) {
  static const char words[] = "Failed to connect to ";
  if (strncmp(exchange->error, words, sizeof words - 1) != 0 ||
      strlen(exchange->error) >= CURL_ERROR_SIZE - 1)
    return false; /* nor of one that is cut short */
  char expected[PT_MESSAGE_SIZE];
  char *host = part_of_server(exchange, CURLUPART_HOST),
       *port = part_of_server(exchange, CURLUPART_PORT);
  int length = host != NULL && port != NULL
                   ? snprintf(expected, sizeof expected, "%s port %s ", host, port)
                   : -1;
  curl_free(host);
  curl_free(port);
  return length > 0 && (size_t)length < sizeof expected &&
         strncmp(exchange->error + sizeof words - 1, expected, (size_t)length) != 0;
}

/* True when the proxy, not the server, is what this attempt failed at. Of a proxy from the
 * environment only what libcurl says tells. */
static bool failed_at_proxy(const pt_exchange *exchange, pt_attempt_end end, long connect_status) {
  const char *proxy = exchange->transport->options.proxy;
  if (exchange->reply->sent || exchange->refused || (connect_status >= 200 && connect_status < 300))
    return false;
  if (end != PT_END_CONNECT && end != PT_END_NETWORK && end != PT_END_TIMEOUT)
    return false;
  return connect_status > 0 || (proxy != NULL && proxy[0] != '\0') ||
         says(exchange, "Proxy CONNECT") || bad_proxy(exchange) != NULL || missed_another(exchange);
}

/* Adds what the status and the proxy say to what libcurl said. */
static pt_attempt_end judge(const pt_exchange *exchange, pt_attempt_end end, long status,
                            long connect_status) {
  if (failed_at_proxy(exchange, end, connect_status))
    return PT_END_PROXY;
  if (!exchange->headers_done || status < 200 || status > 599)
    return end == PT_END_ANSWERED ? PT_END_PROTOCOL : end;
  bool spoilt = end == PT_END_TOO_LARGE || end == PT_END_NETWORK || end == PT_END_PROTOCOL;
  return spoilt && status >= 300 ? PT_END_ANSWERED : end; /* an error is told by its status alone */
}

/* Of the proxy, or of a reply whose head came whole and was taken for what it says. */
static int status_of(const pt_exchange *exchange, pt_attempt_end end, long status,
                     long connect_status) {
  if (end == PT_END_PROXY)
    return connect_status > 0 ? (int)connect_status : 0;
  bool counts = end == PT_END_ANSWERED || end == PT_END_TOO_LARGE;
  return counts && exchange->headers_done && status >= 200 && status <= 599 ? (int)status : 0;
}

static void conclude(pt_exchange *exchange, CURLcode code) {
  pt_reply *reply = exchange->reply;
  measure(exchange, reply);
  long status = number_of(exchange->easy, CURLINFO_RESPONSE_CODE);
  long connect_status = number_of(exchange->easy, CURLINFO_HTTP_CONNECTCODE);
  reply->end = judge(exchange, end_of(exchange, code, reply->sent), status, connect_status);
  reply->status = status_of(exchange, reply->end, status, connect_status);
  if (reply->end == PT_END_ANSWERED) {
    pt_header header;
    reply->cut_by_close = !has_length(reply, exchange->easy);
    reply->compressed = pt_headers_find(&reply->headers, "content-encoding", &header);
  } else {
    copy_message(exchange, code, reply);
  }
}

static void unlink_active(pt_exchange *exchange) {
  pt_transport *transport = exchange->transport;
  if (exchange->previous_active != NULL)
    exchange->previous_active->next_active = exchange->next_active;
  else
    transport->active = exchange->next_active;
  if (exchange->next_active != NULL)
    exchange->next_active->previous_active = exchange->previous_active;
  exchange->previous_active = exchange->next_active = NULL;
  transport->active_count--;
}

/* Keeps the handle for the next exchange. After a failure over HTTP/2 it may still remember a
 * refused stream, and take the next failure for one. */
static void park(pt_exchange *exchange, bool failed) {
  if (failed && exchange->transport->options.http2) {
    exchange_free(exchange);
    return;
  }
  exchange->reply = NULL;
  exchange->next = exchange->transport->idle;
  exchange->transport->idle = exchange;
}

/* Out of what runs, into what pt_transport_finished gives out. */
static void finish(pt_exchange *exchange) {
  pt_transport *transport = exchange->transport;
  unlink_active(exchange);
  exchange->next = NULL;
  if (transport->last_finished != NULL)
    transport->last_finished->next = exchange;
  else
    transport->finished = exchange;
  transport->last_finished = exchange;
}

/* The same attempt on a new connection: the kept one was stale, and nothing was sent. */
static bool begin_again(pt_exchange *exchange) {
  (void)curl_multi_remove_handle(exchange->transport->multi, exchange->easy);
  forget_attempt(exchange);
  return set_fresh(exchange, true) &&
         curl_multi_add_handle(exchange->transport->multi, exchange->easy) == CURLM_OK;
}

static void take_finished(pt_transport *transport) {
  int left = 0;
  CURLMsg *message;
  while ((message = curl_multi_info_read(transport->multi, &left)) != NULL) {
    if (message->msg != CURLMSG_DONE)
      continue;
    CURL *easy = message->easy_handle;
    CURLcode code = message->data.result;
    char *private = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private) != CURLE_OK || private == NULL)
      continue;
    pt_exchange *exchange = (pt_exchange *)(void *)private;
    if (exchange->stale && begin_again(exchange))
      continue;
    conclude(exchange, code);
    (void)curl_multi_remove_handle(transport->multi, easy);
    finish(exchange);
  }
}

/* ---- the multi ---- */

static bool configure_multi(pt_transport *transport) {
  CURLM *multi = transport->multi;
  const pt_transport_options *options = &transport->options;
  if (curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, options->max_connections) != CURLM_OK)
    return false;
  return curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                           options->http2 ? options->max_connections : 0L) == CURLM_OK;
}

/* Lets the multi tell of its sockets and its timer, where there is an epoll to put them in. */
static bool connect_multi(pt_transport *transport) {
#if PT_HAVE_EPOLL
  CURLM *multi = transport->multi;
  if (transport->epoll < 0)
    return true;
  return curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, transport) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_TIMERDATA, transport) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK;
#else
  (void)transport;
  return true;
#endif
}

static void drop_multi(pt_transport *transport) {
  if (transport->multi != NULL)
    (void)curl_multi_cleanup(transport->multi);
  transport->multi = NULL;
  transport->timer = INFINITY;
}

static bool have_multi(pt_transport *transport) {
  if (transport->multi != NULL)
    return true;
  transport->multi = curl_multi_init();
  if (transport->multi != NULL && configure_multi(transport) && connect_multi(transport))
    return true;
  drop_multi(transport);
  return false;
}

/* After a multi failed. It may be broken inside (7.88 divides by zero once it ran out of memory) or
   refuse to go on: what runs ends, and the next exchange begins with a new one. */
static void give_up(pt_transport *transport, CURLMcode code) {
  take_finished(transport);
  while (transport->active != NULL) {
    pt_exchange *exchange = transport->active;
    pt_reply *reply = exchange->reply;
    const char *text = curl_multi_strerror(code);
    measure(exchange, reply);
    reply->end = code == CURLM_OUT_OF_MEMORY ? PT_END_MEMORY : PT_END_NETWORK;
    reply->message = pt_copy(text, strnlen(text, PT_MESSAGE_SIZE));
    (void)curl_multi_remove_handle(transport->multi, exchange->easy);
    finish(exchange);
  }
  drop_multi(transport);
}

static void drove(pt_transport *transport, CURLMcode code) {
  if (code == CURLM_OK)
    take_finished(transport);
  else
    give_up(transport, code);
}

/* ---- public ---- */

pt_transport *pt_transport_new(const pt_transport_options *options) {
  if (pthread_once(&once, initialise) != 0 || global_result != CURLE_OK)
    return NULL;
  pt_transport *transport = pt_zalloc(sizeof *transport);
  if (transport == NULL)
    return NULL;
  transport->options = *options;
  transport->epoll = -1;
  transport->timer = INFINITY;
  transport->url = curl_url();
  if (transport->url == NULL ||
      curl_url_set(transport->url, CURLUPART_URL, options->origin, 0) != CURLUE_OK ||
      !have_multi(transport)) {
    pt_transport_free(transport);
    return NULL;
  }
  return transport;
}

static void free_list(pt_exchange *exchange) {
  while (exchange != NULL) {
    pt_exchange *next = exchange->next;
    exchange_free(exchange);
    exchange = next;
  }
}

void pt_transport_free(pt_transport *transport) {
  if (transport == NULL)
    return;
  while (transport->active != NULL)
    pt_transport_cancel(transport, transport->active);
  free_list(transport->finished);
  free_list(transport->idle);
  drop_multi(transport);
  pt_sockets_free(&transport->sockets);
  if (transport->url != NULL)
    curl_url_cleanup(transport->url);
  pt_free(transport);
}

pt_exchange *pt_transport_start(pt_transport *transport, const pt_exchange_request *request) {
  if (!have_multi(transport))
    return NULL;
  pt_exchange *exchange = transport->idle;
  if (exchange != NULL)
    transport->idle = exchange->next;
  else if ((exchange = exchange_new(transport)) == NULL)
    return NULL;
  exchange->next = NULL;
  exchange->reply = request->reply;
  exchange->owner = request->owner;
  forget_attempt(exchange);
  if (!prepare_request(exchange, request) ||
      curl_multi_add_handle(transport->multi, exchange->easy) != CURLM_OK) {
    exchange_free(exchange);
    return NULL;
  }
  exchange->next_active = transport->active;
  if (transport->active != NULL)
    transport->active->previous_active = exchange;
  transport->active = exchange;
  transport->active_count++;
  return exchange;
}

void pt_transport_cancel(pt_transport *transport, pt_exchange *exchange) {
  measure(exchange, exchange->reply);
  (void)curl_multi_remove_handle(transport->multi, exchange->easy);
  unlink_active(exchange);
  park(exchange, true);
}

void *pt_transport_finished(pt_transport *transport) {
  pt_exchange *exchange = transport->finished;
  if (exchange == NULL)
    return NULL;
  transport->finished = exchange->next;
  if (transport->finished == NULL)
    transport->last_finished = NULL;
  void *owner = exchange->owner;
  park(exchange, exchange->reply->end != PT_END_ANSWERED);
  return owner;
}

bool pt_transport_sending(const pt_exchange *exchange) { return exchange->sends > 0; }

size_t pt_transport_active(const pt_transport *transport) { return transport->active_count; }

void pt_transport_perform(pt_transport *transport) {
  int running = 0;
  drove(transport, curl_multi_perform(transport->multi, &running));
}

void pt_transport_wait(pt_transport *transport, double seconds) {
  int ready = 0;
  if (transport->multi == NULL ||
      curl_multi_poll(transport->multi, NULL, 0, (int)fmin(ceil(seconds * 1000.0), 60000.0),
                      &ready) != CURLM_OK)
    (void)usleep(1000); /* descriptors exhausted: do not spin */
}

bool pt_transport_use_epoll(pt_transport *transport, int epoll, unsigned tag) {
#if PT_HAVE_EPOLL
  if (transport->epoll >= 0)
    return true;
  transport->epoll = epoll;
  transport->tag = tag;
  if (transport->multi == NULL || connect_multi(transport))
    return true;
  transport->epoll = -1;
  return false;
#else
  (void)transport, (void)epoll, (void)tag;
  return false;
#endif
}

static void act_on(pt_transport *transport, curl_socket_t socket, int mask) {
  int running = 0;
  if (transport->multi != NULL)
    drove(transport, curl_multi_socket_action(transport->multi, socket, mask, &running));
}

void pt_transport_socket_ready(pt_transport *transport, int fd, unsigned epoll_events) {
#if PT_HAVE_EPOLL
  int mask = 0;
  if (epoll_events & EPOLLIN)
    mask |= CURL_CSELECT_IN;
  if (epoll_events & EPOLLOUT)
    mask |= CURL_CSELECT_OUT;
  if (epoll_events & (EPOLLERR | EPOLLHUP))
    mask |= CURL_CSELECT_ERR;
  act_on(transport, fd, mask);
#else
  (void)transport, (void)fd, (void)epoll_events;
#endif
}

void pt_transport_timer_due(pt_transport *transport) {
  transport->timer = INFINITY;
  act_on(transport, CURL_SOCKET_TIMEOUT, 0);
}

double pt_transport_timer(const pt_transport *transport) { return transport->timer; }

pt_transport_counts pt_transport_counted(const pt_transport *transport) {
  return transport->counts;
}

const char *pt_transport_library(void) { return curl_version_info(CURLVERSION_NOW)->version; }

void pt_transport_default_ca(const char **file, const char **path) {
  *file = *path = NULL;
#if LIBCURL_VERSION_NUM >= 0x074600
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  if (info->age >= CURLVERSION_SEVENTH) {
    *file = info->cainfo;
    bool looks_up = info->ssl_version != NULL && (strncmp(info->ssl_version, "OpenSSL", 7) == 0 ||
                                                  strncmp(info->ssl_version, "LibreSSL", 8) == 0);
    *path = looks_up ? info->capath : NULL; /* GnuTLS reads all of it */
  }
#endif
}

bool pt_transport_reads_proxy(const char *url) {
  CURLU *parts = curl_url();
  char *host = NULL, *port = NULL;
  bool read =
      parts != NULL &&
      curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) ==
          CURLUE_OK &&
      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0] != '\0' &&
      (curl_url_get(parts, CURLUPART_PORT, &port, 0) != CURLUE_OK || strtol(port, NULL, 10) > 0);
  curl_free(host);
  curl_free(port);
  if (parts != NULL)
    curl_url_cleanup(parts);
  return read;
}
