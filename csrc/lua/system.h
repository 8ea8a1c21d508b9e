/* system.h: what the Lua side asks of the system (files, signals, the terminal, the clock,
 * randomness) and of texts, as functions of polytomic.core. */
#ifndef PT_LUA_SYSTEM_H
#define PT_LUA_SYSTEM_H

#include "lua/compat.h"

/* in: table; out: the same with append_durably, create_private, read_private, file_identity,
 * catch_signals, release_signals, caught_signal, fingerprint, uuid, now, is_terminal,
 * terminal_columns, readable and valid_utf8. */
void pt_lua_add_system(lua_State *L);

#endif
