/* client.h: the client as Lua sees it. */
#ifndef PT_LUA_CLIENT_H
#define PT_LUA_CLIENT_H

#include "lua/handle.h"

/* The operation whose name is at `index`, or raises, suggesting the nearest. */
const pt_operation *pt_lua_find_operation(lua_State *L, int index);

/* in: options or nil at `index`; out: client. Raises for bad usage. */
int pt_lua_new_client(lua_State *L, int index);

/* in: client at `index`; out: a client that shares its connections and is not closed with it, for
 * whoever drives them. Raises for a closed client. */
int pt_lua_push_companion(lua_State *L, int index);
/* in: client at `index`; out: a client that shares its connections and all else, and uses keys of
 * one kind only */
int pt_lua_push_with_key(lua_State *L, int index, pt_key_kind kind);
/* in: client at `index`; out: a table that stands for its connections: the same for every client
 * that shares them */
int pt_lua_push_connections(lua_State *L, int index);

/* in: table; out: the same. It has a function for every operation, made when it is first asked for,
   so that a program pays for those it uses: `function` with the operation as its upvalue. */
void pt_lua_add_operations(lua_State *L, lua_CFunction function);

/* Makes the metatable with a method for every operation. in: -, out: - */
void pt_lua_open_client(lua_State *L);

#endif
