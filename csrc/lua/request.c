/* request.c: see request.h. */
#include "lua/request.h"

#include "http/url.h"
#include "lua/handle.h"
#include "lua/text.h"

#include <string.h>

const pt_operation pt_request_operation = {.name = "request", .data_open = true};

/* ---- its method, and what it is in the catalogue ---- */

/* in: request at `index`. Raises for a member it does not have. */
static void check_members(lua_State *L, int index) {
  static const char *const known[] = {"method", "path", "query", "body"};
  enum { KNOWN = sizeof known / sizeof known[0] };
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    size_t i = 0;
    while (i < KNOWN && !pt_lua_is_text(L, -1, known[i]))
      i++;
    if (i == KNOWN) {
      char name[PT_LUA_NAME_SIZE];
      pt_lua_error(L, "request: unknown field '%s', known are method, path, query and body",
                   pt_lua_copy_name(L, -1, name));
    }
  }
}

/* in: request at `index`; out: its own member of that name, or nil: no metamethod takes part */
static void push_member(lua_State *L, int index, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, index);
}

/* in: request at `index`. Raises when it has no valid method. */
static pt_method check_method(lua_State *L, int index) {
  unsigned method = PT_METHOD_GET;
  push_member(L, index, "method");
  while (method <= PT_METHOD_DELETE && !pt_lua_is_text(L, -1, pt_method_name((pt_method)method)))
    method++;
  if (method > PT_METHOD_DELETE)
    pt_lua_error(L, "request: method must be GET, POST, PUT, PATCH or DELETE");
  lua_pop(L, 1);
  return (pt_method)method;
}

void pt_lua_read_request(lua_State *L, int index, pt_call *call) {
  check_members(L, index);
  if (!pt_call_own_operation(call, &pt_request_operation))
    luaL_error(L, "not enough memory");
  pt_operation *own = call->own_operation;
  own->method = check_method(L, index);
  size_t length = 0;
  push_member(L, index, "path");
  push_member(L, index, "query");
  push_member(L, index, "body");
  int at = lua_gettop(L) - 2;
  const char *path = lua_type(L, at) == LUA_TSTRING ? lua_tolstring(L, at, &length) : "";
  const pt_operation *match = pt_operation_match(own->method, path, length);
  own->auth = match != NULL ? match->auth : PT_AUTH_UNSPECIFIED;
}

/* ---- path, query and body ---- */

static bool write_path(pt_writer *w, const char *prefix, int index) {
  size_t length;
  w->here = &(pt_place){.name = "path", .length = 4};
  if (lua_type(w->L, index) != LUA_TSTRING)
    return pt_lua_refuse_type(w, "a string", index);
  const char *path = lua_tolstring(w->L, index, &length);
  if (length == 0 || path[0] != '/')
    return pt_lua_refuse(w, "must begin with '/'");
  pt_buffer_add_text(w->out, prefix);
  const char *end = path + length;
  while (path < end) {
    const char *segment = path + 1;
    const char *slash = memchr(segment, '/', (size_t)(end - segment));
    const char *stop = slash != NULL ? slash : end;
    pt_buffer_add_char(w->out, '/');
    if ((segment < stop || slash != NULL) &&
        !pt_lua_write_segment(w, segment, (size_t)(stop - segment)))
      return false; /* "/connect/" really ends with a slash */
    path = stop;
  }
  w->here = NULL;
  return true;
}

static bool write_query(pt_writer *w, int index) {
  size_t pairs = 0;
  w->here = &(pt_place){.name = "query", .length = 5};
  if (lua_type(w->L, index) != LUA_TTABLE)
    return pt_lua_refuse_type(w, "a table", index);
  lua_pushnil(w->L);
  while (lua_next(w->L, index) != 0) {
    if (!pt_lua_write_free_pair(w, &pairs))
      return false;
    lua_pop(w->L, 1);
  }
  w->here = NULL;
  return true;
}

/* in: path, query and body at `path` and after */
static bool write_parts(pt_writer *w, const char *prefix, int path) {
  int query = path + 1, body = path + 2;
  if (!write_path(w, prefix, path))
    return false;
  if (!lua_isnil(w->L, query) && !write_query(w, query))
    return false;
  if (lua_isnil(w->L, body))
    return true;
  pt_buffer_clear(&w->call->body); /* was scratch */
  w->out = &w->call->body;
  w->call->has_body = true;
  w->here = &(pt_place){.name = "body", .length = 4};
  return pt_lua_write_value(w, &pt_any_type, body);
}

bool pt_lua_write_request(lua_State *L, pt_call *call, const char *prefix, int parts,
                          pt_refusal *refusal) {
  int top = lua_gettop(L);
  pt_writer w = {.L = L, .call = call, .refusal = refusal, .out = &call->target, .free_form = true};
  refusal->field[0] = refusal->problem[0] = '\0';
  luaL_checkstack(L, 15, "request");
  bool written = write_parts(&w, prefix, parts) && pt_lua_written_whole(&w);
  lua_settop(L, top);
  return written;
}
