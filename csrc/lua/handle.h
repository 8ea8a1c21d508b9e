/* handle.h: the client and the call as userdata, how they are distinguished from other values, and
 * errors at the line that called the library. */
#ifndef PT_LUA_HANDLE_H
#define PT_LUA_HANDLE_H

#include "api/engine.h"
#include "lua/compat.h"

#define PT_CLIENT_METATABLE "polytomic.client"
#define PT_CALL_METATABLE "polytomic.call"
#define PT_AUTH_KINDS 4
#define PT_VERSION_SIZE 64

/* What belongs to one client and not to the engine it may share. */
typedef struct {
  char organization[PT_UUID_LENGTH + 1]; /* "" for none */
  char version[PT_VERSION_SIZE];
  pt_call_limits limits;
  bool read_only;
  bool without_key[PT_KEY_NONE]; /* kinds of key that are not used */
} pt_client_options;

/* Full userdata. Its user value is a table: `client` (itself, so that calls can keep it alive),
   `wait`, `on_event`, `keys` (functions that give keys, by pt_key_kind), `deprecated` (operations
   whose deprecation was reported), `watched` (calls whose end somebody waits for). */
typedef struct {
  pt_engine *engine; /* NULL before it is made and after close */
  pt_config config;  /* only until the engine takes it */
  pt_client_options options;
  pt_credential *credentials[PT_AUTH_KINDS]; /* by pt_auth, made when first needed */
  unsigned key_generation;                   /* of the keys in `credentials` */
  bool has_wait;
  bool has_on_event;
  bool has_key_functions;
} pt_lua_client;

/* Full userdata. Its user value is a table: the client's own, or, for a call that Lua can hold, one
 * of its own with `client`, its results at 1 to 3, and `thrown`. */
typedef struct {
  pt_call *call;
  bool own_table;
} pt_lua_call;

/* Where the registry keeps the metatables of both: their addresses are keys. */
extern const char pt_client_key, pt_call_key;
/* Makes a metatable of that name, protected, and keeps it by that key. out: metatable */
void pt_lua_new_metatable(lua_State *L, const char *name, const char *key);
/* in: value; out: the same with that metatable */
void pt_lua_give_metatable(lua_State *L, const char *key);
/* Whether the value at `index` has that metatable. */
bool pt_lua_has_metatable(lua_State *L, int index, const char *key);

/* The client at `index`, or NULL when it is something else. */
pt_lua_client *pt_lua_to_client(lua_State *L, int index);
/* The same, or raises; `method` is the method's name. */
pt_lua_client *pt_lua_check_client(lua_State *L, int index, const char *method);
/* Releases the credentials made so far. */
void pt_lua_forget_credentials(pt_lua_client *client);

/* The call at `index`, or raises; `method` is the method's name. */
pt_call *pt_lua_check_call(lua_State *L, int index, const char *method);

/* Raises an error of usage: its message with the line that called the library before it. However
   many functions of the library, in C or in Lua, are between that line and here. */
int pt_lua_error(lua_State *L, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with the message at the top of the stack. */
int pt_lua_raise(lua_State *L);
/* Pushes that line, as "file:line: ", or "" where there is none. */
void pt_lua_push_position(lua_State *L);

#endif
