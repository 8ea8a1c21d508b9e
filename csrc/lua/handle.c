/* handle.c: see handle.h. */
#include "lua/handle.h"

#include <stdarg.h>
#include <stdio.h>

enum { MAX_MESSAGE = 512 };

/* The userdata at `index` when its metatable is the one of that name, else NULL. */
static void *to_userdata(lua_State *L, int index, const char *metatable) {
  void *userdata = lua_touserdata(L, index);
  if (userdata == NULL || !lua_getmetatable(L, index))
    return NULL;
  luaL_getmetatable(L, metatable);
  bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same ? userdata : NULL;
}

pt_lua_client *pt_lua_to_client(lua_State *L, int index) {
  return to_userdata(L, index, PT_CLIENT_METATABLE);
}

pt_lua_client *pt_lua_check_client(lua_State *L, int index, const char *method) {
  pt_lua_client *client = pt_lua_to_client(L, index);
  if (client == NULL)
    pt_lua_error(L, 1, "%s: use a colon: client:%s(…)", method, method);
  return client;
}

const pt_config *pt_lua_config(const pt_lua_client *client) {
  return client != NULL && client->engine != NULL ? pt_engine_config(client->engine) : NULL;
}

pt_call *pt_lua_check_call(lua_State *L, int index, const char *method) {
  const pt_lua_call *holder = to_userdata(L, index, PT_CALL_METATABLE);
  if (holder == NULL || holder->call == NULL)
    pt_lua_error(L, 1, "%s: use a colon: call:%s()", method, method);
  return holder->call;
}

int pt_lua_error(lua_State *L, int level, const char *format, ...) {
  char message[MAX_MESSAGE];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  luaL_where(L, level);
  lua_pushstring(L, message);
  lua_concat(L, 2);
  return lua_error(L);
}
