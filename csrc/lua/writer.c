/* writer.c: see writer.h. */
#include "lua/writer.h"

#include "base/json_writer.h"
#include "base/random.h"
#include "base/unicode.h"
#include "http/url.h"
#include "lua/array.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 100, MAX_NAME_SHOWN = 64 };

/* The largest integer a double holds exactly: the largest of a Lua without integers. */
#define MAX_EXACT 9007199254740992.0

/* A table on the way down to a value, to find one that contains itself. */
typedef struct ancestor {
  const void *table;
  const struct ancestor *above;
} ancestor;

const pt_type pt_any_type = {.kind = PT_TYPE_ANY};
static const pt_type string_type = {.kind = PT_TYPE_STRING};

/* ---- where we are, and what is wrong there ---- */

/* Appends text to the refusal's field, as far as it goes. */
static void add_to_field(pt_refusal *refusal, const char *bytes, size_t length) {
  size_t at = strlen(refusal->field);
  for (size_t i = 0; i < length && at + 1 < PT_MAX_FIELD; i++)
    refusal->field[at++] = bytes[i] < ' ' || bytes[i] > '~' ? '?' : bytes[i];
  refusal->field[at] = '\0';
}

static void write_place(pt_refusal *refusal, const pt_place *here) {
  char position[32];
  if (here == NULL)
    return;
  write_place(refusal, here->above);
  if (here->name == NULL) {
    int length = snprintf(position, sizeof position, "[%zu]", here->position);
    add_to_field(refusal, position, (size_t)length);
    return;
  }
  if (refusal->field[0] != '\0')
    add_to_field(refusal, ".", 1);
  add_to_field(refusal, here->name, here->length < MAX_NAME_SHOWN ? here->length : MAX_NAME_SHOWN);
}

const char *pt_lua_name_field(pt_writer *w) {
  w->refusal->field[0] = '\0';
  write_place(w->refusal, w->here);
  return w->refusal->field;
}

bool pt_lua_refuse(pt_writer *w, const char *problem) {
  (void)snprintf(w->refusal->problem, PT_MAX_PROBLEM, "%.160s %.150s", pt_lua_name_field(w),
                 problem);
  return false;
}

bool pt_lua_refuse_type(pt_writer *w, const char *expected, int index) {
  char problem[128];
  const char *got =
      lua_type(w->L, index) == LUA_TLIGHTUSERDATA ? "null" : luaL_typename(w->L, index);
  (void)snprintf(problem, sizeof problem, "must be %s, got %s", expected, got);
  return pt_lua_refuse(w, problem);
}

bool pt_lua_refuse_memory(pt_writer *w) {
  w->refusal->problem[0] = '\0';
  return false;
}

bool pt_lua_is_null(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == NULL;
}

/* ---- values of a body ---- */

static bool write_value(pt_writer *w, const pt_type *type, int index, const ancestor *above);
static bool write_typed(pt_writer *w, const pt_type *type, int index, const ancestor *above);

/* An address as somebody means it: what was copied along with it is not part of it. */
static bool check_email(pt_writer *w, const char *bytes, size_t length) {
  for (size_t i = 0; i < length;) {
    switch (pt_unicode_next(bytes, length, &i)) {
    case PT_UNICODE_VISIBLE: break;
    case PT_UNICODE_BLANK: return pt_lua_refuse(w, "must be an e-mail address, without blanks");
    case PT_UNICODE_CONTROL:
      return pt_lua_refuse(w, "must be an e-mail address, without control characters");
    case PT_UNICODE_INVISIBLE:
      return pt_lua_refuse(w, "must be an e-mail address, without invisible characters (a byte "
                              "order mark, U+200B or the like)");
    case PT_UNICODE_INVALID: return pt_lua_refuse(w, "must be valid UTF-8");
    }
  }
  const char *at = memchr(bytes, '@', length);
  bool whole = at != NULL && at > bytes && at < bytes + length - 1;
  return whole || pt_lua_refuse(w, "must be an e-mail address, with a name, '@' and a domain");
}

bool pt_lua_check_format(pt_writer *w, const pt_type *type, const char *bytes, size_t length) {
  switch (type->format) {
  case PT_FORMAT_UUID: return pt_uuid_valid(bytes, length) || pt_lua_refuse(w, "must be a UUID");
  case PT_FORMAT_EMAIL: return check_email(w, bytes, length);
  case PT_FORMAT_NONE:
  case PT_FORMAT_DATE_TIME: break;
  }
  return true;
}

const char *pt_lua_check_string(pt_writer *w, const pt_type *type, int index, size_t *length) {
  if (lua_type(w->L, index) == LUA_TSTRING)
    return lua_tolstring(w->L, index, length);
  (void)pt_lua_refuse_type(w, type->format == PT_FORMAT_UUID ? "a UUID string" : "a string", index);
  return NULL;
}

static bool write_string(pt_writer *w, const pt_type *type, int index) {
  size_t length;
  const char *bytes = pt_lua_check_string(w, type, index, &length);
  if (bytes == NULL || !pt_lua_check_format(w, type, bytes, length))
    return false;
  return pt_json_add_string(w->out, bytes, length) || pt_lua_refuse(w, "must be valid UTF-8");
}

static bool write_number(pt_writer *w, int index, bool integral) {
  const char *expected = integral ? "an integer" : "a number";
  if (lua_type(w->L, index) != LUA_TNUMBER)
    return pt_lua_refuse_type(w, expected, index);
#if PT_HAS_INTEGERS
  if (lua_isinteger(w->L, index)) {
    pt_json_add_integer(w->out, lua_tointeger(w->L, index));
    return true;
  }
#endif
  double number = lua_tonumber(w->L, index);
  if (!isfinite(number))
    return pt_lua_refuse(w, "must be a finite number");
  if (integral && (floor(number) != number || fabs(number) > MAX_EXACT))
    return pt_lua_refuse(w, "must be an integer");
  return pt_json_add_number(w->out, number) || pt_lua_refuse(w, "must be a finite number");
}

static bool write_boolean(pt_writer *w, int index) {
  if (lua_type(w->L, index) != LUA_TBOOLEAN)
    return pt_lua_refuse_type(w, "a boolean", index);
  pt_buffer_add_text(w->out, lua_toboolean(w->L, index) ? "true" : "false");
  return true;
}

/* A table as a list: keys 1 to n and no others. */
static bool list_length(lua_State *L, int index, size_t *length) {
  size_t count = 0;
  *length = pt_rawlen(L, index);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TNUMBER) {
      lua_pop(L, 1);
      return false;
    }
    count++;
  }
  return count == *length;
}

static bool write_list(pt_writer *w, const pt_type *element, int index, const ancestor *above) {
  size_t length;
  if (lua_type(w->L, index) != LUA_TTABLE)
    return pt_lua_refuse_type(w, "a list", index);
  if (!list_length(w->L, index, &length))
    return pt_lua_refuse(w, "must be a list with the keys 1 to n and no gaps");
  const pt_place *list = w->here;
  pt_buffer_add_char(w->out, '[');
  for (size_t i = 1; i <= length; i++) {
    if (i > 1)
      pt_buffer_add_char(w->out, ',');
    w->here = &(pt_place){.above = list, .position = i};
    lua_rawgeti(w->L, index, (int)i);
    if (!write_value(w, element, lua_gettop(w->L), above))
      return false;
    lua_pop(w->L, 1);
  }
  pt_buffer_add_char(w->out, ']');
  w->here = list;
  return true;
}

static bool check_required_members(pt_writer *w, const pt_type *type, int index) {
  for (size_t i = 0; i < type->field_count; i++) {
    const pt_field *field = &type->fields[i];
    if (!field->required)
      continue;
    lua_pushstring(w->L, field->name);
    lua_rawget(w->L, index);
    bool missing = lua_isnil(w->L, -1);
    lua_pop(w->L, 1);
    if (missing) {
      w->here = &(pt_place){.above = w->here, .name = field->name, .length = strlen(field->name)};
      return pt_lua_refuse(w, "is required");
    }
  }
  return true;
}

/* in: ..., key, value; out: ..., key. A member the catalogue does not know passes. */
static bool write_member(pt_writer *w, const pt_type *type, const ancestor *above, bool first) {
  lua_State *L = w->L;
  if (lua_type(L, -2) != LUA_TSTRING)
    return pt_lua_refuse(w, "must have string keys only");
  size_t length;
  const char *name = lua_tolstring(L, -2, &length);
  const pt_field *field = pt_type_field(type, name, length);
  const pt_type *member = field != NULL               ? field->type
                          : type->kind == PT_TYPE_MAP ? type->element
                                                      : &pt_any_type;
  const pt_place *object = w->here;
  w->here = &(pt_place){.above = object, .name = name, .length = length};
  if (!first)
    pt_buffer_add_char(w->out, ',');
  if (!pt_json_add_string(w->out, name, length))
    return pt_lua_refuse(w, "must have a name of valid UTF-8");
  pt_buffer_add_char(w->out, ':');
  size_t start = w->out->length;
  if (!write_value(w, member, lua_gettop(L), above))
    return false;
  bool secret = field != NULL ? field->secret : w->free_form && pt_secret_named(name, length);
  if (secret && !pt_call_mark_secret(w->call, true, start, w->out->length - start))
    return pt_lua_refuse_memory(w);
  w->here = object;
  lua_pop(L, 1);
  return true;
}

static bool write_object(pt_writer *w, const pt_type *type, int index, const ancestor *above) {
  if (lua_type(w->L, index) != LUA_TTABLE)
    return pt_lua_refuse_type(w, "a table", index);
  if (!check_required_members(w, type, index))
    return false;
  if (pt_lua_is_empty_list(w->L, index)) { /* as it was read */
    pt_buffer_add_text(w->out, "[]");
    return true;
  }
  bool first = true;
  pt_buffer_add_char(w->out, '{');
  lua_pushnil(w->L);
  while (lua_next(w->L, index) != 0) {
    if (!write_member(w, type, above, first))
      return false;
    first = false;
  }
  pt_buffer_add_char(w->out, '}');
  return true;
}

/* A value whose type the API leaves open. An empty table is an object, unless it is marked: the
 * lists of the API are declared as lists. */
static bool write_any(pt_writer *w, int index, const ancestor *above) {
  switch (lua_type(w->L, index)) {
  case LUA_TSTRING: return write_string(w, &string_type, index);
  case LUA_TNUMBER: return write_number(w, index, false);
  case LUA_TBOOLEAN: return write_boolean(w, index);
  case LUA_TTABLE:
    if (pt_rawlen(w->L, index) > 0)
      return write_list(w, &pt_any_type, index, above);
    return write_object(w, &pt_any_type, index, above);
  default: return pt_lua_refuse_type(w, "a JSON value", index);
  }
}

static bool fits(lua_State *L, const pt_type *type, int index) {
  switch (type->kind) {
  case PT_TYPE_STRING: return lua_type(L, index) == LUA_TSTRING;
  case PT_TYPE_INTEGER:
  case PT_TYPE_NUMBER: return lua_type(L, index) == LUA_TNUMBER;
  case PT_TYPE_BOOLEAN: return lua_type(L, index) == LUA_TBOOLEAN;
  case PT_TYPE_ARRAY:
  case PT_TYPE_MAP:
  case PT_TYPE_OBJECT: return lua_type(L, index) == LUA_TTABLE;
  case PT_TYPE_ANY:
  case PT_TYPE_UNION: return true;
  }
  return false;
}

static bool write_union(pt_writer *w, const pt_type *type, int index, const ancestor *above) {
  for (size_t i = 0; i < type->member_count; i++)
    if (fits(w->L, type->members[i], index))
      return write_typed(w, type->members[i], index, above); /* the same table: not a cycle */
  return pt_lua_refuse_type(w, "one of the documented types", index);
}

static bool write_typed(pt_writer *w, const pt_type *type, int index, const ancestor *above) {
  switch (type->kind) {
  case PT_TYPE_STRING: return write_string(w, type, index);
  case PT_TYPE_INTEGER: return write_number(w, index, true);
  case PT_TYPE_NUMBER: return write_number(w, index, false);
  case PT_TYPE_BOOLEAN: return write_boolean(w, index);
  case PT_TYPE_ARRAY: return write_list(w, type->element, index, above);
  case PT_TYPE_MAP:
  case PT_TYPE_OBJECT: return write_object(w, type, index, above);
  case PT_TYPE_UNION: return write_union(w, type, index, above);
  case PT_TYPE_ANY: break;
  }
  return write_any(w, index, above);
}

static bool write_value(pt_writer *w, const pt_type *type, int index, const ancestor *above) {
  if (pt_lua_is_null(w->L, index)) {
    pt_buffer_add_text(w->out, "null");
    return true;
  }
  if (pt_lua_is_cjson_empty_array(w->L, index)) {
    lua_newtable(w->L);
    pt_lua_push_array_metatable(w->L);
    lua_setmetatable(w->L, -2);
    lua_replace(w->L, index);
  }
  if (lua_type(w->L, index) != LUA_TTABLE)
    return write_typed(w, type, index, above);
  ancestor here = {lua_topointer(w->L, index), above};
  for (const ancestor *a = above; a != NULL; a = a->above)
    if (a->table == here.table)
      return pt_lua_refuse(w, "contains itself");
  if (w->depth == MAX_DEPTH)
    return pt_lua_refuse(w, "is nested too deeply");
  luaL_checkstack(w->L, 8, "arguments");
  w->depth++;
  bool written = write_typed(w, type, index, &here);
  w->depth--;
  return written;
}

bool pt_lua_write_value(pt_writer *w, const pt_type *type, int index) {
  return write_value(w, type, index, NULL);
}

bool pt_lua_write_member(pt_writer *w, bool first) {
  return write_member(w, &pt_any_type, NULL, first);
}

/* ---- path and query ---- */

/* The text of a scalar as it is written in a query; NULL when refused. `scratch` holds
 * numbers. */
static const char *scalar_text(pt_writer *w, const pt_type *type, int index, pt_buffer *scratch,
                               size_t *length) {
  pt_buffer *out = w->out;
  int given = lua_type(w->L, index);
  if (type->kind == PT_TYPE_STRING ||
      (type->kind == PT_TYPE_ANY && given != LUA_TNUMBER && given != LUA_TBOOLEAN)) {
    const char *bytes = pt_lua_check_string(w, type, index, length);
    if (bytes == NULL || !pt_lua_check_format(w, type, bytes, *length))
      return NULL;
    if (!pt_unicode_valid(bytes, *length)) {
      (void)pt_lua_refuse(w, "must be valid UTF-8");
      return NULL;
    }
    return bytes;
  }
  if (pt_lua_is_null(w->L, index)) {
    (void)pt_lua_refuse(w, "must not be null: it is sent in the query");
    return NULL;
  }
  w->out = scratch;
  pt_buffer_clear(scratch);
  bool written = write_value(w, type, index, NULL);
  w->out = out;
  *length = scratch->length;
  return written && !scratch->failed ? scratch->bytes : NULL;
}

bool pt_lua_write_segment(pt_writer *w, const char *bytes, size_t length) {
  const char *problem = pt_unicode_valid(bytes, length) ? pt_url_add_segment(w->out, bytes, length)
                                                        : "must be valid UTF-8";
  return problem == NULL || pt_lua_refuse(w, problem);
}

/* Marks the value of the pair that was added last: what follows the last '=', since one within it
 * is encoded. */
static bool mark_value(pt_writer *w) {
  const pt_buffer *out = w->out;
  if (out->failed)
    return pt_lua_refuse_memory(w);
  size_t start = out->length;
  while (start > 0 && out->bytes[start - 1] != '=')
    start--;
  return pt_call_mark_secret(w->call, false, start, out->length - start) || pt_lua_refuse_memory(w);
}

/* Scratch space that survives a Lua error is the call's body, not yet written. */
static bool write_query_list(pt_writer *w, const pt_field *field, int index, size_t *pairs) {
  lua_State *L = w->L;
  size_t count, length;
  if (lua_type(L, index) != LUA_TTABLE || !list_length(L, index, &count))
    return pt_lua_refuse_type(w, "a list", index);
  const pt_place *list = w->here;
  for (size_t i = 1; i <= count; i++) {
    w->here = &(pt_place){.above = list, .position = i};
    lua_rawgeti(L, index, (int)i);
    const char *text = scalar_text(w, field->type->element, lua_gettop(L), &w->call->body, &length);
    if (text == NULL)
      return false;
    pt_url_add_pair(w->out, pairs, field->name, strlen(field->name), text, length);
    if (field->secret && !mark_value(w))
      return false;
    lua_pop(L, 1);
  }
  w->here = list;
  return true;
}

/* in: ..., key, value; `name[key]=value`, repeated for a list of values */
static bool write_query_member(pt_writer *w, const pt_field *field, size_t *pairs) {
  lua_State *L = w->L;
  const pt_type *type = field->type->element;
  if (lua_type(L, -2) != LUA_TSTRING)
    return pt_lua_refuse(w, "must have string keys only");
  size_t key_length, length, count = 1;
  const char *key = lua_tolstring(L, -2, &key_length);
  bool list = type->kind == PT_TYPE_ARRAY;
  bool secret = field->secret || (w->free_form && pt_secret_named(key, key_length));
  int value = lua_gettop(L);
  const pt_place *map = w->here;
  w->here = &(pt_place){.above = map, .name = key, .length = key_length};
  if (list && (lua_type(L, value) != LUA_TTABLE || !list_length(L, value, &count)))
    return pt_lua_refuse_type(w, "a list", value);
  for (size_t i = 1; i <= count; i++) {
    if (list)
      lua_rawgeti(L, value, (int)i);
    const char *text =
        scalar_text(w, list ? type->element : type, lua_gettop(L), &w->call->body, &length);
    if (text == NULL)
      return false;
    pt_url_add_map_pair(w->out, pairs, field->name, strlen(field->name), key, key_length, text,
                        length);
    if (secret && !mark_value(w))
      return false;
    lua_settop(L, value);
  }
  w->here = map;
  return true;
}

static bool write_query_map(pt_writer *w, const pt_field *field, int index, size_t *pairs) {
  lua_State *L = w->L;
  if (lua_type(L, index) != LUA_TTABLE)
    return pt_lua_refuse_type(w, "a table", index);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (!write_query_member(w, field, pairs))
      return false;
    lua_pop(L, 1);
  }
  return true;
}

bool pt_lua_write_query_field(pt_writer *w, const pt_field *field, int index, size_t *pairs) {
  if (field->type->kind == PT_TYPE_ARRAY)
    return write_query_list(w, field, index, pairs);
  if (field->type->kind == PT_TYPE_MAP)
    return write_query_map(w, field, index, pairs);
  size_t length;
  const char *text = scalar_text(w, field->type, index, &w->call->body, &length);
  if (text == NULL)
    return false;
  pt_url_add_pair(w->out, pairs, field->name, strlen(field->name), text, length);
  return !field->secret || mark_value(w);
}

static bool has_names(lua_State *L, int table) {
  lua_pushnil(L);
  if (lua_next(L, table) == 0)
    return false;
  bool named = lua_type(L, -2) == LUA_TSTRING;
  lua_pop(L, 2);
  return named;
}

bool pt_lua_write_free_pair(pt_writer *w, size_t *pairs) {
  lua_State *L = w->L;
  if (lua_type(L, -2) != LUA_TSTRING)
    return pt_lua_refuse(w, "must have string keys only");
  size_t length;
  const char *name = lua_tolstring(L, -2, &length);
  static const pt_type list = {.kind = PT_TYPE_ARRAY, .element = &pt_any_type},
                       map = {.kind = PT_TYPE_MAP, .element = &pt_any_type};
  pt_field field = {.name = name, .type = &pt_any_type, .secret = pt_secret_named(name, length)};
  int value = lua_gettop(L);
  if (lua_type(L, value) == LUA_TTABLE)
    field.type = has_names(L, value) ? &map : &list;
  const pt_place *query = w->here;
  w->here = &(pt_place){.above = query, .name = name, .length = length};
  if (!pt_lua_write_query_field(w, &field, value, pairs))
    return false;
  w->here = query;
  return true;
}

bool pt_lua_written_whole(pt_writer *w) {
  return (!w->call->target.failed && !w->call->body.failed) || pt_lua_refuse_memory(w);
}
