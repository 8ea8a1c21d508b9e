/* engine.h: drives every call of the clients that share it: queue, connection limit, back-off,
 * retry budget, and one descriptor to wait on. No Lua. */
#ifndef PT_ENGINE_H
#define PT_ENGINE_H

#include "api/call.h"
#include "api/config.h"

#include <stdbool.h>
#include <stddef.h>

/* Takes over the config (also on failure). Opens nothing before the first call. NULL when memory is
 * exhausted. One reference. */
pt_engine *pt_engine_new(pt_config *config);
void pt_engine_retain(pt_engine *engine);
/* With the last reference every call still open ends as PT_END_CLOSED, every connection is closed
   and the keys are wiped. Its calls keep the rest of it: `call->engine` may be used as long as the
   call; what is submitted to it ends as PT_END_CLOSED. */
void pt_engine_release(pt_engine *engine);
const pt_config *pt_engine_config(const pt_engine *engine);
/* The config of a call's engine, without keys once the engine is closed; NULL where it has none. */
const pt_config *pt_call_config(const pt_call *call);
/* Takes another key of a kind, for the calls from now on. Its connections are kept while the key
   stays the same; else new ones are opened, as soon as none is in use. NULL, or what is wrong with
   the key (see pt_secret_set). */
const char *pt_engine_set_key(pt_engine *engine, pt_key_kind kind, const char *bytes,
                              size_t length);
/* Goes up each time a key changes. */
unsigned pt_engine_key_generation(const pt_engine *engine);

/* A new call to be filled and submitted, or NULL when memory is exhausted. One reference, the
 * caller's. */
pt_call *pt_engine_new_call(pt_engine *engine);

/* Takes a prepared call, with a reference until it is done. Nothing is sent before a step. */
void pt_engine_submit(pt_engine *engine, pt_call *call);
/* Takes a call that sends nothing and is done after `seconds`, so that time passes as the client
 * waits for calls. Not counted as a call. */
void pt_engine_submit_timer(pt_engine *engine, pt_call *call, double seconds);
/* Ends a call now with PT_END_CANCELLED or PT_END_CLOSED; nothing happens when it is done. */
void pt_engine_cancel(pt_engine *engine, pt_call *call, pt_attempt_end end);
/* Ends with PT_END_CLOSED every call made on `owner`. */
void pt_engine_close_owner(pt_engine *engine, const void *owner);

/* Does what can be done now, waits at most `seconds` (0: not at all) for something to happen, and
   does that; `moved` is whether anything happened. Returns the number of calls not done. With
   seconds == 0 it begins nothing new after PT_STEP_BUDGET seconds of work, opens at most
   PT_OPENINGS_PER_STEP TLS connections, and leaves the rest for the next step: so that one in every
   frame of a game goes unnoticed. */
size_t pt_engine_step(pt_engine *engine, double seconds, bool *moved);
#define PT_STEP_BUDGET 0.0015
#define PT_OPENINGS_PER_STEP 1u
/* Steps until the call is done or has an event to report (see pt_call.wants_events), at most
 * `seconds`. */
void pt_engine_run(pt_engine *engine, pt_call *call, double seconds);

/* For other loops: the calls are driven by sockets from now on. */
void pt_engine_share_descriptor(pt_engine *engine);
/* A descriptor that is readable when a step has work to do; -1 where the system has none
 * (see http/poller.h) or no descriptor is left. */
int pt_engine_descriptor(pt_engine *engine);
/* Seconds until a step is wanted without the descriptor being readable; INFINITY when nothing is
 * under way. */
double pt_engine_timeout(pt_engine *engine);

/* The next call that was marked `announced` and is done since, or NULL. The caller gets the
 * engine's reference. */
pt_call *pt_engine_announced(pt_engine *engine);

typedef struct {
  unsigned long long calls, attempts, retries, failures, connections_opened, connections_reused;
  unsigned long long rate_limited; /* replies with status 429 */
  size_t active, queued;
  double retry_tokens;
} pt_engine_stats;
pt_engine_stats pt_engine_stats_of(pt_engine *engine);
/* A reply the engine took for a success was not the promised JSON. */
void pt_engine_count_failure(pt_engine *engine);

#endif
