/* arguments.h: a Lua table of arguments becomes path, query and body of a call, checked against the
 * catalogue on the way. */
#ifndef PT_LUA_ARGUMENTS_H
#define PT_LUA_ARGUMENTS_H

#include "lua/writer.h"

/* What the options of a call add to its arguments: tables of members the catalogue does not know
 * yet; stack indexes, 0 for none. */
typedef struct {
  int query, body;
} pt_lua_additions;

/* Writes `call->target` and `call->body` from the table at `index` (0: no arguments) and what is
   added to it. `prefix` goes before the path. The call must be owned by a Lua value: a Lua error
   (memory) may be raised. False when an argument is refused; when memory ran out `refusal->problem`
   is "". */
bool pt_lua_write_arguments(lua_State *L, pt_call *call, const char *prefix, int index,
                            const pt_lua_additions *additions, pt_refusal *refusal);

#endif
