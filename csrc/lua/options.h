/* options.h: the options of polytomic.new and of a single call, checked. Every error is raised,
 * with the caller's position. */
#ifndef PT_LUA_OPTIONS_H
#define PT_LUA_OPTIONS_H

#include "lua/handle.h"

/* Reads the table at `index` (or none, nil) and the environment. `config` and `options` are owned
   by a Lua value already. Leaves on the stack the functions `wait` and `on_event`, or nil, and a
   table of the functions that keys come from, by pt_key_kind, or nil. */
void pt_lua_read_client_options(lua_State *L, int index, pt_config *config,
                                pt_client_options *options);

/* Reads per-call options into a call that is owned by a Lua value already: limits, idempotency key,
   extra headers. `options` is the client's copy, changed by `version` and `organization`. Sets
   `*no_key` for `idempotency_key = false`. */
void pt_lua_read_call_options(lua_State *L, int index, pt_call *call, pt_client_options *options,
                              bool *no_key);

#endif
