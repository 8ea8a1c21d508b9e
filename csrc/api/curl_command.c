/* curl_command.c: see curl_command.h. */
#include "api/curl_command.h"

#include "api/redact.h"
#include "base/ascii.h"

#include <stdlib.h>
#include <string.h>

/* A byte inside single quotes of sh. */
static void add_quoted_char(pt_buffer *out, char c) {
  if (c == '\'')
    pt_buffer_add_text(out, "'\\''");
  else
    pt_buffer_add_char(out, c);
}

static void add_quoted(pt_buffer *out, const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++)
    add_quoted_char(out, bytes[i]);
}

/* In the order in which they begin, the longer one first. */
static int compare_spans(const void *a, const void *b) {
  const pt_span *first = a, *second = b;
  if (first->offset != second->offset)
    return first->offset < second->offset ? -1 : 1;
  return first->length > second->length ? -1 : first->length < second->length;
}

/* Adds the target or the body, every secret in it masked. */
static void add_masked(pt_buffer *out, pt_call *call, bool in_body) {
  const pt_buffer *text = in_body ? &call->body : &call->target;
  size_t done = 0;
  for (size_t i = 0; i < call->secret_count; i++) {
    const pt_span *secret = &call->secrets[i];
    if (secret->in_body != in_body || secret->offset < done)
      continue; /* within the one before */
    add_quoted(out, text->bytes + done, secret->offset - done);
    pt_buffer_add_text(out, in_body ? "\"***\"" : "***");
    done = secret->offset + secret->length;
  }
  add_quoted(out, text->bytes + done, text->length - done);
}

static void add_line(pt_buffer *out, const char *line) {
  const char *secret = pt_redact_secret_header(line);
  pt_buffer_add_text(out, " -H '");
  add_quoted(out, line, secret != NULL ? (size_t)(secret - line) : strlen(line));
  if (secret != NULL)
    pt_buffer_add_text(out, "***");
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

void pt_curl_command(pt_buffer *out, pt_call *call, const pt_config *config) {
  size_t start = out->length;
  if (call->secret_count > 1)
    qsort(call->secrets, call->secret_count, sizeof *call->secrets, compare_spans);
  pt_buffer_add_text(out, "curl -X ");
  pt_buffer_add_text(out, pt_method_name(call->operation->method));
  pt_buffer_add_text(out, " '");
  pt_buffer_add_text(out, config->base_url.origin);
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
  if (out->failed)
    return;
  pt_redactor redactor = {0}; /* what was marked may also be where nobody marked it */
  pt_redact_gather(&redactor, call, config);
  pt_redactor_hide(&redactor, out->bytes + start, out->length - start);
  pt_redactor_free(&redactor);
}
