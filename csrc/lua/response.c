/* response.c: see response.h. */
#include "lua/response.h"

#include "api/curl_command.h"
#include "api/failure.h"
#include "http/headers.h"
#include "http/url.h"
#include "lua/set.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define RESPONSE_METATABLE "polytomic.response"
#define ERROR_METATABLE "polytomic.error"
#define BUFFER_METATABLE "polytomic.buffer"

/* Where a response keeps its call: a key no string can be. */
static const char call_key = 0;

/* ---- parts, made when asked for ---- */

/* in: headers, out: the same with one more; a repeated name is joined with ", " (RFC 9110
 * section 5.3) */
static void add_header(lua_State *L, const pt_header *header) {
  luaL_Buffer name;
  luaL_buffinit(L, &name);
  for (size_t i = 0; i < header->name_length; i++)
    luaL_addchar(&name, (char)tolower((unsigned char)header->name[i]));
  luaL_pushresult(&name);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushlstring(L, header->value, header->value_length);
  } else {
    lua_pushliteral(L, ", ");
    lua_pushlstring(L, header->value, header->value_length);
    lua_concat(L, 3);
  }
  lua_rawset(L, -3);
}

static void push_headers(lua_State *L, const pt_call *call) {
  size_t next = 0;
  pt_header header;
  lua_newtable(L);
  while (pt_headers_next(&call->reply.headers, &next, &header))
    add_header(L, &header);
}

static void push_timeline(lua_State *L, const pt_call *call) {
  lua_createtable(L, call->attempt_count, 0);
  for (int i = 0; i < call->attempt_count; i++) {
    const pt_attempt *attempt = &call->attempts[i];
    lua_createtable(L, 0, 9);
    if (attempt->status != 0)
      pt_set_integer(L, "status", attempt->status);
    pt_set_string(L, "error", pt_failure_kind(call->operation, attempt->end, attempt->status));
    pt_set_number(L, "name", attempt->name);
    pt_set_number(L, "tcp", attempt->tcp);
    pt_set_number(L, "connect", attempt->connect);
    pt_set_number(L, "first_byte", attempt->first_byte);
    pt_set_number(L, "total", attempt->total);
    pt_set_number(L, "waited", attempt->waited);
    pt_set_boolean(L, "reused", attempt->reused);
    lua_rawseti(L, -2, i + 1);
  }
}

void pt_lua_push_request_id(lua_State *L, const pt_call *call) {
  pt_header header;
  if (pt_headers_find(&call->reply.headers, "x-request-id", &header))
    lua_pushlstring(L, header.value, header.value_length);
  else
    lua_pushnil(L);
}

static void push_idempotency_key(lua_State *L, const pt_call *call) {
  lua_pushstring(L, call->idempotency_key); /* nil for NULL */
}

static void push_elapsed(lua_State *L, const pt_call *call) {
  lua_pushnumber(L, call->state == PT_CALL_DONE ? call->ended - call->started : 0);
}

static void push_operation(lua_State *L, const pt_call *call) {
  lua_pushstring(L, call->operation->name);
}

static void push_attempts(lua_State *L, const pt_call *call) {
  lua_pushinteger(L, call->attempt_count);
}

static void push_status(lua_State *L, const pt_call *call) {
  if (call->status != 0)
    lua_pushinteger(L, call->status);
  else
    lua_pushnil(L);
}

static const struct {
  const char *name;
  void (*push)(lua_State *L, const pt_call *call);
} lazy_part[] = {
    {"operation", push_operation},
    {"status", push_status},
    {"attempts", push_attempts},
    {"headers", push_headers},
    {"timeline", push_timeline},
    {"request_id", pt_lua_push_request_id},
    {"idempotency_key", push_idempotency_key},
    {"elapsed", push_elapsed},
};
enum { LAZY_PARTS = sizeof lazy_part / sizeof lazy_part[0] };

const pt_call *pt_lua_response_call(lua_State *L, int index) {
  index = pt_absindex(L, index);
  if (lua_type(L, index) != LUA_TTABLE)
    return NULL;
  pt_rawgetp(L, index, &call_key);
  const pt_lua_call *holder = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return holder != NULL ? holder->call : NULL;
}

void pt_lua_make_parts(lua_State *L, int index, const pt_call *call) {
  for (size_t i = 0; i < LAZY_PARTS; i++) {
    lua_pushstring(L, lazy_part[i].name);
    lazy_part[i].push(L, call);
    lua_rawset(L, index);
  }
}

/* ---- curl() ---- */

/* An error of a call that was refused before it was made has no call. */
static bool is_error(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE || lua_getmetatable(L, index) == 0)
    return false;
  luaL_getmetatable(L, ERROR_METATABLE);
  bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same;
}

static int buffer_collect(lua_State *L) {
  pt_buffer_wipe(lua_touserdata(L, 1));
  return 0;
}

/* in: -, out: userdata that owns an empty buffer: Lua may raise while it is full */
static pt_buffer *push_buffer(lua_State *L) {
  pt_buffer *buffer = pt_newuserdata(L, sizeof *buffer);
  memset(buffer, 0, sizeof *buffer);
  luaL_getmetatable(L, BUFFER_METATABLE);
  lua_setmetatable(L, -2);
  return buffer;
}

void pt_lua_push_command(lua_State *L, const pt_call *call, const pt_config *config) {
  if (config == NULL || call->engine == NULL) {
    lua_pushnil(L);
    return;
  }
  pt_buffer *out = push_buffer(L);
  pt_curl_command(out, call, config->base_url.origin);
  if (out->failed || out->length == 0)
    lua_pushnil(L);
  else
    lua_pushlstring(L, out->bytes, out->length);
  pt_buffer_wipe(out);
  lua_remove(L, -2);
}

bool pt_lua_push_redirect(lua_State *L, const pt_call *call, const pt_config *config, char *problem,
                          size_t size) {
  pt_header header;
  if (!pt_headers_find(&call->reply.headers, "location", &header)) {
    (void)snprintf(problem, size, "the redirect has no Location");
    return false;
  }
  lua_createtable(L, 0, 1);
  pt_buffer *out = push_buffer(L);
  const char *origin = config != NULL ? config->base_url.origin : "//"; /* no URL begins so */
  const char *wrong =
      pt_url_resolve(out, origin, call->target.bytes, header.value, header.value_length);
  if (wrong == NULL && config == NULL && out->bytes != NULL && out->bytes[0] == '/')
    wrong = "is relative, and the client was closed";
  if (out->failed)
    luaL_error(L, "%s: not enough memory for its reply", call->operation->name);
  if (wrong != NULL) {
    (void)snprintf(problem, size, "the Location of the redirect %s", wrong);
    lua_pop(L, 2);
    return false;
  }
  lua_pushlstring(L, out->bytes, out->length);
  pt_buffer_wipe(out);
  lua_setfield(L, -3, "url");
  lua_pop(L, 1);
  return true;
}

/* curl(): in: response; out: command, or nil when no request was made up. An error has its command
 * already. */
static int response_curl(lua_State *L) {
  if (is_error(L, 1)) {
    lua_pushliteral(L, "command");
    lua_rawget(L, 1);
    return 1;
  }
  const pt_call *call = pt_lua_response_call(L, 1);
  if (call == NULL)
    return pt_lua_error(L, "curl: use a colon: response:curl()");
  pt_rawgetp(L, 1, &call_key);
  pt_getuservalue(L, -1);
  lua_getfield(L, -1, "client");
  pt_lua_push_command(L, call, pt_lua_config(lua_touserdata(L, -1)));
  return 1;
}

/* ---- metatables ---- */

/* __index: in: response, name; out: part */
static int response_index(lua_State *L) {
  const pt_call *call = pt_lua_response_call(L, 1);
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
  if (name != NULL && strcmp(name, "curl") == 0) {
    lua_pushcfunction(L, response_curl);
    return 1;
  }
  if (call == NULL || name == NULL)
    return 0;
  for (size_t i = 0; i < LAZY_PARTS; i++) {
    if (strcmp(name, lazy_part[i].name) != 0)
      continue;
    lazy_part[i].push(L, call);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
  }
  return 0;
}

/* One step of pairs: in: response, key; out: key, value; hides the call. */
static int response_next(lua_State *L) {
  lua_settop(L, 2);
  while (lua_next(L, 1) != 0) {
    if (lua_type(L, -2) == LUA_TSTRING)
      return 2;
    lua_pop(L, 1);
  }
  lua_pushnil(L);
  return 1;
}

/* __pairs (5.2 and newer) */
static int response_pairs(lua_State *L) {
  const pt_call *call = pt_lua_response_call(L, 1);
  if (call != NULL)
    pt_lua_make_parts(L, 1, call);
  lua_pushcfunction(L, response_next);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

/* __tostring of an error */
static int error_tostring(lua_State *L) {
  lua_pushliteral(L, "text");
  lua_rawget(L, 1);
  return 1;
}

/* in: -; out: an empty table with that metatable */
static void push_with_metatable(lua_State *L, const char *metatable) {
  lua_createtable(L, 0, 2);
  luaL_getmetatable(L, metatable);
  lua_setmetatable(L, -2);
}

void pt_lua_push_response(lua_State *L, int call) {
  push_with_metatable(L, RESPONSE_METATABLE);
  lua_pushvalue(L, call);
  pt_rawsetp(L, -2, &call_key);
}

void pt_lua_push_error(lua_State *L) { push_with_metatable(L, ERROR_METATABLE); }

static void make_metatable(lua_State *L, const char *name, lua_CFunction tostring) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, response_index);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, response_pairs);
  lua_setfield(L, -2, "__pairs");
  pt_set_string(L, "__name", name);
  lua_pushliteral(L, "protected");
  lua_setfield(L, -2, "__metatable");
  if (tostring != NULL) {
    lua_pushcfunction(L, tostring);
    lua_setfield(L, -2, "__tostring");
  }
  lua_pop(L, 1);
}

void pt_lua_open_response(lua_State *L) {
  make_metatable(L, RESPONSE_METATABLE, NULL);
  make_metatable(L, ERROR_METATABLE, error_tostring);
  luaL_newmetatable(L, BUFFER_METATABLE);
  lua_pushcfunction(L, buffer_collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}
