/* set.h: sets members of the table at the top of the stack. */
#ifndef PT_LUA_SET_H
#define PT_LUA_SET_H

#include "lua/compat.h"

#include <stdbool.h>

/* A NULL text leaves the member absent. */
static inline void pt_set_string(lua_State *L, const char *name, const char *text) {
  if (text == NULL)
    return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

static inline void pt_set_number(lua_State *L, const char *name, double number) {
  lua_pushnumber(L, number);
  lua_setfield(L, -2, name);
}

static inline void pt_set_integer(lua_State *L, const char *name, double number) {
  lua_pushinteger(L, (lua_Integer)number);
  lua_setfield(L, -2, name);
}

static inline void pt_set_boolean(lua_State *L, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

#endif
