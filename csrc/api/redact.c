/* redact.c: see redact.h. */
#include "api/redact.h"

#include "base/json_reader.h"
#include "http/url.h"

#include <string.h>

/* Whether the string that ends before `end` is the name of a member. */
static bool is_member_name(const char *json, size_t length, size_t end) {
  while (end < length && (json[end] == ' ' || json[end] == '\t'))
    end++;
  return end < length && json[end] == ':';
}

/* Appends what a JSON string means; `json` is what is between its quotes. */
static void add_unescaped(pt_buffer *out, const char *json, size_t length) {
  for (size_t i = 0; i < length; i++) {
    char meant[4];
    size_t count = 0, taken = 0;
    if (json[i] == '\\')
      taken = pt_json_read_escape(json + i + 1, length - i - 1, meant, &count);
    if (taken > 0)
      pt_buffer_add(out, meant, count);
    else
      pt_buffer_add_char(out, json[i]);
    i += taken;
  }
}

/* Hides a string as it was before it was written as JSON. */
static void hide_string(char *text, size_t length, const char *json, size_t json_length) {
  pt_buffer plain = {0};
  if (pt_buffer_reserve(&plain, json_length + 1) == NULL) {
    pt_secret_hide_bytes(text, length, json, json_length);
    return;
  }
  add_unescaped(&plain, json, json_length);
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
    if (i < json_length && !is_member_name(json, json_length, i + 1))
      hide_string(text, length, json + start, i - start);
  }
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

/* Hides what was sent for authorization, as it was sent: a key, or base64 of one. */
static void hide_credential(char *text, size_t length, const pt_credential *credential) {
  const char *line = credential != NULL ? credential->line.bytes : NULL;
  const char *value = line != NULL ? strrchr(line, ' ') : NULL;
  if (value != NULL)
    pt_secret_hide_bytes(text, length, value + 1, strlen(value + 1));
}

void pt_redact_text(char *text, size_t length, const pt_call *call, const pt_config *config) {
  hide_credential(text, length, call->credential);
  for (size_t i = 0; config != NULL && i < PT_KEY_NONE; i++)
    pt_secret_hide(text, length, &config->keys[i]);
  if (config != NULL)
    pt_secret_hide(text, length, &config->transport.proxy);
  for (size_t i = 0; i < call->secret_count; i++) {
    const pt_span *span = &call->secrets[i];
    if (span->in_body)
      hide_strings(text, length, call->body.bytes + span->offset, span->length);
    else
      hide_value(text, length, call->target.bytes + span->offset, span->length);
  }
}

void pt_redact_headers(pt_call *call, const pt_config *config) {
  pt_redact_text(call->reply.headers.bytes, call->reply.headers.length, call, config);
}

void pt_redact_reply(pt_call *call, const pt_config *config) {
  pt_reply *reply = &call->reply;
  pt_redact_text(reply->body.bytes, reply->body.length, call, config);
  pt_redact_headers(call, config);
  if (reply->message != NULL)
    pt_redact_text(reply->message, strlen(reply->message), call, config);
}
