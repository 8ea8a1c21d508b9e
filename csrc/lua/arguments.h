/* arguments.h: a Lua table of arguments becomes path, query and body of a call, checked against the
 * catalogue on the way. */
#ifndef PT_LUA_ARGUMENTS_H
#define PT_LUA_ARGUMENTS_H

#include "lua/writer.h"

/* Writes `call->target` and `call->body` from the table at `index` (0: no arguments). `prefix` goes
   before the path. The call must be owned by a Lua value: a Lua error (memory) may be raised. False
   when an argument is refused; when memory ran out `refusal->problem` is "". */
bool pt_lua_write_arguments(lua_State *L, pt_call *call, const char *prefix, int index,
                            pt_refusal *refusal);

#endif
