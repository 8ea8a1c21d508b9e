/* text.h: a string of Lua as a whole: it may hold NUL, and then is not the text before it. */
#ifndef PT_LUA_TEXT_H
#define PT_LUA_TEXT_H

#include "api/failure.h"
#include "base/ascii.h"
#include "lua/compat.h"

#include <string.h>

/* Whether the value at `index` is that string. */
static inline bool pt_lua_is_text(lua_State *L, int index, const char *text) {
  size_t length;
  if (lua_type(L, index) != LUA_TSTRING)
    return false;
  const char *given = lua_tolstring(L, index, &length);
  return pt_text_equal(given, length, text);
}

enum { PT_LUA_NAME_SIZE = 65 };

/* Copies the string at `index` as a message shows it: at most 64 bytes, NUL as a blank. "" for any
 * other value. */
static inline const char *pt_lua_copy_name(lua_State *L, int index, char name[PT_LUA_NAME_SIZE]) {
  size_t length = 0;
  const char *given = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &length) : "";
  pt_failure_copy_text(name, PT_LUA_NAME_SIZE, given, length);
  return name;
}

#endif
