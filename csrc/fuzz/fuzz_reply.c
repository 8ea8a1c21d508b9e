/* fuzz_reply.c: from the text of a reply to Lua values. Text that is not JSON gives nothing; what
 * is given has no null member and no integer as a float. */
#include "base/json_reader.h"
#include "lua/json.h"
#include "check.h"

#include <lualib.h>
#include <math.h>

static lua_State *state(void) {
  static lua_State *L;
  if (L == NULL) {
    L = luaL_newstate();
    CHECK(L != NULL);
    luaL_openlibs(L);
    pt_lua_json_open(L);
  }
  return L;
}

/* in: value at the top, out: the same */
static void check_value(lua_State *L) {
  luaL_checkstack(L, 4, "value");
  if (lua_type(L, -1) == LUA_TNUMBER && !lua_isinteger(L, -1)) {
    double number = lua_tonumber(L, -1);
    CHECK(floor(number) != number || fabs(number) > 9007199254740992.0 ||
          (number == 0 && signbit(number)));
  }
  if (lua_type(L, -1) != LUA_TTABLE)
    return;
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    CHECK(lua_type(L, -2) == LUA_TSTRING ? lua_type(L, -1) != LUA_TLIGHTUSERDATA
                                         : lua_isinteger(L, -2));
    check_value(L);
    lua_pop(L, 1);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = state();
  pt_buffer text = {0};
  pt_buffer_add(&text, (const char *)data, size);
  int top = lua_gettop(L);
  pt_decoded decoded = pt_lua_json_decode(L, &text);
  CHECK(lua_gettop(L) == top + (decoded == PT_DECODED));
  if (decoded == PT_DECODED)
    check_value(L);
  lua_settop(L, top);
  pt_buffer_free(&text);
  return 0;
}
