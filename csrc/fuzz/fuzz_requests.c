/* fuzz_requests.c: any Lua table as a request outside the catalogue, with metatables and finalizers
 * that change what is read. What is accepted makes whole JSON, a plain target and secrets within
 * them; what is refused says why. */
#include "api/call_pool.h"
#include "base/json_reader.h"
#include "lua/request.h"
#include "check.h"

#include <lualib.h>
#include <string.h>

/* The input is read as a little program that builds a request, and then changes it. */
typedef struct {
  const uint8_t *data;
  size_t size;
} input;

static input now;

static uint8_t take(void) {
  if (now.size == 0)
    return 0;
  now.size--;
  return *now.data++;
}

static void push_text(lua_State *L) {
  size_t length = take() % 24u;
  if (length > now.size)
    length = now.size;
  const char *text = (const char *)now.data;
  now.data += length; /* before a finalizer reads on */
  now.size -= length;
  lua_pushlstring(L, text, length);
}

static void push_value(lua_State *L, int depth);

/* A metamethod or a finalizer: in: table, …; changes the table; out: any value */
static int interfere(lua_State *L) {
  luaL_checkstack(L, 20, "metamethod");
  if (lua_type(L, 1) == LUA_TTABLE && take() % 2 == 0) {
    lua_pushinteger(L, take() % 4 + 1);
    push_value(L, 5);
    lua_rawset(L, 1);
  }
  if (take() % 8 == 0)
    return luaL_error(L, "raised");
  (void)lua_gc(L, LUA_GCSTEP, take());
  push_value(L, 5);
  return 1;
}

/* in: table; out: the same with a metatable */
static void make_hostile(lua_State *L) {
  static const char *const events[] = {"__gc", "__index", "__len", "__newindex", "__pairs"};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
    lua_pushcfunction(L, interfere);
    lua_setfield(L, -2, events[i]);
  }
  lua_setmetatable(L, -2);
}

static void push_key(lua_State *L) {
  static const char *const names[] = {"token", "api_key", "name", "client_secret"};
  uint8_t choice = take();
  if (choice < 128)
    lua_pushstring(L, names[choice % 4]);
  else
    push_text(L);
}

static void push_table(lua_State *L, int depth) {
  size_t count = take() % 8u;
  int list = take() & 1;
  lua_newtable(L);
  for (size_t i = 0; i < count; i++) {
    if (list)
      lua_pushinteger(L, (lua_Integer)i + 1);
    else
      push_key(L);
    push_value(L, depth + 1);
    lua_rawset(L, -3);
  }
  if (take() % 4 == 0)
    make_hostile(L);
}

static void push_value(lua_State *L, int depth) {
  luaL_checkstack(L, 20, "value");
  switch (take() % 8) {
  case 0: lua_pushboolean(L, take() & 1); break;
  case 1: lua_pushinteger(L, (lua_Integer)((uint64_t)take() << (take() % 60))); break;
  case 2: lua_pushnumber(L, (lua_Number)take() / 3); break;
  case 3: lua_pushlightuserdata(L, NULL); break;
  case 4: push_text(L); break;
  default:
    if (depth < 5)
      push_table(L, depth);
    else
      push_text(L);
  }
}

static void push_request(lua_State *L) {
  static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "get"};
  lua_newtable(L);
  lua_pushstring(L, methods[take() % 6]);
  lua_setfield(L, -2, "method");
  if (take() % 2 == 0)
    lua_pushliteral(L, "/api/organizations");
  else {
    lua_pushliteral(L, "/");
    push_text(L);
    lua_concat(L, 2);
  }
  lua_setfield(L, -2, "path");
  push_value(L, 0);
  lua_setfield(L, -2, "query");
  push_value(L, 0);
  lua_setfield(L, -2, "body");
  if (take() % 2 == 0)
    make_hostile(L);
}

static void check_request(const pt_call *call) {
  const pt_buffer *target = &call->target, *body = &call->body;
  CHECK(target->length > 0 && target->bytes[0] == '/' && strlen(target->bytes) == target->length);
  for (size_t i = 0; i < target->length; i++)
    CHECK(target->bytes[i] > ' ' && target->bytes[i] < 127 && target->bytes[i] != '#');
  CHECK(!call->has_body || pt_json_validate(body->bytes, body->length, 200) == PT_JSON_WHOLE);
  for (size_t i = 0; i < call->secret_count; i++) {
    const pt_span *span = &call->secrets[i];
    size_t length = span->in_body ? body->length : target->length;
    CHECK(span->offset <= length && span->length <= length - span->offset);
  }
}

/* in: call; run protected */
static int run(lua_State *L) {
  pt_call *call = lua_touserdata(L, 1);
  pt_refusal refusal;
  push_request(L);
  pt_lua_read_request(L, 2, call);
  CHECK(lua_gettop(L) == 5);
  bool written = pt_lua_write_request(L, call, "", 3, &refusal);
  CHECK(lua_gettop(L) == 5);
  if (written)
    check_request(call);
  else
    CHECK(refusal.problem[0] != '\0' && strlen(refusal.problem) < PT_MAX_PROBLEM &&
          strpbrk(refusal.problem, "\r\n") == NULL);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (L == NULL)
    L = luaL_newstate();
  CHECK(L != NULL);
  now = (input){data, size};
  (void)lua_gc(L, LUA_GCSETPAUSE, take() % 3 * 50);
  pt_call *call = pt_call_new();
  CHECK(call != NULL);
  call->operation = &pt_request_operation;
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, call);
  (void)lua_pcall(L, 1, 0, 0); /* metamethods and wrong usage raise */
  lua_settop(L, 0);
  pt_call_release(call);
  return 0;
}
