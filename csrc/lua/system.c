/* system.c: see system.h. */
#include "lua/system.h"

#include "base/clock.h"
#include "base/durable_file.h"
#include "base/file_identity.h"
#include "base/private_file.h"
#include "base/random.h"
#include "base/stop_signal.h"
#include "base/system_error.h"
#include "base/terminal.h"
#include "base/unicode.h"
#include "lua/response.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* in: errno, or 0; out: true; or nil, message, whether it is that the path is taken */
static int push_outcome(lua_State *L, int problem) {
  if (problem == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  char words[PT_SYSTEM_ERROR_SIZE];
  lua_pushnil(L);
  lua_pushstring(L, pt_system_error(problem, words));
  lua_pushboolean(L, problem == EEXIST);
  return 3;
}

/* A path without NUL, which would cut it. */
static const char *check_path(lua_State *L, int index) {
  size_t length;
  const char *path = luaL_checklstring(L, index, &length);
  luaL_argcheck(L, strlen(path) == length, index, "a path holds no NUL");
  return path;
}

/* append_durably(path, line, …): out: true; or nil, message */
static int system_append_durably(lua_State *L) {
  const char *path = check_path(L, 1);
  size_t count = (size_t)lua_gettop(L) - 1;
  luaL_argcheck(L, count > 0, 2, "a line is needed");
  pt_durable_line *lines = lua_newuserdata(L, count * sizeof *lines);
  for (size_t i = 0; i < count; i++) {
    int index = (int)i + 2;
    lines[i].bytes = luaL_checklstring(L, index, &lines[i].length);
    luaL_argcheck(L, memchr(lines[i].bytes, '\n', lines[i].length) == NULL, index,
                  "a line holds no newline");
  }
  return push_outcome(L, pt_durable_append(path, lines, count));
}

/* read_private(path): out: text; or nil, message; or nil, nil, who else may read or write the file:
 * "all" or "group" */
static int system_read_private(lua_State *L) {
  static const char *const others[] = {NULL, "all", "group"};
  const char *path = check_path(L, 1);
  pt_buffer *text = pt_lua_push_buffer(L);
  pt_file_exposure exposure;
  int problem = pt_private_read(path, text, &exposure);
  if (problem == 0 && exposure == PT_FILE_PRIVATE) {
    lua_pushlstring(L, text->bytes, text->length);
    pt_buffer_wipe(text);
    return 1;
  }
  char words[PT_SYSTEM_ERROR_SIZE];
  lua_pushnil(L);
  lua_pushstring(L, problem != 0 ? pt_system_error(problem, words) : NULL);
  lua_pushstring(L, problem != 0 ? NULL : others[exposure]);
  return 3;
}

/* create_private(path): out: true; or nil, message, whether the path is taken */
static int system_create_private(lua_State *L) {
  return push_outcome(L, pt_durable_create(check_path(L, 1)));
}

/* file_identity(path): out: a text that no other file has while this one is open; or nil */
static int system_file_identity(lua_State *L) {
  pt_file_identity identity;
  if (!pt_file_identify(check_path(L, 1), &identity)) {
    lua_pushnil(L);
    return 1;
  }
  char text[2 * 16 + 2];
  (void)snprintf(text, sizeof text, "%" PRIx64 ":%" PRIx64, identity.device, identity.inode);
  lua_pushstring(L, text);
  return 1;
}

/* catch_signals(): out: boolean */
static int system_catch_signals(lua_State *L) {
  lua_pushboolean(L, pt_stop_signal_catch());
  return 1;
}

/* release_signals() */
static int system_release_signals(lua_State *L) {
  (void)L;
  pt_stop_signal_release();
  return 0;
}

/* caught_signal(): out: number, or nil */
static int system_caught_signal(lua_State *L) {
  int number = pt_stop_signal_caught();
  if (number == 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, number);
  return 1;
}

/* fingerprint(text): out: 16 hexadecimal digits, FNV-1a of 64 bits: tells a changed text from an
 * unchanged one, and keeps nothing secret */
static int system_fingerprint(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < length; i++)
    hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
  char digits[17];
  (void)snprintf(digits, sizeof digits, "%08lx%08lx", (unsigned long)(hash >> 32),
                 (unsigned long)(hash & 0xffffffffU));
  lua_pushlstring(L, digits, 16);
  return 1;
}

/* uuid(): out: a new UUID version 4 */
static int system_uuid(lua_State *L) {
  char uuid[PT_UUID_LENGTH + 1];
  if (!pt_random_uuid(uuid))
    return luaL_error(L, "the system provides no randomness");
  lua_pushlstring(L, uuid, PT_UUID_LENGTH);
  return 1;
}

/* now(): out: monotonic seconds */
static int system_now(lua_State *L) {
  lua_pushnumber(L, pt_clock_monotonic());
  return 1;
}

/* is_terminal(descriptor): out: boolean */
static int system_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* terminal_columns(descriptor): out: integer, or nil where the descriptor is none or does not say
 */
static int system_terminal_columns(lua_State *L) {
  int columns = pt_terminal_columns((int)luaL_checkinteger(L, 1));
  if (columns > 0)
    lua_pushinteger(L, columns);
  else
    lua_pushnil(L);
  return 1;
}

/* readable(descriptor, seconds): waits so long; out: boolean, false also where a signal came */
static int system_readable(lua_State *L) {
  lua_pushboolean(L, pt_terminal_readable((int)luaL_checkinteger(L, 1), luaL_checknumber(L, 2)));
  return 1;
}

/* valid_utf8(text): out: boolean */
static int system_valid_utf8(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  lua_pushboolean(L, pt_unicode_valid(text, length));
  return 1;
}

void pt_lua_add_system(lua_State *L) {
  static const luaL_Reg functions[] = {{"append_durably", system_append_durably},
                                       {"create_private", system_create_private},
                                       {"read_private", system_read_private},
                                       {"file_identity", system_file_identity},
                                       {"catch_signals", system_catch_signals},
                                       {"release_signals", system_release_signals},
                                       {"caught_signal", system_caught_signal},
                                       {"fingerprint", system_fingerprint},
                                       {"uuid", system_uuid},
                                       {"now", system_now},
                                       {"is_terminal", system_is_terminal},
                                       {"terminal_columns", system_terminal_columns},
                                       {"readable", system_readable},
                                       {"valid_utf8", system_valid_utf8},
                                       {NULL, NULL}};
  pt_setfuncs(L, functions);
}
