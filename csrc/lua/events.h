/* events.h: tells on_event what happened to a call. Outside libcurl, on the coroutine that runs it.
 */
#ifndef PT_LUA_EVENTS_H
#define PT_LUA_EVENTS_H

#include "lua/handle.h"

/* Dispatches every event of the call not told yet; `client` is the client's index. The done event
   needs the kind the call ended with: it is told once the result was made. Returns true when the
   handler threw: its first error is on the stack then. */
bool pt_lua_tell(lua_State *L, int client, pt_call *call);

#endif
