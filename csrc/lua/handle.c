/* handle.c: see handle.h. */
#include "lua/handle.h"

#include "lua/set.h"
#include "lua/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_MESSAGE = 512 };

const char pt_client_key = 0, pt_call_key = 0;

void pt_lua_new_metatable(lua_State *L, const char *name, const char *key) {
  luaL_newmetatable(L, name);
  pt_set_string(L, "__name", name);
  pt_set_string(L, "__metatable", "protected");
  lua_pushvalue(L, -1);
  pt_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void pt_lua_give_metatable(lua_State *L, const char *key) {
  pt_rawgetp(L, LUA_REGISTRYINDEX, key);
  lua_setmetatable(L, -2);
}

bool pt_lua_has_metatable(lua_State *L, int index, const char *key) {
  if (!lua_getmetatable(L, index))
    return false;
  pt_rawgetp(L, LUA_REGISTRYINDEX, key);
  bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same;
}

pt_lua_client *pt_lua_to_client(lua_State *L, int index) {
  return pt_lua_has_metatable(L, index, &pt_client_key) ? lua_touserdata(L, index) : NULL;
}

pt_lua_client *pt_lua_check_client(lua_State *L, int index, const char *method) {
  pt_lua_client *client = pt_lua_to_client(L, index);
  if (client == NULL)
    pt_lua_error(L, "%s: use a colon: client:%s(…)", method, method);
  return client;
}

void pt_lua_forget_credentials(pt_lua_client *client) {
  for (size_t i = 0; i < PT_AUTH_KINDS; i++) {
    pt_credential_release(client->credentials[i]);
    client->credentials[i] = NULL;
  }
}

pt_call *pt_lua_check_call(lua_State *L, int index, const char *method) {
  const pt_lua_call *holder =
      pt_lua_has_metatable(L, index, &pt_call_key) ? lua_touserdata(L, index) : NULL;
  if (holder != NULL && holder->call != NULL)
    return holder->call;
  (void)pt_lua_error(L, "%s: use a colon: call:%s()", method, method);
  return NULL;
}

/* ---- errors at the caller's line ---- */

/* in: function, or any other value; out: -. Whether it is a Lua function of that source. */
static bool is_of_source(lua_State *L, const char *source) {
  lua_Debug function;
  if (lua_type(L, -1) != LUA_TFUNCTION || lua_iscfunction(L, -1)) {
    lua_pop(L, 1);
    return false;
  }
  return lua_getinfo(L, ">S", &function) != 0 && strcmp(function.source, source) == 0;
}

/* in: module; out: -. Whether it has, or is, a function of that source. */
static bool has_source(lua_State *L, const char *source) {
  if (lua_type(L, -1) != LUA_TTABLE)
    return is_of_source(L, source);
  bool found = false;
  lua_pushnil(L);
  while (!found && lua_next(L, -2) != 0)
    found = is_of_source(L, source);
  lua_pop(L, found ? 2 : 1);
  return found;
}

/* in: module's name, module; out: the same. As has_source, false for modules of others. A program
 * may add functions of its own to the main module, so one is asked that is surely the library's. */
static bool is_own_module(lua_State *L, const char *source) {
  static const char library[] = "polytomic";
  const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
  if (strncmp(name, library, sizeof library - 1) != 0)
    return false;
  const char *rest = name + sizeof library - 1;
  if (pt_lua_is_text(L, -2, library) && lua_type(L, -1) == LUA_TTABLE) {
    lua_pushliteral(L, "configure");
    lua_rawget(L, -2);
    return is_of_source(L, source);
  }
  if (rest[0] != '.')
    return false;
  lua_pushvalue(L, -1);
  return has_source(L, source);
}

/* Whether a source is one of the library's own. Its modules are known by their names, wherever they
 * were loaded from: a file, or a chunk of any name. */
static bool is_of_library(lua_State *L, const char *source) {
  bool found = false;
  int top = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED"); /* package.loaded */
  if (lua_type(L, -1) == LUA_TTABLE) {
    lua_pushnil(L);
    while (!found && lua_next(L, top + 1) != 0) {
      found = is_own_module(L, source);
      lua_pop(L, 1);
    }
  }
  lua_settop(L, top);
  return found;
}

/* That is the innermost function that is neither C nor of the library; there is none in a coroutine
 * made of one of the library's functions. */
void pt_lua_push_position(lua_State *L) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(L, level, &frame); level++) {
    if (lua_getinfo(L, "Sl", &frame) == 0 || frame.currentline < 0) /* C, or a lost tail call */
      continue;
    if (!is_of_library(L, frame.source)) {
      lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
      return;
    }
  }
  lua_pushliteral(L, "");
}

int pt_lua_raise(lua_State *L) {
  luaL_checkstack(L, 10, "error");
  pt_lua_push_position(L);
  lua_insert(L, -2);
  lua_concat(L, 2);
  return lua_error(L);
}

int pt_lua_error(lua_State *L, const char *format, ...) {
  char message[MAX_MESSAGE];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  lua_pushstring(L, message);
  return pt_lua_raise(L);
}
