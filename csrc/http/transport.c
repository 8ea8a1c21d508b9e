/* transport.c: see transport.h. */
#include "http/transport.h"

#include "base/clock.h"
#include "base/memory.h"
#include "http/exchange.h"
#include "http/libcurl.h"
#include "http/sigpipe.h"

#include <math.h>
#include <unistd.h>

struct pt_transport {
  pt_exchange_shared shared;
  CURLM *multi;
  bool raises_sigpipe; /* libcurl does */
  pt_exchange *idle, *active;
  pt_exchange *finished, *last_finished;
  size_t active_count;
  pt_transport_counts counts;
  pt_poller *poller; /* NULL: driven by pt_transport_perform */
  unsigned tag;
  double timer;
};

/* ---- exchanges ---- */

static void unlink_active(pt_transport *transport, pt_exchange *exchange) {
  if (exchange->previous_active != NULL)
    exchange->previous_active->next_active = exchange->next_active;
  else
    transport->active = exchange->next_active;
  if (exchange->next_active != NULL)
    exchange->next_active->previous_active = exchange->previous_active;
  exchange->previous_active = exchange->next_active = NULL;
  transport->active_count--;
}

static void count_connection(pt_transport *transport, const pt_exchange *exchange) {
  transport->counts.opened += exchange->opened;
  if (exchange->reply->reused)
    transport->counts.reused++;
}

/* Out of what runs, into what pt_transport_finished gives out. */
static void finish(pt_transport *transport, pt_exchange *exchange) {
  count_connection(transport, exchange);
  unlink_active(transport, exchange);
  exchange->next = NULL;
  if (transport->last_finished != NULL)
    transport->last_finished->next = exchange;
  else
    transport->finished = exchange;
  transport->last_finished = exchange;
}

/* Begins once more, on a new connection. */
static bool begin_again(pt_transport *transport, pt_exchange *exchange) {
  (void)curl_multi_remove_handle(transport->multi, exchange->easy);
  return pt_exchange_prepare_again(exchange) &&
         curl_multi_add_handle(transport->multi, exchange->easy) == CURLM_OK;
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
    if (exchange->stale && begin_again(transport, exchange))
      continue;
    pt_exchange_conclude(exchange, code);
    (void)curl_multi_remove_handle(transport->multi, easy);
    finish(transport, exchange);
  }
}

/* ---- the multi ---- */

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known) {
  (void)easy;
  pt_transport *transport = context;
  if (what == CURL_POLL_REMOVE) {
    pt_poller_forget(transport->poller, fd);
    return 0;
  }
  unsigned wanted =
      (what & CURL_POLL_IN ? PT_READABLE : 0u) | (what & CURL_POLL_OUT ? PT_WRITABLE : 0u);
  if (!pt_poller_watch(transport->poller, fd, transport->tag, wanted, known != NULL))
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

static bool configure_multi(pt_transport *transport) {
  CURLM *multi = transport->multi;
  const pt_transport_options *options = transport->shared.options;
  if (curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, options->max_connections) != CURLM_OK)
    return false;
  return curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                           options->http2 ? options->max_connections : 0L) == CURLM_OK;
}

/* Lets the multi report its sockets and its timer to the poller, where there is one. */
static bool attach_poller(pt_transport *transport) {
  CURLM *multi = transport->multi;
  if (transport->poller == NULL)
    return true;
  return curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, transport) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_TIMERDATA, transport) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK;
}

static void drop_multi(pt_transport *transport) {
  pt_sigpipe sigpipe = pt_sigpipe_hold(transport->raises_sigpipe);
  if (transport->multi != NULL)
    (void)curl_multi_cleanup(transport->multi);
  pt_sigpipe_release(&sigpipe);
  transport->multi = NULL;
  transport->timer = INFINITY;
}

static bool have_multi(pt_transport *transport) {
  if (transport->multi != NULL)
    return true;
  transport->multi = curl_multi_init();
  if (transport->multi != NULL && configure_multi(transport) && attach_poller(transport))
    return true;
  drop_multi(transport);
  return false;
}

/* After a multi failed. It may be broken inside (7.88 divides by zero once it ran out of memory) or
   refuse to go on: what runs ends, and the next exchange begins with a new one. */
static void give_up_multi(pt_transport *transport, CURLMcode code) {
  take_finished(transport);
  while (transport->active != NULL) {
    pt_exchange *exchange = transport->active;
    pt_exchange_measure(exchange);
    exchange->reply->end = code == CURLM_OUT_OF_MEMORY ? PT_END_MEMORY : PT_END_NETWORK;
    pt_exchange_set_message(exchange, curl_multi_strerror(code));
    (void)curl_multi_remove_handle(transport->multi, exchange->easy);
    finish(transport, exchange);
  }
  drop_multi(transport);
}

/* After the multi was driven: `code` is what it returned. */
static void after_driving(pt_transport *transport, CURLMcode code) {
  if (code == CURLM_OK)
    take_finished(transport);
  else
    give_up_multi(transport, code);
}

/* ---- public ---- */

pt_transport *pt_transport_new(const pt_base_url *server, const pt_transport_options *options) {
  if (!pt_libcurl_start())
    return NULL;
  pt_transport *transport = pt_zalloc(sizeof *transport);
  if (transport == NULL)
    return NULL;
  transport->timer = INFINITY;
  transport->raises_sigpipe = pt_libcurl_raises_sigpipe();
  transport->shared.options = options;
  transport->shared.url = curl_url();
  transport->shared.https = server->https;
  if (transport->shared.url == NULL ||
      curl_url_set(transport->shared.url, CURLUPART_URL, server->origin, 0) != CURLUE_OK ||
      !have_multi(transport)) {
    pt_transport_free(transport);
    return NULL;
  }
  return transport;
}

static void free_list(pt_exchange *exchange) {
  while (exchange != NULL) {
    pt_exchange *next = exchange->next;
    pt_exchange_free(exchange);
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
  pt_sockets_free(&transport->shared.sockets);
  if (transport->shared.url != NULL)
    curl_url_cleanup(transport->shared.url);
  pt_free(transport);
}

pt_exchange *pt_transport_start(pt_transport *transport, const pt_exchange_request *request) {
  if (!have_multi(transport))
    return NULL;
  pt_exchange *exchange = transport->idle;
  if (exchange != NULL)
    transport->idle = exchange->next;
  else if ((exchange = pt_exchange_new(&transport->shared)) == NULL)
    return NULL;
  exchange->next = NULL;
  pt_sigpipe sigpipe = pt_sigpipe_hold(transport->raises_sigpipe);
  bool added = pt_exchange_prepare(exchange, request) &&
               curl_multi_add_handle(transport->multi, exchange->easy) == CURLM_OK;
  pt_sigpipe_release(&sigpipe);
  if (!added) {
    pt_exchange_free(exchange);
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
  pt_exchange_measure(exchange);
  count_connection(transport, exchange);
  pt_sigpipe sigpipe = pt_sigpipe_hold(transport->raises_sigpipe);
  (void)curl_multi_remove_handle(transport->multi, exchange->easy);
  pt_sigpipe_release(&sigpipe);
  unlink_active(transport, exchange);
  pt_exchange_free(exchange);
}

void *pt_transport_finished(pt_transport *transport) {
  pt_exchange *exchange = transport->finished;
  if (exchange == NULL)
    return NULL;
  transport->finished = exchange->next;
  if (transport->finished == NULL)
    transport->last_finished = NULL;
  void *owner = exchange->owner;
  if (exchange->reply->end == PT_END_ANSWERED) { /* its handle serves the next exchange */
    exchange->reply = NULL;
    exchange->next = transport->idle;
    transport->idle = exchange;
  } else { /* it may remember an errno or a refused stream, and the next failure seem one of those
            */
    pt_exchange_free(exchange);
  }
  return owner;
}

bool pt_transport_sending(const pt_exchange *exchange) { return exchange->facts.sends > 0; }

size_t pt_transport_active(const pt_transport *transport) { return transport->active_count; }

bool pt_transport_unused(const pt_transport *transport) {
  return transport->active_count == 0 && transport->finished == NULL;
}

void pt_transport_perform(pt_transport *transport) {
  int running = 0;
  pt_sigpipe sigpipe = pt_sigpipe_hold(transport->raises_sigpipe);
  after_driving(transport, curl_multi_perform(transport->multi, &running));
  pt_sigpipe_release(&sigpipe);
}

void pt_transport_wait(pt_transport *transport, double seconds) {
  int ready = 0, milliseconds = (int)fmin(ceil(seconds * 1000.0), 60000.0);
  if (transport->multi == NULL ||
      curl_multi_poll(transport->multi, NULL, 0, milliseconds, &ready) != CURLM_OK)
    (void)usleep(1000); /* descriptors exhausted: do not spin */
}

bool pt_transport_use_poller(pt_transport *transport, pt_poller *poller, unsigned tag) {
  if (transport->poller != NULL)
    return true;
  transport->poller = poller;
  transport->tag = tag;
  if (transport->multi == NULL || attach_poller(transport))
    return true;
  transport->poller = NULL;
  return false;
}

static void act_on(pt_transport *transport, curl_socket_t socket, int mask) {
  int running = 0;
  if (transport->multi == NULL)
    return;
  pt_sigpipe sigpipe = pt_sigpipe_hold(transport->raises_sigpipe);
  after_driving(transport, curl_multi_socket_action(transport->multi, socket, mask, &running));
  pt_sigpipe_release(&sigpipe);
}

void pt_transport_socket_ready(pt_transport *transport, int fd, unsigned ready) {
  int mask = 0;
  if (ready & PT_READABLE)
    mask |= CURL_CSELECT_IN;
  if (ready & PT_WRITABLE)
    mask |= CURL_CSELECT_OUT;
  if (ready & PT_BROKEN)
    mask |= CURL_CSELECT_ERR;
  act_on(transport, fd, mask);
}

void pt_transport_timer_due(pt_transport *transport) {
  transport->timer = INFINITY;
  act_on(transport, CURL_SOCKET_TIMEOUT, 0);
}

double pt_transport_timer(const pt_transport *transport) { return transport->timer; }

pt_transport_counts pt_transport_counted(const pt_transport *transport) {
  return transport->counts;
}
