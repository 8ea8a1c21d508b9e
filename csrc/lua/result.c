/* result.c: see result.h. */
#include "lua/result.h"

#include "api/envelope.h"
#include "api/failure.h"
#include "api/foreign_reply.h"
#include "api/redact.h"
#include "lua/array.h"
#include "lua/json.h"
#include "lua/response.h"
#include "lua/set.h"

#include <stdio.h>
#include <string.h>

enum { MAX_MESSAGE = 1024, MAX_HINT = 512, MAX_ERRORS = 3, MAX_LABEL = 72 };

/* ---- the body ---- */

/* As pt_lua_json_decode. What a hook or finalizer of the host raises goes on; the body is still
 * there. */
static pt_decoded read_body(lua_State *L, pt_call *call, pt_envelope *envelope) {
  call->readers++;
  pt_decoded decoded = pt_lua_json_decode(L, &call->reply.body, envelope);
  call->readers--;
  if (decoded == PT_DECODE_RAISED)
    (void)lua_error(L);
  return decoded;
}

/* ---- errors ---- */

/* in: err, out: the same with `kind`, `outcome` and the text that is its message string; then
 * pushes nil, text, err */
static int conclude_error(lua_State *L, const pt_call *call, const char *kind, pt_outcome outcome,
                          const char *detail, bool retryable) {
  char text[MAX_MESSAGE];
  int err = lua_gettop(L);
  pt_failure_write_message(text, sizeof text, call, kind, detail);
  pt_set_string(L, "kind", kind);
  pt_set_string(L, "outcome", pt_outcome_word(outcome));
  pt_set_boolean(L, "retryable", retryable);
  pt_lua_make_parts(L, err, call);
  lua_pushnil(L);
  lua_pushstring(L, text);
  lua_pushvalue(L, -1);
  lua_setfield(L, err, "text");
  lua_pushvalue(L, err);
  return 3;
}

/* in: table at `index`; appends its member to `detail`, where it is a text: after `between`, where
 * there is something before, and after `label` */
static void add_text(lua_State *L, int index, const char *name, const char *between,
                     const char *label, char *detail, size_t size) {
  lua_getfield(L, index, name);
  size_t length = 0, used = strlen(detail);
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  if (length > 0 && used + strlen(between) + strlen(label) + 1 < size) {
    used += (size_t)snprintf(detail + used, size - used, "%s%s", used > 0 ? between : "", label);
    pt_failure_copy_text(detail + used, size - used, text, length);
  }
  lua_pop(L, 1);
}

/* in: table at `index`; appends the texts of its member `errors`: a list of texts or of objects
 * with `message` or `detail`, or texts or lists of them by field */
static void add_errors(lua_State *L, int index, char *detail, size_t size) {
  lua_getfield(L, index, "errors");
  int errors = lua_gettop(L);
  lua_pushnil(L);
  for (int i = 0; i < MAX_ERRORS && lua_type(L, errors) == LUA_TTABLE && lua_next(L, errors); i++) {
    int name = errors + 1, value = errors + 2;
    char label[MAX_LABEL] = "";
    if (lua_type(L, name) == LUA_TSTRING)
      (void)snprintf(label, sizeof label, "%.60s: ", lua_tostring(L, name));
    lua_createtable(L, 0, 1);
    if (lua_type(L, value) == LUA_TTABLE) {
      add_text(L, value, "message", "; ", label, detail, size);
      add_text(L, value, "detail", "; ", label, detail, size);
      lua_rawgeti(L, value, 1);
    } else {
      lua_pushvalue(L, value);
    }
    lua_setfield(L, value + 1, "text");
    add_text(L, value + 1, "text", "; ", label, detail, size);
    lua_settop(L, name);
  }
  lua_settop(L, errors - 1);
}

/* in: body, a table, without a message in the API's shapes: problem details (RFC 9457) and the
 * like; `detail` becomes what they say. Returns whether they say something. */
static bool read_problem_details(lua_State *L, int body, char *detail, size_t size) {
  char text[MAX_MESSAGE] = "";
  add_text(L, body, "title", "", "", text, sizeof text);
  add_text(L, body, "detail", ": ", "", text, sizeof text);
  add_errors(L, body, text, sizeof text);
  if (text[0] == '\0')
    return false;
  (void)snprintf(detail, size, "%s", text);
  return true;
}

/* in: err, its decoded body; out: the same, with `key`, `metadata` and the message in `detail`.
   Every shape the API has had: {key, message, metadata}, {error: {message}}, {error: "…"}. Returns
   whether it has one of them, and so is the API's. */
static bool read_api_error(lua_State *L, int err, int body, char *detail, size_t size) {
  static const char *const copied[] = {"key", "metadata"};
  for (size_t i = 0; i < 2; i++) {
    lua_getfield(L, body, copied[i]);
    if (!lua_isnil(L, -1))
      lua_setfield(L, err, copied[i]);
    else
      lua_pop(L, 1);
  }
  lua_getfield(L, body, "message");
  if (lua_type(L, -1) != LUA_TSTRING || pt_rawlen(L, -1) == 0) {
    lua_pop(L, 1);
    lua_getfield(L, body, "error");
    if (lua_type(L, -1) == LUA_TTABLE) {
      lua_getfield(L, -1, "message");
      lua_remove(L, -2);
    }
  }
  bool found = lua_type(L, -1) == LUA_TSTRING && pt_rawlen(L, -1) > 0;
  if (found) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    pt_failure_copy_text(detail, size, text, length);
    lua_pushvalue(L, -1);
    lua_setfield(L, err, "message");
  }
  lua_pop(L, 1);
  return found;
}

/* in: -, out: as much of a body that is not JSON as is kept */
static void push_foreign_body(lua_State *L, const pt_buffer *body) {
  lua_pushlstring(L, body->bytes,
                  body->length < PT_MAX_FOREIGN_BODY ? body->length : PT_MAX_FOREIGN_BODY);
}

/* in: err; out: the same with its body; reads what the server says of the error. Returns whether
 * the API itself may have said it: nobody else did. */
static bool read_error_body(lua_State *L, int err, pt_call *call, char *detail, size_t size) {
  /* a reply in place of a success, or a redirect, may hold the key that the operation promises */
  bool secret = call->operation->secret_reply && call->status < 400;
  bool shown = (call->end == PT_END_ANSWERED || call->end == PT_END_BAD_RESPONSE) && !secret;
  bool answered = call->end == PT_END_ANSWERED, from_api = true;
  if (call->reply.body.length == 0 || !shown)
    return from_api;
  pt_envelope envelope;
  pt_decoded decoded = read_body(L, call, &envelope);
  if (decoded == PT_DECODE_MEMORY)
    return from_api;
  if (decoded != PT_DECODED) {
    char quote[MAX_MESSAGE];
    pt_foreign_reply_quote(quote, sizeof quote, &call->reply.body);
    if (answered && quote[0] != '\0')
      (void)snprintf(detail, size, "%s", quote);
    push_foreign_body(L, &call->reply.body);
    from_api = false;
  } else if (lua_type(L, -1) == LUA_TTABLE && answered) {
    int body = lua_gettop(L);
    from_api =
        read_api_error(L, err, body, detail, size) || !read_problem_details(L, body, detail, size);
  }
  lua_setfield(L, err, "body");
  return from_api;
}

static int push_failure(lua_State *L, pt_call *call, const char *problem) {
  char detail[MAX_MESSAGE] = "", hint[MAX_HINT];
  const pt_config *config = pt_call_config(call);
  pt_redact_reply(call, config);
  pt_lua_push_error(L, call);
  int err = lua_gettop(L);
  pt_failure_write_detail(detail, sizeof detail, call);
  bool from_api = read_error_body(L, err, call, detail, sizeof detail);
  pt_call_drop_body(call);
  if (problem != NULL)
    (void)snprintf(detail, sizeof detail, "%s", problem);
  if (call->retry_after >= 0)
    pt_set_number(L, "retry_after", call->retry_after);
  pt_failure_write_hint(hint, sizeof hint, call, config, from_api);
  if (hint[0] != '\0') {
    pt_set_string(L, "hint", hint);
    size_t length = strlen(detail);
    (void)snprintf(detail + length, sizeof detail - length, " (%s)", hint);
  }
  return conclude_error(L, call, pt_failure_kind(call->operation, call->end, call->status),
                        call->outcome, detail, call->retryable);
}

int pt_lua_push_invalid(lua_State *L, const pt_call *call, const pt_refusal *refusal) {
  pt_lua_push_error(L, NULL);
  if (refusal->field[0] != '\0')
    pt_set_string(L, "field", refusal->field);
  pt_set_string(L, "message", refusal->problem);
  return conclude_error(L, call, "invalid", PT_OUTCOME_UNSENT, refusal->problem, false);
}

int pt_lua_push_unconfigured(lua_State *L, const pt_call *call) {
  char detail[MAX_HINT];
  pt_failure_write_missing_key(detail, sizeof detail, call->operation->auth);
  pt_lua_push_error(L, NULL);
  pt_set_string(L, "hint", detail);
  return conclude_error(L, call, "unconfigured", PT_OUTCOME_UNSENT, detail, false);
}

int pt_lua_push_no_key(lua_State *L, const pt_call *call, const char *detail, int cause) {
  pt_lua_push_error(L, NULL);
  lua_pushvalue(L, cause);
  lua_setfield(L, -2, "cause");
  return conclude_error(L, call, "unconfigured", PT_OUTCOME_UNSENT, detail, false);
}

int pt_lua_push_closed(lua_State *L, const pt_call *call) {
  pt_lua_push_error(L, NULL);
  return conclude_error(L, call, "closed", PT_OUTCOME_UNSENT, "the client was closed", false);
}

/* in: err at the top, table or nil at `index`; out: err with the members of the table */
static void copy_members(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE)
    return;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
}

int pt_lua_push_made_error(lua_State *L, int base) {
  const pt_call *call = pt_lua_response_call(L, base);
  const char *kind = luaL_checkstring(L, base + 1);
  pt_outcome outcome = pt_outcome_of(luaL_checkstring(L, base + 2));
  size_t length;
  const char *given = luaL_checklstring(L, base + 3, &length);
  char detail[MAX_MESSAGE];
  pt_failure_copy_text(detail, sizeof detail, given, length);
  pt_lua_push_error(L, NULL);
  lua_pushvalue(L, base + 3);
  lua_setfield(L, -2, "message");
  copy_members(L, base + 4);
  if (call != NULL)
    return conclude_error(L, call, kind, outcome, detail, false);
  pt_operation operation = {.name = luaL_checkstring(L, base)};
  pt_call none = {.operation = &operation};
  return conclude_error(L, &none, kind, outcome, detail, false);
}

/* ---- success ---- */

/* in: body; out: body, data. A request outside the catalogue takes whatever envelope there is. */
static void push_data(lua_State *L, const pt_operation *operation, pt_envelope envelope) {
  bool wrapped = operation->envelope || (operation->data_open && envelope.data != '\0');
  if (!wrapped || lua_type(L, -1) != LUA_TTABLE) {
    lua_pushvalue(L, -1);
    return;
  }
  lua_getfield(L, -1, "data");
  if (lua_isnil(L, -1)) { /* a list that is null, or a job without data yet */
    lua_pop(L, 1);
    lua_newtable(L);
    if (operation->is_list) {
      pt_lua_push_array_metatable(L);
      lua_setmetatable(L, -2);
    }
  }
}

/* in: body and data when has_body, else data; out: data, nil, response */
static int push_success(lua_State *L, int index, bool has_body) {
  int data = lua_gettop(L);
  pt_lua_push_response(L, index);
  if (has_body) {
    lua_pushvalue(L, data - 1);
    lua_setfield(L, -2, "body");
  }
  int response = lua_gettop(L);
  lua_pushvalue(L, data);
  lua_pushnil(L);
  lua_pushvalue(L, response);
  return 3;
}

static int push_bad_response(lua_State *L, pt_call *call, const char *problem) {
  call->end = call->attempts[call->attempt_count - 1].end = PT_END_BAD_RESPONSE;
  call->success = false;
  call->outcome = PT_OUTCOME_UNKNOWN;
  if (call->engine != NULL && !call->settled)
    pt_engine_count_failure(call->engine);
  call->settled = true;
  return push_failure(L, call, problem);
}

/* A body that is not JSON: a file, where that may be, else a failure. `top` as in pt_envelope. */
static int push_undecoded(lua_State *L, int index, pt_call *call, char top) {
  char problem[MAX_MESSAGE];
  const pt_operation *operation = call->operation;
  const pt_buffer *body = &call->reply.body;
  bool may_be_file = !operation->returns_body && operation->method == PT_METHOD_GET;
  if (may_be_file && !pt_reply_claims_json(call)) {
    push_foreign_body(L, body);
    lua_pushlstring(L, body->bytes, body->length);
    pt_call_drop_body(call);
    return push_success(L, index, true);
  }
  pt_redact_reply(call, pt_call_config(call));
  pt_envelope_describe_text(problem, sizeof problem, operation, body, top);
  return push_bad_response(L, call, problem);
}

static int push_redirect(lua_State *L, int index, pt_call *call) {
  char problem[MAX_MESSAGE];
  if (!pt_lua_push_redirect(L, call, problem, sizeof problem))
    return push_bad_response(L, call, problem);
  pt_call_drop_body(call);
  pt_redact_location(call); /* the data has it; headers are shown and logged */
  return push_success(L, index, false);
}

int pt_lua_push_result(lua_State *L, int index, pt_call *call) {
  char problem[MAX_MESSAGE];
  const pt_operation *operation = call->operation;
  luaL_checkstack(L, 20, "result");
  if (!call->success)
    return push_failure(L, call, NULL);
  if (operation->redirect_status != 0 && call->status == (int)operation->redirect_status)
    return push_redirect(L, index, call);
  if (call->status == 404 ||
      (call->reply.body.length == 0 && pt_envelope_may_be_empty(operation, call->status))) {
    lua_pushboolean(L, 1);
    return push_success(L, index, false);
  }
  if (call->reply.body.length == 0)
    return push_bad_response(L, call, "the reply is empty");
  pt_envelope envelope;
  pt_decoded decoded = read_body(L, call, &envelope);
  if (decoded == PT_DECODE_MEMORY)
    return luaL_error(L, "%s: the call succeeded, but there is not enough memory for its reply",
                      operation->name);
  if (decoded != PT_DECODED)
    return push_undecoded(L, index, call, envelope.top);
  if (pt_envelope_check(operation, envelope, problem, sizeof problem) != NULL) {
    lua_pop(L, 1);
    return push_bad_response(L, call, problem);
  }
  pt_call_drop_body(call);
  push_data(L, operation, envelope);
  return push_success(L, index, true);
}
