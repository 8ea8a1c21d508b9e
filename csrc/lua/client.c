/* client.c: see client.h. */
#include "lua/client.h"

#include "base/clock.h"
#include "lua/call.h"
#include "lua/interrupt.h"
#include "lua/options.h"
#include "lua/request.h"
#include "lua/set.h"
#include "lua/text.h"

#include <math.h>
#include <string.h>

/* ---- making one ---- */

/* in: -, out: client, zeroed, with its metatable and its table */
static pt_lua_client *push_client(lua_State *L) {
  pt_lua_client *client = pt_newuserdata(L, sizeof *client);
  memset(client, 0, sizeof *client);
  pt_lua_give_metatable(L, &pt_client_key);
  lua_createtable(L, 0, 5);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "client");
  lua_newtable(L);
  lua_setfield(L, -2, "deprecated");
  lua_newtable(L);
  lua_setfield(L, -2, "watched");
  pt_setuservalue(L, -2);
  return client;
}

/* in: client at `index`, wait, on_event and functions of keys at the top; out: all gone */
static void keep_functions(lua_State *L, int index, pt_lua_client *client) {
  client->has_key_functions = !lua_isnil(L, -1);
  client->has_on_event = !lua_isnil(L, -2);
  client->has_wait = !lua_isnil(L, -3);
  pt_getuservalue(L, index);
  lua_insert(L, -4);
  lua_setfield(L, -4, "keys");
  lua_setfield(L, -3, "on_event");
  lua_setfield(L, -2, "wait");
  lua_pop(L, 1);
}

int pt_lua_new_client(lua_State *L, int index) {
  lua_settop(L, index);
  pt_lua_client *client = push_client(L);
  int self = lua_gettop(L);
  pt_lua_read_client_options(L, index, &client->config, &client->options);
  keep_functions(L, self, client);
  client->engine = pt_engine_new(&client->config);
  if (client->engine == NULL)
    return luaL_error(L, "not enough memory");
  lua_settop(L, self);
  return 1;
}

/* in: client; out: a client that shares its connections, and what belongs to them: who waits for
 * which call, and which deprecations were reported */
static pt_lua_client *push_sharing(lua_State *L, int index, const char *method) {
  static const char *const shared[] = {"watched", "deprecated"};
  const pt_lua_client *client = lua_touserdata(L, index);
  pt_lua_client *other = push_client(L);
  pt_getuservalue(L, index);
  pt_getuservalue(L, -2);
  for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++) {
    lua_getfield(L, -2, shared[i]);
    lua_setfield(L, -2, shared[i]);
  }
  lua_pop(L, 2);
  if (client->engine == NULL) /* now, or by a finalizer */
    pt_lua_error(L, "%s: the client was closed", method);
  other->options = client->options;
  pt_engine_retain(client->engine);
  other->engine = client->engine;
  return other;
}

int pt_lua_push_companion(lua_State *L, int index) {
  (void)push_sharing(L, index, "companion");
  return 1;
}

int pt_lua_push_connections(lua_State *L, int index) {
  pt_getuservalue(L, index);
  lua_getfield(L, -1, "watched");
  return 1;
}

/* in: client at `index`; out: one that shares its connections, and behaves the same */
static pt_lua_client *push_derived(lua_State *L, int index, const char *method) {
  pt_lua_client *derived = push_sharing(L, index, method);
  int self = lua_gettop(L);
  pt_getuservalue(L, index);
  lua_getfield(L, -1, "wait");
  lua_getfield(L, -2, "on_event");
  lua_getfield(L, -3, "keys");
  keep_functions(L, self, derived);
  lua_settop(L, self);
  return derived;
}

int pt_lua_push_with_key(lua_State *L, int index, pt_key_kind kind) {
  pt_lua_client *derived = push_derived(L, index, "check");
  for (int other = PT_KEY_API; other <= PT_KEY_DEPLOYMENT; other++)
    derived->options.without_key[other] = other != (int)kind;
  return 1;
}

/* as_org(org_id): in: client, organization; out: a client that shares the engine */
static int client_as_org(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "as_org");
  size_t length = 0;
  const char *organization = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &length) : "";
  if (!pt_uuid_valid(organization, length))
    return pt_lua_error(L, "as_org: organization must be a UUID");
  pt_lua_client *derived = push_derived(L, 1, "as_org");
  memcpy(derived->options.organization, organization, PT_UUID_LENGTH + 1);
  return 1;
}

static void close_client(pt_lua_client *client) {
  pt_engine *engine = client->engine;
  client->engine = NULL;
  if (engine != NULL)
    pt_engine_close_owner(engine, client);
  pt_lua_forget_credentials(client);
  pt_engine_release(engine);
  pt_config_free(&client->config);
}

/* ---- methods ---- */

static int client_close(lua_State *L) {
  close_client(pt_lua_check_client(L, 1, "close"));
  return 0;
}

static int client_collect(lua_State *L) {
  close_client(lua_touserdata(L, 1));
  return 0;
}

/* The key the client is known by: the one its widest operations use. */
static pt_key_kind shown_key(const pt_config *config) {
  static const pt_key_kind order[] = {PT_KEY_PARTNER, PT_KEY_DEPLOYMENT, PT_KEY_API};
  for (size_t i = 0; i < 3; i++)
    if (config->keys[order[i]].bytes != NULL ||
        config->key_sources[order[i]] == PT_KEY_FROM_FUNCTION)
      return order[i];
  return PT_KEY_NONE;
}

static int client_tostring(lua_State *L) {
  const pt_lua_client *client = pt_lua_check_client(L, 1, "tostring");
  const pt_config *config = pt_lua_hold_config(L, 1);
  if (config == NULL) {
    lua_pushliteral(L, PT_CLIENT_METATABLE " (closed)");
    return 1;
  }
  const char *host = strstr(config->base_url.origin, "://") + 3;
  pt_key_kind kind = shown_key(config);
  char masked[64] = "";
  if (kind != PT_KEY_NONE && config->keys[kind].bytes == NULL) {
    memcpy(masked, " of a function", sizeof " of a function");
  } else if (kind != PT_KEY_NONE) {
    pt_buffer out = {0};
    pt_secret_add_masked(&out, &config->keys[kind]);
    if (!out.failed && out.length < sizeof masked - 1) {
      masked[0] = ' ';
      memcpy(masked + 1, out.bytes, out.length + 1);
    }
    pt_buffer_wipe(&out);
  }
  lua_pushfstring(L, PT_CLIENT_METATABLE " (%s%s, %s%s%s%s)", host, config->base_url.prefix,
                  pt_key_label(kind), masked,
                  client->options.organization[0] != '\0' ? ", organization " : "",
                  client->options.organization);
  return 1;
}

const pt_operation *pt_lua_find_operation(lua_State *L, int index) {
  size_t length;
  const char *name = luaL_checklstring(L, index, &length);
  const pt_operation *operation = pt_operation_find(name, length);
  if (operation != NULL)
    return operation;
  const char *nearest = pt_operation_nearest(name, length);
  char shown[PT_LUA_NAME_SIZE];
  (void)pt_lua_error(L, "unknown operation '%s'%s%s%s", pt_lua_copy_name(L, index, shown),
                     nearest != NULL ? ", did you mean '" : "", nearest != NULL ? nearest : "",
                     nearest != NULL ? "'?" : "");
  return NULL;
}

/* in: client, name, arguments, options; out: call */
static int client_start(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "start");
  if (lua_type(L, 2) != LUA_TSTRING)
    return pt_lua_error(L, "start: the first argument must be an operation's name, got %s",
                        luaL_typename(L, 2));
  const pt_operation *operation = pt_lua_find_operation(L, 2);
  lua_remove(L, 2);
  return pt_lua_start_operation(L, 1, operation);
}

/* request{ method=, path=, query=, body= }: in: client, request, options; out: as an operation */
static int client_request(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "request");
  return pt_lua_run_operation(L, 1, &pt_request_operation);
}

/* As pt_engine_step; ends early for a hook that the host sets meanwhile (SIGINT). Raises the error
 * of one that was set on the main thread while a coroutine runs, and so would not run. */
static size_t step(lua_State *L, const pt_lua_client *client, double seconds) {
  bool moved;
  if (seconds <= 0)
    return pt_engine_step(client->engine, 0, &moved);
  pt_lua_hooks known = pt_lua_known_hooks(L);
  double end = pt_clock_monotonic() + seconds, left = seconds;
  size_t active;
  do {
    active = pt_engine_step(client->engine, fmin(left, PT_INTERRUPT_SLICE), &moved);
    if (pt_lua_interrupted(L, &known))
      (void)lua_error(L);
    if (client->engine == NULL) /* a hook may close the client */
      return 0;
    left = end - pt_clock_monotonic();
  } while (!moved && active > 0 && left > 0);
  return active;
}

/* in: client, seconds or none; out: number of calls not done */
static int client_step(lua_State *L) {
  const pt_lua_client *client = pt_lua_check_client(L, 1, "step");
  double seconds = 0;
  if (!lua_isnoneornil(L, 2)) {
    if (lua_type(L, 2) != LUA_TNUMBER)
      return pt_lua_error(L, "step: seconds must be a number, got %s", luaL_typename(L, 2));
    seconds = lua_tonumber(L, 2);
    if (!isfinite(seconds) || seconds < 0)
      return pt_lua_error(L, "step: seconds must be finite and not negative");
  }
  if (client->engine == NULL)
    lua_pushinteger(L, 0);
  else
    lua_pushinteger(L, (lua_Integer)step(L, client, seconds));
  return 1;
}

/* in: client; out: descriptor, or nil where the system has none */
static int client_pollfd(lua_State *L) {
  pt_lua_client *client = pt_lua_check_client(L, 1, "pollfd");
  int descriptor = client->engine == NULL ? -1 : pt_engine_descriptor(client->engine);
  if (descriptor < 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, descriptor);
  return 1;
}

/* in: client; out: "r": what to poll the descriptor for */
static int client_events(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "events");
  lua_pushliteral(L, "r");
  return 1;
}

/* in: client; out: seconds until a step is wanted, or nil */
static int client_timeout(lua_State *L) {
  pt_lua_client *client = pt_lua_check_client(L, 1, "timeout");
  double seconds = client->engine == NULL ? INFINITY : pt_engine_timeout(client->engine);
  if (seconds == INFINITY)
    lua_pushnil(L);
  else
    lua_pushnumber(L, seconds);
  return 1;
}

/* in: client; out: table of counts, of every client that shares the connections */
static int client_stats(lua_State *L) {
  const pt_lua_client *client = pt_lua_check_client(L, 1, "stats");
  pt_engine_stats stats = {0};
  if (client->engine != NULL)
    stats = pt_engine_stats_of(client->engine);
  lua_createtable(L, 0, 9);
  pt_set_integer(L, "calls", (double)stats.calls);
  pt_set_integer(L, "attempts", (double)stats.attempts);
  pt_set_integer(L, "retries", (double)stats.retries);
  pt_set_integer(L, "failures", (double)stats.failures);
  pt_set_integer(L, "connections_opened", (double)stats.connections_opened);
  pt_set_integer(L, "connections_reused", (double)stats.connections_reused);
  pt_set_integer(L, "active", (double)stats.active);
  pt_set_integer(L, "queued", (double)stats.queued);
  pt_set_number(L, "retry_tokens", stats.retry_tokens);
  return 1;
}

/* A plain method: in: client, arguments, options; upvalue: operation */
static int client_operation(lua_State *L) {
  const pt_operation *operation = lua_touserdata(L, lua_upvalueindex(1));
  if (pt_lua_to_client(L, 1) == NULL)
    return pt_lua_error(L, "%s: use a colon: client:%s{…}", operation->name, operation->name);
  return pt_lua_run_operation(L, 1, operation);
}

/* __index: in: client, name; upvalues: methods, methods of clients with `wait` */
static int client_index(lua_State *L) {
  const pt_lua_client *client = lua_touserdata(L, 1);
  lua_settop(L, 2);
  if (client->has_wait) {
    lua_pushvalue(L, 2);
    lua_gettable(L, lua_upvalueindex(2));
    if (!lua_isnil(L, -1))
      return 1;
    lua_pop(L, 1);
  }
  lua_gettable(L, lua_upvalueindex(1));
  return 1;
}

/* __index of a table of functions: in: table, name; upvalue: what becomes of an operation; out: the
 * operation's function, kept in the table, or nil */
static int function_on_demand(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t length;
  const pt_operation *found = NULL;
  if (lua_type(L, 2) == LUA_TSTRING) {
    const char *name = lua_tolstring(L, 2, &length);
    found = pt_operation_find(name, length);
  }
  if (found == NULL)
    return 0;
  union {
    const pt_operation *operation;
    void *pointer;
  } upvalue = {found};
  lua_settop(L, 2);
  lua_pushlightuserdata(L, upvalue.pointer);
  lua_pushcclosure(L, lua_tocfunction(L, lua_upvalueindex(1)), 1);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_rawset(L, 1);
  return 1;
}

void pt_lua_add_operations(lua_State *L, lua_CFunction function) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, function);
  lua_pushcclosure(L, function_on_demand, 1);
  lua_setfield(L, -2, "__index");
  lua_pushliteral(L, "protected");
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
}

void pt_lua_open_client(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", client_close},     {"start", client_start},
                                     {"step", client_step},       {"pollfd", client_pollfd},
                                     {"events", client_events},   {"timeout", client_timeout},
                                     {"stats", client_stats},     {"as_org", client_as_org},
                                     {"request", client_request}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__gc", client_collect},
                                         {"__close", client_collect},
                                         {"__tostring", client_tostring},
                                         {NULL, NULL}};
  pt_lua_new_metatable(L, PT_CLIENT_METATABLE, &pt_client_key);
  pt_setfuncs(L, metamethods);
  pt_newlib(L, methods);
  pt_lua_add_operations(L, client_operation);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, PT_CLIENT_METATABLE ".methods");
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, PT_CLIENT_METATABLE ".waiting");
  lua_pushcclosure(L, client_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
