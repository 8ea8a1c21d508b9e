/* compat.h: one source for Lua 5.1, LuaJIT, 5.2, 5.3 and 5.4. */
#ifndef PT_COMPAT_H
#define PT_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <stddef.h>

/* Only LuaJIT has this header, and its lua.h does not say what it is. */
#if defined(__has_include)
#if __has_include(<luajit.h>)
#include <luajit.h>
#endif
#endif

#ifdef LUAJIT_VERSION
#define PT_LUA_NAME "LuaJIT"
#else
#define PT_LUA_NAME LUA_VERSION
#endif

#if LUA_VERSION_NUM < 502
#define pt_rawlen lua_objlen
#define pt_newlib(L, functions) (lua_newtable(L), luaL_register(L, NULL, functions))
#define pt_setfuncs(L, functions) luaL_register(L, NULL, functions)
static inline int pt_absindex(lua_State *L, int index) {
  return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + index + 1;
}
#else
#define pt_rawlen(L, index) ((size_t)lua_rawlen(L, index))
#define pt_newlib(L, functions) luaL_newlib(L, functions)
#define pt_setfuncs(L, functions) luaL_setfuncs(L, functions, 0)
#define pt_absindex lua_absindex
#endif

/* Registry-like access by the address of a constant. */
#if LUA_VERSION_NUM >= 502
#define pt_rawsetp lua_rawsetp
#define pt_rawgetp(L, index, key) ((void)lua_rawgetp(L, index, key))
#else
static inline void pt_push_address(lua_State *L, const void *key) {
  union {
    const void *constant;
    void *pointer;
  } address = {key};
  lua_pushlightuserdata(L, address.pointer);
}
static inline void pt_rawsetp(lua_State *L, int index, const void *key) {
  index = pt_absindex(L, index);
  pt_push_address(L, key);
  lua_insert(L, -2);
  lua_rawset(L, index);
}
static inline void pt_rawgetp(lua_State *L, int index, const void *key) {
  index = pt_absindex(L, index);
  pt_push_address(L, key);
  lua_rawget(L, index);
}
#endif

/* A table that belongs to a userdata: set once, later read. */
#if LUA_VERSION_NUM < 502
#define pt_setuservalue(L, index) ((void)lua_setfenv(L, index))
#define pt_getuservalue(L, index) lua_getfenv(L, index)
#elif LUA_VERSION_NUM < 504
#define pt_setuservalue(L, index) lua_setuservalue(L, index)
#define pt_getuservalue(L, index) lua_getuservalue(L, index)
#else
#define pt_setuservalue(L, index) ((void)lua_setiuservalue(L, index, 1))
#define pt_getuservalue(L, index) ((void)lua_getiuservalue(L, index, 1))
#endif

#if LUA_VERSION_NUM < 504
#define pt_newuserdata(L, size) lua_newuserdata(L, size)
#else
#define pt_newuserdata(L, size) lua_newuserdatauv(L, size, 1)
#endif

#if LUA_VERSION_NUM >= 503
#define PT_HAS_INTEGERS 1
#else
#define PT_HAS_INTEGERS 0
#endif

/* Absent before 5.2, and in LuaJIT before its 2.1. */
#if LUA_VERSION_NUM >= 502 || defined(LUA_GCISRUNNING)
#define PT_HAS_GC_ISRUNNING 1
#else
#define PT_HAS_GC_ISRUNNING 0
#endif

#endif
