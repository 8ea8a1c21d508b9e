/* interrupt.h: notices a debug hook that the host set while C waits, as the interpreters do on
   SIGINT: a hook runs only when Lua does. */
#ifndef PT_LUA_INTERRUPT_H
#define PT_LUA_INTERRUPT_H

#include "lua/compat.h"

#include <stdbool.h>

/* Seconds C waits at most before it looks for a hook. */
#define PT_INTERRUPT_SLICE 0.1

/* The hooks that are known: of the running thread, and of the main thread, where the interpreters
 * set theirs. */
typedef struct {
  lua_Hook own, main;
} pt_lua_hooks;

/* The hooks there are now, but for one an interpreter has just set: the signal may have come after
 * the call began and before C could look. */
pt_lua_hooks pt_lua_known_hooks(lua_State *L);
/* Lets a hook that is not known yet run, in the running thread. True when it raised: its error is
 * at the top of the stack. */
bool pt_lua_interrupted(lua_State *L, pt_lua_hooks *known);
/* Whether the value at the top of the stack is the error of an interpreter's hook. */
bool pt_lua_is_interrupt(lua_State *L);

/* Remembers the main thread where Lua cannot say which it is, and makes what runs hooks. */
void pt_lua_open_interrupt(lua_State *L);

#endif
