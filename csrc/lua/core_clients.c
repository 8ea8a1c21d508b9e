/* core_clients.c: see core_clients.h. */
#include "lua/core_clients.h"

#include "lua/call.h"
#include "lua/client.h"
#include "lua/set.h"
#include "lua/text.h"

/* timeout_of(client): out: seconds a call may take where its options do not say */
static int clients_timeout_of(lua_State *L) {
  lua_pushnumber(L, pt_lua_check_client(L, 1, "timeout_of")->options.limits.timeout);
  return 1;
}

/* same_origin(client, link): out: whether the link leads to the client's own server */
static int clients_same_origin(lua_State *L) {
  const pt_lua_client *client = pt_lua_check_client(L, 1, "same_origin");
  size_t length;
  const char *link = luaL_checklstring(L, 2, &length);
  pt_engine *engine = client->engine;
  lua_pushboolean(L, engine != NULL &&
                         pt_url_same_origin(&pt_engine_config(engine)->base_url, link, length));
  return 1;
}

/* base_url(client): out: the address its calls go to, without a trailing slash; "" once closed */
static int clients_base_url(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "base_url");
  const pt_config *config = pt_lua_hold_config(L, 1);
  if (config == NULL)
    lua_pushliteral(L, "");
  else
    lua_pushfstring(L, "%s%s", config->base_url.origin, config->base_url.prefix);
  return 1;
}

/* is_client(value): out: boolean */
static int clients_is_client(lua_State *L) {
  lua_pushboolean(L, pt_lua_to_client(L, 1) != NULL);
  return 1;
}

/* wait_of(client): out: its `wait`, or nil */
static int clients_wait_of(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "wait_of");
  pt_getuservalue(L, 1);
  lua_getfield(L, -1, "wait");
  return 1;
}

/* companion(client): out: a client that shares its connections and is not closed with it */
static int clients_companion(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "companion");
  return pt_lua_push_companion(L, 1);
}

/* connections(client): out: a table by which its connections can be known */
static int clients_connections(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "connections");
  return pt_lua_push_connections(L, 1);
}

/* keys(client): out: its URL, then an array of { kind =, source = } for each key it has: the name
 * of the option, and that of the variable it comes from, "option" or "function" */
static int clients_keys(lua_State *L) {
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
static int clients_with_key(lua_State *L) {
  (void)pt_lua_check_client(L, 1, "with_key");
  unsigned kind = PT_KEY_API;
  while (kind < PT_KEY_DEPLOYMENT && !pt_lua_is_text(L, 2, pt_key_option((pt_key_kind)kind)))
    kind++;
  return pt_lua_push_with_key(L, 1, (pt_key_kind)kind);
}

/* slow_downs(client): out: how many replies with status 429 its connections have brought */
static int clients_slow_downs(lua_State *L) {
  const pt_lua_client *client = pt_lua_check_client(L, 1, "slow_downs");
  pt_engine *engine = client->engine;
  lua_pushnumber(L, engine == NULL ? 0 : (lua_Number)pt_engine_stats_of(engine).rate_limited);
  return 1;
}

void pt_lua_add_clients(lua_State *L) {
  static const luaL_Reg functions[] = {{"timeout_of", clients_timeout_of},
                                       {"same_origin", clients_same_origin},
                                       {"base_url", clients_base_url},
                                       {"is_client", clients_is_client},
                                       {"wait_of", clients_wait_of},
                                       {"companion", clients_companion},
                                       {"connections", clients_connections},
                                       {"keys", clients_keys},
                                       {"with_key", clients_with_key},
                                       {"slow_downs", clients_slow_downs},
                                       {NULL, NULL}};
  pt_setfuncs(L, functions);
}
