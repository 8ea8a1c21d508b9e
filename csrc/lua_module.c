/* lua_module.c: the module polytomic.core. */
#include "lua_call.h"
#include "lua_client.h"
#include "lua_json.h"
#include "lua_result.h"

#include <string.h>

int luaopen_polytomic_core(lua_State *L);

/* The default client of the module functions, in the registry. */
static const char default_key = 0;

/* ---- the default client ---- */

/* in: -, out: the default client, made from the environment when there is none */
static void push_default(lua_State *L, int level) {
  pt_rawgetp(L, LUA_REGISTRYINDEX, &default_key);
  if (!lua_isnil(L, -1))
    return;
  lua_pop(L, 1);
  int top = lua_gettop(L);
  lua_pushnil(L);
  (void)pt_lua_new_client(L, top + 1, level);
  lua_remove(L, top + 1);
  lua_pushvalue(L, -1);
  pt_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
}

/* client(): out: the default client */
static int module_client(lua_State *L) {
  lua_settop(L, 0);
  push_default(L, 1);
  return 1;
}

/* new(options): out: client */
static int module_new(lua_State *L) { return pt_lua_new_client(L, 1, 1); }

/* configure(options): makes and returns the default client; the one before is not closed, since calls of it may be under way */
static int module_configure(lua_State *L) {
  (void)pt_lua_new_client(L, 1, 1);
  lua_pushvalue(L, -1);
  pt_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
  return 1;
}

/* A module function: in: arguments, options; upvalue: operation */
static int module_operation(lua_State *L) {
  const pt_operation *operation = lua_touserdata(L, lua_upvalueindex(1));
  if (pt_lua_to_client(L, 1) != NULL)
    return pt_lua_error(L, 1, "%s: this is the module's function: polytomic.%s{…}, or client:%s{…}", operation->name, operation->name, operation->name);
  lua_settop(L, 2);
  push_default(L, 1);
  lua_insert(L, 1);
  return pt_lua_run_operation(L, 1, operation, 1);
}

/* ---- what the module tells of itself ---- */

static const char *type_word(const pt_type *type) {
  static const char *const words[] = {"any", "string", "integer", "number", "boolean", "array", "map", "object", "any"};
  return words[type->kind];
}

static void set_text(lua_State *L, const char *name, const char *text) {
  if (text == NULL)
    return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

static void set_flag(lua_State *L, const char *name, bool flag) {
  lua_pushboolean(L, flag);
  lua_setfield(L, -2, name);
}

/* in: -, out: { name=, type=, element=, location=, required=, deprecated=, secret=, format= } */
static void push_argument(lua_State *L, const pt_field *field) {
  static const char *const locations[] = {"path", "query", "body"};
  lua_createtable(L, 0, 8);
  set_text(L, "name", field->name);
  set_text(L, "type", type_word(field->type));
  if (field->type->element != NULL)
    set_text(L, "element", type_word(field->type->element));
  set_text(L, "schema", field->type->name);
  set_text(L, "location", locations[field->location]);
  if (field->type->format == PT_FORMAT_UUID)
    set_text(L, "format", "uuid");
  else if (field->type->format == PT_FORMAT_DATE_TIME)
    set_text(L, "format", "date-time");
  set_flag(L, "required", field->required);
  set_flag(L, "deprecated", field->deprecated);
  set_flag(L, "secret", field->secret);
}

static const char *const pagination_words[] = {NULL, "page_token", "links", "cursor", "time_window"};

/* in: operation; out: the same with how its pages follow each other */
static void set_pagination(lua_State *L, const pt_pagination *pages) {
  set_flag(L, "paginated", pages->kind != PT_PAGES_NONE);
  if (pages->items_field == NULL)
    return;
  lua_createtable(L, 0, 8);
  set_text(L, "kind", pagination_words[pages->kind]);
  set_text(L, "token_field", pages->token_field);
  set_text(L, "limit_field", pages->limit_field);
  set_text(L, "response_field", pages->response_field);
  set_text(L, "window_end_field", pages->window_end_field);
  set_text(L, "items_field", pages->items_field);
  if (pages->limit_max != 0) {
    lua_pushinteger(L, (lua_Integer)pages->limit_max);
    lua_setfield(L, -2, "limit_max");
  }
  lua_setfield(L, -2, "pages");
}

static void push_operation(lua_State *L, const pt_operation *operation) {
  static const char *const auths[] = {"user", "partner", "unspecified", "connect_token"};
  lua_createtable(L, 0, 12);
  set_text(L, "name", operation->name);
  set_text(L, "id", operation->id);
  set_text(L, "method", pt_method_name(operation->method));
  set_text(L, "path", operation->path);
  set_text(L, "auth", auths[operation->auth]);
  set_text(L, "summary", operation->summary);
  set_text(L, "response_type", operation->response_type);
  set_flag(L, "envelope", operation->envelope);
  set_flag(L, "idempotent", operation->method != PT_METHOD_POST && operation->method != PT_METHOD_PATCH);
  set_pagination(L, &operation->pagination);
  lua_createtable(L, (int)operation->field_count, 0);
  for (size_t i = 0; i < operation->field_count; i++) {
    push_argument(L, &operation->fields[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "arguments");
}

/* operations(): out: array with one entry for every operation, by name */
static int module_operations(lua_State *L) {
  lua_createtable(L, (int)pt_operation_count, 0);
  for (size_t i = 0; i < pt_operation_count; i++) {
    push_operation(L, &pt_operations[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

/* nearest(name): out: the operation's name closest to a mistaken one, or nil */
static int module_nearest(lua_State *L) {
  lua_pushstring(L, pt_operation_nearest(luaL_checkstring(L, 1)));
  return 1;
}

static void add_operations(lua_State *L) {
  for (size_t i = 0; i < pt_operation_count; i++) {
    union {
      const pt_operation *operation;
      void *pointer;
    } upvalue = {&pt_operations[i]};
    lua_pushlightuserdata(L, upvalue.pointer);
    lua_pushcclosure(L, module_operation, 1);
    lua_setfield(L, -2, pt_operations[i].name);
  }
}

/* out: { new=, configure=, client=, functions=, methods=, waiting=, describe=, nearest=, null=, version= }; no I/O, no global */
int luaopen_polytomic_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"new", module_new},
                                       {"configure", module_configure},
                                       {"client", module_client},
                                       {"describe", module_operations},
                                       {"nearest", module_nearest},
                                       {NULL, NULL}};
  pt_lua_json_open(L);
  pt_lua_open_result(L);
  pt_lua_open_call(L);
  pt_lua_open_client(L);
  pt_newlib(L, functions);
  lua_newtable(L);
  add_operations(L);
  lua_setfield(L, -2, "functions");
  lua_getfield(L, LUA_REGISTRYINDEX, PT_CLIENT_METATABLE ".methods");
  lua_setfield(L, -2, "methods");
  lua_getfield(L, LUA_REGISTRYINDEX, PT_CLIENT_METATABLE ".waiting");
  lua_setfield(L, -2, "waiting");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  set_text(L, "version", PT_VERSION);
  return 1;
}
