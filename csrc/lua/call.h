/* call.h: calls as Lua makes and sees them. */
#ifndef PT_LUA_CALL_H
#define PT_LUA_CALL_H

#include "lua/compat.h"
#include "lua/client.h"

#define PT_CALL_METATABLE "polytomic.call"

/* Full userdata. Its user value is a table: the client's own, or, for a started call, one of its
 * own with `client`, `results` and `thrown`. */
typedef struct {
  pt_call *call;
} pt_lua_call;

/* The call at `index`, or raises. */
pt_call *pt_lua_check_call(lua_State *L, int index, const char *what);

/* The whole way of a plain method: in: client, arguments, options at `base` and after; out: data,
 * nil, response or nil, message, err. */
int pt_lua_run_operation(lua_State *L, int base, const pt_operation *operation, int level);
/* The same without waiting; out: call. */
int pt_lua_start_operation(lua_State *L, int base, const pt_operation *operation, int level);

/* Checks arguments and options and sends nothing; out: nil, message, err where they are refused,
 * else nothing. Returns the number of results. */
int pt_lua_check_operation(lua_State *L, int base, const pt_operation *operation, int level);
/* out: a call that sends nothing and is done after `seconds` */
int pt_lua_start_pause(lua_State *L, int client, double seconds);

/* client:request, a request outside the catalogue: as pt_lua_run_operation. */
int pt_lua_run_request(lua_State *L, int base, int level);
/* What to give pt_lua_start_operation for such a request. */
const pt_operation *pt_lua_request_operation(void);

/* Asks to be told when the call at `index` is done; nothing when it is already. */
void pt_lua_watch(lua_State *L, int client, int index);
/* Pushes the next watched call that is done, of any client sharing the connections; returns 0 when
 * there is none. */
int pt_lua_next_done(lua_State *L, int client);

void pt_lua_open_call(lua_State *L);

#endif
