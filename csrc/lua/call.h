/* call.h: calls as Lua makes and sees them. */
#ifndef PT_LUA_CALL_H
#define PT_LUA_CALL_H

#include "lua/handle.h"

/* The whole way of a plain method: in: client, arguments, options at `base` and after; out: data,
 * nil, response or nil, message, err. `operation` may be &pt_request_operation. */
int pt_lua_run_operation(lua_State *L, int base, const pt_operation *operation);
/* The same without waiting; out: call. */
int pt_lua_start_operation(lua_State *L, int base, const pt_operation *operation);

/* Checks arguments and options and sends nothing; out: nil, message, err where they are refused,
 * else nothing. Returns the number of results. */
int pt_lua_check_operation(lua_State *L, int base, const pt_operation *operation);
/* out: a call that sends nothing and is done after `seconds` */
int pt_lua_start_pause(lua_State *L, int client, double seconds);

/* pt_lua_next_done will give the call at `index` when it is done; not when it is done already. */
void pt_lua_watch(lua_State *L, int client, int index);
/* Pushes the next watched call that is done, of any client sharing the connections; returns 0 when
 * there is none. */
int pt_lua_next_done(lua_State *L, int client);

/* Pushes another owner of a call that is done, which refers to no client and to no result. */
void pt_lua_push_call_owner(lua_State *L, pt_call *call);
/* Pushes a value that keeps what pt_engine_config gives of the client, whatever closes it; returns
 * NULL, and pushes nothing, for a client that is closed. */
const pt_config *pt_lua_hold_config(lua_State *L, int client);

void pt_lua_open_call(lua_State *L);

#endif
