/* fuzz_arguments.c: any Lua table as the arguments of any operation. What is accepted makes a whole
 * JSON body and a plain target; what is refused says why. */
#include "api/call_pool.h"
#include "base/json_reader.h"
#include "lua/arguments.h"
#include "check.h"

#include <lualib.h>
#include <string.h>

/* The input is read as a little program that builds a value. */
typedef struct {
  const uint8_t *data;
  size_t size;
  const pt_operation *operation;
} input;

static uint8_t take(input *in) {
  if (in->size == 0)
    return 0;
  in->size--;
  return *in->data++;
}

static void push_text(lua_State *L, input *in) {
  static const char uuid[] = "0a0a0a0a-0000-4000-8000-000000000001";
  size_t length = take(in);
  if (length > 200) {
    lua_pushlstring(L, uuid, sizeof uuid - 1);
    return;
  }
  length %= 24;
  if (length > in->size)
    length = in->size;
  lua_pushlstring(L, (const char *)in->data, length);
  in->data += length;
  in->size -= length;
}

static void push_key(lua_State *L, input *in) {
  uint8_t choice = take(in);
  size_t count = in->operation->field_count;
  if (choice < 200 && count > 0)
    lua_pushstring(L, in->operation->fields[choice % count].name);
  else if (choice < 240)
    push_text(L, in);
  else
    lua_pushinteger(L, choice - 239);
}

static void push_value(lua_State *L, input *in, int depth);

static void push_table(lua_State *L, input *in, int depth) {
  size_t count = take(in) % 8;
  int list = take(in) & 1;
  lua_newtable(L);
  for (size_t i = 0; i < count; i++) {
    if (list)
      lua_pushinteger(L, (lua_Integer)i + 1);
    else
      push_key(L, in);
    push_value(L, in, depth + 1);
    lua_rawset(L, -3);
  }
}

static void push_value(lua_State *L, input *in, int depth) {
  luaL_checkstack(L, 8, "value");
  switch (take(in) % 9) {
  case 0: lua_pushboolean(L, take(in) & 1); break;
  case 1: lua_pushinteger(L, (lua_Integer)((uint64_t)take(in) << (take(in) % 60))); break;
  case 2: {
    double number = 0;
    size_t length = in->size < sizeof number ? in->size : sizeof number;
    memcpy(&number, in->data, length);
    in->data += length;
    in->size -= length;
    lua_pushnumber(L, number);
    break;
  }
  case 3: lua_pushlightuserdata(L, NULL); break;
  case 4:
  case 5: push_text(L, in); break;
  case 6: lua_pushvalue(L, LUA_REGISTRYINDEX); break;
  default:
    if (depth < 6)
      push_table(L, in, depth);
    else
      push_text(L, in);
  }
}

static void check_target(const pt_buffer *target) {
  CHECK(target->length > 0 && target->bytes[0] == '/');
  CHECK(strlen(target->bytes) == target->length && strstr(target->bytes, "/../") == NULL &&
        strstr(target->bytes, "//") == NULL);
  for (size_t i = 0; i < target->length; i++)
    CHECK(target->bytes[i] > ' ' && target->bytes[i] < 127 && target->bytes[i] != '#');
}

/* in: input; run protected */
static int run(lua_State *L) {
  input *in = lua_touserdata(L, 1);
  in->operation = &pt_operations[(size_t)(take(in) << 8 | take(in)) % pt_operation_count];
  pt_refusal refusal;
  pt_call *call = pt_call_new();
  CHECK(call != NULL);
  call->operation = in->operation;
  push_table(L, in, 0);
  int top = lua_gettop(L);
  pt_lua_additions none = {0};
  bool written = pt_lua_write_arguments(L, call, "", top, &none, &refusal);
  CHECK(lua_gettop(L) == top);
  if (written) {
    check_target(&call->target);
    CHECK(!call->has_body ||
          pt_json_validate(call->body.bytes, call->body.length, 200) == PT_JSON_WHOLE);
  } else {
    CHECK(refusal.problem[0] != '\0' && strlen(refusal.problem) < PT_MAX_PROBLEM &&
          strlen(refusal.field) < PT_MAX_FIELD);
    CHECK(strpbrk(refusal.problem, "\r\n") == NULL);
  }
  pt_call_release(call);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (L == NULL)
    L = luaL_newstate();
  CHECK(L != NULL);
  input in = {data, size, NULL};
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, &in);
  CHECK(lua_pcall(L, 1, 0, 0) == 0);
  return 0;
}
