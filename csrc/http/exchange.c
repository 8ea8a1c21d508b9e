/* exchange.c: see exchange.h. */
#include "http/exchange.h"

#include "base/ascii.h"
#include "base/memory.h"
#include "http/exchange_end.h"
#include "http/headers.h"

#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- callbacks ---- */

enum { MAX_GROWTH = 16 };

/* Makes room for the whole body, as far as what has come makes its announced length likely: a
 * server can promise anything. Without memory for all of it, it grows when it must. */
static void reserve_body(pt_exchange *exchange, size_t added) {
  pt_buffer *body = &exchange->reply->body;
  size_t most = exchange->shared->options->max_response_bytes;
  size_t expected = exchange->head.expected;
  size_t come = body->length + added;
  if (come < body->capacity || come >= expected || come > SIZE_MAX / MAX_GROWTH)
    return;
  size_t wanted = expected < most ? expected : most;
  if (wanted > come * MAX_GROWTH)
    wanted = come * MAX_GROWTH;
  if (wanted > come && pt_buffer_reserve(body, wanted - body->length) == NULL)
    body->failed = false;
}

static size_t keep_body(char *bytes, size_t one, size_t length, void *context) {
  pt_exchange *exchange = context;
  size_t added = one * length;
  pt_buffer *body = &exchange->reply->body;
  /* counted here, since CURLOPT_MAXFILESIZE counts before decompression */
  if (added > exchange->shared->options->max_response_bytes - body->length) {
    exchange->facts.too_large = true;
    return 0;
  }
  reserve_body(exchange, added);
  pt_buffer_add(body, bytes, added);
  if (body->failed) {
    exchange->facts.out_of_memory = true;
    return 0;
  }
  return added;
}

static bool is_chunked(const pt_buffer *headers) {
  pt_header header;
  return pt_headers_find(headers, "transfer-encoding", &header);
}

/* A Content-Length that is a plain number and the only one needs no second look. */
static void note_length(pt_exchange_head *head, const char *line, size_t length) {
  static const char name[] = "content-length:";
  const size_t name_length = sizeof name - 1;
  if (length <= name_length || (line[0] != 'c' && line[0] != 'C') ||
      !pt_ascii_equal(line, name_length, name))
    return;
  size_t i = name_length;
  while (i < length && line[i] == ' ')
    i++;
  size_t first = i;
  head->expected = 0;
  for (; i < length && pt_is_digit(line[i]); i++)
    if (head->expected < SIZE_MAX / 20) /* more is past any limit */
      head->expected = head->expected * 10 + (size_t)(line[i] - '0');
  bool plain = i > first && i - first <= 18 && i < length && (line[i] == '\r' || line[i] == '\n');
  head->doubtful_length = head->doubtful_length || head->has_length || !plain;
  head->has_length = true;
}

/* Newer libcurls take any version for HTTP. RFC 9112 section 4, RFC 9113 section 8.3.2. */
static bool is_status_line(const char *line, size_t length) {
  static const char *const beginnings[] = {"HTTP/1.1 ", "HTTP/1.0 ", "HTTP/2 "};
  for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
    size_t size = strlen(beginnings[i]);
    if (length >= size && memcmp(line, beginnings[i], size) == 0)
      return true;
  }
  return false;
}

/* Whether a status line is that of a reply which another follows (1xx). */
static bool is_interim(const char *line, size_t length) {
  const char *space = memchr(line, ' ', length);
  return space != NULL && space + 1 < line + length && space[1] == '1';
}

static size_t keep_header(char *bytes, size_t one, size_t length, void *context) {
  pt_exchange *exchange = context;
  pt_exchange_facts *facts = &exchange->facts;
  pt_exchange_head *head = &exchange->head;
  size_t added = one * length;
  pt_buffer *headers = &exchange->reply->headers;
  head->bytes += added;
  if (head->bytes > PT_MAX_HEADER_BYTES || ++head->lines > PT_MAX_HEADERS) {
    facts->too_large = true;
    return 0;
  }
  if (facts->headers_done) {
    if (!head->interim || added < 5 || memcmp(bytes, "HTTP/", 5) != 0)
      return added; /* trailers say nothing we use */
    facts->headers_done = false;
    head->doubtful_length = head->has_length = false;
    head->expected = 0;
    pt_buffer_clear(headers);
  }
  note_length(head, bytes, added);
  if (added <= 2 && (added == 0 || bytes[0] == '\r' || bytes[0] == '\n')) {
    facts->headers_done = true;
    /* libcurl takes the last of several lengths and the digits of "30x": the end of the body is
     * unknown, and the connection cannot be kept */
    facts->bad_length =
        head->doubtful_length && !is_chunked(headers) && !pt_headers_lengths_agree(headers);
    return facts->bad_length ? 0 : added;
  }
  facts->bad_status = headers->length == 0 && !is_status_line(bytes, added);
  facts->bad_header = headers->length == head->status_length && headers->length > 0 &&
                      (bytes[0] == ' ' || bytes[0] == '\t');
  if (facts->bad_status || facts->bad_header)
    return 0;
  if (headers->length == 0) {
    head->status_length = added;
    head->interim = is_interim(bytes, added);
  }
  pt_buffer_add(headers, bytes, added);
  if (headers->failed) {
    facts->out_of_memory = true;
    return 0;
  }
  return added;
}

static bool is_reused(const pt_exchange *exchange) {
  long connects = 1;
  return curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK &&
         connects == 0;
}

/* https://curl.se/libcurl/c/CURLOPT_PREREQFUNCTION.html : runs each time a request is about to go
   out. libcurl repeats a request, a POST too, on a re-used connection that dies before the first
   byte of the reply: whether to repeat is not its decision. And it takes up a kept connection that
   was reset, or on which an unrequested reply has arrived, which would be taken for ours. */
static int before_send(void *context, char *ip, char *local_ip, int port, int local_port) {
  (void)ip, (void)local_ip, (void)port;
  pt_exchange *exchange = context;
  if (exchange->facts.sends == 0 && is_reused(exchange) &&
      !pt_sockets_quiet(&exchange->shared->sockets, local_port)) {
    exchange->stale = true;
    return CURL_PREREQFUNC_ABORT;
  }
  exchange->facts.sends++;
  return exchange->facts.sends > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* https://curl.se/libcurl/c/CURLOPT_OPENSOCKETFUNCTION.html : opens a socket that no program which
   this process runs inherits, and notes it. */
static curl_socket_t open_socket(void *context, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
  (void)purpose;
  pt_exchange_shared *shared = context;
#ifdef SOCK_CLOEXEC
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
#else
  int fd = socket(address->family, address->socktype, address->protocol);
  if (fd >= 0)
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
  if (fd < 0)
    return CURL_SOCKET_BAD;
  if (!shared->options->http2) /* there libcurl always listens */
    pt_sockets_add(&shared->sockets, fd);
  return fd;
}

/* https://curl.se/libcurl/c/CURLOPT_CLOSESOCKETFUNCTION.html */
static int close_socket(void *context, curl_socket_t fd) {
  pt_exchange_shared *shared = context;
  pt_sockets_remove(&shared->sockets, fd);
  return close(fd);
}

static bool contains(const char *text, size_t length, const char *word) {
  return memmem(text, length, word, strlen(word)) != NULL;
}

/* https://curl.se/libcurl/c/CURLOPT_DEBUGFUNCTION.html , for HTTP/2 only: a stream refused by
   RST_STREAM, or above the last one of a GOAWAY, was not processed (RFC 9113 section 8.7). libcurl
   repeats it by itself, which before_send forbids, and says that it was refused nowhere else; of a
   refusal on a re-used connection it says nothing at all, and the reply counts as lost. */
static int on_debug_text(CURL *easy, curl_infotype type, char *text, size_t length, void *context) {
  (void)easy;
  pt_exchange *exchange = context;
  if (type != CURLINFO_TEXT || exchange->facts.sends == 0)
    return 0;
  if (contains(text, length, "REFUSED_STREAM") ||
      (contains(text, length, "GOAWAY") && contains(text, length, "last_stream=0")))
    exchange->facts.refused = true;
  return 0;
}

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
  /* the environment was read already, see proxy_variable.h */
  SET(CURLOPT_PROXY, options->proxy.bytes != NULL ? options->proxy.bytes : "");
  SET(CURLOPT_NOPROXY, "");
  /* Always a tunnel: the proxy sees neither Authorization nor a body. */
  SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
  SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  return true;
}

/* Sets all that never changes between two exchanges of one transport. */
static bool prepare_handle(pt_exchange *exchange) {
  CURL *easy = exchange->easy;
  const pt_transport_options *options = exchange->shared->options;
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_PRIVATE, exchange);
  SET(CURLOPT_ERRORBUFFER, exchange->error);
  SET(CURLOPT_CURLU, exchange->shared->url);
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  SET(CURLOPT_HTTP09_ALLOWED, 0L);
  SET(CURLOPT_ACCEPT_ENCODING, "gzip, deflate"); /* decoded even where link_lines does not ask */
  long version = options->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
  SET(CURLOPT_HTTP_VERSION, version);
  if (options->http2) {
    SET(CURLOPT_PIPEWAIT, 1L);
    SET(CURLOPT_DEBUGFUNCTION, on_debug_text);
    SET(CURLOPT_DEBUGDATA, exchange);
    SET(CURLOPT_VERBOSE, 1L);
  }
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_WRITEFUNCTION, keep_body);
  SET(CURLOPT_WRITEDATA, exchange);
  SET(CURLOPT_HEADERFUNCTION, keep_header);
  SET(CURLOPT_HEADERDATA, exchange);
  SET(CURLOPT_PREREQFUNCTION, before_send);
  SET(CURLOPT_PREREQDATA, exchange);
  SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  SET(CURLOPT_OPENSOCKETDATA, exchange->shared);
  if (!options->http2) {
    SET(CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, exchange->shared);
  }
#if LIBCURL_VERSION_NUM >= 0x075700
  SET(CURLOPT_QUICK_EXIT, 1L); /* closing never waits for a name look-up */
#endif
  return set_protocols(easy, exchange->shared->https) && set_tls(easy, options) &&
         set_proxy(easy, options);
}

/* Clears all that was noted of an attempt. */
static void forget_attempt(pt_exchange *exchange) {
  memset(&exchange->facts, 0, sizeof exchange->facts);
  memset(&exchange->head, 0, sizeof exchange->head);
  exchange->stale = false;
  exchange->error[0] = '\0';
}

static bool set_fresh(pt_exchange *exchange, bool fresh) {
  CURL *easy = exchange->easy;
  if (exchange->fresh != fresh)
    SET(CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
  exchange->fresh = fresh;
  return true;
}

/* Sets what changes with the method: whether there is a body, for which libcurl has presets. */
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

static void link_line(pt_exchange *exchange, size_t i, const char *text) {
  union {
    const char *readable;
    char *text;
  } line = {text};
  exchange->lines[i].data = line.text;
  exchange->lines[i].next = i > 0 ? &exchange->lines[i - 1] : NULL;
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

bool pt_exchange_prepare(pt_exchange *exchange, const pt_exchange_request *request) {
  CURL *easy = exchange->easy;
  exchange->reply = request->reply;
  exchange->owner = request->owner;
  forget_attempt(exchange);
  if (!prepare_method(exchange, request) || !prepare_timeouts(exchange, request) ||
      !set_fresh(exchange, false))
    return false;
  SET(CURLOPT_REQUEST_TARGET, request->target);
  if (request->writes) {
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    SET(CURLOPT_POSTFIELDS, request->body_length > 0 ? request->body : "");
  }
  SET(CURLOPT_HTTPHEADER, link_lines(exchange, request));
  return true;
}

bool pt_exchange_prepare_again(pt_exchange *exchange) {
  forget_attempt(exchange);
  return set_fresh(exchange, true);
}

void pt_exchange_free(pt_exchange *exchange) {
  if (exchange->easy != NULL)
    curl_easy_cleanup(exchange->easy);
  pt_free(exchange);
}

pt_exchange *pt_exchange_new(pt_exchange_shared *shared) {
  pt_exchange *exchange = pt_zalloc(sizeof *exchange);
  if (exchange == NULL)
    return NULL;
  exchange->shared = shared;
  exchange->easy = curl_easy_init();
  if (exchange->easy == NULL || !prepare_handle(exchange)) {
    pt_exchange_free(exchange);
    return NULL;
  }
  return exchange;
}

/* ---- how an exchange ended ---- */

static double seconds_of(CURL *easy, CURLINFO info) {
  curl_off_t microseconds = 0;
  bool known = curl_easy_getinfo(easy, info, &microseconds) == CURLE_OK;
  return known ? (double)microseconds / 1e6 : 0.0;
}

static long number_of(CURL *easy, CURLINFO info) {
  long number = 0;
  return curl_easy_getinfo(easy, info, &number) == CURLE_OK ? number : 0;
}

/* True when request bytes may have left this machine. */
static bool was_sent(const pt_exchange *exchange) {
  if (exchange->facts.sends == 0 || exchange->facts.refused)
    return false;
  return number_of(exchange->easy, CURLINFO_REQUEST_SIZE) > 0;
}

static bool has_length(const pt_reply *reply, CURL *easy) {
  curl_off_t length = -1;
  if (curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK &&
      length >= 0)
    return true;
  return is_chunked(&reply->headers);
}

void pt_exchange_measure(pt_exchange *exchange) {
  CURL *easy = exchange->easy;
  pt_reply *reply = exchange->reply;
  long connects = number_of(easy, CURLINFO_NUM_CONNECTS);
  reply->total = seconds_of(easy, CURLINFO_TOTAL_TIME_T);
  reply->first_byte = seconds_of(easy, CURLINFO_STARTTRANSFER_TIME_T);
  if (connects > 0) {
    reply->name = seconds_of(easy, CURLINFO_NAMELOOKUP_TIME_T);
    reply->tcp = seconds_of(easy, CURLINFO_CONNECT_TIME_T);
    bool https = exchange->shared->https;
    reply->connect = https ? seconds_of(easy, CURLINFO_APPCONNECT_TIME_T) : reply->tcp;
  }
  exchange->opened = (unsigned long)connects;
  reply->sent = was_sent(exchange);
  /* more than one: a second connection was made for the repetition that was vetoed */
  reply->reused = reply->sent && (connects == 0 || exchange->facts.sends > 1);
}

void pt_exchange_set_message(pt_exchange *exchange, const char *text) {
  char *message = pt_copy(text, strnlen(text, PT_MESSAGE_SIZE));
  for (char *c = message; c != NULL && *c != '\0'; c++)
    if (*c < ' ' || *c > '~')
      *c = ' ';
  exchange->reply->message = message;
}

void pt_exchange_conclude(pt_exchange *exchange, CURLcode code) {
  pt_reply *reply = exchange->reply;
  pt_exchange_measure(exchange);
  pt_exchange_facts *facts = &exchange->facts;
  facts->code = code;
  facts->words = exchange->error;
  facts->os_errno = number_of(exchange->easy, CURLINFO_OS_ERRNO);
  facts->status = number_of(exchange->easy, CURLINFO_RESPONSE_CODE);
  facts->connect_status = number_of(exchange->easy, CURLINFO_HTTP_CONNECTCODE);
  facts->sent = reply->sent;
  facts->proxy = exchange->shared->options->proxy.bytes != NULL;
  facts->https = exchange->shared->https;
  pt_exchange_end end = pt_exchange_judge(facts);
  reply->end = end.end;
  reply->status = end.status;
  if (end.message != NULL) {
    pt_exchange_set_message(exchange, end.message);
  } else {
    pt_header header;
    if (!facts->headers_done)
      pt_buffer_clear(&reply->headers); /* half of them could mislead */
    reply->cut_by_close = !has_length(reply, exchange->easy);
    reply->compressed = pt_headers_find(&reply->headers, "content-encoding", &header);
  }
}
