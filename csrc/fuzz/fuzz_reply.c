/* fuzz_reply.c: from the text of a reply to Lua values, beside lua-cjson. Both read the same, but
   for this list: lua-cjson takes more than RFC 8259 for numbers, takes raw controls, ends at a NUL,
   rounds integers past 2^53, refuses a byte order mark and half a surrogate pair, and keeps null
   members. */
#include "base/json_reader.h"
#include "lua/array.h"
#include "lua/json.h"
#include "check.h"

#include <lualib.h>
#include <math.h>
#include <string.h>

enum { OURS = 1, THEIRS };

static int decode_key;

static lua_State *state(void) {
  static lua_State *L;
  if (L == NULL) {
    L = luaL_newstate();
    CHECK(L != NULL);
    luaL_openlibs(L);
    pt_lua_open_array(L);
    CHECK(luaL_dostring(L, "local cjson = require('cjson').new()\n"
                           "cjson.decode_invalid_numbers(false)\n"
                           "return cjson.decode") == 0);
    pt_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
  }
  return L;
}

static bool is_null(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == NULL;
}

static void check_number(lua_State *L, int ours, int theirs) {
  double number = lua_tonumber(L, ours), other = lua_tonumber(L, theirs);
  CHECK(number == other && signbit(number) == signbit(other));
  if (!lua_isinteger(L, ours))
    CHECK(floor(number) != number || fabs(number) > 9007199254740992.0 ||
          (number == 0 && signbit(number)));
}

/* Every member of theirs that is not null is in ours, and nothing else. */
static void check_same(lua_State *L, int ours, int theirs);
static void check_table(lua_State *L, int ours, int theirs) {
  long members = 0, empty = lua_rawlen(L, theirs) == 0;
  luaL_checkstack(L, 8, "value");
  lua_pushnil(L);
  while (lua_next(L, theirs) != 0) {
    int value = lua_gettop(L);
    lua_pushvalue(L, value - 1);
    lua_rawget(L, ours);
    if (is_null(L, value) && lua_type(L, value - 1) == LUA_TSTRING) {
      CHECK(lua_isnil(L, -1));
    } else {
      check_same(L, value + 1, value);
      members++;
    }
    empty = 0;
    lua_settop(L, value - 1);
  }
  lua_pushnil(L);
  for (; lua_next(L, ours) != 0; lua_pop(L, 1))
    members--;
  CHECK(members == 0);
  if (lua_getmetatable(L, ours)) { /* an empty list, which lua-cjson does not tell from an object */
    CHECK(empty);
    lua_pop(L, 1);
  }
}

static void check_same(lua_State *L, int ours, int theirs) {
  CHECK(lua_type(L, ours) == lua_type(L, theirs));
  if (lua_type(L, ours) == LUA_TNUMBER)
    check_number(L, ours, theirs);
  else if (lua_type(L, ours) == LUA_TTABLE)
    check_table(L, ours, theirs);
  else
    CHECK(lua_rawequal(L, ours, theirs));
}

static bool contains(const pt_buffer *text, const char *wanted) {
  return memmem(text->bytes, text->length, wanted, strlen(wanted)) != NULL;
}

/* Whether our reader stopped where lua-cjson is known to go on. */
static bool known_leniency(const pt_buffer *text) {
  pt_json_reader in;
  pt_json_start(&in, text->bytes, text->length, 1000);
  while (pt_json_next(&in) > PT_JSON_TOO_DEEP)
    continue;
  size_t at = pt_json_offset(&in);
  if (at < text->length && (unsigned char)text->bytes[at] < ' ')
    return true;
  for (size_t i = at > 0 ? at - 1 : 0; i <= at && i < text->length; i++)
    if (strchr("+-.0123456789xXnNiI", text->bytes[i]) != NULL)
      return true;
  return false;
}

/* The kind that the envelope's first byte tells. */
static bool is_kind(lua_State *L, int index, char kind) {
  switch (lua_type(L, index)) {
  case LUA_TNIL: return kind == '\0' || kind == 'n';
  case LUA_TLIGHTUSERDATA: return kind == 'n';
  case LUA_TBOOLEAN: return kind == 't' || kind == 'f';
  case LUA_TSTRING: return kind == '"';
  case LUA_TNUMBER: return kind == '-' || (kind >= '0' && kind <= '9');
  default: return lua_rawlen(L, index) > 0 ? kind == '[' : kind == '[' || kind == '{';
  }
}

static void check_envelope(lua_State *L, pt_envelope envelope) {
  CHECK(is_kind(L, OURS, envelope.top));
  if (envelope.top == '{') {
    lua_getfield(L, OURS, "data");
    CHECK(is_kind(L, -1, envelope.data));
    lua_pop(L, 1);
  } else {
    CHECK(envelope.data == '\0');
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = state();
  pt_buffer text = {0};
  pt_envelope envelope;
  lua_settop(L, 0);
  if (size > 0 && data[0] == 'L') { /* past what is too small to remember names */
    pt_buffer_add_text(&text, "[\"");
    while (text.length < 2048)
      pt_buffer_add_text(&text, "padding ");
    pt_buffer_add_text(&text, "\",");
    pt_buffer_add(&text, (const char *)data + 1, size - 1);
    pt_buffer_add_text(&text, "]");
  } else {
    pt_buffer_add(&text, (const char *)data, size);
  }
  pt_decoded decoded = pt_lua_json_decode(L, &text, &envelope);
  CHECK(decoded == PT_DECODED || decoded == PT_DECODE_INVALID);
  CHECK(lua_gettop(L) == (decoded == PT_DECODED));
  lua_settop(L, OURS);
  pt_rawgetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_pushlstring(L, text.bytes, text.length);
  bool theirs = lua_pcall(L, 1, 1, 0) == 0;
  if (decoded == PT_DECODED) {
    check_envelope(L, envelope);
    bool mark = memcmp(text.bytes, "\xEF\xBB\xBF", 3) == 0;
    if (theirs)
      check_same(L, OURS, THEIRS);
    else
      CHECK(mark || contains(&text, "\\ud") || contains(&text, "\\uD"));
  } else if (theirs) {
    CHECK(known_leniency(&text));
  }
  lua_settop(L, 0);
  pt_buffer_free(&text);
  return 0;
}
