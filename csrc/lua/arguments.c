/* arguments.c: see arguments.h. */
#include "lua/arguments.h"

#include "base/json_text.h"
#include "base/random.h"
#include "http/url.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 100, MAX_MASK = 64 };

/* The largest integer a double holds exactly: all that Lua without integers can say. */
#define EXACT_LIMIT 9007199254740992.0

/* A table on the way down to a value, to find one that contains itself. */
typedef struct ancestor {
  const void *table;
  const struct ancestor *above;
} ancestor;

/* A step on the way down: a member's name, or an element's position. It becomes text only when
 * something is refused. */
typedef struct place {
  const struct place *above;
  const char *name; /* NULL for an element */
  size_t length;
  size_t position; /* from 1 */
} place;

typedef struct {
  lua_State *L;
  pt_call *call;
  pt_refusal *refusal;
  pt_buffer *out;
  const place *here; /* where we are; NULL at the top */
  uint64_t given;    /* by a field's place in the operation: the first MAX_MASK of them */
  int depth;
  bool free_form; /* a request outside the catalogue: secrets are known by their names */
} writer;

static const pt_type any_type = {.kind = PT_TYPE_ANY};
static const pt_type string_type = {.kind = PT_TYPE_STRING};

/* ---- where we are, and what is wrong there ---- */

/* Appends text to the refusal's field, as far as it goes. */
static void add_to_field(pt_refusal *refusal, const char *bytes, size_t length) {
  size_t at = strlen(refusal->field);
  for (size_t i = 0; i < length && at + 1 < PT_FIELD_SIZE; i++)
    refusal->field[at++] = bytes[i] < ' ' || bytes[i] > '~' ? '?' : bytes[i];
  refusal->field[at] = '\0';
}

enum { MAX_NAME_SHOWN = 64 };

static void write_place(pt_refusal *refusal, const place *here) {
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

/* Names the field we are at. */
static const char *name_field(writer *w) {
  w->refusal->field[0] = '\0';
  write_place(w->refusal, w->here);
  return w->refusal->field;
}

static bool refuse(writer *w, const char *problem) {
  (void)snprintf(w->refusal->problem, PT_PROBLEM_SIZE, "%.160s %.150s", name_field(w), problem);
  return false;
}

static bool refuse_type(writer *w, const char *expected, int index) {
  char problem[128];
  const char *got =
      lua_type(w->L, index) == LUA_TLIGHTUSERDATA ? "null" : luaL_typename(w->L, index);
  (void)snprintf(problem, sizeof problem, "must be %s, got %s", expected, got);
  return refuse(w, problem);
}

static bool out_of_memory(writer *w) {
  w->refusal->problem[0] = '\0';
  return false;
}

static bool is_null(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == NULL;
}

/* ---- values of a body ---- */

static bool write_value(writer *w, const pt_type *type, int index, const ancestor *above);
static bool write_typed(writer *w, const pt_type *type, int index, const ancestor *above);

static bool check_format(writer *w, const pt_type *type, const char *bytes, size_t length) {
  return type->format != PT_FORMAT_UUID || pt_uuid_valid(bytes, length) ||
         refuse(w, "must be a UUID");
}

static bool write_string(writer *w, const pt_type *type, int index) {
  if (lua_type(w->L, index) != LUA_TSTRING)
    return refuse_type(w, type->format == PT_FORMAT_UUID ? "a UUID string" : "a string", index);
  size_t length;
  const char *bytes = lua_tolstring(w->L, index, &length);
  if (!check_format(w, type, bytes, length))
    return false;
  return pt_json_add_string(w->out, bytes, length) || refuse(w, "must be valid UTF-8");
}

static bool write_number(writer *w, int index, bool integral) {
  const char *expected = integral ? "an integer" : "a number";
  if (lua_type(w->L, index) != LUA_TNUMBER)
    return refuse_type(w, expected, index);
#if PT_HAS_INTEGERS
  if (lua_isinteger(w->L, index)) {
    pt_json_add_integer(w->out, lua_tointeger(w->L, index));
    return true;
  }
#endif
  double number = lua_tonumber(w->L, index);
  if (!isfinite(number))
    return refuse(w, "must be a finite number");
  if (integral && (floor(number) != number || fabs(number) > EXACT_LIMIT))
    return refuse(w, "must be an integer");
  return pt_json_add_number(w->out, number) || refuse(w, "must be a finite number");
}

static bool write_boolean(writer *w, int index) {
  if (lua_type(w->L, index) != LUA_TBOOLEAN)
    return refuse_type(w, "a boolean", index);
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

static bool write_list(writer *w, const pt_type *element, int index, const ancestor *above) {
  size_t length;
  if (lua_type(w->L, index) != LUA_TTABLE)
    return refuse_type(w, "a list", index);
  if (!list_length(w->L, index, &length))
    return refuse(w, "must be a list with the keys 1 to n and no gaps");
  const place *list = w->here;
  pt_buffer_add_char(w->out, '[');
  for (size_t i = 1; i <= length; i++) {
    if (i > 1)
      pt_buffer_add_char(w->out, ',');
    w->here = &(place){.above = list, .position = i};
    lua_rawgeti(w->L, index, (int)i);
    if (!write_value(w, element, lua_gettop(w->L), above))
      return false;
    lua_pop(w->L, 1);
  }
  pt_buffer_add_char(w->out, ']');
  w->here = list;
  return true;
}

static bool check_required_members(writer *w, const pt_type *type, int index) {
  for (size_t i = 0; i < type->field_count; i++) {
    const pt_field *field = &type->fields[i];
    if (!field->required)
      continue;
    lua_pushstring(w->L, field->name);
    lua_rawget(w->L, index);
    bool missing = lua_isnil(w->L, -1);
    lua_pop(w->L, 1);
    if (missing) {
      w->here = &(place){.above = w->here, .name = field->name, .length = strlen(field->name)};
      return refuse(w, "is required");
    }
  }
  return true;
}

/* in: ..., key, value; out: ..., key */
static bool write_member(writer *w, const pt_type *type, const ancestor *above, bool first) {
  lua_State *L = w->L;
  if (lua_type(L, -2) != LUA_TSTRING)
    return refuse(w, "must have string keys only");
  size_t length;
  const char *name = lua_tolstring(L, -2, &length);
  const pt_field *field = pt_type_field(type, name, length);
  const pt_type *member = field != NULL               ? field->type
                          : type->kind == PT_TYPE_MAP ? type->element
                                                      : &any_type;
  const place *object = w->here;
  w->here = &(place){.above = object,
                     .name = name,
                     .length = length}; /* a member the catalogue does not know passes */
  if (!first)
    pt_buffer_add_char(w->out, ',');
  if (!pt_json_add_string(w->out, name, length))
    return refuse(w, "must be valid UTF-8 in its name");
  pt_buffer_add_char(w->out, ':');
  size_t start = w->out->length;
  if (!write_value(w, member, lua_gettop(L), above))
    return false;
  bool secret = field != NULL ? field->secret : w->free_form && pt_secret_named(name, length);
  if (secret && !pt_call_mark_secret(w->call, true, start, w->out->length - start))
    return out_of_memory(w);
  w->here = object;
  lua_pop(L, 1);
  return true;
}

static bool write_object(writer *w, const pt_type *type, int index, const ancestor *above) {
  if (lua_type(w->L, index) != LUA_TTABLE)
    return refuse_type(w, "a table", index);
  if (!check_required_members(w, type, index))
    return false;
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

/* A value whose type the API leaves open. An empty table is an object: the lists of the API are
 * declared as lists. */
static bool write_any(writer *w, int index, const ancestor *above) {
  switch (lua_type(w->L, index)) {
  case LUA_TSTRING: return write_string(w, &string_type, index);
  case LUA_TNUMBER: return write_number(w, index, false);
  case LUA_TBOOLEAN: return write_boolean(w, index);
  case LUA_TTABLE:
    if (pt_rawlen(w->L, index) > 0)
      return write_list(w, &any_type, index, above);
    return write_object(w, &any_type, index, above);
  default: return refuse_type(w, "a JSON value", index);
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

static bool write_union(writer *w, const pt_type *type, int index, const ancestor *above) {
  for (size_t i = 0; i < type->member_count; i++)
    if (fits(w->L, type->members[i], index))
      return write_typed(w, type->members[i], index, above); /* the same table, which is no cycle */
  return refuse_type(w, "one of the documented types", index);
}

static bool write_typed(writer *w, const pt_type *type, int index, const ancestor *above) {
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

static bool write_value(writer *w, const pt_type *type, int index, const ancestor *above) {
  if (is_null(w->L, index)) {
    pt_buffer_add_text(w->out, "null");
    return true;
  }
  if (lua_type(w->L, index) != LUA_TTABLE)
    return write_typed(w, type, index, above);
  ancestor here = {lua_topointer(w->L, index), above};
  for (const ancestor *a = above; a != NULL; a = a->above)
    if (a->table == here.table)
      return refuse(w, "contains itself");
  if (w->depth == MAX_DEPTH)
    return refuse(w, "is nested too deep");
  luaL_checkstack(w->L, 8, "arguments");
  w->depth++;
  bool written = write_typed(w, type, index, &here);
  w->depth--;
  return written;
}

/* ---- path and query ---- */

/* The text of a scalar as it stands in a path or a query; NULL when refused. `scratch` holds
 * numbers. */
static const char *scalar_text(writer *w, const pt_type *type, int index, pt_buffer *scratch,
                               size_t *length) {
  pt_buffer *out = w->out;
  int given = lua_type(w->L, index);
  if (type->kind == PT_TYPE_STRING ||
      (type->kind == PT_TYPE_ANY && given != LUA_TNUMBER && given != LUA_TBOOLEAN)) {
    if (given != LUA_TSTRING) {
      (void)refuse_type(w, type->format == PT_FORMAT_UUID ? "a UUID string" : "a string", index);
      return NULL;
    }
    const char *bytes = lua_tolstring(w->L, index, length);
    if (!check_format(w, type, bytes, *length))
      return NULL;
    if (!pt_utf8_valid(bytes, *length)) {
      (void)refuse(w, "must be valid UTF-8");
      return NULL;
    }
    return bytes;
  }
  if (is_null(w->L, index)) {
    (void)refuse(w, "must not be null: it stands in the query");
    return NULL;
  }
  w->out = scratch;
  pt_buffer_clear(scratch);
  bool written = write_value(w, type, index, NULL);
  w->out = out;
  *length = scratch->length;
  return written ? scratch->bytes : NULL;
}

static bool write_segment(writer *w, const char *bytes, size_t length) {
  const char *problem = pt_utf8_valid(bytes, length) ? pt_url_add_segment(w->out, bytes, length)
                                                     : "must be valid UTF-8";
  return problem == NULL || refuse(w, problem);
}

static bool write_path(writer *w, const char *prefix, const char *path, int arguments) {
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
    w->here = &(place){.name = brace + 1, .length = name_length};
    lua_pushlstring(L, brace + 1, name_length);
    lua_rawget(L, arguments);
    if (lua_type(L, -1) != LUA_TSTRING)
      return refuse_type(w, field->type->format == PT_FORMAT_UUID ? "a UUID string" : "a string",
                         lua_gettop(L));
    size_t length;
    const char *bytes = lua_tolstring(L, -1, &length);
    if (!write_segment(w, bytes, length) || !check_format(w, field->type, bytes, length))
      return false;
    lua_pop(L, 1);
    path = end + 1;
  }
  w->here = NULL;
  return true;
}

/* Marks the value of the pair that was added last: what stands behind the last '=', since one
 * within it is encoded. */
static bool mark_value(writer *w) {
  const pt_buffer *out = w->out;
  if (out->failed)
    return out_of_memory(w);
  size_t start = out->length;
  while (start > 0 && out->bytes[start - 1] != '=')
    start--;
  return pt_call_mark_secret(w->call, false, start, out->length - start) || out_of_memory(w);
}

/* Scratch space that survives a Lua error is the call's body, not yet written. */
static bool write_query_list(writer *w, const pt_field *field, int index, size_t *pairs) {
  lua_State *L = w->L;
  size_t count, length;
  if (lua_type(L, index) != LUA_TTABLE || !list_length(L, index, &count))
    return refuse_type(w, "a list", index);
  const place *list = w->here;
  for (size_t i = 1; i <= count; i++) {
    w->here = &(place){.above = list, .position = i};
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
static bool write_query_member(writer *w, const pt_field *field, size_t *pairs) {
  lua_State *L = w->L;
  const pt_type *type = field->type->element;
  if (lua_type(L, -2) != LUA_TSTRING)
    return refuse(w, "must have string keys only");
  size_t key_length, length, count = 1;
  const char *key = lua_tolstring(L, -2, &key_length);
  bool list = type->kind == PT_TYPE_ARRAY;
  bool secret = field->secret || (w->free_form && pt_secret_named(key, key_length));
  int value = lua_gettop(L);
  const place *map = w->here;
  w->here = &(place){.above = map, .name = key, .length = key_length};
  if (list && (lua_type(L, value) != LUA_TTABLE || !list_length(L, value, &count)))
    return refuse_type(w, "a list", value);
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

static bool write_query_map(writer *w, const pt_field *field, int index, size_t *pairs) {
  lua_State *L = w->L;
  if (lua_type(L, index) != LUA_TTABLE)
    return refuse_type(w, "a table", index);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (!write_query_member(w, field, pairs))
      return false;
    lua_pop(L, 1);
  }
  return true;
}

static bool write_query_field(writer *w, const pt_field *field, int index, size_t *pairs) {
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

/* ---- an operation's arguments ---- */

static bool check_presence(writer *w, const pt_field *field, int arguments) {
  lua_State *L = w->L;
  size_t length = 1;
  if (lua_isnil(L, -1))
    return !field->required || refuse(w, "is required");
  if (field->required && lua_type(L, -1) == LUA_TSTRING)
    (void)lua_tolstring(L, -1, &length);
  if (length == 0)
    return refuse(w, "must not be empty");
  if (field->not_empty && lua_type(L, -1) == LUA_TTABLE && pt_rawlen(L, -1) == 0) {
    lua_pushnil(L);
    if (lua_next(L, -2) == 0)
      return refuse(w, "must have at least one entry");
    lua_pop(L, 2);
  }
  if (field->excludes != NULL && !is_null(L, lua_gettop(L))) {
    lua_pushstring(L, field->excludes);
    lua_rawget(L, arguments);
    bool both = !lua_isnil(L, -1) && !is_null(L, lua_gettop(L));
    lua_pop(L, 1);
    if (both) {
      char problem[96];
      (void)snprintf(problem, sizeof problem, "must not be given together with %s",
                     field->excludes);
      return refuse(w, problem);
    }
  }
  return true;
}

static bool write_body_field(writer *w, const pt_field *field, int index) {
  pt_buffer_add_text(w->out, w->out->length > 1 ? ",\"" : "\"");
  pt_buffer_add_text(w->out, field->name); /* the catalogue's names need no escape */
  pt_buffer_add_text(w->out, "\":");
  size_t start = w->out->length;
  if (!write_value(w, field->type, index, NULL))
    return false;
  if (field->secret && !pt_call_mark_secret(w->call, true, start, w->out->length - start))
    return out_of_memory(w);
  return true;
}

/* Writes the fields of one location in the catalogue's order. */
static bool write_fields(writer *w, pt_location location, int arguments) {
  lua_State *L = w->L;
  const pt_operation *operation = w->call->operation;
  size_t pairs = 0;
  for (size_t i = 0; i < operation->field_count; i++) {
    const pt_field *field = &operation->fields[i];
    bool given = i >= MAX_MASK || (w->given & (uint64_t)1 << i) != 0;
    if (field->location != location || (!given && !field->required))
      continue;
    w->here = &(place){.name = field->name, .length = strlen(field->name)};
    lua_pushstring(L, field->name);
    lua_rawget(L, arguments);
    if (!check_presence(w, field, arguments))
      return false;
    if (!lua_isnil(L, -1)) {
      bool written = location == PT_IN_PATH ||
                     (location == PT_IN_QUERY ? write_query_field(w, field, lua_gettop(L), &pairs)
                                              : write_body_field(w, field, lua_gettop(L)));
      if (!written)
        return false;
    }
    lua_pop(L, 1);
  }
  w->here = NULL;
  return true;
}

/* in: ..., key of an argument the operation does not have */
static bool refuse_unknown(writer *w) {
  lua_State *L = w->L;
  const pt_operation *operation = w->call->operation;
  if (lua_type(L, -1) != LUA_TSTRING) {
    (void)snprintf(w->refusal->problem, PT_PROBLEM_SIZE,
                   "arguments must be named, got a value without a name (key of type %s)",
                   luaL_typename(L, -1));
    return false;
  }
  size_t length;
  const char *name = lua_tolstring(L, -1, &length);
  w->here = &(place){.name = name, .length = length};
  const char *field = name_field(w);
  const char *nearest = pt_field_nearest(operation->fields, operation->field_count, name, length);
  if (nearest != NULL)
    (void)snprintf(w->refusal->problem, PT_PROBLEM_SIZE, "unknown field '%s', did you mean '%s'?",
                   field, nearest);
  else
    (void)snprintf(w->refusal->problem, PT_PROBLEM_SIZE, "unknown field '%s'", field);
  return false;
}

/* Notes which fields are given, and refuses a name the operation does not have: a misspelt required
 * field is told as what it is. */
static bool note_given(writer *w, int arguments) {
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
      w->given |= (uint64_t)1 << (field - operation->fields);
  }
  return true;
}

static bool write_all(writer *w, const char *prefix, int arguments) {
  pt_call *call = w->call;
  const pt_operation *operation = call->operation;
  w->out = &call->target;
  if (!write_fields(w, PT_IN_PATH, arguments) ||
      !write_path(w, prefix, operation->path, arguments) ||
      !write_fields(w, PT_IN_QUERY, arguments))
    return false;
  pt_buffer_clear(&call->body); /* was scratch */
  w->out = &call->body;
  if (operation->has_body) {
    call->has_body = true;
    pt_buffer_add_char(w->out, '{');
    if (!write_fields(w, PT_IN_BODY, arguments))
      return false;
    pt_buffer_add_char(w->out, '}');
  }
  return true;
}

static bool whole(writer *w) {
  return (!w->call->target.failed && !w->call->body.failed) || out_of_memory(w);
}

bool pt_lua_write_arguments(lua_State *L, pt_call *call, const char *prefix, int index,
                            pt_refusal *refusal) {
  int top = lua_gettop(L);
  writer w = {.L = L, .call = call, .refusal = refusal};
  refusal->field[0] = refusal->problem[0] = '\0';
  luaL_checkstack(L, 12, "arguments");
  if (index == 0) {
    lua_newtable(L);
    index = lua_gettop(L);
  }
  bool written = note_given(&w, index) && write_all(&w, prefix, index) && whole(&w);
  lua_settop(L, top);
  return written;
}

/* ---- a request outside the catalogue ---- */

static bool write_free_path(writer *w, const char *prefix, int index) {
  size_t length;
  w->here = &(place){.name = "path", .length = 4};
  if (lua_type(w->L, index) != LUA_TSTRING)
    return refuse_type(w, "a string", index);
  const char *path = lua_tolstring(w->L, index, &length);
  if (length == 0 || path[0] != '/')
    return refuse(w, "must begin with '/'");
  pt_buffer_add_text(w->out, prefix);
  const char *end = path + length;
  while (path < end) {
    const char *segment = path + 1;
    const char *slash = memchr(segment, '/', (size_t)(end - segment));
    const char *stop = slash != NULL ? slash : end;
    pt_buffer_add_char(w->out, '/');
    if ((segment < stop || slash != NULL) && !write_segment(w, segment, (size_t)(stop - segment)))
      return false; /* "/connect/" really ends with a slash */
    path = stop;
  }
  w->here = NULL;
  return true;
}

static bool has_names(lua_State *L, int table) {
  lua_pushnil(L);
  if (lua_next(L, table) == 0)
    return false;
  bool named = lua_type(L, -2) == LUA_TSTRING;
  lua_pop(L, 2);
  return named;
}

/* in: ..., key, value */
static bool write_free_pair(writer *w, size_t *pairs) {
  lua_State *L = w->L;
  if (lua_type(L, -2) != LUA_TSTRING)
    return refuse(w, "must have string keys only");
  size_t length;
  const char *name = lua_tolstring(L, -2, &length);
  static const pt_type list = {.kind = PT_TYPE_ARRAY, .element = &any_type},
                       map = {.kind = PT_TYPE_MAP, .element = &any_type};
  pt_field field = {.name = name, .type = &any_type, .secret = pt_secret_named(name, length)};
  int value = lua_gettop(L);
  if (lua_type(L, value) == LUA_TTABLE)
    field.type = has_names(L, value) ? &map : &list;
  const place *query = w->here;
  w->here = &(place){.above = query, .name = name, .length = length};
  if (!write_query_field(w, &field, value, pairs))
    return false;
  w->here = query;
  return true;
}

static bool write_free_query(writer *w, int index) {
  size_t pairs = 0;
  w->here = &(place){.name = "query", .length = 5};
  if (lua_type(w->L, index) != LUA_TTABLE)
    return refuse_type(w, "a table", index);
  lua_pushnil(w->L);
  while (lua_next(w->L, index) != 0) {
    if (!write_free_pair(w, &pairs))
      return false;
    lua_pop(w->L, 1);
  }
  w->here = NULL;
  return true;
}

bool pt_lua_write_request(lua_State *L, pt_call *call, const char *prefix, int path, int query,
                          int body, pt_refusal *refusal) {
  int top = lua_gettop(L);
  writer w = {.L = L, .call = call, .refusal = refusal, .out = &call->target, .free_form = true};
  refusal->field[0] = refusal->problem[0] = '\0';
  luaL_checkstack(L, 12, "request");
  bool written = write_free_path(&w, prefix, path) && (query == 0 || write_free_query(&w, query));
  if (written && body != 0) {
    pt_buffer_clear(&call->body);
    w.out = &call->body;
    call->has_body = true;
    w.here = &(place){.name = "body", .length = 4};
    written = write_value(&w, &any_type, body, NULL);
  }
  written = written && whole(&w);
  lua_settop(L, top);
  return written;
}
