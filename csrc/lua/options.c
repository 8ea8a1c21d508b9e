/* options.c: see options.h. */
#include "lua/options.h"

#include "api/trust.h"
#include "base/ascii.h"
#include "base/environment.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "http/headers.h"
#include "http/libcurl.h"
#include "http/proxy_variable.h"
#include "lua/text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MAX_RETRIES = 100, MAX_CONNECTIONS = 1000, MAX_USER_AGENT = 256, MAX_HEADERS = 32 };

/* Where a value comes from: an option, or a variable of the environment. */
typedef struct {
  lua_State *L;
  const char *source;
} reader;

static int bad(const reader *r, const char *problem) {
  return pt_lua_error(r->L, "%s %s", r->source, problem);
}

static int bad_type(const reader *r, const char *expected, int index) {
  return pt_lua_error(r->L, "%s must be %s, got %s", r->source, expected,
                      luaL_typename(r->L, index));
}

static const char *check_string(const reader *r, int index, size_t *length) {
  if (lua_type(r->L, index) != LUA_TSTRING)
    bad_type(r, "a string", index);
  return lua_tolstring(r->L, index, length);
}

static bool check_boolean(const reader *r, int index) {
  if (lua_type(r->L, index) != LUA_TBOOLEAN)
    bad_type(r, "a boolean", index);
  return lua_toboolean(r->L, index) != 0;
}

static double check_seconds(const reader *r, int index) {
  if (lua_type(r->L, index) != LUA_TNUMBER)
    bad_type(r, "a number of seconds", index);
  double seconds = lua_tonumber(r->L, index);
  if (!isfinite(seconds) || seconds <= 0)
    bad(r, "must be a finite number of seconds above 0");
  return seconds;
}

static double check_count(const reader *r, int index, double least, double most) {
  if (lua_type(r->L, index) != LUA_TNUMBER)
    bad_type(r, "an integer", index);
  double count = lua_tonumber(r->L, index);
  if (floor(count) != count || count < least || count > most)
    pt_lua_error(r->L, "%s must be an integer from %.0f to %.0f", r->source, least, most);
  return count;
}

/* A copy that the config owns. */
static char *copy_text(const reader *r, const char *text, size_t length) {
  char *copy = pt_copy(text, length);
  if (copy == NULL)
    bad(r, PT_NO_MEMORY);
  return copy;
}

/* in: value; a copy the config owns */
static char *check_copy(const reader *r, int index) {
  size_t length;
  const char *text = check_string(r, index, &length);
  if (length == 0 || strlen(text) != length)
    bad(r, "must be a string that is not empty and holds no NUL");
  return copy_text(r, text, length);
}

/* in: a path; a copy the config owns. `label` as in pt_trust_check_file, NULL for a directory */
static char *check_path(const reader *r, int index, const char *label) {
  char *path = check_copy(r, index);
  const char *problem =
      label != NULL ? pt_trust_check_file(path, label) : pt_trust_check_directory(path);
  if (problem != NULL) {
    pt_free(path);
    bad(r, problem);
  }
  return path;
}

static void set_key(const reader *r, pt_secret *secret, const char *text, size_t length) {
  const char *problem = pt_secret_set(secret, text, length);
  if (problem != NULL)
    bad(r, problem);
}

static void set_base_url(const reader *r, pt_config *config, const char *text, size_t length,
                         bool allow_http) {
  const char *problem = pt_base_url_parse(&config->base_url, text, length, allow_http);
  if (problem != NULL)
    bad(r, problem);
}

static void check_organization(const reader *r, int index, char organization[PT_UUID_LENGTH + 1]) {
  size_t length;
  const char *text = check_string(r, index, &length);
  if (!pt_uuid_valid(text, length))
    bad(r, "must be a UUID");
  memcpy(organization, text, PT_UUID_LENGTH + 1);
}

static void check_version(const reader *r, int index, char version[PT_VERSION_SIZE]) {
  size_t length;
  const char *text = check_string(r, index, &length);
  if (length == 0 || length >= PT_VERSION_SIZE ||
      strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") != length)
    bad(r, "must be a version such as \"" PT_API_VERSION "\"");
  memcpy(version, text, length + 1);
}

static void check_proxy(const reader *r, int index, pt_config *config) {
  static const char *const schemes[] = {"http://",    "https://",  "socks4://",
                                        "socks4a://", "socks5://", "socks5h://"};
  size_t length;
  const char *text = check_string(r, index, &length);
  bool known = strstr(text, "://") == NULL; /* libcurl takes a bare host for http */
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
    known = known || pt_ascii_begins(text, schemes[i]);
  if (!known)
    bad(r, "must be an http, https, socks4, socks4a, socks5 or socks5h URL, or \"\" for none");
  set_key(r, &config->transport.proxy, text, length);
  if (config->transport.proxy.bytes != NULL &&
      !pt_libcurl_reads_proxy(config->transport.proxy.bytes))
    bad(r, "must be a URL with a host, and with a port from 1 to 65535 or none; write special "
           "characters in user and password as %XX");
}

/* ---- polytomic.new ---- */

/* Where what is read goes: that of a client, or of a call. */
typedef struct {
  pt_config *config;          /* of a client, else NULL */
  pt_call *call;              /* else NULL */
  pt_client_options *options; /* of the client, or the call's copy */
  pt_call_limits *limits;
  bool allow_http;
  bool environment;
  bool proxy_given;        /* also "" */
  bool given[PT_KEY_NONE]; /* by pt_key_kind, also "": it beats the environment */
  bool no_key;             /* `idempotency_key = false` */
} target;

typedef struct {
  const char *name;
  void (*read)(const reader *r, int index, target *to);
} option;

static void read_key(const reader *r, int index, target *to, pt_key_kind kind) {
  size_t length;
  if (lua_type(r->L, index) == LUA_TFUNCTION) {
    to->config->key_sources[kind] = PT_KEY_FROM_FUNCTION;
    to->given[kind] = true;
    return;
  }
  if (lua_type(r->L, index) != LUA_TSTRING)
    bad_type(r, "a string, or a function that returns one", index);
  const char *text = lua_tolstring(r->L, index, &length);
  set_key(r, &to->config->keys[kind], text, length);
  to->given[kind] = true;
}

static void read_api_key(const reader *r, int index, target *to) {
  read_key(r, index, to, PT_KEY_API);
}
static void read_partner_key(const reader *r, int index, target *to) {
  read_key(r, index, to, PT_KEY_PARTNER);
}
static void read_deployment_key(const reader *r, int index, target *to) {
  read_key(r, index, to, PT_KEY_DEPLOYMENT);
}

static void read_organization(const reader *r, int index, target *to) {
  check_organization(r, index, to->options->organization);
}

static void read_base_url(const reader *r, int index, target *to) {
  size_t length;
  const char *text = check_string(r, index, &length);
  set_base_url(r, to->config, text, length, to->allow_http);
}

static void read_version(const reader *r, int index, target *to) {
  check_version(r, index, to->options->version);
}
static void read_timeout(const reader *r, int index, target *to) {
  to->limits->timeout = check_seconds(r, index);
}
static void read_attempt_timeout(const reader *r, int index, target *to) {
  to->limits->attempt_timeout = check_seconds(r, index);
}
static void read_connect_timeout(const reader *r, int index, target *to) {
  to->limits->connect_timeout = check_seconds(r, index);
}
static void read_retries(const reader *r, int index, target *to) {
  to->limits->retries = (int)check_count(r, index, 0, MAX_RETRIES);
}

static void read_max_connections(const reader *r, int index, target *to) {
  to->config->transport.max_connections = (long)check_count(r, index, 1, MAX_CONNECTIONS);
}

static void read_max_response_bytes(const reader *r, int index, target *to) {
  const double most = (double)(SIZE_MAX / 4); /* what a buffer can hold, on 32 bits less */
  double count = check_count(r, index, 1, 4294967296.0);
  to->config->transport.max_response_bytes = (size_t)fmin(count, most);
}

static void read_proxy(const reader *r, int index, target *to) {
  check_proxy(r, index, to->config);
  to->proxy_given = true;
}
static void read_allow_http(const reader *r, int index, target *to) {
  to->allow_http = check_boolean(r, index);
}

static void read_http_version(const reader *r, int index, target *to) {
  size_t length;
  const char *text = check_string(r, index, &length);
  to->config->transport.http2 = length == 1 && text[0] == '2';
  if (!to->config->transport.http2 && (length != 3 || memcmp(text, "1.1", 3) != 0))
    bad(r, "must be \"1.1\" or \"2\"");
}

static void read_ca_file(const reader *r, int index, target *to) {
  to->config->transport.ca_file = check_path(r, index, "CERTIFICATE");
}
static void read_ca_path(const reader *r, int index, target *to) {
  to->config->transport.ca_path = check_path(r, index, NULL);
}
static void read_client_cert(const reader *r, int index, target *to) {
  to->config->transport.client_cert = check_path(r, index, "CERTIFICATE");
}

static void read_client_key(const reader *r, int index, target *to) {
  to->config->transport.client_key = check_path(r, index, "PRIVATE KEY");
  if (to->config->transport.client_cert == NULL)
    bad(r, "needs client_cert, the certificate it belongs to");
}

static void read_user_agent(const reader *r, int index, target *to) {
  size_t length;
  const char *text = check_string(r, index, &length);
  if (length == 0 || length > MAX_USER_AGENT || !pt_header_value_valid(text, length))
    bad(r, "must be 1 to 256 printable ASCII characters");
  to->config->user_agent = copy_text(r, text, length);
}

/* A client that only reads says so itself: nothing else may be said beside it. */
static bool set_by_library(const char *name, size_t length, bool read_only) {
  return pt_header_reserved(name, length) ||
         (read_only && pt_ascii_equal(name, length, "x-polytomic-access-mode"));
}

static bool add_header(target *to, const char *name, const char *value, size_t length) {
  if (to->call != NULL)
    return pt_call_add_line(to->call, name, value, length);
  pt_call_write_line(&to->config->headers, name, value, length);
  return !to->config->headers.failed;
}

static void read_headers(const reader *r, int index, target *to) {
  lua_State *L = r->L;
  if (lua_type(L, index) != LUA_TTABLE)
    bad_type(r, "a table of names and values", index);
  int count = 0;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    size_t name_length, length;
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
      bad(r, "must have names and values that are strings");
    const char *name = lua_tolstring(L, -2, &name_length);
    const char *value = lua_tolstring(L, -1, &length);
    if (!pt_header_name_valid(name, name_length))
      bad(r, "must have valid header names");
    if (set_by_library(name, name_length, to->options->read_only))
      pt_lua_error(L, "headers must not contain '%.64s': the library sets it", name);
    if (!pt_header_value_valid(value, length))
      pt_lua_error(L,
                   "headers must give '%.64s' a value of printable ASCII, at most %d bytes, and "
                   "not white space alone",
                   name, PT_MAX_HEADER_VALUE);
    if (++count > MAX_HEADERS)
      pt_lua_error(L, "too many headers: at most %d", MAX_HEADERS);
    if (!add_header(to, name, value, length))
      bad(r, PT_NO_MEMORY);
    lua_pop(L, 1);
  }
}

static void read_read_only(const reader *r, int index, target *to) {
  to->options->read_only = check_boolean(r, index);
}
static void read_env(const reader *r, int index, target *to) {
  to->environment = check_boolean(r, index);
}

static void check_function(const reader *r, int index, target *to) {
  (void)to;
  if (lua_type(r->L, index) != LUA_TFUNCTION)
    bad_type(r, "a function", index);
}

/* In the order they are read: what others depend on first. */
static const option client_options[] = {
    {"env", read_env},
    {"allow_http", read_allow_http},
    {"api_key", read_api_key},
    {"partner_key", read_partner_key},
    {"deployment_key", read_deployment_key},
    {"organization", read_organization},
    {"base_url", read_base_url},
    {"version", read_version},
    {"timeout", read_timeout},
    {"attempt_timeout", read_attempt_timeout},
    {"connect_timeout", read_connect_timeout},
    {"retries", read_retries},
    {"max_connections", read_max_connections},
    {"max_response_bytes", read_max_response_bytes},
    {"proxy", read_proxy},
    {"http_version", read_http_version},
    {"ca_file", read_ca_file},
    {"ca_path", read_ca_path},
    {"client_cert", read_client_cert},
    {"client_key", read_client_key},
    {"user_agent", read_user_agent},
    {"read_only", read_read_only},
    {"headers", read_headers},
    {"on_event", check_function},
    {"wait", check_function},
};
enum { CLIENT_OPTIONS = sizeof client_options / sizeof client_options[0] };

/* Refuses a name that is not in the table. */
static void check_names(lua_State *L, int index, const option *options, size_t count) {
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      pt_lua_error(L, "options must have names, got a key of type %s", luaL_typename(L, -1));
    size_t length;
    const char *name = lua_tolstring(L, -1, &length);
    pt_nearest search = pt_nearest_begin(name, length);
    bool known = false;
    for (size_t i = 0; i < count && !known; i++) {
      known = pt_text_equal(name, length, options[i].name);
      pt_nearest_consider(&search, options[i].name);
    }
    char shown[PT_LUA_NAME_SIZE];
    (void)pt_lua_copy_name(L, -1, shown);
    if (!known && search.best != NULL)
      pt_lua_error(L, "unknown option '%s', did you mean '%s'?", shown, search.best);
    if (!known)
      pt_lua_error(L, "unknown option '%s'", shown);
  }
}

static void read_options(lua_State *L, int index, const option *options, size_t count, target *to) {
  for (size_t i = 0; i < count; i++) {
    lua_getfield(L, index, options[i].name);
    if (!lua_isnil(L, -1))
      options[i].read(&(reader){L, options[i].name}, lua_gettop(L), to);
    lua_pop(L, 1);
  }
}

/* Text from the environment, or NULL when it is not set or empty. */
static const char *variable(const char *name) {
  const char *text = pt_environment(name);
  return text != NULL && text[0] != '\0' ? text : NULL;
}

static void read_keys_and_url(lua_State *L, target *to) {
  for (unsigned kind = PT_KEY_API; kind <= PT_KEY_DEPLOYMENT; kind++) {
    const char *name = pt_key_variable((pt_key_kind)kind);
    const char *text = variable(name);
    if (text == NULL || to->given[kind])
      continue;
    set_key(&(reader){L, name}, &to->config->keys[kind], text, strlen(text));
    to->config->key_sources[kind] = PT_KEY_FROM_ENVIRONMENT;
  }
  const char *url = variable("POLYTOMIC_DEPLOYMENT_URL");
  while (url != NULL && pt_is_header_space(*url))
    url++;
  size_t length = url != NULL ? strlen(url) : 0;
  while (length > 0 && pt_is_header_space(url[length - 1]))
    length--;
  if (length > 0 && to->config->base_url.origin == NULL)
    set_base_url(&(reader){L, "POLYTOMIC_DEPLOYMENT_URL"}, to->config, url, length, to->allow_http);
}

static void read_proxy_variable(lua_State *L, pt_config *config) {
  pt_transport_options *options = &config->transport;
  const char *name = pt_proxy_variable(&config->base_url);
  if (name == NULL)
    return;
  const char *text = pt_environment(name);
  set_key(&(reader){L, name}, &options->proxy, text, strlen(text));
  options->proxy_variable = name;
}

/* A path of the environment, or NULL; the config owns it. */
static char *copy_variable(const reader *r, const char *problem, const char *path) {
  if (problem != NULL)
    bad(r, problem);
  return copy_text(r, path, strlen(path));
}

/* As the command `curl` does it: CURL_CA_BUNDLE alone, or the two that OpenSSL reads. */
static void read_trust_variables(lua_State *L, pt_transport_options *options) {
  static const char *const files[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE"};
  const char *bundle = variable(files[0]);
  for (size_t i = 0; i < 2 && options->ca_file == NULL; i++) {
    const char *path = variable(files[i]);
    if (path == NULL)
      continue;
    options->ca_file =
        copy_variable(&(reader){L, files[i]}, pt_trust_check_file(path, "CERTIFICATE"), path);
    options->ca_variable = files[i];
  }
  const char *directory = variable("SSL_CERT_DIR");
  if (directory == NULL || bundle != NULL)
    return;
  options->ca_path =
      copy_variable(&(reader){L, "SSL_CERT_DIR"}, pt_trust_check_directories(directory), directory);
  if (options->ca_variable == NULL)
    options->ca_variable = "SSL_CERT_DIR";
}

static void compose_user_agent(lua_State *L, pt_config *config) {
  char text[PT_MESSAGE_SIZE + MAX_USER_AGENT];
  const char *own = config->user_agent;
  (void)snprintf(text, sizeof text,
                 "User-Agent: polytomic-lua/" PT_VERSION " libcurl/%s " PT_LUA_NAME "%s%s",
                 pt_libcurl_version(), own != NULL ? " " : "", own != NULL ? own : "");
  char *composed = copy_text(&(reader){L, "user_agent"}, text, strlen(text));
  pt_free(config->user_agent);
  config->user_agent = composed;
}

/* in: options at `index`; out: a table of the functions that keys come from, by pt_key_kind, or nil
 * where every key is a text */
static void push_key_functions(lua_State *L, int index, const pt_config *config) {
  lua_pushnil(L);
  for (int kind = PT_KEY_API; kind <= PT_KEY_DEPLOYMENT; kind++) {
    if (config->key_sources[kind] != PT_KEY_FROM_FUNCTION)
      continue;
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_createtable(L, 0, 1);
    }
    lua_getfield(L, index, pt_key_option((pt_key_kind)kind));
    lua_rawseti(L, -2, kind);
  }
}

/* in: options at `index`; out: a table with what they are now: a metamethod may give one thing now
 * and another then */
static void copy_options(lua_State *L, int index) {
  lua_createtable(L, 0, CLIENT_OPTIONS);
  for (size_t i = 0; i < CLIENT_OPTIONS; i++) {
    lua_getfield(L, index, client_options[i].name);
    lua_setfield(L, -2, client_options[i].name);
  }
  lua_replace(L, index);
}

void pt_lua_read_client_options(lua_State *L, int index, pt_config *config,
                                pt_client_options *options) {
  target to = {
      .config = config, .options = options, .limits = &options->limits, .environment = true};
  config->transport.max_connections = 32;
  config->transport.max_response_bytes = 67108864;
  options->limits =
      (pt_call_limits){.timeout = 90, .attempt_timeout = 30, .connect_timeout = 10, .retries = 4};
  memcpy(options->version, PT_API_VERSION, sizeof PT_API_VERSION);
  if (lua_isnoneornil(L, index)) {
    lua_newtable(L);
    index = lua_gettop(L);
  } else if (lua_type(L, index) != LUA_TTABLE) {
    pt_lua_error(L, "options must be a table, got %s", luaL_typename(L, index));
  }
  check_names(L, index, client_options, CLIENT_OPTIONS);
  copy_options(L, index);
  read_options(L, index, client_options, CLIENT_OPTIONS, &to);
  if (to.environment)
    read_keys_and_url(L, &to);
  if (config->base_url.origin == NULL)
    set_base_url(&(reader){L, "base_url"}, config, "https://app.polytomic.com", 25, false);
  if (to.environment && !to.proxy_given)
    read_proxy_variable(L, config);
  if (to.environment && config->base_url.https && config->transport.ca_file == NULL &&
      config->transport.ca_path == NULL)
    read_trust_variables(L, &config->transport);
  compose_user_agent(L, config);
  lua_getfield(L, index, "wait");
  lua_getfield(L, index, "on_event");
  push_key_functions(L, index, config);
}

/* ---- options of one call ---- */

static void read_idempotency_key(const reader *r, int index, target *to) {
  pt_method method = to->call->operation->method;
  if (lua_type(r->L, index) == LUA_TBOOLEAN && !lua_toboolean(r->L, index)) {
    to->no_key = true;
    return;
  }
  size_t length;
  if (lua_type(r->L, index) != LUA_TSTRING)
    bad_type(r, "a string, or false for none", index);
  const char *key = lua_tolstring(r->L, index, &length);
  if (!pt_idempotency_key_valid(key, length))
    bad(r, "must be 8 to 255 of the characters A-Z a-z 0-9 _ -");
  if (method == PT_METHOD_GET || method == PT_METHOD_DELETE)
    bad(r, "can only be given for POST, PUT and PATCH");
  if (!pt_call_set_key(to->call, key, length))
    bad(r, PT_NO_MEMORY);
}

static void check_additions(const reader *r, int index, target *to) {
  if (lua_type(r->L, index) != LUA_TTABLE)
    bad_type(r, "a table of members", index);
  if (to->call->own_operation != NULL)
    bad(r, "belongs in the request itself: request{ query = …, body = … }");
}

static const option call_options[] = {
    {"timeout", read_timeout},           {"attempt_timeout", read_attempt_timeout},
    {"retries", read_retries},           {"idempotency_key", read_idempotency_key},
    {"headers", read_headers},           {"version", read_version},
    {"organization", read_organization}, {"query", check_additions},
    {"body", check_additions},
};
enum { CALL_OPTIONS = sizeof call_options / sizeof call_options[0] };

void pt_lua_read_call_options(lua_State *L, int index, pt_call *call, pt_client_options *options,
                              bool *no_key) {
  target to = {.call = call, .options = options, .limits = &call->limits};
  *no_key = false;
  if (lua_isnoneornil(L, index))
    return;
  if (lua_type(L, index) != LUA_TTABLE)
    pt_lua_error(L, "%s: options must be a table, got %s", call->operation->name,
                 luaL_typename(L, index));
  check_names(L, index, call_options, CALL_OPTIONS);
  read_options(L, index, call_options, CALL_OPTIONS, &to);
  *no_key = to.no_key;
}
