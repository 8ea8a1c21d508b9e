/* events.h: calls on_event with what happened to a call, outside libcurl, on the coroutine that
 * runs the call. */
#ifndef PT_LUA_EVENTS_H
#define PT_LUA_EVENTS_H

#include "lua/handle.h"

/* Dispatches every event of the call that was not dispatched yet; `client` is the client's index.
   The done event needs the kind the call ended with: it comes once the result was made. Returns
   true when the handler threw: its first error is on the stack then. */
bool pt_lua_dispatch_events(lua_State *L, int client, pt_call *call);

#endif
