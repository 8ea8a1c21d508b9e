/* events.c: see events.h. */
#include "lua/events.h"

#include "api/failure.h"
#include "api/redact.h"
#include "http/headers.h"
#include "lua/response.h"
#include "lua/set.h"

/* in: -, out: an event with what all have in common */
static void push_event(lua_State *L, const char *type, const pt_call *call, int attempt) {
  lua_createtable(L, 0, 8);
  pt_set_string(L, "type", type);
  pt_set_string(L, "operation", call->operation->name);
  pt_set_integer(L, "attempt", attempt);
}

/* Everything is copied first: a finalizer may step the client, and the call goes on. */
static void push_attempt_event(lua_State *L, const pt_call *call, int index) {
  const pt_attempt attempt = call->attempts[index];
  bool last = index + 1 == call->attempt_count; /* the headers are still those of this attempt */
  if (last)
    pt_lua_push_request_id(L, call);
  push_event(L, "attempt", call, index + 1);
  if (attempt.status != 0)
    pt_set_integer(L, "status", attempt.status);
  pt_set_string(L, "error", pt_failure_kind(call->operation, attempt.end, attempt.status));
  pt_set_number(L, "elapsed", attempt.total);
  if (last) {
    lua_insert(L, -2);
    lua_setfield(L, -2, "request_id");
  }
}

static void push_retry_event(lua_State *L, const pt_call *call, int index) {
  const pt_attempt attempt = call->attempts[index];
  push_event(L, "retry", call, index + 1);
  if (attempt.status != 0)
    pt_set_integer(L, "status", attempt.status);
  pt_set_string(L, "error", pt_failure_kind(call->operation, attempt.end, attempt.status));
  pt_set_number(L, "wait", attempt.retry_wait);
}

static void push_done_event(lua_State *L, const pt_call *call) {
  push_event(L, "done", call, call->attempt_count);
  if (call->status != 0)
    pt_set_integer(L, "status", call->status);
  if (!call->success)
    pt_set_string(L, "error", pt_failure_kind(call->operation, call->end, call->status));
  pt_set_number(L, "elapsed", call->ended - call->started);
  pt_lua_push_request_id(L, call);
  lua_setfield(L, -2, "request_id");
}

static void set_header(lua_State *L, const pt_call *call, const char *name) {
  pt_header header;
  if (!pt_headers_find(&call->reply.headers, name, &header))
    return;
  pt_lua_push_header_value(L, &header);
  lua_setfield(L, -2, name);
}

/* in: environment at `environment`; out: a deprecation event, or nothing where there is none,
 * or where it was reported for this operation before. RFC 9745, RFC 8594. */
static bool push_deprecation_event(lua_State *L, int environment, const pt_call *call) {
  pt_header header;
  if (!pt_headers_find(&call->reply.headers, "deprecation", &header) &&
      !pt_headers_find(&call->reply.headers, "sunset", &header))
    return false;
  lua_getfield(L, environment, "deprecated");
  lua_getfield(L, -1, call->operation->name);
  bool reported = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  if (!reported) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, call->operation->name);
  }
  lua_pop(L, 1);
  if (reported)
    return false;
  push_event(L, "deprecation", call, call->attempt_count);
  set_header(L, call, "deprecation");
  set_header(L, call, "sunset");
  return true;
}

/* in: event; out: -; the first error a handler throws is kept after the environment, and the events
 * that follow are dispatched all the same */
static void dispatch(lua_State *L, int environment, bool *thrown) {
  lua_getfield(L, environment, "on_event");
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 0, 0) == 0)
    return;
  if (*thrown)
    lua_pop(L, 1);
  else
    lua_replace(L, environment + 1);
  *thrown = true;
}

static bool is_end_pending(const pt_call *call) {
  return call->state == PT_CALL_DONE && call->settled && !call->done_event_sent;
}

bool pt_lua_dispatch_events(lua_State *L, int client, pt_call *call) {
  if (!call->wants_events || (call->events_sent == call->attempt_count && !is_end_pending(call)))
    return false;
  luaL_checkstack(L, 12, "event");
  pt_redact_headers(call, pt_call_config(call));
  pt_getuservalue(L, client);
  int environment = lua_gettop(L);
  lua_pushnil(L);
  bool thrown = false;
  while (call->events_sent < call->attempt_count) {
    int index = call->events_sent++;
    push_attempt_event(L, call, index);
    dispatch(L, environment, &thrown);
    if (call->attempts[index].retry_wait < 0)
      continue;
    push_retry_event(L, call, index);
    dispatch(L, environment, &thrown);
  }
  if (is_end_pending(call)) {
    call->done_event_sent = true;
    if (push_deprecation_event(L, environment, call))
      dispatch(L, environment, &thrown);
    push_done_event(L, call);
    dispatch(L, environment, &thrown);
  }
  if (thrown)
    lua_replace(L, environment);
  lua_settop(L, thrown ? environment : environment - 1);
  return thrown;
}
