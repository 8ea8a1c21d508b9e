/* module.c: the module polytomic.core. */
#include "http/libcurl.h"
#include "lua/array.h"
#include "lua/call.h"
#include "lua/catalogue.h"
#include "lua/client.h"
#include "lua/core_calls.h"
#include "lua/core_clients.h"
#include "lua/interrupt.h"
#include "lua/response.h"
#include "lua/set.h"
#include "lua/system.h"
#include "lua/text.h"

int luaopen_polytomic_core(lua_State *L);

/* In the registry: the default client of the module functions, and this module, which stays the
 * same when it is loaded again: what was loaded before goes on with it. */
static const char default_key = 0;
static const char core_key = 0;

/* ---- the default client ---- */

/* in: -, out: the default client, made from the environment when there is none */
static void push_default(lua_State *L) {
  pt_rawgetp(L, LUA_REGISTRYINDEX, &default_key);
  if (!lua_isnil(L, -1))
    return;
  lua_pop(L, 1);
  int top = lua_gettop(L);
  lua_pushnil(L);
  (void)pt_lua_new_client(L, top + 1);
  lua_remove(L, top + 1);
  lua_pushvalue(L, -1);
  pt_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
}

/* client(): out: the default client */
static int module_client(lua_State *L) {
  lua_settop(L, 0);
  push_default(L);
  return 1;
}

/* Whether the value at `index` is the module itself: a function of it was called with a colon. */
static bool is_module(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE || lua_getmetatable(L, index) == 0)
    return false;
  lua_getfield(L, -1, "__name");
  bool found = pt_lua_is_text(L, -1, "polytomic");
  lua_pop(L, 2);
  return found;
}

/* Raises where what makes a client was called with a colon. */
static void check_maker(lua_State *L, const char *name) {
  if (is_module(L, 1))
    (void)pt_lua_error(L, "%s: use a dot: polytomic.%s{…}", name, name);
}

/* new(options): out: client */
static int module_new(lua_State *L) {
  check_maker(L, "new");
  return pt_lua_new_client(L, 1);
}

/* configure(options): makes and returns the default client; the one before is not closed, since
 * calls of it may be under way */
static int module_configure(lua_State *L) {
  check_maker(L, "configure");
  (void)pt_lua_new_client(L, 1);
  lua_pushvalue(L, -1);
  pt_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
  return 1;
}

/* Raises where a module function was called with a client or the module before the arguments. */
static void check_dot(lua_State *L, int index, const char *name) {
  if (pt_lua_to_client(L, index) != NULL || is_module(L, index))
    (void)pt_lua_error(L, "%s: this is the module's function: polytomic.%s{…}, or client:%s{…}",
                       name, name, name);
}

/* check_dot(name, arguments) */
static int module_check_dot(lua_State *L) {
  check_dot(L, 2, luaL_checkstring(L, 1));
  return 0;
}

/* A module function: in: arguments, options; upvalue: operation */
static int module_operation(lua_State *L) {
  const pt_operation *operation = lua_touserdata(L, lua_upvalueindex(1));
  check_dot(L, 1, operation->name);
  lua_settop(L, 2);
  push_default(L);
  lua_insert(L, 1);
  return pt_lua_run_operation(L, 1, operation);
}

/* default_waits(): out: whether there is a default client already, with `wait` */
static int module_default_waits(lua_State *L) {
  pt_rawgetp(L, LUA_REGISTRYINDEX, &default_key);
  const pt_lua_client *client = lua_touserdata(L, -1);
  lua_pushboolean(L, client != NULL && client->has_wait);
  return 1;
}

/* out: the functions below and those that are added; functions=, methods=, waiting=, null=,
 * array_mt=, version= and libcurl=; no I/O, no global */
int luaopen_polytomic_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"new", module_new},
                                       {"configure", module_configure},
                                       {"client", module_client},
                                       {"check_dot", module_check_dot},
                                       {"default_waits", module_default_waits},
                                       {NULL, NULL}};
  pt_rawgetp(L, LUA_REGISTRYINDEX, &core_key);
  if (!lua_isnil(L, -1))
    return 1;
  lua_pop(L, 1);
  pt_lua_open_array(L);
  pt_lua_open_interrupt(L);
  pt_lua_open_response(L);
  pt_lua_open_call(L);
  pt_lua_open_client(L);
  pt_newlib(L, functions);
  pt_lua_add_catalogue(L);
  pt_lua_add_calls(L);
  pt_lua_add_clients(L);
  pt_lua_add_system(L);
  lua_newtable(L);
  pt_lua_add_operations(L, module_operation);
  lua_setfield(L, -2, "functions");
  lua_getfield(L, LUA_REGISTRYINDEX, PT_CLIENT_METATABLE ".methods");
  lua_setfield(L, -2, "methods");
  lua_getfield(L, LUA_REGISTRYINDEX, PT_CLIENT_METATABLE ".waiting");
  lua_setfield(L, -2, "waiting");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  pt_lua_push_array_metatable(L);
  lua_setfield(L, -2, "array_mt");
  pt_set_string(L, "version", PT_VERSION);
  pt_set_string(L, "libcurl", pt_libcurl_version());
  lua_pushvalue(L, -1);
  pt_rawsetp(L, LUA_REGISTRYINDEX, &core_key);
  return 1;
}
