/* core_calls.c: see core_calls.h. */
#include "lua/core_calls.h"

#include "lua/call.h"
#include "lua/client.h"
#include "lua/request.h"
#include "lua/result.h"
#include "lua/text.h"

#include <math.h>

/* in: client, name, arguments, options; out: client, arguments, options. "request" is a request
 * outside the catalogue. */
static const pt_operation *take_operation(lua_State *L, const char *function) {
  (void)pt_lua_check_client(L, 1, function);
  const pt_operation *operation =
      pt_lua_is_text(L, 2, "request") ? &pt_request_operation : pt_lua_find_operation(L, 2);
  lua_settop(L, 4);
  lua_remove(L, 2);
  return operation;
}

/* start(client, name, arguments, options): as client:start, for "request" too */
static int calls_start(lua_State *L) {
  return pt_lua_start_operation(L, 1, take_operation(L, "start"));
}

/* run(client, name, arguments, options): as the plain method of a client without `wait` */
static int calls_run(lua_State *L) { return pt_lua_run_operation(L, 1, take_operation(L, "run")); }

/* check(client, name, arguments, options): out: nil, message, err where the operation would refuse
 * them, else nothing */
static int calls_check(lua_State *L) {
  return pt_lua_check_operation(L, 1, take_operation(L, "check"));
}

/* raise(message): raises it at the line that called the library */
static int calls_raise(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  return pt_lua_raise(L);
}

/* pause(client, seconds): out: a call that sends nothing and is done then */
static int calls_pause(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "pause");
  double seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, isfinite(seconds), 2, "a finite number of seconds");
  return pt_lua_start_pause(L, 1, seconds);
}

/* make_error(source, kind, outcome, detail, members): out: nil, message, err. `source` is a
 * response, or the name of an operation. */
static int calls_make_error(lua_State *L) {
  lua_settop(L, 5);
  return pt_lua_push_made_error(L, 1);
}

/* watch(client, call): next_done will give the call when it is done; nothing when it is already */
static int calls_watch(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "watch");
  pt_lua_watch(L, 1, 2);
  return 0;
}

/* next_done(client): out: a watched call that is done since, or nil */
static int calls_next_done(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "next_done");
  if (pt_lua_next_done(L, 1) == 0)
    lua_pushnil(L);
  return 1;
}

/* be_patient(call): in: call, just begun; answers 429 do not count against its `retries` */
static int calls_be_patient(lua_State *L) {
  pt_lua_check_call(L, 1, "be_patient")->patient = true;
  return 0;
}

void pt_lua_add_calls(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"start", calls_start},           {"run", calls_run},
      {"check", calls_check},           {"raise", calls_raise},
      {"pause", calls_pause},           {"make_error", calls_make_error},
      {"watch", calls_watch},           {"next_done", calls_next_done},
      {"be_patient", calls_be_patient}, {NULL, NULL}};
  pt_setfuncs(L, functions);
}
