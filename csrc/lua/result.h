/* result.h: what a call gives back: data and response, or message and error. The only place that
 * makes errors. */
#ifndef PT_LUA_RESULT_H
#define PT_LUA_RESULT_H

#include "lua/arguments.h"
#include "lua/handle.h"

/* Pushes data, nil, response or nil, message, err for a call that is done; `index` is its userdata.
 * Decodes the reply at the first time. */
int pt_lua_push_result(lua_State *L, int index, pt_call *call);

/* Pushes nil, message, err for a call that was refused before it was made. */
int pt_lua_push_invalid(lua_State *L, const pt_call *call, const pt_refusal *refusal);
int pt_lua_push_unconfigured(lua_State *L, const pt_call *call);
/* The same where the function that should give a key did not, as `detail` says; `cause` is the
 * index of what it raised, or of nil. */
int pt_lua_push_no_key(lua_State *L, const pt_call *call, const char *detail, int cause);
int pt_lua_push_closed(lua_State *L, const pt_call *call);

/* in: at `base` the response an error is about, or the name of an operation that has none, then
   kind, outcome, detail, and a table of further members or nil; out: nil, message, err. For what
   Lua code finds wrong above a single call. */
int pt_lua_push_made_error(lua_State *L, int base);

#endif
