/* catalogue.c: see catalogue.h. */
#include "lua/catalogue.h"

#include "api/operations.h"
#include "base/nearest.h"
#include "lua/set.h"

static const char *type_word(const pt_type *type) {
  static const char *const words[] = {"any",   "string", "integer", "number", "boolean",
                                      "array", "map",    "object",  "any"};
  return words[type->kind];
}

/* in: -, out: { name=, type=, element=, location=, required=, deprecated=, secret=, format= } */
static void push_argument(lua_State *L, const pt_field *field) {
  static const char *const locations[] = {"path", "query", "body"};
  lua_createtable(L, 0, 8);
  pt_set_string(L, "name", field->name);
  pt_set_string(L, "type", type_word(field->type));
  if (field->type->element != NULL)
    pt_set_string(L, "element", type_word(field->type->element));
  pt_set_string(L, "schema", field->type->name);
  pt_set_string(L, "location", locations[field->location]);
  if (field->type->format == PT_FORMAT_UUID)
    pt_set_string(L, "format", "uuid");
  else if (field->type->format == PT_FORMAT_DATE_TIME)
    pt_set_string(L, "format", "date-time");
  else if (field->type->format == PT_FORMAT_EMAIL)
    pt_set_string(L, "format", "email");
  pt_set_boolean(L, "required", field->required);
  pt_set_boolean(L, "deprecated", field->deprecated);
  pt_set_boolean(L, "secret", field->secret);
}

static const char *const pagination_words[] = {NULL, "page_token", "links", "cursor",
                                               "time_window"};

/* in: operation; out: the same with how its pages follow each other */
static void set_pagination(lua_State *L, const pt_pagination *pages) {
  pt_set_boolean(L, "paginated", pages->kind != PT_PAGES_NONE);
  if (pages->items_field == NULL)
    return;
  lua_createtable(L, 0, 8);
  pt_set_string(L, "kind", pagination_words[pages->kind]);
  pt_set_string(L, "token_field", pages->token_field);
  pt_set_string(L, "limit_field", pages->limit_field);
  pt_set_string(L, "response_field", pages->response_field);
  pt_set_string(L, "window_end_field", pages->window_end_field);
  pt_set_string(L, "items_field", pages->items_field);
  if (pages->limit_max != 0)
    pt_set_integer(L, "limit_max", pages->limit_max);
  lua_setfield(L, -2, "pages");
}

static void push_operation(lua_State *L, const pt_operation *operation) {
  static const char *const auths[] = {"user", "partner", "unspecified", "connect_token"};
  lua_createtable(L, 0, 12);
  pt_set_string(L, "name", operation->name);
  pt_set_string(L, "id", operation->id);
  pt_set_string(L, "method", pt_method_name(operation->method));
  pt_set_string(L, "path", operation->path);
  pt_set_string(L, "auth", auths[operation->auth]);
  pt_set_string(L, "summary", operation->summary);
  pt_set_string(L, "response_type", operation->response_type);
  pt_set_boolean(L, "envelope", operation->envelope);
  pt_set_boolean(L, "idempotent",
                 operation->method != PT_METHOD_POST && operation->method != PT_METHOD_PATCH);
  set_pagination(L, &operation->pagination);
  lua_createtable(L, (int)operation->field_count, 0);
  for (size_t i = 0; i < operation->field_count; i++) {
    push_argument(L, &operation->fields[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "arguments");
}

/* describe(name): out: that operation, or nil; without a name: array of all operations, by name */
static int catalogue_describe(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) {
    size_t length;
    const char *name = luaL_checklstring(L, 1, &length);
    const pt_operation *operation = pt_operation_find(name, length);
    if (operation != NULL)
      push_operation(L, operation);
    else
      lua_pushnil(L);
    return 1;
  }
  lua_createtable(L, (int)pt_operation_count, 0);
  for (size_t i = 0; i < pt_operation_count; i++) {
    push_operation(L, &pt_operations[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

/* nearest(name, names or nil): out: the name of the list, or else of an operation, that is closest
 * to a mistaken one; or nil */
static int catalogue_nearest(lua_State *L) {
  size_t length;
  const char *name = luaL_checklstring(L, 1, &length);
  if (lua_isnoneornil(L, 2)) {
    lua_pushstring(L, pt_operation_nearest(name, length));
    return 1;
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  pt_nearest search = pt_nearest_begin(name, length);
  for (int i = 1; i <= (int)pt_rawlen(L, 2); i++, lua_pop(L, 1)) {
    lua_rawgeti(L, 2, i);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2, "names are strings"); /* the list's own */
    pt_nearest_consider(&search, lua_tostring(L, -1));
  }
  lua_pushstring(L, search.best);
  return 1;
}

void pt_lua_add_catalogue(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"describe", catalogue_describe}, {"nearest", catalogue_nearest}, {NULL, NULL}};
  pt_setfuncs(L, functions);
}
