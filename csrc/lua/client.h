/* client.h: the client as Lua sees it. */
#ifndef PT_LUA_CLIENT_H
#define PT_LUA_CLIENT_H

#include "lua/compat.h"
#include "api/engine.h"
#include "lua/options.h"

#define PT_CLIENT_METATABLE "polytomic.client"
#define PT_AUTH_KINDS 4

/* Full userdata. Its user value is a table: `client` (itself, so that calls can keep it alive),
   `wait`, `on_event`, `deprecated` (operations told about), `watched` (calls whose end somebody
   waits for). */
typedef struct {
  pt_engine *engine; /* NULL before it is made and after close */
  pt_config config;  /* only until the engine takes it */
  pt_client_options options;
  pt_credential *credentials[PT_AUTH_KINDS]; /* by pt_auth, made when first needed */
  bool waits;
  bool tells; /* has on_event */
} pt_lua_client;

/* The client at `index`, or NULL when it is something else. */
pt_lua_client *pt_lua_to_client(lua_State *L, int index);
/* The same, or raises at the caller's line; `what` is the method's name. */
pt_lua_client *pt_lua_check_client(lua_State *L, int index, const char *what);

/* The operation of that name, or raises at `level`, suggesting the nearest. */
const pt_operation *pt_lua_find_operation(lua_State *L, const char *name, int level);

/* in: options or nil at `index`; out: client. Raises at `level`. */
int pt_lua_new_client(lua_State *L, int index, int level);

/* in: client at `index`; out: a client that shares its connections and is not closed with it, for
 * whoever drives them. Raises for a closed client. */
int pt_lua_push_companion(lua_State *L, int index);
/* in: client at `index`; out: a table by which its connections can be known: the same for every
 * client that shares them */
int pt_lua_push_connections(lua_State *L, int index);

/* in: table; out: the same. It has a function for every operation, made when it is first asked for,
   so that a program pays for those it uses: `function` with the operation as its upvalue. */
void pt_lua_add_operations(lua_State *L, lua_CFunction function);

/* Makes the metatable with a method for every operation. in: -, out: - */
void pt_lua_open_client(lua_State *L);

#endif
