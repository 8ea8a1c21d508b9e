/* array.c: see array.h. */
#include "lua/array.h"

#include "lua/text.h"

static const char array_key = 0;

void pt_lua_open_array(lua_State *L) {
  pt_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
  if (lua_isnil(L, -1)) {
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "array");
    lua_setfield(L, -2, "__jsontype");
    pt_rawsetp(L, LUA_REGISTRYINDEX, &array_key);
  }
  lua_pop(L, 1);
}

void pt_lua_push_array_metatable(lua_State *L) { pt_rawgetp(L, LUA_REGISTRYINDEX, &array_key); }

/* in: table or anything, out: its member of that name, or nil; never a metamethod's */
static void push_member(lua_State *L, int index, const char *name) {
  index = pt_absindex(L, index);
  lua_pushstring(L, name);
  if (lua_type(L, index) == LUA_TTABLE) {
    lua_rawget(L, index);
  } else {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

/* Whether the value at the top is that member of lua-cjson, if the program has loaded it. All its
 * configurations share these values. */
static bool is_of_cjson(lua_State *L, const char *name) {
  static const char *const modules[] = {"cjson", "cjson.safe"};
  int value = lua_gettop(L);
  bool same = false;
  luaL_checkstack(L, 4, "arguments");
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  for (size_t i = 0; i < sizeof modules / sizeof modules[0] && !same; i++) {
    push_member(L, value + 1, modules[i]);
    push_member(L, -1, name);
    same = lua_rawequal(L, -1, value) && !lua_isnil(L, -1);
    lua_settop(L, value + 1);
  }
  lua_settop(L, value);
  return same;
}

/* in: metatable at the top, out: the same */
static bool marks_lists(lua_State *L) {
  push_member(L, -1, "__jsontype");
  bool marks = pt_lua_is_text(L, -1, "array");
  lua_pop(L, 1);
  return marks || is_of_cjson(L, "array_mt") || is_of_cjson(L, "empty_array_mt");
}

bool pt_lua_is_empty_list(lua_State *L, int index) {
  index = pt_absindex(L, index);
  if (lua_type(L, index) != LUA_TTABLE || lua_getmetatable(L, index) == 0)
    return false;
  bool marked = marks_lists(L);
  lua_pop(L, 1);
  if (!marked)
    return false;
  lua_pushnil(L);
  bool empty = lua_next(L, index) == 0;
  if (!empty)
    lua_pop(L, 2);
  return empty;
}

bool pt_lua_is_cjson_empty_array(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TLIGHTUSERDATA)
    return false;
  lua_pushvalue(L, index);
  bool same = is_of_cjson(L, "empty_array");
  lua_pop(L, 1);
  return same;
}
