/* arguments.c: see arguments.h. */
#include "lua/arguments.h"

#include "http/url.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MAX_MASK = 64 }; /* fields whose presence is noted; those after are looked up */

static bool write_path(pt_writer *w, const char *prefix, const char *path, int arguments) {
  lua_State *L = w->L;
  const pt_operation *operation = w->call->operation;
  pt_buffer_add_text(w->out, prefix);
  while (*path != '\0') {
    const char *brace = strchr(path, '{');
    if (brace == NULL) {
      pt_buffer_add_text(w->out, path);
      break;
    }
    pt_buffer_add(w->out, path, (size_t)(brace - path));
    const char *end = strchr(brace, '}');
    size_t name_length = (size_t)(end - brace - 1);
    const pt_field *field = pt_operation_field(operation, brace + 1, name_length);
    w->here = &(pt_place){.name = brace + 1, .length = name_length};
    lua_pushlstring(L, brace + 1, name_length);
    lua_rawget(L, arguments);
    size_t length;
    const char *bytes = pt_lua_check_string(w, field->type, lua_gettop(L), &length);
    if (bytes == NULL || !pt_lua_write_segment(w, bytes, length) ||
        !pt_lua_check_format(w, field->type, bytes, length))
      return false;
    lua_pop(L, 1);
    path = end + 1;
  }
  w->here = NULL;
  return true;
}

static bool check_presence(pt_writer *w, const pt_field *field, int arguments) {
  lua_State *L = w->L;
  size_t length = 1;
  if (lua_isnil(L, -1))
    return !field->required || pt_lua_refuse(w, "is required");
  if (field->required && lua_type(L, -1) == LUA_TSTRING)
    (void)lua_tolstring(L, -1, &length);
  if (length == 0)
    return pt_lua_refuse(w, "must not be empty");
  if (field->not_empty && lua_type(L, -1) == LUA_TTABLE && pt_rawlen(L, -1) == 0) {
    lua_pushnil(L);
    if (lua_next(L, -2) == 0)
      return pt_lua_refuse(w, "must have at least one entry");
    lua_pop(L, 2);
  }
  if (field->excludes != NULL && !pt_lua_is_null(L, lua_gettop(L))) {
    lua_pushstring(L, field->excludes);
    lua_rawget(L, arguments);
    bool both = !lua_isnil(L, -1) && !pt_lua_is_null(L, lua_gettop(L));
    lua_pop(L, 1);
    if (both) {
      char problem[96];
      (void)snprintf(problem, sizeof problem, "must not be given together with %s",
                     field->excludes);
      return pt_lua_refuse(w, problem);
    }
  }
  return true;
}

static bool write_body_field(pt_writer *w, const pt_field *field, int index) {
  pt_buffer_add_text(w->out, w->out->length > 1 ? ",\"" : "\"");
  pt_buffer_add_text(w->out, field->name); /* the catalogue's names need no escape */
  pt_buffer_add_text(w->out, "\":");
  size_t start = w->out->length;
  if (!pt_lua_write_value(w, field->type, index))
    return false;
  if (field->secret && !pt_call_mark_secret(w->call, true, start, w->out->length - start))
    return pt_lua_refuse_memory(w);
  return true;
}

/* Writes the fields of one location in the catalogue's order. */
static bool write_fields(pt_writer *w, pt_location location, int arguments, uint64_t given_fields,
                         size_t *pairs) {
  lua_State *L = w->L;
  const pt_operation *operation = w->call->operation;
  for (size_t i = 0; i < operation->field_count; i++) {
    const pt_field *field = &operation->fields[i];
    bool given = i >= MAX_MASK || (given_fields & (uint64_t)1 << i) != 0;
    if (field->location != location || (!given && !field->required))
      continue;
    w->here = &(pt_place){.name = field->name, .length = strlen(field->name)};
    lua_pushstring(L, field->name);
    lua_rawget(L, arguments);
    if (!check_presence(w, field, arguments))
      return false;
    int value = lua_gettop(L);
    if (location == PT_IN_QUERY && !lua_isnil(L, value) &&
        !pt_lua_write_query_field(w, field, value, pairs))
      return false;
    if (location == PT_IN_BODY && !lua_isnil(L, value) && !write_body_field(w, field, value))
      return false;
    lua_pop(L, 1);
  }
  w->here = NULL;
  return true;
}

/* in: ..., key of an argument the operation does not have */
static bool refuse_unknown(pt_writer *w) {
  lua_State *L = w->L;
  const pt_operation *operation = w->call->operation;
  if (lua_type(L, -1) != LUA_TSTRING) {
    (void)snprintf(w->refusal->problem, PT_MAX_PROBLEM,
                   "arguments must be named, got a value without a name (key of type %s)",
                   luaL_typename(L, -1));
    return false;
  }
  size_t length;
  const char *name = lua_tolstring(L, -1, &length);
  w->here = &(pt_place){.name = name, .length = length};
  const char *field = pt_lua_name_field(w);
  const char *nearest = pt_field_nearest(operation->fields, operation->field_count, name, length);
  if (nearest != NULL)
    (void)snprintf(w->refusal->problem, PT_MAX_PROBLEM, "unknown field '%s', did you mean '%s'?",
                   field, nearest);
  else if (operation->patched_by != NULL)
    (void)snprintf(w->refusal->problem, PT_MAX_PROBLEM,
                   "unknown field '%s' (%s changes what is given and keeps the rest)", field,
                   operation->patched_by);
  else
    (void)snprintf(w->refusal->problem, PT_MAX_PROBLEM, "unknown field '%s'", field);
  return false;
}

/* Notes which fields are given, each by the bit of its index, and refuses a name the operation does
 * not have before a missing one: a misspelt required field is reported as misspelt. */
static bool note_given(pt_writer *w, int arguments, uint64_t *given) {
  lua_State *L = w->L;
  const pt_operation *operation = w->call->operation;
  lua_pushnil(L);
  while (lua_next(L, arguments) != 0) {
    lua_pop(L, 1);
    size_t length;
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
    const pt_field *field = name != NULL ? pt_operation_field(operation, name, length) : NULL;
    if (field == NULL)
      return refuse_unknown(w);
    if (field - operation->fields < MAX_MASK)
      *given |= (uint64_t)1 << (field - operation->fields);
  }
  return true;
}

/* ---- additions: members the catalogue does not know yet ---- */

/* in: ..., key, value of an addition. Refuses a key that is not a name, and one that the arguments
 * give. */
static bool check_addition(pt_writer *w, int arguments) {
  lua_State *L = w->L;
  if (lua_type(L, -2) != LUA_TSTRING)
    return pt_lua_refuse(w, "must have string keys only");
  lua_pushvalue(L, -2);
  lua_rawget(L, arguments);
  bool given = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if (!given)
    return true;
  size_t length;
  const char *name = lua_tolstring(L, -2, &length);
  const pt_place *above = w->here;
  w->here = &(pt_place){.above = above, .name = name, .length = length};
  return pt_lua_refuse(w, "is given among the arguments too");
}

/* Appends the additions to the query, or to the body; `count` is what is there before. */
static bool write_additions(pt_writer *w, const char *where, int additions, int arguments,
                            size_t *count) {
  lua_State *L = w->L;
  if (additions == 0)
    return true;
  w->free_form = true; /* secrets are known by their names */
  lua_pushnil(L);
  while (lua_next(L, additions) != 0) {
    w->here = &(pt_place){.name = where, .length = strlen(where)};
    if (!check_addition(w, arguments))
      return false;
    if (w->out == &w->call->body) {
      if (!pt_lua_write_member(w, (*count)++ == 0))
        return false;
    } else {
      if (!pt_lua_write_free_pair(w, count))
        return false;
      lua_pop(L, 1);
    }
  }
  w->free_form = false;
  w->here = NULL;
  return true;
}

/* ---- all of it ---- */

static bool write_target(pt_writer *w, const char *prefix, int arguments, uint64_t given,
                         int additions) {
  size_t pairs = 0;
  w->out = &w->call->target;
  return write_fields(w, PT_IN_PATH, arguments, given, NULL) &&
         write_path(w, prefix, w->call->operation->path, arguments) &&
         write_fields(w, PT_IN_QUERY, arguments, given, &pairs) &&
         write_additions(w, "query", additions, arguments, &pairs);
}

static bool write_body(pt_writer *w, int arguments, uint64_t given, int additions) {
  pt_call *call = w->call;
  pt_buffer_clear(&call->body); /* was scratch */
  w->out = &call->body;
  if (!call->operation->has_body && additions == 0)
    return true;
  if (call->operation->method == PT_METHOD_GET || call->operation->method == PT_METHOD_DELETE) {
    w->here = &(pt_place){.name = "body", .length = 4};
    return pt_lua_refuse(w, "goes with POST, PUT and PATCH only");
  }
  call->has_body = true;
  pt_buffer_add_char(w->out, '{');
  if (!write_fields(w, PT_IN_BODY, arguments, given, NULL))
    return false;
  size_t count = w->out->length - 1;
  if (!write_additions(w, "body", additions, arguments, &count))
    return false;
  pt_buffer_add_char(w->out, '}');
  return true;
}

bool pt_lua_write_arguments(lua_State *L, pt_call *call, const char *prefix, int index,
                            const pt_lua_additions *additions, pt_refusal *refusal) {
  int top = lua_gettop(L);
  pt_writer w = {.L = L, .call = call, .refusal = refusal};
  uint64_t given = 0;
  refusal->field[0] = refusal->problem[0] = '\0';
  luaL_checkstack(L, 12, "arguments");
  if (index == 0) {
    lua_newtable(L);
    index = lua_gettop(L);
  }
  bool written = note_given(&w, index, &given) &&
                 write_target(&w, prefix, index, given, additions->query) &&
                 write_body(&w, index, given, additions->body) && pt_lua_written_whole(&w);
  lua_settop(L, top);
  return written;
}
