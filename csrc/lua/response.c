/* response.c: see response.h. */
#include "lua/response.h"

#include "api/curl_command.h"
#include "api/failure.h"
#include "base/ascii.h"
#include "http/headers.h"
#include "http/url.h"
#include "lua/call.h"
#include "lua/set.h"
#include "lua/text.h"

#include <stdio.h>
#include <string.h>

/* Where the registry keeps the metatables. */
static const char response_key = 0, error_key = 0, buffer_key = 0;

/* In the registry: the calls of responses and errors, by response or error. They are in no table
 * that Lua can reach, and the table keeps no response alive. */
static const char calls_key = 0;

enum { MAX_SHOWN_VALUE = 256 }; /* bytes of a request id */

/* ---- parts, made when asked for ---- */

/* A recipient replaces a folded line's end, and controls, by spaces: RFC 9112 section 5.2, RFC 9110
 * section 5.5. */
static char fit_for_header(char c) { return (unsigned char)c < ' ' || c == 127 ? ' ' : c; }

void pt_lua_push_header_value(lua_State *L, const pt_header *header) {
  size_t i = 0;
  while (i < header->value_length && header->value[i] == fit_for_header(header->value[i]))
    i++;
  if (i == header->value_length) {
    lua_pushlstring(L, header->value, header->value_length);
    return;
  }
  luaL_Buffer value;
  luaL_buffinit(L, &value);
  for (i = 0; i < header->value_length; i++)
    luaL_addchar(&value, fit_for_header(header->value[i]));
  luaL_pushresult(&value);
}

/* in: headers, out: the same with one more; a repeated name is joined with ", " (RFC 9110
 * section 5.3) */
static void add_header(lua_State *L, const pt_header *header) {
  luaL_Buffer name;
  luaL_buffinit(L, &name);
  for (size_t i = 0; i < header->name_length; i++)
    luaL_addchar(&name, pt_lower(header->name[i]));
  luaL_pushresult(&name);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    pt_lua_push_header_value(L, header);
  } else {
    lua_pushliteral(L, ", ");
    pt_lua_push_header_value(L, header);
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
  char id[MAX_SHOWN_VALUE]; /* a copy: the call may go on as soon as Lua runs */
  if (!pt_headers_find(&call->reply.headers, "x-request-id", &header)) {
    lua_pushnil(L);
    return;
  }
  size_t length = header.value_length < sizeof id ? header.value_length : sizeof id;
  for (size_t i = 0; i < length; i++)
    id[i] = fit_for_header(header.value[i]);
  lua_pushlstring(L, id, length);
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

/* The call of a response or an error; NULL where it has none, and for any other value. It lives as
 * long as the value is on the stack. */
static pt_call *call_of(lua_State *L, int index) {
  lua_pushvalue(L, index);
  pt_rawgetp(L, LUA_REGISTRYINDEX, &calls_key);
  lua_insert(L, -2);
  lua_rawget(L, -2);
  const pt_lua_call *holder = lua_touserdata(L, -1); /* only this file puts values there */
  lua_pop(L, 2);
  return holder != NULL ? holder->call : NULL;
}

const pt_call *pt_lua_response_call(lua_State *L, int index) {
  index = pt_absindex(L, index);
  return pt_lua_has_metatable(L, index, &response_key) ? call_of(L, index) : NULL;
}

void pt_lua_make_parts(lua_State *L, int index, const pt_call *call) {
  for (size_t i = 0; i < LAZY_PARTS; i++) {
    lua_pushstring(L, lazy_part[i].name);
    lazy_part[i].push(L, call);
    lua_rawset(L, index);
  }
}

/* ---- curl() ---- */

static int buffer_collect(lua_State *L) {
  pt_buffer_wipe(lua_touserdata(L, 1));
  return 0;
}

pt_buffer *pt_lua_push_buffer(lua_State *L) {
  pt_buffer *buffer = pt_newuserdata(L, sizeof *buffer);
  memset(buffer, 0, sizeof *buffer);
  pt_lua_give_metatable(L, &buffer_key);
  return buffer;
}

/* in: -, out: the call as a curl command; nil when memory ran out or nothing was to be sent */
static void push_command(lua_State *L, pt_call *call) {
  const pt_config *config = pt_call_config(call);
  if (config == NULL || call->serial == 0) {
    lua_pushnil(L);
    return;
  }
  pt_buffer *out = pt_lua_push_buffer(L);
  pt_curl_command(out, call, config);
  if (out->failed || out->length == 0)
    lua_pushnil(L);
  else
    lua_pushlstring(L, out->bytes, out->length);
  pt_buffer_wipe(out);
  lua_remove(L, -2);
}

bool pt_lua_push_redirect(lua_State *L, const pt_call *call, char *problem, size_t size) {
  pt_header header;
  if (!pt_headers_find(&call->reply.headers, "location", &header)) {
    (void)snprintf(problem, size, "the redirect has no Location");
    return false;
  }
  lua_createtable(L, 0, 1);
  pt_buffer *out = pt_lua_push_buffer(L);
  const char *wrong = pt_url_resolve(out, pt_call_config(call)->base_url.origin, call->target.bytes,
                                     header.value, header.value_length);
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

/* curl(): in: response or error; out: command, or nil where no request was written */
static int response_curl(lua_State *L) {
  if (!pt_lua_has_metatable(L, 1, &response_key) && !pt_lua_has_metatable(L, 1, &error_key))
    return pt_lua_error(L, "curl: use a colon: response:curl()");
  pt_call *call = call_of(L, 1);
  if (call != NULL)
    push_command(L, call);
  else
    lua_pushnil(L);
  return 1;
}

/* ---- metatables ---- */

/* __index: in: response, name; out: part */
static int response_index(lua_State *L) {
  const pt_call *call = pt_lua_response_call(L, 1);
  if (pt_lua_is_text(L, 2, "curl")) {
    lua_pushcfunction(L, response_curl);
    return 1;
  }
  if (call == NULL)
    return 0;
  for (size_t i = 0; i < LAZY_PARTS; i++) {
    if (!pt_lua_is_text(L, 2, lazy_part[i].name))
      continue;
    lazy_part[i].push(L, call);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
  }
  return 0;
}

/* One step of pairs: in: response, key; out: key, value */
static int response_next(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (lua_next(L, 1) != 0)
    return 2;
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
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushliteral(L, "text");
  lua_rawget(L, 1);
  return 1;
}

/* in: -; out: an empty table with that metatable */
static void push_with_metatable(lua_State *L, const char *key) {
  lua_createtable(L, 0, 1);
  pt_lua_give_metatable(L, key);
}

/* in: response or error, call; out: response or error, which has that call from now on */
static void keep_call(lua_State *L) {
  pt_rawgetp(L, LUA_REGISTRYINDEX, &calls_key);
  lua_pushvalue(L, -3);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 2);
}

void pt_lua_push_response(lua_State *L, int index) {
  const pt_lua_call *holder = lua_touserdata(L, index);
  push_with_metatable(L, &response_key);
  if (holder->own_table) /* it refers to the response, which Lua 5.1 would never collect */
    pt_lua_push_call_owner(L, holder->call);
  else
    lua_pushvalue(L, index);
  keep_call(L);
}

void pt_lua_push_error(lua_State *L, pt_call *call) {
  push_with_metatable(L, &error_key);
  if (call == NULL)
    return;
  pt_lua_push_call_owner(L, call);
  keep_call(L);
}

static void make_metatable(lua_State *L, const char *name, const char *key,
                           lua_CFunction tostring) {
  pt_lua_new_metatable(L, name, key);
  lua_pushcfunction(L, response_index);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, response_pairs);
  lua_setfield(L, -2, "__pairs");
  if (tostring != NULL) {
    lua_pushcfunction(L, tostring);
    lua_setfield(L, -2, "__tostring");
  }
  lua_pop(L, 1);
}

void pt_lua_open_response(lua_State *L) {
  make_metatable(L, "polytomic.response", &response_key, NULL);
  make_metatable(L, "polytomic.error", &error_key, error_tostring);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  pt_set_string(L, "__mode", "k");
  lua_setmetatable(L, -2);
  pt_rawsetp(L, LUA_REGISTRYINDEX, &calls_key);
  pt_lua_new_metatable(L, "polytomic.buffer", &buffer_key);
  lua_pushcfunction(L, buffer_collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}
