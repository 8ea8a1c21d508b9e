/* core_calls.h: calls as the Lua side makes them, as functions of polytomic.core: what pages,
 * batches and wait adapters are made of. */
#ifndef PT_LUA_CORE_CALLS_H
#define PT_LUA_CORE_CALLS_H

#include "lua/compat.h"

/* in: table; out: the same with start, run, check, raise, pause, make_error, watch, next_done
 * and be_patient. */
void pt_lua_add_calls(lua_State *L);

#endif
