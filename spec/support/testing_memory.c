/* testing_memory.c: see testing_memory.h. */
#include "testing_memory.h"

#include "base/memory.h"

int pt_testing_memory_fail_at(lua_State *L) {
  unsigned long n = (unsigned long)luaL_checknumber(L, 1);
  lua_pushnumber(L, (lua_Number)pt_memory_fail_at(n, lua_toboolean(L, 2)));
  return 1;
}

/* out: blocks allocated and not freed */
static int memory_blocks(lua_State *L) {
  lua_pushnumber(L, (lua_Number)pt_memory_blocks());
  return 1;
}

int luaopen_polytomic_memory(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"fail_at", pt_testing_memory_fail_at}, {"blocks", memory_blocks}, {NULL, NULL}};
  pt_newlib(L, functions);
  return 1;
}
