/* redact.c: see redact.h. */
#include "api/redact.h"

#include "base/json_reader.h"
#include "http/headers.h"
#include "http/url.h"

#include <string.h>

enum { MAX_DEPTH = 200 }; /* of a body: more than is ever written */

/* Hides a string of the JSON we sent, as it was before it was written. */
static void hide_string(char *text, size_t length, const pt_json_string *string) {
  pt_buffer plain = {0};
  char *bytes = pt_buffer_reserve(&plain, string->length + 1);
  if (bytes == NULL) {
    pt_secret_hide_bytes(text, length, string->bytes, string->length);
    return;
  }
  pt_secret_hide_bytes(text, length, bytes, pt_json_unescape(string, bytes));
  pt_buffer_wipe(&plain);
}

/* Hides every string inside a secret argument of the JSON we sent, but no name of a member. */
static void hide_strings(char *text, size_t length, const char *json, size_t json_length) {
  pt_json_reader in;
  pt_json_token token;
  pt_json_start(&in, json, json_length, MAX_DEPTH);
  while ((token = pt_json_next(&in)) > PT_JSON_TOO_DEEP)
    if (token == PT_JSON_STRING)
      hide_string(text, length, &in.string);
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

void pt_redact_location(pt_call *call) {
  pt_header header;
  if (!call->operation->secret_reply || !pt_headers_find(&call->reply.headers, "location", &header))
    return;
  size_t start = (size_t)(header.value - call->reply.headers.bytes);
  memset(call->reply.headers.bytes + start, '*', header.value_length);
}

void pt_redact_reply(pt_call *call, const pt_config *config) {
  pt_reply *reply = &call->reply;
  pt_redact_location(call);
  pt_redact_text(reply->body.bytes, reply->body.length, call, config);
  pt_redact_headers(call, config);
  if (reply->message != NULL)
    pt_redact_text(reply->message, strlen(reply->message), call, config);
}
