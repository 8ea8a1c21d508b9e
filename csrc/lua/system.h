/* system.h: what provisioning asks of the system, as functions of polytomic.core. */
#ifndef PT_LUA_SYSTEM_H
#define PT_LUA_SYSTEM_H

#include "lua/compat.h"

/* in: table, out: the same with append_durably, create_private, read_private, catch_signals,
 * release_signals, caught_signal, fingerprint and uuid. */
void pt_lua_add_system(lua_State *L);

#endif
