/* redact.c: see redact.h. */
#include "api/redact.h"

#include "base/json_reader.h"
#include "http/headers.h"
#include "http/url.h"

#include <string.h>

enum { MAX_DEPTH = 200 }; /* of a body: more than is ever written */

/* Adds a string of the JSON we sent, as it was before it was written. */
static void add_string(pt_redactor *out, const pt_json_string *string) {
  pt_buffer plain = {0};
  char *bytes = pt_buffer_reserve(&plain, string->length + 1);
  if (bytes == NULL)
    out->failed = true;
  else
    pt_redactor_add(out, bytes, pt_json_unescape(string, bytes));
  pt_buffer_wipe(&plain);
}

/* Adds a number of the JSON we sent, which ends at `end`. */
static void add_number(pt_redactor *out, const char *json, size_t end) {
  size_t start = end;
  while (start > 0 && json[start - 1] != '\0' && strchr("0123456789+-.eE", json[start - 1]) != NULL)
    start--;
  pt_redactor_add(out, json + start, end - start);
}

/* Adds every string and number inside a secret argument of the JSON we sent, but no name of a
 * member. */
static void add_values(pt_redactor *out, const char *json, size_t length) {
  pt_json_reader in;
  pt_json_token token;
  pt_json_start(&in, json, length, MAX_DEPTH);
  while ((token = pt_json_next(&in)) > PT_JSON_TOO_DEEP) {
    if (token == PT_JSON_STRING)
      add_string(out, &in.string);
    else if (token == PT_JSON_INTEGER || token == PT_JSON_NUMBER)
      add_number(out, json, pt_json_offset(&in));
  }
}

/* Adds a value of the query, as it was before it was encoded. */
static void add_value(pt_redactor *out, const char *encoded, size_t length) {
  pt_buffer plain = {0};
  pt_url_add_decoded(&plain, encoded, length);
  out->failed = out->failed || plain.failed;
  if (plain.length > 0)
    pt_redactor_add(out, plain.bytes, plain.length);
  pt_buffer_wipe(&plain);
}

/* Adds what an Authorization line sends, as it is sent: a key, or base64 of one. */
static void add_authorization(pt_redactor *out, const pt_buffer *line) {
  const char *value = line->bytes != NULL ? strrchr(line->bytes, ' ') : NULL;
  if (value != NULL)
    pt_redactor_add(out, value + 1, strlen(value + 1));
}

/* Adds the password of a proxy's URL "scheme://user:password@host", and both as they are sent to
 * it. */
static void add_proxy(pt_redactor *out, const pt_secret *proxy) {
  const char *url = proxy->bytes;
  const char *at = url != NULL ? strrchr(url, '@') : NULL;
  if (at == NULL)
    return;
  const char *scheme = strstr(url, "://");
  const char *user = scheme != NULL && scheme < at ? scheme + 3 : url;
  const char *colon = memchr(user, ':', (size_t)(at - user));
  if (colon == NULL)
    return;
  add_value(out, colon + 1, (size_t)(at - colon - 1));
  pt_buffer name = {0}, password = {0}, line = {0};
  pt_url_add_decoded(&name, user, (size_t)(colon - user));
  pt_url_add_decoded(&password, colon + 1, (size_t)(at - colon - 1));
  const pt_secret secret = {password.bytes, password.length};
  if (name.length > 0 && password.length > 0)
    pt_secret_add_authorization(&line, &secret, name.bytes);
  out->failed = out->failed || name.failed || password.failed || line.failed;
  add_authorization(out, &line);
  pt_buffer_free(&name);
  pt_buffer_wipe(&password);
  pt_buffer_wipe(&line);
}

/* Adds the values of headers that are secrets by their names. */
static void add_headers(pt_redactor *out, const pt_call *call) {
  for (size_t i = 0; i < call->line_count; i++) {
    const char *value = call->lines[i] != NULL ? pt_redact_secret_header(call->lines[i]) : NULL;
    if (value != NULL)
      pt_redactor_add(out, value, strlen(value));
  }
}

const char *pt_redact_secret_header(const char *line) {
  size_t length = strcspn(line, ":");
  if (line[length] == '\0' || !pt_secret_named(line, length))
    return NULL;
  return line + length + 1 + strspn(line + length + 1, " ");
}

void pt_redact_gather(pt_redactor *out, const pt_call *call, const pt_config *config) {
  if (call->credential != NULL)
    add_authorization(out, &call->credential->line);
  for (size_t i = 0; config != NULL && i < PT_KEY_NONE; i++)
    if (config->keys[i].bytes != NULL)
      pt_redactor_add(out, config->keys[i].bytes, config->keys[i].length);
  if (config != NULL)
    add_proxy(out, &config->transport.proxy);
  add_headers(out, call);
  for (size_t i = 0; i < call->secret_count; i++) {
    const pt_span *span = &call->secrets[i];
    if (span->in_body)
      add_values(out, call->body.bytes + span->offset, span->length);
    else
      add_value(out, call->target.bytes + span->offset, span->length);
  }
}

static void hide_headers(const pt_redactor *redactor, pt_call *call) {
  pt_redactor_hide(redactor, call->reply.headers.bytes, call->reply.headers.length);
}

void pt_redact_headers(pt_call *call, const pt_config *config) {
  pt_redactor redactor = {0};
  pt_redact_gather(&redactor, call, config);
  hide_headers(&redactor, call);
  pt_redactor_free(&redactor);
}

void pt_redact_location(pt_call *call) {
  pt_header header;
  if (!call->operation->secret_reply || !pt_headers_find(&call->reply.headers, "location", &header))
    return;
  size_t start = (size_t)(header.value - call->reply.headers.bytes);
  memset(call->reply.headers.bytes + start, '*', header.value_length);
}

void pt_redact_reply(pt_call *call, const pt_config *config) {
  pt_redactor redactor = {0};
  pt_reply *reply = &call->reply;
  pt_redact_location(call);
  pt_redact_gather(&redactor, call, config);
  pt_redactor_hide(&redactor, reply->body.bytes, reply->body.length);
  hide_headers(&redactor, call);
  if (reply->message != NULL)
    pt_redactor_hide(&redactor, reply->message, strlen(reply->message));
  pt_redactor_free(&redactor);
}
