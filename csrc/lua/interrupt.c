/* interrupt.c: see interrupt.h. */
#include "lua/interrupt.h"

#include "lua/handle.h"

#include <string.h>

/* Keys of the registry. */
static const char empty_key = 0;
#define EMPTY_NAME "polytomic"
#if LUA_VERSION_NUM < 502
static const char main_key = 0;
#endif

/* The main thread; the running one where it is not known. */
static lua_State *main_thread(lua_State *L) {
#if LUA_VERSION_NUM < 502
  pt_rawgetp(L, LUA_REGISTRYINDEX, &main_key);
#else
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
#endif
  lua_State *main = lua_tothread(L, -1);
  lua_pop(L, 1);
  return main != NULL ? main : L;
}

/* A hook before every instruction: what the interpreters set, and hardly anybody else. */
static bool is_of_interpreter(lua_State *L) {
  return (lua_gethookmask(L) & LUA_MASKCOUNT) != 0 && lua_gethookcount(L) == 1;
}

pt_lua_hooks pt_lua_known_hooks(lua_State *L) {
  lua_State *main = main_thread(L);
  return (pt_lua_hooks){.own = is_of_interpreter(L) ? NULL : lua_gethook(L),
                        .main = is_of_interpreter(main) ? NULL : lua_gethook(main)};
}

/* in: error; out: error, with the place where the script is, where luajit.c found it in the empty
 * function */
static void correct_position(lua_State *L) {
  static const char position[] = EMPTY_NAME ":0: ";
  const size_t size = sizeof position - 1;
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  if (text == NULL || strncmp(text, position, size) != 0)
    return;
  pt_lua_push_position(L);
  lua_pushstring(L, text + size);
  lua_concat(L, 2);
  lua_remove(L, -2);
}

/* in: -; out: the error of the hook, when it returns true. Calls, counts, lines and returns happen
 * in an empty function. */
static bool run_hook(lua_State *L) {
  luaL_checkstack(L, 12, "hook");
  pt_rawgetp(L, LUA_REGISTRYINDEX, &empty_key);
  if (lua_pcall(L, 0, 0, 0) == 0)
    return false;
  correct_position(L);
  return true;
}

/* As run_hook, for a hook that was set on the main thread while a coroutine runs. */
static bool run_hook_of_main(lua_State *L, lua_State *main) {
  lua_Hook own = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  lua_sethook(L, lua_gethook(main), lua_gethookmask(main), lua_gethookcount(main));
  bool raised = run_hook(L);
  lua_sethook(L, own, mask, count);
  return raised;
}

bool pt_lua_interrupted(lua_State *L, pt_lua_hooks *known) {
  lua_State *main = main_thread(L);
  bool raised = false;
  if (lua_gethook(L) != NULL && lua_gethook(L) != known->own)
    raised = run_hook(L);
  known->own = lua_gethook(L);
  if (main != L && !raised && lua_gethook(main) != NULL && lua_gethook(main) != known->main)
    raised = run_hook_of_main(L, main);
  known->main = lua_gethook(main);
  return raised;
}

bool pt_lua_is_interrupt(lua_State *L) {
  static const char words[] = "interrupted!"; /* lua.c and luajit.c, after any position */
  const size_t size = sizeof words - 1;
  size_t length;
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  return text != NULL && length >= size && memcmp(text + length - size, words, size) == 0;
}

void pt_lua_open_interrupt(lua_State *L) {
  if (luaL_loadbuffer(L, "", 0, "=" EMPTY_NAME) != 0)
    lua_error(L);
  pt_rawsetp(L, LUA_REGISTRYINDEX, &empty_key);
#if LUA_VERSION_NUM < 502
  if (lua_pushthread(L))
    pt_rawsetp(L, LUA_REGISTRYINDEX, &main_key);
  else
    lua_pop(L, 1);
#endif
}
