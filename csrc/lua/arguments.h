/* arguments.h: a Lua table of arguments becomes path, query and body of a call, checked against the
 * catalogue on the way. */
#ifndef PT_LUA_ARGUMENTS_H
#define PT_LUA_ARGUMENTS_H

#include "api/call.h"
#include "lua/compat.h"

#define PT_FIELD_SIZE 200
#define PT_PROBLEM_SIZE 320

/* What is wrong with an argument. */
typedef struct {
  char field[PT_FIELD_SIZE];     /* "role_ids[2]"; never a value */
  char problem[PT_PROBLEM_SIZE]; /* one line, naming the field: "role_ids[2] must be a UUID" */
} pt_refusal;

/* Writes `call->target` and `call->body` from the table at `index` (0: no arguments). `prefix` goes
   before the path. The call must be owned by a Lua value: a Lua error (memory) may be raised. False
   when an argument is refused; when memory ran out `refusal->problem` is "". */
bool pt_lua_write_arguments(lua_State *L, pt_call *call, const char *prefix, int index,
                            pt_refusal *refusal);

/* The same for a request outside the catalogue: a path that begins with '/', a map of query
 * parameters (index or 0), any body (index or 0). */
bool pt_lua_write_request(lua_State *L, pt_call *call, const char *prefix, int path, int query,
                          int body, pt_refusal *refusal);

#endif
