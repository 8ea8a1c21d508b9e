/* curl_command.c: see curl_command.h. */
#include "api/curl_command.h"

#include "base/ascii.h"

#include <string.h>

/* A byte inside single quotes of sh. */
static void add_quoted_char(pt_buffer *out, char c) {
  if (c == '\'')
    pt_buffer_add_text(out, "'\\''");
  else
    pt_buffer_add_char(out, c);
}

static const pt_span *secret_at(const pt_call *call, bool in_body, size_t offset) {
  for (size_t i = 0; i < call->secret_count; i++)
    if (call->secrets[i].in_body == in_body && call->secrets[i].offset == offset)
      return &call->secrets[i];
  return NULL;
}

static void add_masked(pt_buffer *out, const pt_call *call, bool in_body) {
  const pt_buffer *text = in_body ? &call->body : &call->target;
  for (size_t i = 0; i < text->length;) {
    const pt_span *secret = secret_at(call, in_body, i);
    if (secret == NULL) {
      add_quoted_char(out, text->bytes[i++]);
      continue;
    }
    pt_buffer_add_text(out, in_body ? "\"***\"" : "***");
    i += secret->length;
  }
}

/* Headers the caller added may carry secrets of other systems. */
static bool names_a_secret(const char *line) {
  size_t length = strcspn(line, ":");
  return !pt_ascii_equal(line, length, "Idempotency-Key") && pt_secret_named(line, length);
}

static void add_line(pt_buffer *out, const char *line) {
  const char *colon = strchr(line, ':');
  pt_buffer_add_text(out, " -H '");
  if (colon != NULL && names_a_secret(line)) {
    pt_buffer_add(out, line, (size_t)(colon - line));
    pt_buffer_add_text(out, ": ***");
  } else {
    for (const char *c = line; *c != '\0'; c++)
      add_quoted_char(out, *c);
  }
  pt_buffer_add_char(out, '\'');
}

static void add_key(pt_buffer *out, const pt_credential *credential) {
  if (credential == NULL || credential->kind == PT_KEY_NONE)
    return;
  const char *variable = pt_key_variable(credential->kind);
  pt_buffer_add_text(out, credential->basic ? " -u \"" : " -H \"Authorization: Bearer $");
  if (credential->basic) {
    pt_buffer_add_text(out, credential->organization);
    pt_buffer_add_text(out, ":$");
  }
  pt_buffer_add_text(out, variable);
  pt_buffer_add_char(out, '"');
}

void pt_curl_command(pt_buffer *out, const pt_call *call, const char *origin) {
  pt_buffer_add_text(out, "curl -X ");
  pt_buffer_add_text(out, pt_method_name(call->operation->method));
  pt_buffer_add_text(out, " '");
  pt_buffer_add_text(out, origin);
  add_masked(out, call, false);
  pt_buffer_add_char(out, '\'');
  add_key(out, call->credential);
  for (size_t i = 0; i < call->line_count; i++)
    if (!pt_ascii_begins(call->lines[i], "Authorization:"))
      add_line(out, call->lines[i]);
  if (call->has_body) {
    pt_buffer_add_text(out, " --data-raw '");
    add_masked(out, call, true);
    pt_buffer_add_char(out, '\'');
  }
}
