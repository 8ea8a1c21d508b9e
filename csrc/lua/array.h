/* array.h: what distinguishes an empty list from an empty object, since a Lua table does not. */
#ifndef PT_LUA_ARRAY_H
#define PT_LUA_ARRAY_H

#include "lua/compat.h"

#include <stdbool.h>

/* Makes the metatable, once for each Lua state. */
void pt_lua_open_array(lua_State *L);

/* Pushes polytomic.array_mt, the metatable of lists that were read empty. */
void pt_lua_push_array_metatable(lua_State *L);

/* Whether the value at `index` is an empty table that stands for a list: its metatable has
   `__jsontype = "array"`, as ours and dkjson's, or is one of lua-cjson's for arrays. */
bool pt_lua_is_empty_list(lua_State *L, int index);

/* Whether the value at `index` is lua-cjson's empty_array, a light userdata. */
bool pt_lua_is_cjson_empty_array(lua_State *L, int index);

#endif
