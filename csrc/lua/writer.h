/* writer.h: Lua values become JSON, path segments and query pairs of a call, checked against their
 * types on the way. What arguments.h and request.h are made of. */
#ifndef PT_LUA_WRITER_H
#define PT_LUA_WRITER_H

#include "api/call.h"
#include "lua/compat.h"

#define PT_MAX_FIELD 200
#define PT_MAX_PROBLEM 320

/* What is wrong with an argument. */
typedef struct {
  char field[PT_MAX_FIELD]; /* "role_ids[2]"; never a value */
  /* One line, naming the field: "role_ids[2] must be a UUID"; "" when memory ran out. */
  char problem[PT_MAX_PROBLEM];
} pt_refusal;

/* A step on the way down: a member's name, or an element's position. It becomes text only when
 * something is refused. */
typedef struct pt_place {
  const struct pt_place *above;
  const char *name; /* NULL for an element */
  size_t length;
  size_t position; /* from 1 */
} pt_place;

/* Zeroed but for the first four. */
typedef struct {
  lua_State *L;
  pt_call *call;
  pt_refusal *refusal;
  pt_buffer *out;
  const pt_place *here; /* where we are; NULL at the top */
  int depth;
  bool free_form; /* a request outside the catalogue: secrets are known by their names */
} pt_writer;

/* A value of any type. */
extern const pt_type pt_any_type;

/* Each of the following returns false, or NULL, when something is refused: it is in `refusal` then.
   The call must be owned by a Lua value: a Lua error (memory) may be raised. */

bool pt_lua_refuse(pt_writer *w, const char *problem);
bool pt_lua_refuse_type(pt_writer *w, const char *expected, int index);
bool pt_lua_refuse_memory(pt_writer *w);
/* Writes where we are to `refusal->field`, and returns it. */
const char *pt_lua_name_field(pt_writer *w);

/* The text at `index`, which must be a string. */
const char *pt_lua_check_string(pt_writer *w, const pt_type *type, int index, size_t *length);
/* Appends the value at `index` as JSON. */
bool pt_lua_write_value(pt_writer *w, const pt_type *type, int index);
bool pt_lua_check_format(pt_writer *w, const pt_type *type, const char *bytes, size_t length);
bool pt_lua_write_segment(pt_writer *w, const char *bytes, size_t length);
/* in: ..., key, value; out: ..., key. Appends a member of an object. */
bool pt_lua_write_member(pt_writer *w, bool first);
/* in: ..., key, value. Appends the pairs of a query parameter that the catalogue does not know; the
 * call's body is used as scratch. */
bool pt_lua_write_free_pair(pt_writer *w, size_t *pairs);
/* Appends the pairs of a query field; the call's body is used as scratch. */
bool pt_lua_write_query_field(pt_writer *w, const pt_field *field, int index, size_t *pairs);
/* Whether all that was written fitted into memory. */
bool pt_lua_written_whole(pt_writer *w);

/* Whether the value at `index` is polytomic.null. */
bool pt_lua_is_null(lua_State *L, int index);

#endif
