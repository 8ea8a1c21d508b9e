/* module.c: the module polytomic.core. */
#include "base/clock.h"
#include "base/nearest.h"
#include "base/terminal.h"
#include "base/unicode.h"
#include "http/libcurl.h"
#include "lua/array.h"
#include "lua/call.h"
#include "lua/interrupt.h"
#include "lua/client.h"
#include "lua/request.h"
#include "lua/response.h"
#include "lua/result.h"
#include "lua/set.h"
#include "lua/system.h"
#include "lua/text.h"

#include <math.h>
#include <unistd.h>

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

/* new(options): out: client */
static int module_new(lua_State *L) { return pt_lua_new_client(L, 1); }

/* configure(options): makes and returns the default client; the one before is not closed, since
 * calls of it may be under way */
static int module_configure(lua_State *L) {
  (void)pt_lua_new_client(L, 1);
  lua_pushvalue(L, -1);
  pt_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
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

/* ---- what the module says about itself ---- */

static const char *type_word(const pt_type *type) {
  static const char *const words[] = {"any",   "string", "integer", "number", "boolean",
                                      "array", "map",    "object",  "any"};
  return words[type->kind];
}

/* in: -, out: { name=, type=, element=, location=, required=, deprecated=, secret=, format= } */
static void push_argument(lua_State *L, const pt_field *field) {
  static const char *const locations[] = {"path", "query", "body"};
  lua_createtable(L, 0, 8);
  pt_set_string(L, "name", field->name);
  pt_set_string(L, "type", type_word(field->type));
  if (field->type->element != NULL)
    pt_set_string(L, "element", type_word(field->type->element));
  pt_set_string(L, "schema", field->type->name);
  pt_set_string(L, "location", locations[field->location]);
  if (field->type->format == PT_FORMAT_UUID)
    pt_set_string(L, "format", "uuid");
  else if (field->type->format == PT_FORMAT_DATE_TIME)
    pt_set_string(L, "format", "date-time");
  else if (field->type->format == PT_FORMAT_EMAIL)
    pt_set_string(L, "format", "email");
  pt_set_boolean(L, "required", field->required);
  pt_set_boolean(L, "deprecated", field->deprecated);
  pt_set_boolean(L, "secret", field->secret);
}

static const char *const pagination_words[] = {NULL, "page_token", "links", "cursor",
                                               "time_window"};

/* in: operation; out: the same with how its pages follow each other */
static void set_pagination(lua_State *L, const pt_pagination *pages) {
  pt_set_boolean(L, "paginated", pages->kind != PT_PAGES_NONE);
  if (pages->items_field == NULL)
    return;
  lua_createtable(L, 0, 8);
  pt_set_string(L, "kind", pagination_words[pages->kind]);
  pt_set_string(L, "token_field", pages->token_field);
  pt_set_string(L, "limit_field", pages->limit_field);
  pt_set_string(L, "response_field", pages->response_field);
  pt_set_string(L, "window_end_field", pages->window_end_field);
  pt_set_string(L, "items_field", pages->items_field);
  if (pages->limit_max != 0)
    pt_set_integer(L, "limit_max", pages->limit_max);
  lua_setfield(L, -2, "pages");
}

static void push_operation(lua_State *L, const pt_operation *operation) {
  static const char *const auths[] = {"user", "partner", "unspecified", "connect_token"};
  lua_createtable(L, 0, 12);
  pt_set_string(L, "name", operation->name);
  pt_set_string(L, "id", operation->id);
  pt_set_string(L, "method", pt_method_name(operation->method));
  pt_set_string(L, "path", operation->path);
  pt_set_string(L, "auth", auths[operation->auth]);
  pt_set_string(L, "summary", operation->summary);
  pt_set_string(L, "response_type", operation->response_type);
  pt_set_boolean(L, "envelope", operation->envelope);
  pt_set_boolean(L, "idempotent",
                 operation->method != PT_METHOD_POST && operation->method != PT_METHOD_PATCH);
  set_pagination(L, &operation->pagination);
  lua_createtable(L, (int)operation->field_count, 0);
  for (size_t i = 0; i < operation->field_count; i++) {
    push_argument(L, &operation->fields[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "arguments");
}

/* describe(name): out: that operation, or nil; without a name: array of all operations, by name */
static int module_describe(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) {
    size_t length;
    const char *name = luaL_checklstring(L, 1, &length);
    const pt_operation *operation = pt_operation_find(name, length);
    if (operation != NULL)
      push_operation(L, operation);
    else
      lua_pushnil(L);
    return 1;
  }
  lua_createtable(L, (int)pt_operation_count, 0);
  for (size_t i = 0; i < pt_operation_count; i++) {
    push_operation(L, &pt_operations[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

/* nearest(name, names or nil): out: the name of the list, or else of an operation, that is closest
 * to a mistaken one; or nil */
static int module_nearest(lua_State *L) {
  size_t length;
  const char *name = luaL_checklstring(L, 1, &length);
  if (lua_isnoneornil(L, 2)) {
    lua_pushstring(L, pt_operation_nearest(name, length));
    return 1;
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  pt_nearest search = pt_nearest_begin(name, length);
  for (int i = 1; i <= (int)pt_rawlen(L, 2); i++, lua_pop(L, 1)) {
    lua_rawgeti(L, 2, i);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2, "names are strings"); /* the list's own */
    pt_nearest_consider(&search, lua_tostring(L, -1));
  }
  lua_pushstring(L, search.best);
  return 1;
}

/* valid_utf8(text): out: boolean */
static int module_valid_utf8(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  lua_pushboolean(L, pt_unicode_valid(text, length));
  return 1;
}

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
static int module_start(lua_State *L) {
  return pt_lua_start_operation(L, 1, take_operation(L, "start"));
}

/* run(client, name, arguments, options): as the plain method of a client without `wait` */
static int module_run(lua_State *L) { return pt_lua_run_operation(L, 1, take_operation(L, "run")); }

/* check(client, name, arguments, options): out: nil, message, err where the operation would refuse
 * them, else nothing */
static int module_check(lua_State *L) {
  return pt_lua_check_operation(L, 1, take_operation(L, "check"));
}

/* raise(message): raises it at the line that called the library */
static int module_raise(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  return pt_lua_raise(L);
}

/* pause(client, seconds): out: a call that sends nothing and is done then */
static int module_pause(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "pause");
  double seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, isfinite(seconds), 2, "a finite number of seconds");
  return pt_lua_start_pause(L, 1, seconds);
}

/* now(): out: monotonic seconds */
static int module_now(lua_State *L) {
  lua_pushnumber(L, pt_clock_monotonic());
  return 1;
}

/* timeout_of(client): out: seconds a call may take where its options do not say */
static int module_timeout_of(lua_State *L) {
  lua_pushnumber(L, pt_lua_check_client(L, 1, "timeout_of")->options.limits.timeout);
  return 1;
}

/* same_origin(client, link): out: whether the link leads to the client's own server */
static int module_same_origin(lua_State *L) {
  const pt_lua_client *client = pt_lua_check_client(L, 1, "same_origin");
  size_t length;
  const char *link = luaL_checklstring(L, 2, &length);
  lua_pushboolean(
      L, client->engine != NULL &&
             pt_url_same_origin(&pt_engine_config(client->engine)->base_url, link, length));
  return 1;
}

/* base_url(client): out: the address its calls go to, without a trailing slash; "" once closed */
static int module_base_url(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "base_url");
  const pt_config *config = pt_lua_hold_config(L, 1);
  if (config == NULL)
    lua_pushliteral(L, "");
  else
    lua_pushfstring(L, "%s%s", config->base_url.origin, config->base_url.prefix);
  return 1;
}

/* make_error(source, kind, outcome, detail, members): out: nil, message, err. `source` is a
 * response, or the name of an operation. */
static int module_make_error(lua_State *L) {
  lua_settop(L, 5);
  return pt_lua_push_made_error(L, 1);
}

/* is_client(value): out: boolean */
static int module_is_client(lua_State *L) {
  lua_pushboolean(L, pt_lua_to_client(L, 1) != NULL);
  return 1;
}

/* default_waits(): out: whether there is a default client already, with `wait` */
static int module_default_waits(lua_State *L) {
  pt_rawgetp(L, LUA_REGISTRYINDEX, &default_key);
  const pt_lua_client *client = lua_touserdata(L, -1);
  lua_pushboolean(L, client != NULL && client->has_wait);
  return 1;
}

/* wait_of(client): out: its `wait`, or nil */
static int module_wait_of(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "wait_of");
  pt_getuservalue(L, 1);
  lua_getfield(L, -1, "wait");
  return 1;
}

/* watch(client, call): next_done will give the call when it is done; nothing when it is already */
static int module_watch(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "watch");
  pt_lua_watch(L, 1, 2);
  return 0;
}

/* next_done(client): out: a watched call that is done since, or nil */
static int module_next_done(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "next_done");
  if (pt_lua_next_done(L, 1) == 0)
    lua_pushnil(L);
  return 1;
}

/* companion(client): out: a client that shares its connections and is not closed with it */
static int module_companion(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "companion");
  return pt_lua_push_companion(L, 1);
}

/* connections(client): out: a table by which its connections can be known */
static int module_connections(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "connections");
  return pt_lua_push_connections(L, 1);
}

/* keys(client): out: its URL, then an array of { kind =, source = } for each key it has: the name
 * of the option, and that of the variable it comes from, "option" or "function" */
static int module_keys(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "keys");
  const pt_config *config = pt_lua_hold_config(L, 1);
  if (config == NULL)
    return pt_lua_error(L, "check: the client was closed");
  lua_pushfstring(L, "%s%s", config->base_url.origin, config->base_url.prefix);
  lua_newtable(L);
  for (int kind = PT_KEY_API, count = 0; kind <= PT_KEY_DEPLOYMENT; kind++) {
    pt_key_source source = config->key_sources[kind];
    if (config->keys[kind].bytes == NULL && source != PT_KEY_FROM_FUNCTION)
      continue;
    lua_createtable(L, 0, 2);
    pt_set_string(L, "kind", pt_key_option((pt_key_kind)kind));
    pt_set_string(L, "source",
                  source == PT_KEY_FROM_ENVIRONMENT ? pt_key_variable((pt_key_kind)kind)
                  : source == PT_KEY_FROM_FUNCTION  ? "function"
                                                    : "option");
    lua_rawseti(L, -2, ++count);
  }
  return 2;
}

/* with_key(client, kind): out: a client that shares its connections and uses that key only */
static int module_with_key(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "with_key");
  unsigned kind = PT_KEY_API;
  while (kind < PT_KEY_DEPLOYMENT && !pt_lua_is_text(L, 2, pt_key_option((pt_key_kind)kind)))
    kind++;
  return pt_lua_push_with_key(L, 1, (pt_key_kind)kind);
}

/* slow_downs(client): out: how many replies with status 429 its connections have brought */
static int module_slow_downs(lua_State *L) {
  const pt_lua_client *client = pt_lua_check_client(L, 1, "slow_downs");
  lua_pushnumber(
      L, client->engine == NULL ? 0 : (lua_Number)pt_engine_stats_of(client->engine).rate_limited);
  return 1;
}

/* be_patient(call): in: call, just begun; answers 429 do not count against its `retries` */
static int module_be_patient(lua_State *L) {
  pt_lua_check_call(L, 1, "be_patient")->patient = true;
  return 0;
}

/* is_terminal(descriptor): out: boolean */
static int module_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* terminal_columns(descriptor): out: integer, or nil where the descriptor is none or does not say
 */
static int module_terminal_columns(lua_State *L) {
  int columns = pt_terminal_columns((int)luaL_checkinteger(L, 1));
  if (columns > 0)
    lua_pushinteger(L, columns);
  else
    lua_pushnil(L);
  return 1;
}

/* readable(descriptor, seconds): waits so long; out: boolean, false also where a signal came */
static int module_readable(lua_State *L) {
  lua_pushboolean(L, pt_terminal_readable((int)luaL_checkinteger(L, 1), luaL_checknumber(L, 2)));
  return 1;
}

/* out: the functions below, { functions=, methods=, waiting=, null=, array_mt=, version=, libcurl=
 * }; no I/O, no global */
int luaopen_polytomic_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"new", module_new},
                                       {"configure", module_configure},
                                       {"client", module_client},
                                       {"describe", module_describe},
                                       {"nearest", module_nearest},
                                       {"valid_utf8", module_valid_utf8},
                                       {"start", module_start},
                                       {"run", module_run},
                                       {"check", module_check},
                                       {"check_dot", module_check_dot},
                                       {"raise", module_raise},
                                       {"pause", module_pause},
                                       {"now", module_now},
                                       {"timeout_of", module_timeout_of},
                                       {"same_origin", module_same_origin},
                                       {"base_url", module_base_url},
                                       {"make_error", module_make_error},
                                       {"wait_of", module_wait_of},
                                       {"is_client", module_is_client},
                                       {"default_waits", module_default_waits},
                                       {"watch", module_watch},
                                       {"next_done", module_next_done},
                                       {"companion", module_companion},
                                       {"connections", module_connections},
                                       {"keys", module_keys},
                                       {"with_key", module_with_key},
                                       {"slow_downs", module_slow_downs},
                                       {"be_patient", module_be_patient},
                                       {"is_terminal", module_is_terminal},
                                       {"terminal_columns", module_terminal_columns},
                                       {"readable", module_readable},
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
