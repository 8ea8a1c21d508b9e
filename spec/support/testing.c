/* testing.c: the module polytomic.testing, built for specs only (with PT_TESTING): the core's pure
   functions, one Lua function each, and what specs need of the system and cannot have from Lua.
   Functions that can refuse return nil and the message. */
#include "api/credential.h"
#include "api/retry.h"
#include "base/clock.h"
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/unicode.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/redactor.h"
#include "base/secret.h"
#include "http/exchange_end.h"
#include "http/headers.h"
#include "http/proxy_variable.h"
#include "http/retry_after.h"
#include "http/sigpipe.h"
#include "http/url.h"
#include "lua/compat.h"
#include "lua/array.h"
#include "lua/json.h"
#include "lua/set.h"
#include "testing_memory.h"

#include <errno.h>
#include <linux/sockios.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

int luaopen_polytomic_testing(lua_State *L);

static int push_refusal(lua_State *L, const char *message) {
  lua_pushnil(L);
  lua_pushstring(L, message);
  return 2;
}

/* Pushes what was written and frees the buffer. */
static int push_buffer(lua_State *L, pt_buffer *buffer) {
  if (buffer->failed) {
    pt_buffer_free(buffer);
    return push_refusal(L, PT_NO_MEMORY);
  }
  lua_pushlstring(L, buffer->bytes == NULL ? "" : buffer->bytes, buffer->length);
  pt_buffer_free(buffer);
  return 1;
}

static void set_text(lua_State *L, const char *field, const char *value, size_t length) {
  lua_pushlstring(L, value, length);
  lua_setfield(L, -2, field);
}

/* A view of a Lua string as a buffer that is only read. */
static pt_buffer view(lua_State *L, int index) {
  pt_buffer lines = {0};
  const char *text = luaL_checklstring(L, index, &lines.length);
  memcpy(&lines.bytes, &text, sizeof text); /* drops const: it is only read */
  return lines;
}

/* ---- url.h ---- */

/* in: text, allow_http; out: { origin, prefix, host, https, loopback } */
static int url_parse(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  pt_base_url url;
  const char *message = pt_base_url_parse(&url, text, length, lua_toboolean(L, 2));
  if (message != NULL)
    return push_refusal(L, message);
  lua_newtable(L);
  pt_set_string(L, "origin", url.origin);
  pt_set_string(L, "prefix", url.prefix);
  set_text(L, "host", url.host, url.host_length);
  pt_set_boolean(L, "https", url.https);
  pt_set_boolean(L, "loopback", url.loopback);
  pt_base_url_free(&url);
  return 1;
}

/* in: base URL, link; out: boolean */
static int same_origin(lua_State *L) {
  size_t length;
  size_t link_length;
  const char *text = luaL_checklstring(L, 1, &length);
  const char *link = luaL_checklstring(L, 2, &link_length);
  pt_base_url url;
  const char *message = pt_base_url_parse(&url, text, length, true);
  if (message != NULL)
    return push_refusal(L, message);
  lua_pushboolean(L, pt_url_same_origin(&url, link, link_length));
  pt_base_url_free(&url);
  return 1;
}

/* in: origin, target of the request, link; out: URL, or nil and what is wrong with the link */
static int url_resolve(lua_State *L) {
  size_t length;
  const char *link = luaL_checklstring(L, 3, &length);
  pt_buffer out = {0};
  const char *message =
      pt_url_resolve(&out, luaL_checkstring(L, 1), luaL_checkstring(L, 2), link, length);
  if (message == NULL)
    return push_buffer(L, &out);
  pt_buffer_free(&out);
  return push_refusal(L, message);
}

/* in: text; out: encoded text */
static int url_segment(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  pt_buffer out = {0};
  const char *message = pt_url_add_segment(&out, text, length);
  if (message == NULL)
    return push_buffer(L, &out);
  int results =
      out.length == 0 ? push_refusal(L, message) : luaL_error(L, "a refused segment was written");
  pt_buffer_free(&out);
  return results;
}

/* in: array of { name, value } and { name, key, value }; out: the query */
static int url_pairs(lua_State *L) {
  pt_buffer out = {0};
  size_t count = 0;
  for (int i = 1; lua_rawgeti(L, 1, i), lua_istable(L, -1); i++) {
    const char *part[3];
    size_t length[3];
    for (int k = 0; k < 3; k++) {
      lua_rawgeti(L, 2, k + 1);
      part[k] = lua_tolstring(L, -1, &length[k]);
    }
    if (part[2] == NULL)
      pt_url_add_pair(&out, &count, part[0], length[0], part[1], length[1]);
    else
      pt_url_add_map_pair(&out, &count, part[0], length[0], part[1], length[1], part[2], length[2]);
    lua_settop(L, 1);
  }
  return push_buffer(L, &out);
}

/* ---- json_writer.h ---- */

/* in: text; out: JSON */
static int json_string(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  pt_buffer out = {0};
  if (pt_json_add_string(&out, text, length))
    return push_buffer(L, &out);
  if (out.length != 0)
    return luaL_error(L, "a refused string was written");
  return push_refusal(L, "is not valid UTF-8");
}

/* in: number; out: JSON */
static int json_number(lua_State *L) {
  double value = luaL_checknumber(L, 1);
  pt_buffer out = {0};
  return pt_json_add_number(&out, value) ? push_buffer(L, &out) : push_refusal(L, "is not finite");
}

/* in: decimal digits as text, since 5.1 has no 64-bit integers; out: JSON */
static int json_integer(lua_State *L) {
  long long value = strtoll(luaL_checkstring(L, 1), NULL, 10);
  pt_buffer out = {0};
  pt_json_add_integer(&out, value);
  return push_buffer(L, &out);
}

/* ---- json_reader.h ---- */

/* By their numbers. */
static const char *const token_names[] = {"whole", "cut",    "invalid", "too_deep", "null",
                                          "false", "true",   "integer", "number",   "string",
                                          "list",  "object", "closed"};

/* in: text, greatest depth; out: "whole", "cut", "invalid" or "too_deep" */
static int json_validate(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  size_t depth = (size_t)luaL_checknumber(L, 2);
  lua_pushstring(L, token_names[pt_json_validate(text, length, depth)]);
  return 1;
}

/* in: -, out: the meaning of a string */
static void push_meaning(lua_State *L, const pt_json_string *string) {
  char *out = lua_newuserdata(L, string->length + 1);
  if (string->escaped)
    lua_pushlstring(L, out, pt_json_unescape(string, out));
  else
    lua_pushlstring(L, string->bytes, string->length);
  lua_remove(L, -2);
}

/* in: -, out: { kind, value, name }; an integer is given as its digits, since 5.1 has none of 64
 * bits */
static void push_token(lua_State *L, const pt_json_reader *in, pt_json_token token) {
  lua_newtable(L);
  lua_pushstring(L, token_names[token]);
  lua_rawseti(L, -2, 1);
  if (token == PT_JSON_STRING) {
    push_meaning(L, &in->string);
    lua_rawseti(L, -2, 2);
  } else if (token == PT_JSON_NUMBER) {
    lua_pushnumber(L, in->number);
    lua_rawseti(L, -2, 2);
  } else if (token == PT_JSON_INTEGER) {
    pt_buffer out = {0};
    pt_json_add_integer(&out, in->integer);
    push_buffer(L, &out);
    lua_rawseti(L, -2, 2);
  }
  if (in->name.bytes == NULL)
    return;
  push_meaning(L, &in->name);
  lua_rawseti(L, -2, 3);
}

/* in: text, greatest depth; out: array of { kind, value, name }, why it stops, offset where */
static int json_read(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  pt_json_reader in;
  pt_json_start(&in, text, length, (size_t)luaL_checknumber(L, 2));
  pt_json_token token = pt_json_next(&in);
  lua_newtable(L);
  for (int i = 1; token > PT_JSON_TOO_DEEP; i++, token = pt_json_next(&in)) {
    push_token(L, &in, token);
    lua_rawseti(L, -2, i);
  }
  if (pt_json_next(&in) != token)
    return luaL_error(L, "it stops otherwise when asked again");
  lua_pushstring(L, token_names[token]);
  lua_pushnumber(L, (lua_Number)pt_json_offset(&in));
  return 3;
}

/* ---- lua/json.h ---- */

/* in: text; out: value, kind of it and of its data; or nil, why there is none, kind */
static int json_decode(lua_State *L) {
  pt_buffer text = view(L, 1);
  pt_envelope envelope;
  pt_decoded decoded = pt_lua_json_decode(L, &text, &envelope);
  if (decoded == PT_DECODE_RAISED)
    return lua_error(L);
  if (decoded != PT_DECODED) {
    lua_pushnil(L);
    lua_pushstring(L, decoded == PT_DECODE_MEMORY ? "memory" : "invalid");
  }
  lua_pushlstring(L, &envelope.top, envelope.top != '\0');
  lua_pushlstring(L, &envelope.data, envelope.data != '\0');
  return lua_gettop(L) - 1;
}

/* out: what lists that were read empty have */
static int json_array_metatable(lua_State *L) {
  pt_lua_push_array_metatable(L);
  return 1;
}

/* out: one that is not NULL */
static int light_userdata(lua_State *L) {
  static char somewhere;
  lua_pushlightuserdata(L, &somewhere);
  return 1;
}

/* ---- checks of one text ---- */

static int push_check(lua_State *L, bool (*check)(const char *, size_t)) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  lua_pushboolean(L, check(text, length));
  return 1;
}

static int utf8_valid(lua_State *L) { return push_check(L, pt_unicode_valid); }
static int header_name_valid(lua_State *L) { return push_check(L, pt_header_name_valid); }
static int header_value_valid(lua_State *L) { return push_check(L, pt_header_value_valid); }
static int header_reserved(lua_State *L) { return push_check(L, pt_header_reserved); }
static int idempotency_key_valid(lua_State *L) { return push_check(L, pt_idempotency_key_valid); }
static int uuid_valid(lua_State *L) { return push_check(L, pt_uuid_valid); }

/* ---- headers.h ---- */

static void push_header(lua_State *L, const pt_header *header) {
  lua_newtable(L);
  set_text(L, "name", header->name, header->name_length);
  set_text(L, "value", header->value, header->value_length);
}

/* in: lines; out: array of { name, value } */
static int headers(lua_State *L) {
  pt_buffer lines = view(L, 1);
  size_t next = 0;
  pt_header header;
  lua_newtable(L);
  for (int i = 1; pt_headers_next(&lines, &next, &header); i++) {
    push_header(L, &header);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

/* in: lines, name; out: { name, value } or nil */
static int header_find(lua_State *L) {
  pt_buffer lines = view(L, 1);
  pt_header header;
  if (pt_headers_find(&lines, luaL_checkstring(L, 2), &header))
    push_header(L, &header);
  else
    lua_pushnil(L);
  return 1;
}

/* in: value, seconds since the epoch; out: seconds or -1 */
static int retry_after(lua_State *L) {
  size_t length;
  const char *value = luaL_checklstring(L, 1, &length);
  lua_pushnumber(L, pt_retry_after_parse(value, length, luaL_checknumber(L, 2)));
  return 1;
}

/* ---- random.h, clock.h, memory.h ---- */

static int uuid(lua_State *L) {
  char text[PT_UUID_LENGTH + 1];
  if (!pt_random_uuid(text))
    return push_refusal(L, "no randomness");
  lua_pushstring(L, text);
  return 1;
}

static int random_unit(lua_State *L) {
  lua_pushnumber(L, pt_random_unit());
  return 1;
}

static int clock_monotonic(lua_State *L) {
  lua_pushnumber(L, pt_clock_monotonic());
  return 1;
}

static int clock_wall(lua_State *L) {
  lua_pushnumber(L, pt_clock_wall());
  return 1;
}

/* ---- secret.h ---- */

/* in: key, user or nil; out: the secret in `secret`, or false with a refusal pushed */
static bool check_secret(lua_State *L, pt_secret *secret) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  const char *message = pt_secret_set(secret, text, length);
  if (message != NULL)
    push_refusal(L, message);
  return message == NULL;
}

/* in: key; out: masked key, and whether there is one */
static int secret_mask(lua_State *L) {
  pt_secret secret = {0};
  pt_buffer out = {0};
  if (!check_secret(L, &secret))
    return 2;
  bool present = secret.bytes != NULL;
  pt_secret_add_masked(&out, &secret);
  pt_secret_clear(&secret);
  int results = push_buffer(L, &out);
  lua_pushboolean(L, present);
  return results + 1;
}

/* in: name; out: whether it is that of a secret */
static int secret_named(lua_State *L) {
  size_t length;
  const char *name = luaL_checklstring(L, 1, &length);
  lua_pushboolean(L, pt_secret_named(name, length));
  return 1;
}

/* in: text, list of secrets; out: the text without them */
static int redact(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  pt_redactor redactor = {0};
  pt_buffer out = {0};
  pt_buffer_add(&out, text, length);
  for (int i = 1; i <= (int)pt_rawlen(L, 2); i++) {
    lua_rawgeti(L, 2, i);
    text = lua_tolstring(L, -1, &length);
    if (text != NULL)
      pt_redactor_add(&redactor, text, length);
    lua_pop(L, 1);
  }
  pt_redactor_hide(&redactor, out.bytes, out.length);
  pt_redactor_free(&redactor);
  return push_buffer(L, &out);
}

/* in: key, user or nil; out: header line */
static int authorization(lua_State *L) {
  const char *user = luaL_optstring(L, 2, NULL);
  pt_secret secret = {0};
  pt_buffer out = {0};
  if (!check_secret(L, &secret))
    return 2;
  pt_secret_add_authorization(&out, &secret, user);
  pt_secret_clear(&secret);
  return push_buffer(L, &out);
}

/* in: the descriptor of a TCP socket; out: how many bytes sent on it have not come to the peer's */
static int unacknowledged(lua_State *L) {
  int bytes = 0;
  if (ioctl((int)luaL_checkinteger(L, 1), SIOCOUTQ, &bytes) != 0)
    return luaL_error(L, "this is no TCP socket");
  lua_pushinteger(L, bytes);
  return 1;
}

/* in: text; out: the bytes of a copy after it was wiped */
static int wipe(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  char *copy = pt_copy(text, length);
  if (copy == NULL)
    return push_refusal(L, PT_NO_MEMORY);
  pt_wipe(copy, length);
  lua_pushlstring(L, copy, length);
  pt_free(copy);
  return 1;
}

/* ---- retry.h ---- */

static double number_field(lua_State *L, const char *field, double otherwise) {
  lua_getfield(L, 1, field);
  double value = lua_isnil(L, -1) ? otherwise : luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return value;
}

static bool boolean_field(lua_State *L, const char *field) {
  lua_getfield(L, 1, field);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

static int choice_field(lua_State *L, const char *field, const char *const *names) {
  lua_getfield(L, 1, field);
  int choice = luaL_checkoption(L, -1, NULL, names);
  lua_pop(L, 1);
  return choice;
}

/* By pt_attempt_end. */
static const char *const attempt_ends[] = {
    "answered", "dns",          "connect",   "tls",    "proxy",     "timeout", "network",
    "protocol", "bad_response", "too_large", "memory", "cancelled", "closed",  NULL};

/* in: table named like pt_retry_input, enumerations as lower-case names, methods in capitals; out:
 * table like pt_retry_decision */
static int retry_decide(lua_State *L) {
  static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};
  static const char *const outcomes[] = {"done", "unsent", "rejected", "unknown"};
  luaL_checktype(L, 1, LUA_TTABLE);
  pt_retry_input input = {
      .method = (pt_method)choice_field(L, "method", methods),
      .keyed = boolean_field(L, "keyed"),
      .end = (pt_attempt_end)choice_field(L, "end", attempt_ends),
      .status = (int)number_field(L, "status", 0),
      .redirect_status = (int)number_field(L, "redirect_status", 0),
      .sent = boolean_field(L, "sent"),
      .retry_after = number_field(L, "retry_after", -1),
      .attempt = (int)number_field(L, "attempt", 1),
      .retries = (int)number_field(L, "retries", 4),
      .uncounted = (int)number_field(L, "uncounted", 0),
      .patient = boolean_field(L, "patient"),
      .dns_failures = (int)number_field(L, "dns_failures", 0),
      .unknown_before = boolean_field(L, "unknown_before"),
      .tokens = number_field(L, "tokens", PT_RETRY_BUDGET),
      .left = number_field(L, "left", 90),
      .jitter = number_field(L, "jitter", 0.5),
  };
  pt_retry_decision decision = pt_retry_decide(&input);
  lua_newtable(L);
  pt_set_boolean(L, "success", decision.success);
  pt_set_boolean(L, "retry", decision.retry);
  pt_set_boolean(L, "retryable", decision.retryable);
  pt_set_number(L, "wait", decision.wait);
  pt_set_boolean(L, "past_deadline", decision.past_deadline);
  pt_set_boolean(L, "uncounted", decision.uncounted);
  pt_set_number(L, "cost", decision.cost);
  pt_set_string(L, "outcome", outcomes[decision.outcome]);
  return 1;
}

/* ---- proxy_variable.h ---- */

/* in: list as in no_proxy, host; out: whether it excludes the host */
static int proxy_excluded(lua_State *L) {
  size_t length;
  const char *list = luaL_checkstring(L, 1), *host = luaL_checklstring(L, 2, &length);
  lua_pushboolean(L, pt_proxy_excluded(list, host, length));
  return 1;
}

/* in: base URL; out: the variable of the environment that names its proxy, or nil */
static int proxy_variable(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  pt_base_url url = {0};
  const char *problem = pt_base_url_parse(&url, text, length, true);
  if (problem != NULL)
    return push_refusal(L, problem);
  lua_pushstring(L, pt_proxy_variable(&url));
  pt_base_url_free(&url);
  return 1;
}

/* ---- exchange_end.h ---- */

static const struct {
  const char *name;
  CURLcode code;
} curl_code[] = {
    {"OK", CURLE_OK},
    {"UNSUPPORTED_PROTOCOL", CURLE_UNSUPPORTED_PROTOCOL},
    {"COULDNT_RESOLVE_PROXY", CURLE_COULDNT_RESOLVE_PROXY},
    {"COULDNT_RESOLVE_HOST", CURLE_COULDNT_RESOLVE_HOST},
    {"COULDNT_CONNECT", CURLE_COULDNT_CONNECT},
    {"WEIRD_SERVER_REPLY", CURLE_WEIRD_SERVER_REPLY},
    {"HTTP2", CURLE_HTTP2},
    {"PARTIAL_FILE", CURLE_PARTIAL_FILE},
    {"WRITE_ERROR", CURLE_WRITE_ERROR},
    {"OUT_OF_MEMORY", CURLE_OUT_OF_MEMORY},
    {"OPERATION_TIMEDOUT", CURLE_OPERATION_TIMEDOUT},
    {"SSL_CONNECT_ERROR", CURLE_SSL_CONNECT_ERROR},
    {"ABORTED_BY_CALLBACK", CURLE_ABORTED_BY_CALLBACK},
    {"BAD_FUNCTION_ARGUMENT", CURLE_BAD_FUNCTION_ARGUMENT},
    {"GOT_NOTHING", CURLE_GOT_NOTHING},
    {"SEND_ERROR", CURLE_SEND_ERROR},
    {"RECV_ERROR", CURLE_RECV_ERROR},
    {"SSL_CERTPROBLEM", CURLE_SSL_CERTPROBLEM},
    {"PEER_FAILED_VERIFICATION", CURLE_PEER_FAILED_VERIFICATION},
    {"BAD_CONTENT_ENCODING", CURLE_BAD_CONTENT_ENCODING},
    {"SSL_CACERT_BADFILE", CURLE_SSL_CACERT_BADFILE},
    {"HTTP2_STREAM", CURLE_HTTP2_STREAM},
    {"PROXY", CURLE_PROXY},
    {"SSL_CLIENTCERT", CURLE_SSL_CLIENTCERT},
};

static CURLcode code_field(lua_State *L) {
  lua_getfield(L, 1, "code");
  const char *name = luaL_checkstring(L, -1);
  size_t i = 0, count = sizeof curl_code / sizeof curl_code[0];
  while (i < count && strcmp(curl_code[i].name, name) != 0)
    i++;
  if (i == count)
    luaL_error(L, "no code %s", name);
  lua_pop(L, 1);
  return curl_code[i].code;
}

static long errno_field(lua_State *L) {
  static const char *const names[] = {"", "ECONNRESET", "EPIPE", "ECONNREFUSED", NULL};
  static const int numbers[] = {0, ECONNRESET, EPIPE, ECONNREFUSED};
  lua_getfield(L, 1, "os_errno");
  int choice = luaL_checkoption(L, -1, "", names);
  lua_pop(L, 1);
  return numbers[choice];
}

/* in: table named like pt_exchange_facts, `code` as in CURLE_ without that, `os_errno` as a name;
 * out: table like pt_exchange_end */
static int exchange_end(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "words"); /* stays on the stack while the words are used */
  pt_exchange_end end = pt_exchange_judge(&(pt_exchange_facts){
      .code = code_field(L),
      .words = luaL_optstring(L, 2, ""),
      .status = (long)number_field(L, "status", 0),
      .connect_status = (long)number_field(L, "connect_status", 0),
      .sends = (unsigned)number_field(L, "sends", boolean_field(L, "sent") ? 1 : 0),
      .sent = boolean_field(L, "sent"),
      .os_errno = errno_field(L),
      .proxy = boolean_field(L, "proxy"),
      .https = boolean_field(L, "https"),
      .headers_done = boolean_field(L, "headers_done"),
      .refused = boolean_field(L, "refused"),
      .bad_status = boolean_field(L, "bad_status"),
      .bad_header = boolean_field(L, "bad_header"),
      .bad_length = boolean_field(L, "bad_length"),
      .too_large = boolean_field(L, "too_large"),
      .out_of_memory = boolean_field(L, "out_of_memory"),
  });
  lua_newtable(L);
  pt_set_string(L, "end", attempt_ends[end.end]);
  pt_set_number(L, "status", end.status);
  if (end.message != NULL)
    pt_set_string(L, "message", end.message);
  return 1;
}

/* ---- the system ---- */

/* out: process id of the child, 0 in the child */
static int fork_process(lua_State *L) {
  lua_pushnumber(L, (lua_Number)fork());
  return 1;
}

/* in: process id; out: its exit status, 128 + n for signal n; waits for it */
static int wait_for(lua_State *L) {
  int status = 0;
  if (waitpid((pid_t)luaL_checknumber(L, 1), &status, 0) < 0)
    return push_refusal(L, "no such child");
  lua_pushnumber(L,
                 (lua_Number)(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)));
  return 1;
}

/* in: whether it is needed; raises SIGPIPE, as libcurl may, while it is held; out: whether the
 * signal was blocked before, meanwhile and after, and whether it is pending after */
static int hold_sigpipe(lua_State *L) {
  sigset_t mask, pending;
  bool needed = lua_toboolean(L, 1) != 0;
  (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
  lua_pushboolean(L, sigismember(&mask, SIGPIPE));
  pt_sigpipe held = pt_sigpipe_hold(needed);
  (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
  lua_pushboolean(L, sigismember(&mask, SIGPIPE));
  if (sigismember(&mask, SIGPIPE))
    (void)raise(SIGPIPE);
  pt_sigpipe_release(&held);
  (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
  lua_pushboolean(L, sigismember(&mask, SIGPIPE));
  (void)sigpending(&pending);
  lua_pushboolean(L, sigismember(&pending, SIGPIPE));
  return 4;
}

/* Blocks SIGPIPE in this thread. */
static int block_sigpipe(lua_State *L) {
  sigset_t set;
  (void)L;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGPIPE);
  (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
  return 0;
}

static lua_State *alarmed;
static volatile sig_atomic_t quiet_hooks;

static void quiet_hook(lua_State *L, lua_Debug *activation) {
  (void)activation;
  lua_sethook(L, NULL, 0, 0);
  quiet_hooks++;
}

static void on_alarm(int number) {
  (void)number;
  lua_sethook(alarmed, quiet_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static int count_quiet_hooks(lua_State *L) {
  lua_pushnumber(L, quiet_hooks);
  return 1;
}

/* in: seconds below 1; a signal then sets a hook that ends itself when it runs; out: a function
 * that returns how often it ran since */
static int set_quiet_hook_after(lua_State *L) {
  struct itimerval when = {.it_value.tv_usec = (suseconds_t)(luaL_checknumber(L, 1) * 1e6)};
  alarmed = L;
  quiet_hooks = 0;
  if (signal(SIGALRM, on_alarm) == SIG_ERR || setitimer(ITIMER_REAL, &when, NULL) != 0)
    return push_refusal(L, "no timer");
  lua_pushcfunction(L, count_quiet_hooks);
  return 1;
}

/* in: exit status; ends the process at once: nothing is closed, nothing collected */
static int leave(lua_State *L) { _exit((int)luaL_checknumber(L, 1)); }

typedef struct {
  pthread_t thread;
  lua_State *state;
  bool running, failed;
} state_thread;

static void *run_state(void *context) {
  state_thread *one = context;
  one->failed = lua_pcall(one->state, 0, 0, 0) != 0;
  if (!one->failed) {
    lua_close(one->state);
    one->state = NULL;
  }
  return NULL;
}

/* in: path of a Lua script, number of states (at most 16); runs it in as many Lua states at once,
 * each on its own thread; out: true, or nil, message */
static int run_states(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int count = (int)luaL_checknumber(L, 2);
  state_thread threads[16] = {{0}};
  luaL_argcheck(L, count >= 1 && count <= 16, 2, "from 1 to 16");
  for (int i = 0; i < count; i++) {
    state_thread *one = &threads[i];
    one->state = luaL_newstate();
    if (one->state == NULL)
      continue;
    luaL_openlibs(one->state);
    one->failed = luaL_loadfile(one->state, path) != 0;
  }
  for (int i = 0; i < count; i++)
    threads[i].running = threads[i].state != NULL && !threads[i].failed &&
                         pthread_create(&threads[i].thread, NULL, run_state, &threads[i]) == 0;
  for (int i = 0; i < count; i++)
    if (threads[i].running)
      (void)pthread_join(threads[i].thread, NULL);
  lua_pushnil(L);
  for (int i = 0; i < count; i++) {
    if (!threads[i].running || threads[i].failed)
      lua_pushstring(L, threads[i].state != NULL && threads[i].failed
                            ? lua_tostring(threads[i].state, -1)
                            : "the state did not run");
    if (threads[i].state != NULL)
      lua_close(threads[i].state);
  }
  if (lua_gettop(L) > 3)
    return push_refusal(L, lua_tostring(L, 4));
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- Lua's own memory ---- */

typedef struct {
  lua_Alloc allocate;
  void *context;
  unsigned long asked, fail_from;
} failing_memory;

/* Lua wants shrinking and freeing never to fail. Of a new block Lua 5.2 and newer tell the type in
 * `before`. */
static void *allocate_or_fail(void *context, void *block, size_t before, size_t after) {
  failing_memory *memory = context;
  if (after > (block != NULL ? before : 0) && ++memory->asked >= memory->fail_from &&
      memory->fail_from != 0)
    return NULL;
  return memory->allocate(memory->context, block, before, after);
}

/* in: n, function; runs it with every allocation of Lua failing from the n-th on (0: none); out:
 * whether it returned, its error, allocations asked for */
static int lua_memory_fail_from(lua_State *L) {
  failing_memory memory = {.fail_from = (unsigned long)luaL_checknumber(L, 1)};
  lua_settop(L, 2);
  memory.allocate = lua_getallocf(L, &memory.context);
  lua_setallocf(L, allocate_or_fail, &memory);
  int status = lua_pcall(L, 0, 0, 0);
  lua_setallocf(L, memory.allocate, memory.context);
  if (status == 0)
    lua_pushnil(L);
  lua_pushboolean(L, status == 0);
  lua_insert(L, 2);
  lua_pushnumber(L, (lua_Number)memory.asked);
  return 3;
}

static const luaL_Reg functions[] = {
    {"authorization", authorization},
    {"block_sigpipe", block_sigpipe},
    {"clock_monotonic", clock_monotonic},
    {"clock_wall", clock_wall},
    {"exchange_end", exchange_end},
    {"fork", fork_process},
    {"header_find", header_find},
    {"header_name_valid", header_name_valid},
    {"header_reserved", header_reserved},
    {"header_value_valid", header_value_valid},
    {"headers", headers},
    {"hold_sigpipe", hold_sigpipe},
    {"idempotency_key_valid", idempotency_key_valid},
    {"json_array_metatable", json_array_metatable},
    {"json_decode", json_decode},
    {"json_integer", json_integer},
    {"json_validate", json_validate},
    {"json_number", json_number},
    {"json_read", json_read},
    {"json_string", json_string},
    {"leave", leave},
    {"light_userdata", light_userdata},
    {"lua_memory_fail_from", lua_memory_fail_from},
    {"memory_fail_at", pt_testing_memory_fail_at},
    {"proxy_excluded", proxy_excluded},
    {"proxy_variable", proxy_variable},
    {"random_unit", random_unit},
    {"retry_after", retry_after},
    {"retry_decide", retry_decide},
    {"run_states", run_states},
    {"same_origin", same_origin},
    {"secret_mask", secret_mask},
    {"secret_named", secret_named},
    {"redact", redact},
    {"set_quiet_hook_after", set_quiet_hook_after},
    {"unacknowledged", unacknowledged},
    {"url_pairs", url_pairs},
    {"url_resolve", url_resolve},
    {"url_parse", url_parse},
    {"url_segment", url_segment},
    {"utf8_valid", utf8_valid},
    {"uuid", uuid},
    {"uuid_valid", uuid_valid},
    {"wait_for", wait_for},
    {"wipe", wipe},
    {NULL, NULL},
};

int luaopen_polytomic_testing(lua_State *L) {
  pt_lua_open_array(L);
  pt_newlib(L, functions);
  return 1;
}
