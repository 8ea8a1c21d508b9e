/* core_clients.h: what the Lua side asks of a client, as functions of polytomic.core. */
#ifndef PT_LUA_CORE_CLIENTS_H
#define PT_LUA_CORE_CLIENTS_H

#include "lua/compat.h"

/* in: table; out: the same with timeout_of, same_origin, base_url, is_client, wait_of,
 * companion, connections, keys, with_key and slow_downs. */
void pt_lua_add_clients(lua_State *L);

#endif
