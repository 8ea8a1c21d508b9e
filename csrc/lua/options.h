/* options.h: the options of polytomic.new and of a single call, checked. Every error is raised,
 * with the caller's position. */
#ifndef PT_LUA_OPTIONS_H
#define PT_LUA_OPTIONS_H

#include "api/call.h"
#include "lua/compat.h"
#include "api/config.h"

#define PT_VERSION_SIZE 64

/* What belongs to one client and not to the engine it may share. */
typedef struct {
  char organization[PT_UUID_LENGTH + 1]; /* "" for none */
  char version[PT_VERSION_SIZE];
  pt_call_limits limits;
  bool read_only;
} pt_client_options;

/* Reads the table at `index` (or none, nil) and the environment. `config` and `options` are owned
   by a Lua value already. Leaves on the stack the functions `wait` and `on_event`, or nil. `level`
   is where an error is told to be, as for luaL_where. */
void pt_lua_read_client_options(lua_State *L, int index, int level, pt_config *config,
                                pt_client_options *options);

/* Reads per-call options into a call that is owned by a Lua value already: limits, idempotency key,
   extra headers. `options` is the client's copy, changed by `version` and `organization`. Sets
   `*no_key` for `idempotency_key = false`. */
void pt_lua_read_call_options(lua_State *L, int index, int level, pt_call *call,
                              pt_client_options *options, bool *no_key);

/* As luaL_error, at that level. */
int pt_lua_error(lua_State *L, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
