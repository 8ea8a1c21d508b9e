/* call.c: see call.h. */
#include "lua/call.h"

#include "api/call_pool.h"
#include "lua/arguments.h"
#include "lua/events.h"
#include "lua/interrupt.h"
#include "lua/options.h"
#include "lua/request.h"
#include "lua/result.h"

#include <stdio.h>
#include <string.h>

#define VERSION_HEADER "X-Polytomic-Version"

/* Bytes of a body that libcurl sends without asking the server first. */
enum { MAX_UNASKED_BODY = 1000 * 1000 };

/* ---- making a call ---- */

/* in: -, out: userdata that will own a call */
static pt_lua_call *push_holder(lua_State *L) {
  pt_lua_call *holder = pt_newuserdata(L, sizeof *holder);
  *holder = (pt_lua_call){NULL, false};
  pt_lua_give_metatable(L, &pt_call_key);
  return holder;
}

void pt_lua_push_call_owner(lua_State *L, pt_call *call) {
  pt_lua_call *holder = push_holder(L);
  pt_call_retain(call);
  holder->call = call;
}

/* in: -, out: userdata that owns a new call; its user value is the client's until it gets one of
   its own. The call keeps its engine's memory: wherever Lua runs, a finalizer may close the client,
   so from here on it is `call->engine` that is used, and the client's is looked at once more before
   something is sent. */
static pt_call *push_call(lua_State *L, int client, const pt_operation *operation) {
  pt_lua_call *holder = push_holder(L);
  pt_getuservalue(L, client);
  pt_setuservalue(L, -2);
  const pt_lua_client *owner = lua_touserdata(L, client);
  holder->call = owner->engine != NULL ? pt_engine_new_call(owner->engine) : pt_call_new();
  if (holder->call == NULL)
    luaL_error(L, "not enough memory");
  holder->call->operation = operation;
  return holder->call;
}

const pt_config *pt_lua_hold_config(lua_State *L, int client) {
  static const pt_operation nothing = {.name = "nothing"};
  const pt_config *config = pt_call_config(push_call(L, client, &nothing));
  if (config == NULL)
    lua_pop(L, 1);
  return config;
}

static bool needs_arguments(const pt_operation *operation) {
  for (size_t i = 0; i < operation->field_count; i++)
    if (operation->fields[i].required)
      return true;
  return false;
}

/* Index of the arguments table, or 0 for none. Raises for bad usage. */
static int check_arguments(lua_State *L, int index, const pt_operation *operation) {
  if (lua_type(L, index) == LUA_TTABLE)
    return index;
  if (lua_isnoneornil(L, index) && !needs_arguments(operation))
    return 0;
  return pt_lua_error(L, "%s: arguments must be a table, got %s", operation->name,
                      lua_type(L, index) == LUA_TNONE ? "nothing" : luaL_typename(L, index));
}

/* The credential of this call: the client's own, or one for an organization of its own. NULL when
 * no key fits. */
static pt_credential *credential_for(lua_State *L, pt_lua_client *client,
                                     const pt_client_options *options, const pt_call *call) {
  pt_auth auth = call->operation->auth;
  bool own = strcmp(options->organization, client->options.organization) != 0;
  unsigned generation = pt_engine_key_generation(call->engine);
  if (client->key_generation != generation) {
    pt_lua_forget_credentials(client);
    client->key_generation = generation;
  }
  pt_credential *credential = own ? NULL : client->credentials[auth];
  if (credential == NULL) {
    pt_secret keys[PT_KEY_NONE] = {{0}};
    for (int kind = PT_KEY_API; kind <= PT_KEY_DEPLOYMENT; kind++)
      if (!options->without_key[kind])
        keys[kind] = pt_call_config(call)->keys[kind];
    credential = pt_credential_new(keys, options->organization, auth);
    if (credential == NULL)
      luaL_error(L, "not enough memory");
    if (!own)
      client->credentials[auth] = credential;
  }
  if (!own)
    pt_credential_retain(credential);
  return credential;
}

/* The client's own headers, but for those the call gives. */
static bool add_client_lines(pt_call *call, const pt_buffer *headers) {
  const char *line = headers->bytes, *end = line != NULL ? line + headers->length : NULL;
  for (; line < end; line += strlen(line) + 1)
    if (!pt_call_has_line(call, line) && !pt_call_add_fixed_line(call, line))
      return false;
  return true;
}

/* As header lines, since libcurl puts its own User-Agent together twice. */
static bool add_lines(pt_call *call, const pt_client_options *options, const pt_config *config) {
  bool added = pt_call_add_fixed_line(call, config->user_agent) &&
               pt_call_add_fixed_line(call, "Accept: application/json");
  if (call->body.length > MAX_UNASKED_BODY) /* libcurl would wait a second for "100 Continue" */
    added = added && pt_call_add_fixed_line(call, "Expect:");
  if (call->has_body)
    added = added && pt_call_add_fixed_line(call, "Content-Type: application/json");
  else if (call->operation->method != PT_METHOD_GET &&
           call->operation->method != PT_METHOD_DELETE) /* libcurl would call nothing a form */
    added = added && pt_call_add_fixed_line(call, "Content-Type:");
  if (options->read_only)
    added = added && pt_call_add_fixed_line(call, "X-Polytomic-Access-Mode: read-only");
  return added && add_client_lines(call, &config->headers) &&
         pt_call_add_line(call, VERSION_HEADER, options->version, strlen(options->version));
}

/* What stops a call before it is made. */
typedef enum { READY, REFUSED } readiness;

/* Gives the call its credential and headers. READY, or REFUSED with nil, message, err pushed. */
static readiness add_credential_and_headers(lua_State *L, pt_lua_client *client,
                                            const pt_client_options *options, pt_call *call,
                                            bool no_key) {
  pt_method method = call->operation->method;
  if (client->engine == NULL) { /* closed while the request was written */
    (void)pt_lua_push_closed(L, call);
    return REFUSED;
  }
  if (options->read_only && method != PT_METHOD_GET) {
    pt_refusal refusal = {
        .field = "",
        .problem = "the client is read-only (read_only = true): only GET operations are sent"};
    (void)pt_lua_push_invalid(L, call, &refusal);
    return REFUSED;
  }
  call->credential = credential_for(L, client, options, call);
  if (call->credential->kind == PT_KEY_NONE && call->operation->auth != PT_AUTH_CONNECT_TOKEN) {
    (void)pt_lua_push_unconfigured(L, call);
    return REFUSED;
  }
  bool wants_key = !no_key && (method == PT_METHOD_POST || method == PT_METHOD_PATCH);
  const char *problem = add_lines(call, options, pt_call_config(call))
                            ? pt_call_prepare(call, wants_key)
                            : "not enough memory";
  if (problem != NULL)
    luaL_error(L, "%s: %s", call->operation->name, problem);
  call->owner = client;
  call->wants_events = client->has_on_event;
  return READY;
}

/* in: function; out: -. Asks it for the client's key of that kind, and may find the client closed
 * by it. READY, or REFUSED with nil, message, err pushed: its `cause` is what the function raised.
 */
static readiness ask_for_key(lua_State *L, pt_lua_client *client, pt_key_kind kind,
                             const pt_call *call) {
  char detail[160];
  size_t length = 0;
  bool returned = lua_pcall(L, 0, 1, 0) == 0;
  if (!returned && pt_lua_is_interrupt(L))
    (void)lua_error(L); /* Ctrl-C ends the script's call, not the key's function alone */
  if (client->engine == NULL) {
    (void)pt_lua_push_closed(L, call);
    return REFUSED;
  }
  bool is_string = returned && lua_type(L, -1) == LUA_TSTRING;
  const char *key = is_string ? lua_tolstring(L, -1, &length) : "";
  const char *fault = !returned     ? "raised an error"
                      : !is_string  ? "returned no string"
                      : length == 0 ? "returned an empty string"
                                    : NULL;
  const char *problem = fault == NULL ? pt_engine_set_key(client->engine, kind, key, length) : NULL;
  if (fault == NULL && problem == NULL) {
    lua_pop(L, 1);
    return READY;
  }
  (void)snprintf(detail, sizeof detail,
                 fault != NULL ? "the function that gives the %s %s"
                               : "the %s that its function returned %s",
                 pt_key_label(kind), fault != NULL ? fault : problem);
  if (returned)
    lua_pushnil(L); /* what came in place of a key may be one */
  (void)pt_lua_push_no_key(L, call, detail, lua_gettop(L));
  return REFUSED;
}

/* Asks the client's functions for its keys. As ask_for_key. */
static readiness ask_for_keys(lua_State *L, int base, const pt_call *call) {
  pt_lua_client *client = lua_touserdata(L, base);
  if (!client->has_key_functions)
    return READY;
  int top = lua_gettop(L);
  pt_getuservalue(L, base);
  lua_getfield(L, -1, "keys");
  for (int kind = PT_KEY_API; kind <= PT_KEY_DEPLOYMENT; kind++) {
    lua_rawgeti(L, top + 2, kind);
    if (lua_isnil(L, -1))
      lua_pop(L, 1);
    else if (ask_for_key(L, client, (pt_key_kind)kind, call) == REFUSED)
      return REFUSED;
  }
  lua_settop(L, top);
  return READY;
}

static readiness check_written(lua_State *L, const pt_call *call, bool written,
                               const pt_refusal *refusal) {
  if (written)
    return READY;
  if (refusal->problem[0] == '\0')
    luaL_error(L, "%s: not enough memory", call->operation->name);
  (void)pt_lua_push_invalid(L, call, refusal);
  return REFUSED;
}

/* in: options of a call at `index`, or nil; out: their table of that name, or another value.
 * Returns its index, 0 for none: a metamethod may give one thing now and another then. */
static int push_addition(lua_State *L, int index, const char *name) {
  if (lua_isnoneornil(L, index))
    lua_pushnil(L);
  else
    lua_getfield(L, index, name);
  return lua_type(L, -1) == LUA_TTABLE ? lua_gettop(L) : 0;
}

/* in: client, arguments, options at `base`; out: call, then nothing, or nil, message, err. The call
   is at `base + 3`, its request is written; `options` become those of this call, and `no_key` is
   whether it wants no idempotency key. */
static readiness fill_call(lua_State *L, int base, const pt_operation *operation,
                           pt_client_options *options, bool *no_key) {
  pt_lua_client *client = lua_touserdata(L, base);
  pt_refusal refusal;
  *options = client->options;
  lua_settop(L, base + 2);
  bool free_form = operation == &pt_request_operation;
  int arguments = check_arguments(L, base + 1, operation);
  if (free_form && arguments == 0)
    pt_lua_error(L, "request: the request must be a table");
  pt_call *call = push_call(L, base, operation);
  call->limits = options->limits;
  if (free_form)
    pt_lua_read_request(L, arguments, call);
  pt_lua_read_call_options(L, base + 2, call, options, no_key);
  pt_lua_additions additions = {push_addition(L, base + 2, "query"),
                                push_addition(L, base + 2, "body")};
  if (call->engine == NULL) { /* closed before */
    (void)pt_lua_push_closed(L, call);
    return REFUSED;
  }
  const char *prefix = pt_call_config(call)->base_url.prefix;
  bool written = free_form
                     ? pt_lua_write_request(L, call, prefix, base + 4, &refusal)
                     : pt_lua_write_arguments(L, call, prefix, arguments, &additions, &refusal);
  lua_settop(L, base + 3);
  return check_written(L, call, written, &refusal);
}

/* As fill_call; the call is ready to be submitted. */
static readiness make_call(lua_State *L, int base, const pt_operation *operation) {
  pt_client_options options;
  bool no_key;
  if (fill_call(L, base, operation, &options, &no_key) == REFUSED)
    return REFUSED;
  pt_lua_call *holder = lua_touserdata(L, base + 3);
  if (ask_for_keys(L, base, holder->call) == REFUSED)
    return REFUSED;
  return add_credential_and_headers(L, lua_touserdata(L, base), &options, holder->call, no_key);
}

int pt_lua_check_operation(lua_State *L, int base, const pt_operation *operation) {
  pt_client_options options;
  bool no_key;
  return fill_call(L, base, operation, &options, &no_key) == REFUSED ? 3 : 0;
}

/* ---- waiting for it ---- */

/* in: call at `index`; gives it a table of its own, so that its result can be kept */
static void give_own_table(lua_State *L, int client, int index) {
  lua_createtable(L, 3, 1);
  lua_pushvalue(L, client);
  lua_setfield(L, -2, "client");
  pt_setuservalue(L, index);
  ((pt_lua_call *)lua_touserdata(L, index))->own_table = true;
}

/* in: call at `index`, its three results at `results`; keeps them */
static void keep_results(lua_State *L, int index, int results) {
  pt_getuservalue(L, index);
  for (int i = 0; i < 3; i++) {
    lua_pushvalue(L, results + i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pop(L, 1);
}

/* Cancels a call that the host interrupts. in: the error; out: it takes the place of one that an
 * on_event raised. Returns its index. */
static int interrupt_call(lua_State *L, pt_call *call, int thrown) {
  if (call->state != PT_CALL_DONE)
    pt_engine_cancel(call->engine, call, PT_END_CANCELLED);
  if (thrown == 0)
    return lua_gettop(L);
  lua_replace(L, thrown);
  return thrown;
}

/* Gives the results of a call that is done, or raises what is at `thrown`, once its last
 * events were dispatched. */
static int finish_call(lua_State *L, int client_index, int call_index, pt_call *call, int thrown) {
  int results = pt_lua_push_result(L, call_index, call);
  call->settled = true;
  if (((pt_lua_call *)lua_touserdata(L, call_index))->own_table)
    keep_results(L, call_index, lua_gettop(L) - 2);
  while (pt_lua_dispatch_events(L, client_index, call) && thrown == 0)
    thrown = lua_gettop(L);
  if (thrown == 0)
    return results;
  lua_pushvalue(L, thrown);
  return lua_error(L);
}

/* Runs a submitted call to its end. An error thrown by on_event is kept, and raised when the call
   has ended: what was sent is never left half done. An error of a hook that the host sets meanwhile
   (SIGINT) ends the call, as closing the client does. */
static int run_call(lua_State *L, int client_index, int call_index, pt_call *call,
                    pt_lua_hooks *known) {
  int thrown = 0;
  while (call->state != PT_CALL_DONE) {
    pt_engine_run(call->engine, call, PT_INTERRUPT_SLICE);
    if (pt_lua_dispatch_events(L, client_index, call)) {
      bool interrupted = pt_lua_is_interrupt(L);
      if (interrupted)
        thrown = interrupt_call(L, call, thrown);
      else if (thrown == 0)
        thrown = lua_gettop(L);
    }
    if (call->state != PT_CALL_DONE && pt_lua_interrupted(L, known))
      thrown = interrupt_call(L, call, thrown);
  }
  return finish_call(L, client_index, call_index, call, thrown);
}

/* in: client, call; for a client with `wait`, called from C: works where the host's wait need not
   yield, or Lua can yield across C. out: the error of `wait`, when it returns false. */
static bool call_wait(lua_State *L, int client_index, int call_index) {
  pt_getuservalue(L, client_index);
  lua_getfield(L, -1, "wait");
  lua_remove(L, -2);
  lua_pushvalue(L, client_index);
  lua_pushvalue(L, call_index);
  return lua_pcall(L, 2, 0, 0) == 0;
}

int pt_lua_run_operation(lua_State *L, int base, const pt_operation *operation) {
  pt_lua_hooks known = pt_lua_known_hooks(L);
  if (make_call(L, base, operation) == REFUSED)
    return 3;
  const pt_lua_client *client = lua_touserdata(L, base);
  int call_index = lua_gettop(L);
  pt_call *call = ((pt_lua_call *)lua_touserdata(L, call_index))->call;
  if (client->has_wait) {
    give_own_table(L, base, call_index);
    if (client->engine == NULL)
      return pt_lua_push_closed(L, call);
    pt_engine_share_descriptor(call->engine);
  }
  pt_engine_submit(call->engine, call);
  if (client->has_wait && !call_wait(L, base, call_index)) {
    if (!pt_lua_is_interrupt(L)) /* the next step goes on with the call */
      return lua_error(L);
    return finish_call(L, base, call_index, call, interrupt_call(L, call, 0));
  }
  return run_call(L, base, call_index, call, &known);
}

/* in: call at `index`, nil, message, err at the top; out: call at the top. It is there to give the
 * refusal back. */
static int keep_refusal(lua_State *L, int client, int index) {
  pt_lua_call *holder = lua_touserdata(L, index);
  int results = lua_gettop(L) - 2;
  give_own_table(L, client, index);
  keep_results(L, index, results);
  lua_pushvalue(L, index);
  holder->call->state = PT_CALL_DONE;
  holder->call->settled = true;
  return 1;
}

int pt_lua_start_operation(lua_State *L, int base, const pt_operation *operation) {
  const pt_lua_client *client = lua_touserdata(L, base);
  int index = base + 3;
  if (make_call(L, base, operation) == REFUSED)
    return keep_refusal(L, base, index);
  give_own_table(L, base, index);
  pt_call *call = ((pt_lua_call *)lua_touserdata(L, index))->call;
  if (client->engine == NULL) {
    (void)pt_lua_push_closed(L, call);
    return keep_refusal(L, base, index);
  }
  pt_engine_share_descriptor(call->engine);
  pt_engine_submit(call->engine, call);
  return 1;
}

/* The operation of a call that only waits. */
static const pt_operation pause_operation = {.name = "pause"};

int pt_lua_start_pause(lua_State *L, int client_index, double seconds) {
  pt_lua_client *client = lua_touserdata(L, client_index);
  pt_call *call = push_call(L, client_index, &pause_operation);
  int index = lua_gettop(L);
  give_own_table(L, client_index, index);
  if (client->engine == NULL) {
    (void)pt_lua_push_closed(L, call);
    return keep_refusal(L, client_index, index);
  }
  call->owner = client;
  if (client->has_wait)
    pt_engine_share_descriptor(call->engine);
  pt_engine_submit_timer(call->engine, call, seconds);
  return 1;
}

/* ---- which calls are done ---- */

/* in: client's table; out: the table of watched calls by their number, shared with the clients made
 * by as_org */
static void push_watched(lua_State *L, int client) {
  pt_getuservalue(L, client);
  lua_getfield(L, -1, "watched");
  lua_remove(L, -2);
}

void pt_lua_watch(lua_State *L, int client, int index) {
  pt_call *call = pt_lua_check_call(L, index, "watch");
  if (call->announced || call->state == PT_CALL_DONE)
    return;
  call->announced = true; /* it may be done when it has been put into the table */
  push_watched(L, client);
  lua_pushnumber(L, (lua_Number)call->serial);
  lua_pushvalue(L, index);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

int pt_lua_next_done(lua_State *L, int client_index) {
  const pt_lua_client *client = lua_touserdata(L, client_index);
  pt_call *call = client->engine != NULL ? pt_engine_announced(client->engine) : NULL;
  if (call == NULL)
    return 0;
  lua_Number serial = (lua_Number)call->serial;
  pt_call_release(call); /* the watched table keeps it */
  push_watched(L, client_index);
  lua_pushnumber(L, serial);
  lua_rawget(L, -2);
  lua_pushnumber(L, serial);
  lua_pushnil(L);
  lua_rawset(L, -4);
  return 1;
}

/* ---- the call object ---- */

/* in: call; out: its client */
static void push_client_of(lua_State *L, int index) {
  pt_getuservalue(L, index);
  lua_getfield(L, -1, "client");
  lua_remove(L, -2);
}

/* in: call; out: boolean */
static int call_done(lua_State *L) {
  const pt_call *call = pt_lua_check_call(L, 1, "done");
  lua_pushboolean(L, call->state == PT_CALL_DONE);
  return 1;
}

/* in: call; out: data, nil, response or nil, message, err; nothing while it is not done */
static int call_result(lua_State *L) {
  pt_call *call = pt_lua_check_call(L, 1, "result");
  lua_settop(L, 1);
  if (call->state != PT_CALL_DONE)
    return 0;
  push_client_of(L, 1);
  pt_getuservalue(L, 1);
  if (!call->settled) {
    (void)pt_lua_push_result(L, 1, call);
    call->settled = true;
    keep_results(L, 1, lua_gettop(L) - 2);
    lua_settop(L, 3);
  }
  while (pt_lua_dispatch_events(L, 2, call)) {
    lua_getfield(L, 3, "thrown");
    bool first = lua_isnil(L, -1) != 0;
    lua_pop(L, 1);
    if (first)
      lua_setfield(L, 3, "thrown");
    else
      lua_pop(L, 1);
  }
  lua_getfield(L, 3, "thrown");
  if (!lua_isnil(L, -1)) { /* raised once; the result is still here */
    lua_pushnil(L);
    lua_setfield(L, 3, "thrown");
    return lua_error(L);
  }
  for (int i = 1; i <= 3; i++)
    lua_rawgeti(L, 3, i);
  return 3;
}

/* in: call */
static int call_cancel(lua_State *L) {
  pt_call *call = pt_lua_check_call(L, 1, "cancel");
  if (call->engine != NULL && call->state != PT_CALL_DONE)
    pt_engine_cancel(call->engine, call, PT_END_CANCELLED);
  return 0;
}

static int call_collect(lua_State *L) {
  pt_lua_call *holder = lua_touserdata(L, 1);
  pt_call *call = holder->call;
  holder->call = NULL;
  pt_call_release(call);
  return 0;
}

static int call_tostring(lua_State *L) {
  static const char *const states[] = {"new", "queued", "sending", "waiting to retry", "done"};
  const pt_call *call = pt_lua_check_call(L, 1, "tostring");
  lua_pushfstring(L, "polytomic.call (%s, %s)", call->operation->name, states[call->state]);
  return 1;
}

void pt_lua_open_call(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"done", call_done}, {"result", call_result}, {"cancel", call_cancel}, {NULL, NULL}};
  pt_lua_new_metatable(L, PT_CALL_METATABLE, &pt_call_key);
  pt_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, call_collect);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, call_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
}
