/* engine.c: see engine.h. */
#include "api/engine.h"

#include "api/call_pool.h"
#include "api/timer_heap.h"
#include "api/trust.h"
#include "base/clock.h"
#include "base/memory.h"
#include "http/libcurl.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* An HTTP/2 connection carries many exchanges. */
enum { STREAMS_PER_CONNECTION = 100 };
/* Few, so that calls that end together do not go on in lockstep: what follows the first is sent
 * before the last has been looked at. */
enum { EVENTS_AT_ONCE = 8 };
/* Bytes of a usual reply: what the allocator serves fast. */
enum { USUAL_HEADERS = 1000, USUAL_BODY = 500 };
/* Seconds after which an attempt is given up that libcurl does not end in time: it may lose a
 * transfer for which it had no memory (8.23 does). */
#define OVERDUE 1.0
/* Where no descriptor reports readiness, look at least this often. */
#define FALLBACK_TIMEOUT 0.010

typedef struct {
  pt_call *first, *last;
  size_t count;
} call_list;

struct pt_engine {
  unsigned references; /* with the last one it is closed; calls that are out keep its memory */
  bool closed;
  pt_config config;
  pid_t process; /* that the transports belong to */
  /* One transport for each kind of key: a connection never carries two of them. */
  pt_transport *transports[PT_KEY_KINDS];
  bool outdated[PT_KEY_KINDS]; /* its connections were opened for another key */
  unsigned key_generation;
  call_list queued, exchanging, waiting, announced;
  pt_call_pool *pool;
  pt_timer_heap timers; /* calls by `wake`: when the engine looks at them again */
  size_t open_calls;
  unsigned long long next_serial;
  double tokens;
  unsigned long long calls, attempts, retries, failures, rate_limited;
  pt_transport_counts counted; /* of transports that are gone */
  bool by_sockets;             /* the poller watches the sockets */
  pt_poller *poller;           /* NULL until wanted */
  unsigned openings;           /* TLS connections opened in this step */
};

/* ---- lists ---- */

static void list_add(call_list *list, pt_call *call) {
  call->next = NULL;
  call->previous = list->last;
  if (list->last != NULL)
    list->last->next = call;
  else
    list->first = call;
  list->last = call;
  list->count++;
}

static void list_remove(call_list *list, pt_call *call) {
  if (call->previous != NULL)
    call->previous->next = call->next;
  else
    list->first = call->next;
  if (call->next != NULL)
    call->next->previous = call->previous;
  else
    list->last = call->previous;
  call->next = call->previous = NULL;
  list->count--;
}

static call_list *list_of(pt_engine *engine, const pt_call *call) {
  switch (call->state) {
  case PT_CALL_QUEUED: return &engine->queued;
  case PT_CALL_EXCHANGING: return &engine->exchanging;
  case PT_CALL_WAITING: return &engine->waiting;
  case PT_CALL_NEW:
  case PT_CALL_DONE: break;
  }
  return NULL;
}

static void enter(pt_engine *engine, pt_call *call, pt_call_state state) {
  call->state = state;
  list_add(list_of(engine, call), call);
}

static void leave(pt_engine *engine, pt_call *call) {
  list_remove(list_of(engine, call), call);
  pt_timer_heap_remove(&engine->timers, call);
}

/* ---- transports ---- */

static bool have_poller(pt_engine *engine) {
  if (engine->poller == NULL)
    engine->poller = pt_poller_new();
  return engine->poller != NULL;
}

/* From libcurl's own waiting to sockets in the poller. Only between exchanges: libcurl reports a
 * socket when it begins to use it. */
static void drive_by_sockets(pt_engine *engine) {
  if (engine->by_sockets || engine->exchanging.count > 0 || !have_poller(engine))
    return;
  for (unsigned i = 0; i < PT_KEY_KINDS; i++)
    if (engine->transports[i] != NULL &&
        !pt_transport_use_poller(engine->transports[i], engine->poller, i))
      return;
  engine->by_sockets = true;
}

/* Takes a transport out of the engine, its connections counted; NULL where there is none. */
static pt_transport *take_transport(pt_engine *engine, unsigned index) {
  pt_transport *transport = engine->transports[index];
  if (transport == NULL)
    return NULL;
  pt_transport_counts counts = pt_transport_counted(transport);
  engine->counted.opened += counts.opened;
  engine->counted.reused += counts.reused;
  engine->transports[index] = NULL;
  return transport;
}

static pt_transport *transport_for(pt_engine *engine, unsigned index) {
  pt_transport *transport = engine->transports[index];
  if (transport != NULL && engine->outdated[index] && pt_transport_unused(transport)) {
    pt_transport_free(take_transport(engine, index));
    transport = NULL;
  }
  if (transport != NULL)
    return transport;
  for (unsigned i = 0; i < PT_KEY_KINDS; i++)
    if (engine->transports[i] != NULL)
      drive_by_sockets(engine); /* one wait cannot watch two of libcurl's multis */
  transport = pt_transport_new(&engine->config.base_url, &engine->config.transport);
  if (transport != NULL && engine->by_sockets &&
      !pt_transport_use_poller(transport, engine->poller, index)) {
    pt_transport_free(transport);
    return NULL;
  }
  engine->transports[index] = transport;
  engine->outdated[index] = false;
  return transport;
}

static void close_poller(pt_engine *engine) {
  pt_poller_free(engine->poller);
  engine->poller = NULL;
  engine->by_sockets = false;
}

/* ---- calls ---- */

static void end_call(pt_engine *engine, pt_call *call) {
  engine->open_calls--;
  if (!call->success && !call->timer_only)
    engine->failures++;
  if (call->announced)
    list_add(&engine->announced, call); /* keeps the reference */
  else
    pt_call_release(call);
}

static bool room_for_exchange(const pt_engine *engine) {
  const pt_transport_options *options = &engine->config.transport;
  size_t limit = (size_t)options->max_connections * (options->http2 ? STREAMS_PER_CONNECTION : 1);
  return engine->exchanging.count < limit;
}

static void fail_call(pt_engine *engine, pt_call *call, pt_attempt_end end, bool sent) {
  bool exchanging = call->state == PT_CALL_EXCHANGING;
  leave(engine, call);
  call->exchange = NULL;
  pt_call_stop(call, end, sent);
  if (exchanging)
    pt_call_record_broken(call, end);
  end_call(engine, call);
}

static void queue_call(pt_engine *engine, pt_call *call) {
  call->wake = call->deadline;
  enter(engine, call, PT_CALL_QUEUED);
  pt_timer_heap_add(&engine->timers, call);
}

/* Makes the reply of the attempt before ready for the next one; its buffers keep their memory. */
static void clear_reply(pt_reply *reply) {
  pt_buffer headers = reply->headers, body = reply->body;
  pt_free(reply->message);
  memset(reply, 0, sizeof *reply);
  reply->headers = headers;
  reply->body = body;
  pt_buffer_clear(&reply->headers);
  pt_buffer_clear(&reply->body);
  /* in one piece; where that fails, they grow when they must */
  (void)pt_buffer_reserve(&reply->headers, USUAL_HEADERS);
  (void)pt_buffer_reserve(&reply->body, USUAL_BODY);
  reply->headers.failed = reply->body.failed = false;
}

/* What the next attempt sends; `left`: seconds until the deadline. */
static pt_exchange_request request_of(pt_call *call, double left) {
  pt_method method = call->operation->method;
  return (pt_exchange_request){
      .method = pt_method_name(method),
      .target = call->target.bytes,
      .lines = call->lines,
      .line_count = call->line_count,
      .body = call->body.bytes,
      .body_length = call->body.length,
      .writes = call->has_body || method == PT_METHOD_POST || method == PT_METHOD_PUT ||
                method == PT_METHOD_PATCH,
      .compressed = call->operation->long_reply,
      .timeout = fmin(call->limits.attempt_timeout, left),
      .connect_timeout = fmin(call->limits.connect_timeout, left),
      .reply = &call->reply,
      .owner = call,
  };
}

static void begin_attempt(pt_engine *engine, pt_call *call, double now) {
  pt_transport *transport = transport_for(engine, call->transport);
  double left = call->deadline - now;
  pt_exchange_request request = request_of(call, left);
  clear_reply(&call->reply);
  leave(engine, call);
  call->exchange = transport != NULL ? pt_transport_start(transport, &request) : NULL;
  if (call->exchange == NULL) {
    pt_call_stop(call, PT_END_MEMORY, false);
    end_call(engine, call);
    return;
  }
  engine->attempts++;
  if (call->attempt_count > 0)
    engine->retries++;
  call->wake = now + fmin(call->limits.attempt_timeout, left) + OVERDUE;
  enter(engine, call, PT_CALL_EXCHANGING);
  pt_timer_heap_add(&engine->timers, call);
}

static void attempt_ended(pt_engine *engine, pt_call *call) {
  leave(engine, call);
  call->exchange = NULL;
  if (call->reply.end == PT_END_ANSWERED && call->reply.status == 429)
    engine->rate_limited++;
  if (pt_call_attempt_ended(call, &engine->tokens)) {
    enter(engine, call, PT_CALL_WAITING);
    pt_timer_heap_add(&engine->timers, call);
  } else {
    end_call(engine, call);
  }
}

static bool collect_finished(pt_engine *engine) {
  bool any = false;
  for (unsigned i = 0; i < PT_KEY_KINDS; i++) {
    pt_call *call;
    while (engine->transports[i] != NULL &&
           (call = pt_transport_finished(engine->transports[i])) != NULL) {
      attempt_ended(engine, call);
      any = true;
    }
  }
  return any;
}

static void give_up_attempt(pt_engine *engine, pt_call *call) {
  static const char overdue[] = "libcurl did not end the attempt in time";
  pt_transport_cancel(engine->transports[call->transport], call->exchange);
  call->reply.end = PT_END_TIMEOUT;
  call->reply.message = pt_copy(overdue, sizeof overdue - 1);
  attempt_ended(engine, call);
}

static void run_timers(pt_engine *engine, double now) {
  pt_call *call;
  while ((call = pt_timer_heap_first(&engine->timers)) != NULL && call->wake <= now) {
    if (call->state == PT_CALL_QUEUED) {
      fail_call(engine, call, PT_END_TIMEOUT, false);
    } else if (call->state == PT_CALL_EXCHANGING) {
      give_up_attempt(engine, call);
    } else if (call->timer_only) {
      leave(engine, call);
      pt_call_end_timer(call);
      end_call(engine, call);
    } else {
      leave(engine, call);
      queue_call(engine, call);
    }
  }
}

/* ---- driving ---- */

/* A child after fork shares the parent's sockets: it drops them without touching them. */
static void notice_fork(pt_engine *engine) {
  pid_t process = getpid();
  if (process == engine->process)
    return;
  engine->process = process;
  for (unsigned i = 0; i < PT_KEY_KINDS; i++)
    (void)take_transport(engine, i); /* left open: closing would end the parent's TLS connections */
  close_poller(engine);
  while (engine->exchanging.first != NULL)
    fail_call(engine, engine->exchanging.first, PT_END_CANCELLED, true);
}

static double earliest_timer(const pt_engine *engine) {
  const pt_call *call = pt_timer_heap_first(&engine->timers);
  double earliest = call != NULL ? call->wake : INFINITY;
  if (engine->by_sockets)
    for (unsigned i = 0; i < PT_KEY_KINDS; i++)
      if (engine->transports[i] != NULL)
        earliest = fmin(earliest, pt_transport_timer(engine->transports[i]));
  if (engine->queued.first != NULL && room_for_exchange(engine))
    earliest = 0;
  return earliest;
}

static bool due_timers(pt_engine *engine, double now) {
  bool any = false;
  for (unsigned i = 0; i < PT_KEY_KINDS; i++) {
    pt_transport *transport = engine->transports[i];
    if (transport != NULL && pt_transport_timer(transport) <= now) {
      pt_transport_timer_due(transport);
      any = true;
    }
  }
  return any;
}

/* Whether the exchange that began last needs a connection of its own, now that libcurl has looked
 * for one. */
static bool opens_connection(const pt_engine *engine, size_t exchanging) {
  const pt_call *last = engine->exchanging.last;
  return engine->exchanging.count > exchanging && last->exchange != NULL &&
         !pt_transport_sending(last->exchange);
}

/* Gives calls of the queue their connections. A step with a budget begins them one after the other,
   since that takes a while: libcurl does it when its timer is due, for all that began since. It
   opens few TLS connections: those that begin together come to their handshakes, and to libcurl's
   timers, together. */
static void start_queued(pt_engine *engine, double now, double stop) {
  bool bounded = stop < INFINITY;
  while (engine->queued.first != NULL && room_for_exchange(engine)) {
    if (bounded && (now >= stop || engine->openings >= PT_OPENINGS_PER_STEP))
      break;
    size_t exchanging = engine->exchanging.count;
    begin_attempt(engine, engine->queued.first, now);
    if (!bounded)
      continue;
    now = pt_clock_monotonic();
    if (engine->by_sockets && due_timers(engine, now))
      now = pt_clock_monotonic();
    if (engine->config.base_url.https && opens_connection(engine, exchanging))
      engine->openings++;
  }
}

/* Waits at most `seconds`; true when something happened. Stops working at `stop`: readiness is
 * reported again. */
static bool move_sockets(pt_engine *engine, double seconds, double stop) {
  pt_poller_event events[EVENTS_AT_ONCE];
  size_t count = pt_poller_wait(engine->poller, seconds, events, EVENTS_AT_ONCE);
  for (size_t i = 0; i < count; i++) {
    const pt_poller_event *event = &events[i];
    if (event->fd >= 0 && event->tag < PT_KEY_KINDS && engine->transports[event->tag] != NULL)
      pt_transport_socket_ready(engine->transports[event->tag], event->fd, event->ready);
    if (stop < INFINITY && pt_clock_monotonic() >= stop)
      break;
  }
  return due_timers(engine, pt_clock_monotonic()) || count > 0;
}

static bool move_multis(pt_engine *engine, double seconds) {
  pt_transport *busy = NULL;
  unsigned count = 0;
  for (unsigned i = 0; i < PT_KEY_KINDS; i++) {
    pt_transport *transport = engine->transports[i];
    if (transport != NULL && (busy == NULL || pt_transport_active(transport) > 0)) {
      busy = transport;
      count += pt_transport_active(transport) > 0;
    }
  }
  if (busy == NULL) { /* no call was sent yet: only timers can be under way */
    if (seconds > 0)
      pt_clock_sleep(seconds);
    return false;
  }
  if (seconds > 0)
    pt_transport_wait(busy, count > 1 ? fmin(seconds, FALLBACK_TIMEOUT) : seconds);
  for (unsigned i = 0; i < PT_KEY_KINDS; i++)
    if (engine->transports[i] != NULL && pt_transport_active(engine->transports[i]) > 0)
      pt_transport_perform(engine->transports[i]);
  return true;
}

static bool move(pt_engine *engine, double seconds, double stop) {
  if (engine->by_sockets)
    return move_sockets(engine, seconds, stop);
  return move_multis(engine, seconds);
}

/* One round: what time brought, what the queue may start, what the sockets say. */
static bool run_round(pt_engine *engine, double seconds, double stop) {
  double now = pt_clock_monotonic();
  size_t open = engine->open_calls;
  run_timers(engine, now);
  start_queued(engine, now, stop);
  bool ended = engine->open_calls < open; /* it may be the very call that is waited for */
  double until_timer = earliest_timer(engine) - now;
  bool moved = move(engine, ended || until_timer <= 0 ? 0 : fmin(seconds, until_timer), stop);
  return collect_finished(engine) || moved || ended;
}

/* Lets the shared descriptor become readable when a step is wanted. */
static void arm(pt_engine *engine) {
  if (engine->poller == NULL)
    return;
  double earliest = engine->announced.first != NULL ? 0
                    : engine->open_calls > 0        ? earliest_timer(engine)
                                                    : INFINITY;
  pt_poller_arm(engine->poller, earliest);
}

size_t pt_engine_step(pt_engine *engine, double seconds, bool *moved) {
  notice_fork(engine);
  engine->openings = 0;
  *moved = false;
  if (engine->open_calls > 0) {
    double now = pt_clock_monotonic();
    double stop = seconds > 0 ? INFINITY : now + PT_STEP_BUDGET;
    double end = now + seconds;
    *moved = run_round(engine, 0, stop);
    if (seconds <= 0) {
      bool more = *moved;
      while (more && engine->open_calls > 0 && pt_clock_monotonic() < stop)
        more = run_round(engine, 0, stop);
    } else if (!*moved && engine->open_calls > 0) { /* the first round only starts and looks */
      *moved = run_round(engine, end - now, stop);
    }
    now = pt_clock_monotonic();
    run_timers(engine, now);
    start_queued(engine, now, stop);
    /* libcurl may have ended attempts there: they leave before somebody cancels their calls */
    *moved = collect_finished(engine) || *moved;
  }
  arm(engine);
  return engine->open_calls;
}

static bool has_news(const pt_call *call) {
  return call->state == PT_CALL_DONE ||
         (call->wants_events && call->events_sent < call->attempt_count);
}

void pt_engine_run(pt_engine *engine, pt_call *call, double seconds) {
  notice_fork(engine);
  double end = pt_clock_monotonic() + seconds, left = 0; /* the first round only starts and looks */
  while (!has_news(call) && left >= 0) {
    (void)run_round(engine, left, INFINITY);
    left = end - pt_clock_monotonic();
  }
  arm(engine);
}

/* ---- life ---- */

/* What is left of a closed engine, when the last of its calls has gone. */
static void free_engine(pt_engine *engine) {
  pt_config_free(&engine->config);
  pt_free(engine);
}

pt_engine *pt_engine_new(pt_config *config) {
  pt_engine *engine = pt_zalloc(sizeof *engine);
  if (engine == NULL || (engine->pool = pt_call_pool_new(engine, free_engine)) == NULL) {
    pt_free(engine);
    pt_config_free(config);
    return NULL;
  }
  engine->config = *config;
  memset(config, 0, sizeof *config);
  const char *ca_file, *ca_path;
  pt_libcurl_default_ca(&ca_file, &ca_path);
  if (!pt_trust_find(&engine->config, ca_file, ca_path)) {
    pt_call_pool_close(engine->pool);
    return NULL;
  }
  engine->references = 1;
  engine->process = getpid();
  engine->tokens = PT_RETRY_BUDGET;
  return engine;
}

void pt_engine_retain(pt_engine *engine) { engine->references++; }

static void close_all(pt_engine *engine) {
  call_list *lists[] = {&engine->queued, &engine->exchanging, &engine->waiting};
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
    while (lists[i]->first != NULL)
      pt_engine_cancel(engine, lists[i]->first, PT_END_CLOSED);
  pt_call *call;
  while ((call = pt_engine_announced(engine)) != NULL)
    pt_call_release(call);
}

void pt_engine_release(pt_engine *engine) {
  if (engine == NULL || --engine->references > 0)
    return;
  notice_fork(engine);
  close_all(engine);
  for (unsigned i = 0; i < PT_KEY_KINDS; i++)
    pt_transport_free(take_transport(engine, i));
  close_poller(engine);
  pt_timer_heap_free(&engine->timers);
  for (unsigned i = 0; i < PT_KEY_NONE; i++)
    pt_secret_clear(&engine->config.keys[i]);
  pt_secret_clear(&engine->config.transport.proxy);
  engine->closed = true;
  pt_call_pool_close(engine->pool);
}

const pt_config *pt_engine_config(const pt_engine *engine) { return &engine->config; }

const char *pt_engine_set_key(pt_engine *engine, pt_key_kind kind, const char *bytes,
                              size_t length) {
  notice_fork(engine);
  pt_secret fresh = {0}, *key = &engine->config.keys[kind];
  const char *problem = pt_secret_set(&fresh, bytes, length);
  bool same = fresh.length == key->length &&
              (fresh.length == 0 || memcmp(fresh.bytes, key->bytes, fresh.length) == 0);
  if (problem != NULL || same) {
    pt_secret_clear(&fresh);
    return problem;
  }
  pt_secret_clear(key);
  *key = fresh;
  engine->outdated[kind] = true;
  engine->key_generation++;
  return NULL;
}

unsigned pt_engine_key_generation(const pt_engine *engine) { return engine->key_generation; }

const pt_config *pt_call_config(const pt_call *call) {
  return call->engine != NULL ? &call->engine->config : NULL;
}

pt_call *pt_engine_new_call(pt_engine *engine) { return pt_call_pool_take(engine->pool); }

/* Makes the call the engine's. False when memory is exhausted or the engine is closed: the call has
 * ended then. */
static bool admit(pt_engine *engine, pt_call *call) {
  notice_fork(engine);
  call->serial = ++engine->next_serial;
  call->started = pt_clock_monotonic();
  pt_call_retain(call);
  engine->open_calls++;
  if (!engine->closed && pt_timer_heap_reserve(&engine->timers, engine->open_calls))
    return true;
  pt_call_stop(call, engine->closed ? PT_END_CLOSED : PT_END_MEMORY, false);
  end_call(engine, call);
  return false;
}

void pt_engine_submit(pt_engine *engine, pt_call *call) {
  call->transport =
      call->credential != NULL ? (unsigned)call->credential->kind : (unsigned)PT_KEY_NONE;
  engine->calls++;
  if (!admit(engine, call))
    return;
  call->deadline = call->started + call->limits.timeout;
  queue_call(engine, call);
  arm(engine);
}

void pt_engine_submit_timer(pt_engine *engine, pt_call *call, double seconds) {
  call->timer_only = true;
  if (!admit(engine, call))
    return;
  call->wake = call->started + seconds;
  enter(engine, call, PT_CALL_WAITING);
  pt_timer_heap_add(&engine->timers, call);
  arm(engine);
}

void pt_engine_cancel(pt_engine *engine, pt_call *call, pt_attempt_end end) {
  notice_fork(engine);
  if (call->state == PT_CALL_DONE || call->state == PT_CALL_NEW)
    return;
  bool sent = false;
  if (call->exchange != NULL) {
    pt_transport_cancel(engine->transports[call->transport], call->exchange);
    call->exchange = NULL;
    sent = call->reply.sent;
  }
  fail_call(engine, call, end, sent);
  arm(engine);
}

static void close_owned(pt_engine *engine, call_list *list, const void *owner) {
  for (pt_call *call = list->first, *next; call != NULL; call = next) {
    next = call->next;
    if (call->owner == owner)
      pt_engine_cancel(engine, call, PT_END_CLOSED);
  }
}

void pt_engine_close_owner(pt_engine *engine, const void *owner) {
  notice_fork(engine);
  close_owned(engine, &engine->queued, owner);
  close_owned(engine, &engine->exchanging, owner);
  close_owned(engine, &engine->waiting, owner);
}

void pt_engine_share_descriptor(pt_engine *engine) {
  notice_fork(engine);
  if (!engine->closed)
    drive_by_sockets(engine);
}

int pt_engine_descriptor(pt_engine *engine) {
  pt_engine_share_descriptor(engine);
  if (!engine->by_sockets)
    return -1;
  int descriptor = pt_poller_descriptor(engine->poller);
  arm(engine);
  return descriptor;
}

double pt_engine_timeout(pt_engine *engine) {
  notice_fork(engine);
  if (engine->announced.first != NULL)
    return 0;
  if (engine->open_calls == 0)
    return INFINITY;
  double timeout = fmax(0, earliest_timer(engine) - pt_clock_monotonic());
  return engine->by_sockets ? timeout : fmin(timeout, FALLBACK_TIMEOUT);
}

pt_call *pt_engine_announced(pt_engine *engine) {
  notice_fork(engine);
  pt_call *call = engine->announced.first;
  if (call != NULL)
    list_remove(&engine->announced, call);
  return call;
}

pt_engine_stats pt_engine_stats_of(pt_engine *engine) {
  notice_fork(engine);
  pt_engine_stats stats = {.calls = engine->calls,
                           .attempts = engine->attempts,
                           .retries = engine->retries,
                           .failures = engine->failures,
                           .rate_limited = engine->rate_limited,
                           .connections_opened = engine->counted.opened,
                           .connections_reused = engine->counted.reused,
                           .active = engine->exchanging.count + engine->waiting.count,
                           .queued = engine->queued.count,
                           .retry_tokens = engine->tokens};
  for (unsigned i = 0; i < PT_KEY_KINDS; i++) {
    if (engine->transports[i] == NULL)
      continue;
    pt_transport_counts counts = pt_transport_counted(engine->transports[i]);
    stats.connections_opened += counts.opened;
    stats.connections_reused += counts.reused;
  }
  return stats;
}

void pt_engine_count_failure(pt_engine *engine) { engine->failures++; }
