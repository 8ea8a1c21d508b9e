/* json.c: see json.h. */
#include "lua/json.h"

#include "base/ascii.h"
#include "base/random.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A reply larger than this becomes tables with the collector stopped: it would only find that
 * nothing is garbage. */
enum { LARGE_REPLY = 64 * 1024 };

static const char decode_key = 0;

typedef struct {
  const char *bytes;
  size_t length;
  bool plain;       /* strings, true and false only: lua-cjson's values are ours */
  const char *mark; /* NULL when no integer was marked */
} source;

/* in: -, out: - */
void pt_lua_json_open(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  if (lua_pcall(L, 1, 1, 0) != 0)
    luaL_error(L, "polytomic needs lua-cjson (Debian: lua-cjson, LuaRocks: lua-cjson): %s",
               lua_tostring(L, -1));
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1);
  lua_getfield(L, -1, "decode_invalid_numbers");
  lua_pushboolean(L, 0);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode");
  pt_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_pop(L, 2);
}

/* The byte after the string that begins at `start`. */
static size_t string_end(const char *bytes, size_t length, size_t start) {
  size_t i = start + 1;
  while (i < length) {
    const char *quote = memchr(bytes + i, '"', length - i);
    if (quote == NULL)
      return length;
    i = (size_t)(quote - bytes) + 1;
    size_t slashes = 0;
    while (bytes[i - 2 - slashes] == '\\')
      slashes++;
    if (slashes % 2 == 0)
      return i;
  }
  return length;
}

/* Whether a null or a number stands anywhere. */
static bool has_null_or_number(const char *bytes, size_t length) {
  for (size_t i = 0; i < length;) {
    if (bytes[i] == 'n' || pt_is_digit(bytes[i]))
      return true;
    i = bytes[i] == '"' ? string_end(bytes, length, i) : i + 1;
  }
  return false;
}

/* ---- integers that a double cannot hold ---- */

#if PT_HAS_INTEGERS

/* lua-cjson reads every number as a double. Integers of 16 digits and more are handed to it as
 * strings with a mark nobody else knows, and become integers after. */
enum { LONG_INTEGER = 16, MARK_LENGTH = 12 };

/* Whether a run of LONG_INTEGER digits stands anywhere; looks at every 16th byte. */
static bool has_long_digits(const char *bytes, size_t length) {
  for (size_t i = LONG_INTEGER - 1; i < length; i += LONG_INTEGER) {
    if (!pt_is_digit(bytes[i]))
      continue;
    size_t first = i, last = i;
    while (first > 0 && pt_is_digit(bytes[first - 1]))
      first--;
    while (last + 1 < length && pt_is_digit(bytes[last + 1]))
      last++;
    if (last - first + 1 >= LONG_INTEGER)
      return true;
  }
  return false;
}

static size_t number_end(const char *bytes, size_t length, size_t start) {
  size_t i = start;
  while (i < length &&
         (pt_is_digit(bytes[i]) || (bytes[i] != '\0' && strchr("+-.eE", bytes[i]) != NULL)))
    i++;
  return i;
}

static bool fits_integer(const char *bytes, size_t length) {
  char digits[24];
  size_t sign = bytes[0] == '-';
  if (length - sign < LONG_INTEGER || length >= sizeof digits || bytes[sign] == '0')
    return false;
  for (size_t i = sign; i < length; i++)
    if (!pt_is_digit(bytes[i]))
      return false;
  memcpy(digits, bytes, length);
  digits[length] = '\0';
  const char *limit = sign ? "9223372036854775808" : "9223372036854775807";
  return length - sign < 19 || (length - sign == 19 && strcmp(digits + sign, limit) <= 0);
}

/* A number before a colon stands where a name must: it stays what it is, and is refused. */
static bool is_name(const source *text, size_t end) {
  while (end < text->length && pt_is_header_space(text->bytes[end]))
    end++;
  return end < text->length && text->bytes[end] == ':';
}

/* Copies the text with every long integer as a marked string. */
static void mark_integers(pt_buffer *out, const source *text, const char *mark) {
  for (size_t i = 0; i < text->length;) {
    const char *bytes = text->bytes;
    size_t end = i + 1;
    bool number = bytes[i] == '-' || pt_is_digit(bytes[i]);
    if (bytes[i] == '"')
      end = string_end(bytes, text->length, i);
    else if (number)
      end = number_end(bytes, text->length, i);
    if (end == i)
      end = i + 1;
    bool marked = number && fits_integer(bytes + i, end - i) && !is_name(text, end);
    if (marked) {
      pt_buffer_add_char(out, '"');
      pt_buffer_add(out, mark, MARK_LENGTH);
    }
    pt_buffer_add(out, bytes + i, end - i);
    if (marked)
      pt_buffer_add_char(out, '"');
    i = end;
  }
}

static bool make_mark(char mark[MARK_LENGTH + 1]) {
  char uuid[PT_UUID_LENGTH + 1];
  if (!pt_random_uuid(uuid))
    return false;
  memcpy(mark, uuid + PT_UUID_LENGTH - MARK_LENGTH, MARK_LENGTH);
  mark[MARK_LENGTH] = '\0';
  return true;
}

#endif

/* ---- normalising ---- */

static bool needs_change(lua_State *L, const char *mark) {
  switch (lua_type(L, -1)) {
  case LUA_TLIGHTUSERDATA: return lua_type(L, -2) == LUA_TSTRING;
#if PT_HAS_INTEGERS
  case LUA_TNUMBER: {
    double number = lua_tonumber(L, -1);
    return !lua_isinteger(L, -1) && number >= -9007199254740992.0 && number <= 9007199254740992.0 &&
           floor(number) == number && !(number == 0 && signbit(number));
  }
  case LUA_TSTRING: {
    size_t length;
    if (mark == NULL)
      return false;
    const char *bytes = lua_tolstring(L, -1, &length);
    return length > MARK_LENGTH && memcmp(bytes, mark, MARK_LENGTH) == 0;
  }
#endif
  default: (void)mark; return false;
  }
}

/* in: value that needs change, out: what it becomes */
static void change(lua_State *L) {
#if PT_HAS_INTEGERS
  if (lua_type(L, -1) == LUA_TNUMBER) {
    lua_Integer integer = (lua_Integer)lua_tonumber(L, -1);
    lua_pop(L, 1);
    lua_pushinteger(L, integer);
    return;
  }
  if (lua_type(L, -1) == LUA_TSTRING) {
    long long integer = strtoll(lua_tostring(L, -1) + MARK_LENGTH, NULL, 10);
    lua_pop(L, 1);
    lua_pushinteger(L, (lua_Integer)integer);
    return;
  }
#endif
  lua_pop(L, 1);
  lua_pushnil(L);
}

/* in: table, out: the same table; assigning to present keys keeps lua_next valid */
static void normalise(lua_State *L, const char *mark) {
  int table = lua_gettop(L);
  luaL_checkstack(L, 6, "reply");
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    if (lua_type(L, -1) == LUA_TTABLE) {
      normalise(L, mark);
    } else if (needs_change(L, mark)) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      change(L);
      lua_rawset(L, table);
      continue;
    }
    lua_pop(L, 1);
  }
}

/* ---- decoding ---- */

static const char *skip_byte_order_mark(const char *bytes, size_t *length) {
  if (*length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
    *length -= 3; /* RFC 8259 section 8.1: a parser may ignore it */
    return bytes + 3;
  }
  return bytes;
}

/* in: source; out: value. Run protected. */
static int decode_protected(lua_State *L) {
  const source *text = lua_touserdata(L, 1);
  pt_rawgetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_pushlstring(L, text->bytes, text->length);
  lua_call(L, 1, 1);
  if (text->plain)
    return 1;
  if (lua_type(L, -1) == LUA_TTABLE)
    normalise(L, text->mark);
  else if (needs_change(L, text->mark))
    change(L);
  return 1;
}

/* in: decode_protected; out: the value, or nothing when it cannot be read */
static pt_decoded decode(lua_State *L, source *text) {
  lua_pushlightuserdata(L, text);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == 0)
    return PT_DECODED;
  lua_pop(L, 1);
  return status == LUA_ERRMEM ? PT_DECODE_MEMORY : PT_DECODE_INVALID;
}

static bool stop_collector(lua_State *L, size_t length) {
#if PT_HAS_GC_ISRUNNING
  if (length < LARGE_REPLY || lua_gc(L, LUA_GCISRUNNING, 0) == 0)
    return false;
  lua_gc(L, LUA_GCSTOP, 0);
  return true;
#else
  (void)L, (void)length;
  return false; /* Lua 5.1 cannot tell whether the host has stopped it */
#endif
}

pt_decoded pt_lua_json_decode(lua_State *L, const pt_buffer *text) {
  source given = {.bytes = text->bytes != NULL ? text->bytes : "", .length = text->length};
  given.bytes = skip_byte_order_mark(given.bytes, &given.length);
  if (memchr(given.bytes, '\0', given.length) != NULL)
    return PT_DECODE_INVALID; /* lua-cjson takes it for the end */
  given.plain = !has_null_or_number(given.bytes, given.length);
  lua_pushcfunction(
      L, decode_protected); /* may raise, so it goes before what must not be left undone */
  bool stopped = stop_collector(L, given.length);
  pt_decoded decoded;
#if PT_HAS_INTEGERS
  char mark[MARK_LENGTH + 1];
  if (!given.plain && has_long_digits(given.bytes, given.length) && make_mark(mark)) {
    pt_buffer marked = {0};
    mark_integers(&marked, &given, mark);
    if (marked.failed)
      lua_pop(L, 1);
    decoded =
        marked.failed
            ? PT_DECODE_MEMORY
            : decode(L, &(source){.bytes = marked.bytes, .length = marked.length, .mark = mark});
    pt_buffer_free(&marked);
  } else
#endif
    decoded = decode(L, &given);
  if (stopped)
    lua_gc(L, LUA_GCRESTART, 0);
  return decoded;
}
