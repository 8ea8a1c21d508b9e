/* result.c: see result.h. */
#include "lua/result.h"

#include "api/curl_command.h"
#include "api/envelope.h"
#include "http/headers.h"
#include "base/json_text.h"
#include "lua/call.h"
#include "lua/json.h"
#include "lua/set.h"
#include "api/trust.h"
#include "http/url.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define RESPONSE_METATABLE "polytomic.response"
#define ERROR_METATABLE "polytomic.error"
#define BUFFER_METATABLE "polytomic.buffer"
enum { MESSAGE_SIZE = 1024, DETAIL_SIZE = 801, HINT_SIZE = 512, SNIPPET = 60 };

/* Where a response keeps its call: a key no string can be. */
static const char call_key = 0;

/* ---- words ---- */

static const char *status_kind(int status) {
  switch (status) {
  case 401: return "unauthorized";
  case 403: return "forbidden";
  case 404: return "not_found";
  case 409: return "conflict";
  case 422: return "unprocessable";
  case 429: return "rate_limited";
  default:
    return status >= 500 ? "server" : status >= 400 ? "api" : status >= 300 ? "redirect" : NULL;
  }
}

const char *pt_lua_kind(pt_attempt_end end, int status) {
  switch (end) {
  case PT_END_ANSWERED: return status_kind(status);
  case PT_END_DNS: return "dns";
  case PT_END_CONNECT: return "connect";
  case PT_END_TLS: return "tls";
  case PT_END_PROXY: return "proxy";
  case PT_END_TIMEOUT: return "timeout";
  case PT_END_NETWORK:
  case PT_END_MEMORY: return "network";
  case PT_END_PROTOCOL: return "protocol";
  case PT_END_BAD_RESPONSE: return "bad_response";
  case PT_END_TOO_LARGE: return "too_large";
  case PT_END_CANCELLED: return "cancelled";
  case PT_END_CLOSED: return "closed";
  }
  return "network";
}

static const char *outcome_word(pt_outcome outcome) {
  static const char *const words[] = {"done", "unsent", "rejected", "unknown"};
  return words[outcome];
}

/* ---- parts of a response, made when asked for ---- */

/* in: headers, out: the same with one more; a repeated name is joined with ", " (RFC 9110
 * section 5.3) */
static void add_header(lua_State *L, const pt_header *header) {
  luaL_Buffer name;
  luaL_buffinit(L, &name);
  for (size_t i = 0; i < header->name_length; i++)
    luaL_addchar(&name, (char)tolower((unsigned char)header->name[i]));
  luaL_pushresult(&name);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushlstring(L, header->value, header->value_length);
  } else {
    lua_pushliteral(L, ", ");
    lua_pushlstring(L, header->value, header->value_length);
    lua_concat(L, 3);
  }
  lua_rawset(L, -3);
}

static void push_headers(lua_State *L, const pt_call *call) {
  size_t next = 0;
  pt_header header;
  lua_newtable(L);
  while (pt_headers_next(&call->reply.headers, &next, &header))
    add_header(L, &header);
}

static void push_timeline(lua_State *L, const pt_call *call) {
  lua_createtable(L, call->attempt_count, 0);
  for (int i = 0; i < call->attempt_count; i++) {
    const pt_attempt *attempt = &call->attempts[i];
    lua_createtable(L, 0, 7);
    if (attempt->status != 0)
      pt_set_integer(L, "status", attempt->status);
    pt_set_string(L, "error", pt_lua_kind(attempt->end, attempt->status));
    pt_set_number(L, "connect", attempt->connect);
    pt_set_number(L, "first_byte", attempt->first_byte);
    pt_set_number(L, "total", attempt->total);
    pt_set_number(L, "waited", attempt->waited);
    pt_set_boolean(L, "reused", attempt->reused);
    lua_rawseti(L, -2, i + 1);
  }
}

void pt_lua_push_request_id(lua_State *L, const pt_call *call) {
  pt_header header;
  if (pt_headers_find(&call->reply.headers, "x-request-id", &header))
    lua_pushlstring(L, header.value, header.value_length);
  else
    lua_pushnil(L);
}

static void push_idempotency_key(lua_State *L, const pt_call *call) {
  lua_pushstring(L, call->idempotency_key); /* nil for NULL */
}

static void push_elapsed(lua_State *L, const pt_call *call) {
  lua_pushnumber(L, call->state == PT_CALL_DONE ? call->ended - call->started : 0);
}

static void push_operation(lua_State *L, const pt_call *call) {
  lua_pushstring(L, call->operation->name);
}

static void push_attempts(lua_State *L, const pt_call *call) {
  lua_pushinteger(L, call->attempt_count);
}

static void push_status(lua_State *L, const pt_call *call) {
  if (call->status != 0)
    lua_pushinteger(L, call->status);
  else
    lua_pushnil(L);
}

static const struct {
  const char *name;
  void (*push)(lua_State *L, const pt_call *call);
} lazy_part[] = {
    {"operation", push_operation},
    {"status", push_status},
    {"attempts", push_attempts},
    {"headers", push_headers},
    {"timeline", push_timeline},
    {"request_id", pt_lua_push_request_id},
    {"idempotency_key", push_idempotency_key},
    {"elapsed", push_elapsed},
};
enum { LAZY_PARTS = sizeof lazy_part / sizeof lazy_part[0] };

/* in: response; out: the call it belongs to, or NULL */
static const pt_call *call_of(lua_State *L, int index) {
  index = pt_absindex(L, index);
  if (lua_type(L, index) != LUA_TTABLE)
    return NULL;
  pt_rawgetp(L, index, &call_key);
  const pt_lua_call *holder = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return holder != NULL ? holder->call : NULL;
}

/* in: response; all its parts are plain members from now on */
static void make_all(lua_State *L, int index, const pt_call *call) {
  for (size_t i = 0; i < LAZY_PARTS; i++) {
    lua_pushstring(L, lazy_part[i].name);
    lazy_part[i].push(L, call);
    lua_rawset(L, index);
  }
}

/* An error of a call that was refused before it was made has no call. */
static bool is_error(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE || lua_getmetatable(L, index) == 0)
    return false;
  luaL_getmetatable(L, ERROR_METATABLE);
  bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same;
}

static int buffer_collect(lua_State *L) {
  pt_buffer_wipe(lua_touserdata(L, 1));
  return 0;
}

/* in: -, out: userdata that owns an empty buffer: Lua may raise while it is full */
static pt_buffer *push_buffer(lua_State *L) {
  pt_buffer *buffer = pt_newuserdata(L, sizeof *buffer);
  memset(buffer, 0, sizeof *buffer);
  luaL_getmetatable(L, BUFFER_METATABLE);
  lua_setmetatable(L, -2);
  return buffer;
}

/* in: -, out: the command, or nil when memory ran out or no request was made up */
static void push_command(lua_State *L, const pt_call *call, const pt_config *config) {
  if (config == NULL || call->engine == NULL) {
    lua_pushnil(L);
    return;
  }
  pt_buffer *out = push_buffer(L);
  pt_curl_command(out, call, config->base_url.origin);
  if (out->failed || out->length == 0)
    lua_pushnil(L);
  else
    lua_pushlstring(L, out->bytes, out->length);
  pt_buffer_wipe(out);
  lua_remove(L, -2);
}

/* in: client's table of a call; out: its config, or NULL when the client was closed */
static const pt_config *config_of(lua_State *L, int environment) {
  lua_getfield(L, environment, "client");
  const pt_lua_client *client = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return client != NULL && client->engine != NULL ? pt_engine_config(client->engine) : NULL;
}

/* curl(): in: response; out: command, or nil when no request was made up. An error has its command
 * already. */
static int response_curl(lua_State *L) {
  if (is_error(L, 1)) {
    lua_pushliteral(L, "command");
    lua_rawget(L, 1);
    return 1;
  }
  const pt_call *call = call_of(L, 1);
  if (call == NULL)
    return pt_lua_error(L, 1, "curl: use a colon: response:curl()");
  pt_rawgetp(L, 1, &call_key);
  pt_getuservalue(L, -1);
  push_command(L, call, config_of(L, lua_gettop(L)));
  return 1;
}

/* __index: in: response, name; out: part */
static int response_index(lua_State *L) {
  const pt_call *call = call_of(L, 1);
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
  if (name != NULL && strcmp(name, "curl") == 0) {
    lua_pushcfunction(L, response_curl);
    return 1;
  }
  if (call == NULL || name == NULL)
    return 0;
  for (size_t i = 0; i < LAZY_PARTS; i++) {
    if (strcmp(name, lazy_part[i].name) != 0)
      continue;
    lazy_part[i].push(L, call);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
  }
  return 0;
}

/* One step of pairs: in: response, key; out: key, value; hides the call. */
static int response_next(lua_State *L) {
  lua_settop(L, 2);
  while (lua_next(L, 1) != 0) {
    if (lua_type(L, -2) == LUA_TSTRING)
      return 2;
    lua_pop(L, 1);
  }
  lua_pushnil(L);
  return 1;
}

/* __pairs (5.2 and newer) */
static int response_pairs(lua_State *L) {
  const pt_call *call = call_of(L, 1);
  if (call != NULL)
    make_all(L, 1, call);
  lua_pushcfunction(L, response_next);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

/* __tostring of an error */
static int error_tostring(lua_State *L) {
  lua_pushliteral(L, "text");
  lua_rawget(L, 1);
  return 1;
}

/* in: -; out: a response of the call at that index (0: of a call that is not kept), whose parts are
 * made when asked for */
static void push_response(lua_State *L, int call_index, const char *metatable) {
  lua_createtable(L, 0, 2);
  if (call_index != 0) {
    lua_pushvalue(L, call_index);
    pt_rawsetp(L, -2, &call_key);
  }
  luaL_getmetatable(L, metatable);
  lua_setmetatable(L, -2);
}

/* ---- hiding secrets a server sends back ---- */

static bool is_name(const char *bytes, size_t length, size_t end) {
  while (end < length && (bytes[end] == ' ' || bytes[end] == '\t'))
    end++;
  return end < length && bytes[end] == ':';
}

/* Hides a string as it was before it was written as JSON; `json` is what stands between its quotes.
 */
static void hide_string(char *text, size_t length, const char *json, size_t json_length) {
  pt_buffer plain = {0};
  if (pt_buffer_reserve(&plain, json_length + 1) == NULL) {
    pt_secret_hide_bytes(text, length, json, json_length);
    return;
  }
  for (size_t i = 0; i < json_length; i++) {
    char meant[4];
    size_t count = 0,
           taken = json[i] == '\\'
                       ? pt_json_read_escape(json + i + 1, json_length - i - 1, meant, &count)
                       : 0;
    if (taken > 0)
      pt_buffer_add(&plain, meant, count);
    else
      pt_buffer_add_char(&plain, json[i]);
    i += taken;
  }
  pt_secret_hide_bytes(text, length, plain.bytes, plain.length);
  pt_buffer_wipe(&plain);
}

/* Hides a value of the query, as it was sent and as it was before. */
static void hide_value(char *text, size_t length, const char *encoded, size_t encoded_length) {
  pt_secret_hide_bytes(text, length, encoded, encoded_length);
  pt_buffer plain = {0};
  pt_url_add_decoded(&plain, encoded, encoded_length);
  if (!plain.failed)
    pt_secret_hide_bytes(text, length, plain.bytes, plain.length);
  pt_buffer_wipe(&plain);
}

/* Hides every string inside a secret argument of the JSON we sent. */
static void hide_strings(char *text, size_t length, const char *json, size_t json_length) {
  for (size_t i = 0; i < json_length; i++) {
    if (json[i] != '"')
      continue;
    size_t start = ++i;
    while (i < json_length && json[i] != '"')
      i += json[i] == '\\' ? 2 : 1;
    if (i < json_length && !is_name(json, json_length, i + 1))
      hide_string(text, length, json + start, i - start);
  }
}

/* Hides what was sent for authorization, as it was sent: a key, or base64 of one. */
static void hide_credential(char *text, size_t length, const pt_credential *credential) {
  const char *line = credential != NULL ? credential->line.bytes : NULL;
  const char *value = line != NULL ? strrchr(line, ' ') : NULL;
  if (value != NULL)
    pt_secret_hide_bytes(text, length, value + 1, strlen(value + 1));
}

/* `config` is NULL when the client was closed. */
static void hide_in(char *text, size_t length, const pt_call *call, const pt_config *config) {
  hide_credential(text, length, call->credential);
  for (size_t i = 0; config != NULL && i < 3; i++)
    pt_secret_hide(text, length, &config->keys[i]);
  if (config != NULL)
    pt_secret_hide(text, length, &config->proxy);
  for (size_t i = 0; i < call->secret_count; i++) {
    const pt_span *span = &call->secrets[i];
    if (span->in_body)
      hide_strings(text, length, call->body.bytes + span->offset, span->length);
    else
      hide_value(text, length, call->target.bytes + span->offset, span->length);
  }
}

void pt_lua_hide_headers(pt_call *call, const pt_lua_client *client) {
  const pt_config *config = client->engine != NULL ? pt_engine_config(client->engine) : NULL;
  hide_in(call->reply.headers.bytes, call->reply.headers.length, call, config);
}

/* An error is shown, logged and kept: what a server echoes of our secrets goes first. */
static void hide_secrets(pt_call *call, const pt_config *config) {
  pt_reply *reply = &call->reply;
  hide_in(reply->body.bytes, reply->body.length, call, config);
  hide_in(reply->headers.bytes, reply->headers.length, call, config);
  if (reply->message != NULL)
    hide_in(reply->message, strlen(reply->message), call, config);
}

/* ---- errors ---- */

/* Copies text that may hold NUL, as much as there is room for and no half of a character. */
static void copy_text(char *out, size_t size, const char *text, size_t length) {
  size_t kept = length < size ? length : size - 1;
  while (kept > 0 && kept < length && ((unsigned char)text[kept] & 0xc0) == 0x80)
    kept--;
  for (size_t i = 0; i < kept; i++)
    out[i] = text[i] != '\0' ? text[i] : ' ';
  out[kept] = '\0';
}

/* One line of printable text from anything. */
static void clean(char *text) {
  for (; *text != '\0'; text++)
    if ((unsigned char)*text < ' ' || *text == 127)
      *text = ' ';
}

/* in: err, out: the same with `kind`, `outcome` and the text that is its message string; then
 * pushes nil, text, err */
static int conclude_error(lua_State *L, const pt_call *call, const char *kind, pt_outcome outcome,
                          const char *detail, bool retryable) {
  char text[MESSAGE_SIZE], told[DETAIL_SIZE];
  char code[24] = "";
  char request[96] = "";
  int err = lua_gettop(L);
  if (call->status != 0)
    (void)snprintf(code, sizeof code, "%d ", call->status);
  pt_lua_push_request_id(L, call);
  if (lua_isstring(L, -1))
    (void)snprintf(request, sizeof request, " (request %.64s)", lua_tostring(L, -1));
  lua_pop(L, 1);
  copy_text(told, sizeof told, detail, strlen(detail));
  (void)snprintf(text, sizeof text, "%s: %s%s: %s%s", call->operation->name, code, kind, told,
                 request);
  clean(text);
  pt_set_string(L, "kind", kind);
  pt_set_string(L, "outcome", outcome_word(outcome));
  pt_set_boolean(L, "retryable", retryable);
  make_all(L, err, call);
  lua_pushnil(L);
  lua_pushstring(L, text);
  lua_pushvalue(L, -1);
  lua_setfield(L, err, "text");
  lua_pushvalue(L, err);
  return 3;
}

/* in: err, its decoded body; out: the same, with `key`, `metadata` and the message in `detail`.
   Every shape the API has had: {key, message, metadata}, {error: {message}}, {error: "…"}. */
static void read_api_error(lua_State *L, int err, int body, char *detail, size_t size) {
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
  if (lua_type(L, -1) == LUA_TSTRING && pt_rawlen(L, -1) > 0) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    copy_text(detail, size, text, length);
    lua_pushvalue(L, -1);
    lua_setfield(L, err, "message");
  }
  lua_pop(L, 1);
}

static const char *wanted_key(pt_auth auth, const pt_credential *sent) {
  if (auth != PT_AUTH_PARTNER)
    return "a user API key, or `organization` with a partner or deployment key";
  return sent != NULL && sent->kind == PT_KEY_DEPLOYMENT ? "a partner or deployment key"
                                                         : "a partner key";
}

static void write_hint(char *hint, size_t size, const pt_call *call) {
  const pt_credential *credential = call->credential;
  const char *sent = credential == NULL ? "no key" : pt_key_label(credential->kind);
  if (call->operation->auth == PT_AUTH_CONNECT_TOKEN)
    (void)snprintf(hint, size, "%s is authorised by its token argument", call->operation->name);
  else
    (void)snprintf(hint, size, "%s needs %s; a %s was sent%s", call->operation->name,
                   wanted_key(call->operation->auth, credential), sent,
                   credential != NULL && credential->basic ? " for an organization" : "");
}

static void write_tls_hint(char *hint, size_t size, const pt_config *config) {
  const char *file, *path;
  pt_buffer text = {0};
  pt_transport_default_ca(&file, &path);
  pt_trust_describe(&text, config, file, path);
  (void)snprintf(hint, size, "verified with %s; set ca_file to trust another authority",
                 text.failed || text.bytes == NULL ? "libcurl's own CA" : text.bytes);
  pt_buffer_free(&text);
}

static void write_detail(char *detail, size_t size, const pt_call *call) {
  switch (call->end) {
  case PT_END_ANSWERED:
    (void)snprintf(detail, size,
                   call->status < 400 ? "redirects are never followed"
                                      : "the server gave no message");
    break;
  case PT_END_CANCELLED: (void)snprintf(detail, size, "cancelled"); break;
  case PT_END_CLOSED: (void)snprintf(detail, size, "the client was closed"); break;
  case PT_END_TIMEOUT:
    if (call->reply.message == NULL) {
      (void)snprintf(detail, size, "no connection was free within %g s", call->limits.timeout);
      break;
    }
    /* fall through */
  default:
    (void)snprintf(detail, size, "%s",
                   call->reply.message != NULL ? call->reply.message : "no further detail");
  }
}

/* in: err; out: the same with its body; reads what the server says of the error */
static void read_error_body(lua_State *L, int err, const pt_call *call, char *detail, size_t size) {
  bool shown = call->end == PT_END_ANSWERED ||
               (call->end == PT_END_BAD_RESPONSE && !call->operation->secret_reply);
  if (call->reply.body.length == 0 || !shown)
    return;
  if (pt_lua_json_decode(L, &call->reply.body) != PT_DECODED)
    return;
  if (lua_type(L, -1) == LUA_TTABLE && call->end == PT_END_ANSWERED)
    read_api_error(L, err, lua_gettop(L), detail, size);
  lua_setfield(L, err, "body");
}

/* An error keeps nothing of its call: it holds plain values, which any logger can write. */
static int push_failure(lua_State *L, pt_call *call, const pt_lua_client *client,
                        const char *problem) {
  char detail[MESSAGE_SIZE] = "", hint[HINT_SIZE] = "";
  const pt_config *config = client->engine != NULL ? pt_engine_config(client->engine) : NULL;
  hide_secrets(call, config);
  push_response(L, 0, ERROR_METATABLE);
  int err = lua_gettop(L);
  push_command(L, call, config);
  lua_setfield(L, err, "command");
  write_detail(detail, sizeof detail, call);
  read_error_body(L, err, call, detail, sizeof detail);
  if (problem != NULL)
    (void)snprintf(detail, sizeof detail, "%s", problem);
  if (call->retry_after >= 0)
    pt_set_number(L, "retry_after", call->retry_after);
  if (call->end == PT_END_ANSWERED && (call->status == 401 || call->status == 403))
    write_hint(hint, sizeof hint, call);
  else if (call->end == PT_END_TLS && config != NULL)
    write_tls_hint(hint, sizeof hint, config);
  if (hint[0] != '\0') {
    pt_set_string(L, "hint", hint);
    size_t length = strlen(detail);
    (void)snprintf(detail + length, sizeof detail - length, " (%s)", hint);
  }
  return conclude_error(L, call, pt_lua_kind(call->end, call->status), call->outcome, detail,
                        call->retryable);
}

int pt_lua_push_invalid(lua_State *L, const pt_call *call, const pt_refusal *refusal) {
  push_response(L, 0, ERROR_METATABLE);
  if (refusal->field[0] != '\0')
    pt_set_string(L, "field", refusal->field);
  pt_set_string(L, "message", refusal->problem);
  return conclude_error(L, call, "invalid", PT_OUTCOME_UNSENT, refusal->problem, false);
}

int pt_lua_push_unconfigured(lua_State *L, const pt_call *call) {
  char detail[HINT_SIZE];
  const char *first = call->operation->auth == PT_AUTH_PARTNER
                          ? "POLYTOMIC_PARTNER_KEY or POLYTOMIC_DEPLOYMENT_KEY"
                          : "POLYTOMIC_API_KEY, or POLYTOMIC_PARTNER_KEY with `organization`";
  (void)snprintf(detail, sizeof detail,
                 "no key: it needs %s; set %s, or give the key to polytomic.new",
                 wanted_key(call->operation->auth, NULL), first);
  push_response(L, 0, ERROR_METATABLE);
  pt_set_string(L, "hint", detail);
  return conclude_error(L, call, "unconfigured", PT_OUTCOME_UNSENT, detail, false);
}

int pt_lua_push_closed(lua_State *L, const pt_call *call) {
  push_response(L, 0, ERROR_METATABLE);
  return conclude_error(L, call, "closed", PT_OUTCOME_UNSENT, "the client was closed", false);
}

static pt_outcome outcome_of(const char *word) {
  pt_outcome outcome = PT_OUTCOME_UNSENT;
  while (outcome < PT_OUTCOME_UNKNOWN && strcmp(outcome_word(outcome), word) != 0)
    outcome++;
  return outcome;
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

int pt_lua_push_found(lua_State *L, int base) {
  const pt_call *call = call_of(L, base);
  const char *kind = luaL_checkstring(L, base + 1);
  pt_outcome outcome = outcome_of(luaL_checkstring(L, base + 2));
  const char *detail = luaL_checkstring(L, base + 3);
  push_response(L, 0, ERROR_METATABLE);
  pt_set_string(L, "message", detail);
  copy_members(L, base + 4);
  if (call != NULL)
    return conclude_error(L, call, kind, outcome, detail, false);
  pt_operation operation = {.name = luaL_checkstring(L, base)};
  pt_call none = {.operation = &operation};
  return conclude_error(L, &none, kind, outcome, detail, false);
}

/* ---- success ---- */

/* A few bytes of a reply that is no JSON at all, for the message; JSON may hold what must not be
 * shown. */
static void describe_text(char *problem, size_t size, const pt_operation *operation,
                          const pt_buffer *body, char top) {
  char snippet[SNIPPET + 1];
  size_t n = 0;
  for (; n < SNIPPET && n < body->length; n++)
    snippet[n] = body->bytes[n] < ' ' || body->bytes[n] > '~' ? ' ' : body->bytes[n];
  snippet[n] = '\0';
  if (operation->secret_reply)
    (void)snprintf(problem, size,
                   "the reply is not valid JSON (%zu bytes, not shown since they may hold a key)",
                   body->length);
  else if (top == '{' || top == '[' || top == '"')
    (void)snprintf(problem, size, "the reply is not valid JSON (%zu bytes that begin with %c)",
                   body->length, top);
  else
    (void)snprintf(problem, size, "the reply is not JSON: %s%s", snippet,
                   body->length > SNIPPET ? "..." : "");
}

static const char *json_word(char first) {
  switch (first) {
  case '{': return "an object";
  case '[': return "a list";
  case '"': return "a string";
  case 'n': return "null";
  case 't':
  case 'f': return "a boolean";
  case '\0': return "nothing";
  default: return "a number";
  }
}

/* Whether an empty body keeps the operation's promise: no body is documented, or the status says
 * that there is none. */
static bool may_be_empty(const pt_call *call) {
  return !call->operation->returns_body || call->operation->method == PT_METHOD_DELETE ||
         call->status == 204 || call->status == 205 || call->status == 404;
}

/* Checks the kinds of body and data against what the operation promises; NULL when they fit. */
static const char *check_envelope(const pt_operation *operation, pt_envelope envelope,
                                  char *problem, size_t size) {
  bool open =
      !operation->returns_body && (operation->data_open || operation->method == PT_METHOD_GET);
  if (envelope.top != '{' && !open) {
    (void)snprintf(problem, size, "the reply is %s instead of %s", json_word(envelope.top),
                   operation->returns_body ? "an object" : "nothing");
    return problem;
  }
  if (!operation->returns_body || !operation->envelope)
    return NULL;
  bool fits =
      operation->is_list ? envelope.data == '[' || envelope.data == 'n' : envelope.data == '{';
  bool nothing = envelope.data == '\0' || envelope.data == 'n';
  if (fits || (nothing ? operation->has_job : operation->data_open))
    return NULL;
  (void)snprintf(problem, size, "its data is %s instead of %s", json_word(envelope.data),
                 operation->is_list ? "a list" : "an object");
  return problem;
}

/* Whether the decoded data is still what was looked at: a reader takes the last of two members of
 * one name. in: body */
static bool repeats_data(lua_State *L, const pt_operation *operation, pt_envelope envelope) {
  if (!operation->returns_body || !operation->envelope ||
      (envelope.data != '{' && envelope.data != '['))
    return false;
  lua_getfield(L, -1, "data");
  bool other = lua_type(L, -1) != LUA_TTABLE;
  lua_pop(L, 1);
  return other;
}

/* in: body; out: body, data. A request outside the catalogue takes whatever envelope there is. */
static void push_data(lua_State *L, const pt_operation *operation, pt_envelope envelope) {
  bool wrapped = operation->envelope || (operation->data_open && envelope.data != '\0');
  if (!wrapped || lua_type(L, -1) != LUA_TTABLE) {
    lua_pushvalue(L, -1);
    return;
  }
  lua_getfield(L, -1, "data");
  if (lua_isnil(
          L, -1)) { /* a list that is null, or a job without data yet; else it was refused before */
    lua_pop(L, 1);
    lua_newtable(L);
  }
}

static int push_success(lua_State *L, int index, bool has_body) {
  /* in: body and data when has_body, else data */
  int data = lua_gettop(L);
  push_response(L, index, RESPONSE_METATABLE);
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

static int push_bad_response(lua_State *L, pt_call *call, const pt_lua_client *client,
                             const char *problem) {
  call->end = call->attempts[call->attempt_count - 1].end = PT_END_BAD_RESPONSE;
  call->success = false;
  call->outcome = PT_OUTCOME_UNKNOWN;
  if (client->engine != NULL && !call->settled)
    pt_engine_count_failure(client->engine);
  call->settled = true;
  return push_failure(L, call, client, problem);
}

int pt_lua_push_result(lua_State *L, int index, pt_call *call, const pt_lua_client *client) {
  char problem[MESSAGE_SIZE];
  const pt_operation *operation = call->operation;
  luaL_checkstack(L, 20, "result");
  if (!call->success)
    return push_failure(L, call, client, NULL);
  if (call->status == 404 || (call->reply.body.length == 0 && may_be_empty(call))) {
    lua_pushboolean(L, 1);
    return push_success(L, index, false);
  }
  if (call->reply.body.length == 0)
    return push_bad_response(L, call, client, "the reply is empty");
  pt_envelope envelope = pt_envelope_look(&call->reply.body);
  pt_decoded decoded = pt_lua_json_decode(L, &call->reply.body);
  if (decoded == PT_DECODE_MEMORY)
    return luaL_error(L, "%s: the call succeeded, but there is not enough memory for its reply",
                      operation->name);
  if (decoded != PT_DECODED) {
    if (!operation->returns_body && operation->method == PT_METHOD_GET) { /* a file */
      lua_pushlstring(L, call->reply.body.bytes, call->reply.body.length);
      return push_success(L, index, false);
    }
    hide_secrets(call, client->engine != NULL ? pt_engine_config(client->engine) : NULL);
    describe_text(problem, sizeof problem, operation, &call->reply.body, envelope.top);
    return push_bad_response(L, call, client, problem);
  }
  if (check_envelope(operation, envelope, problem, sizeof problem) != NULL) {
    lua_pop(L, 1);
    return push_bad_response(L, call, client, problem);
  }
  if (repeats_data(L, operation, envelope)) {
    lua_pop(L, 1);
    return push_bad_response(L, call, client, "its member data stands there twice");
  }
  push_data(L, operation, envelope);
  return push_success(L, index, true);
}

static void make_metatable(lua_State *L, const char *name, lua_CFunction tostring) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, response_index);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, response_pairs);
  lua_setfield(L, -2, "__pairs");
  pt_set_string(L, "__name", name);
  lua_pushliteral(L, "protected");
  lua_setfield(L, -2, "__metatable");
  if (tostring != NULL) {
    lua_pushcfunction(L, tostring);
    lua_setfield(L, -2, "__tostring");
  }
  lua_pop(L, 1);
}

void pt_lua_open_result(lua_State *L) {
  make_metatable(L, RESPONSE_METATABLE, NULL);
  make_metatable(L, ERROR_METATABLE, error_tostring);
  luaL_newmetatable(L, BUFFER_METATABLE);
  lua_pushcfunction(L, buffer_collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}
