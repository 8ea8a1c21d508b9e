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

/* What is added to: the command, the secrets that must not be in it, and room to hide them before
 * the text is quoted. */
typedef struct {
  pt_buffer *out;
  pt_redactor secrets;
  pt_buffer room;
} writer;

/* Adds text, without what is secret where nobody marked it. */
static void add_quoted(writer *to, const char *bytes, size_t length) {
  pt_buffer_clear(&to->room);
  pt_buffer_add(&to->room, bytes, length);
  if (to->room.failed) {
    to->out->failed = true;
    return;
  }
  pt_redactor_hide(&to->secrets, to->room.bytes, to->room.length);
  for (size_t i = 0; i < length; i++)
    add_quoted_char(to->out, to->room.bytes[i]);
}

/* In the order in which they begin, the longer one first. */
static int compare_spans(const void *a, const void *b) {
  const pt_span *first = a, *second = b;
  if (first->offset != second->offset)
    return first->offset < second->offset ? -1 : 1;
  return first->length > second->length ? -1 : first->length < second->length;
}

/* Adds the target or the body, every secret in it masked. */
static void add_masked(writer *to, const pt_call *call, bool in_body) {
  const pt_buffer *text = in_body ? &call->body : &call->target;
  size_t done = 0;
  for (size_t i = 0; i < call->secret_count; i++) {
    const pt_span *secret = &call->secrets[i];
    if (secret->in_body != in_body || secret->offset < done)
      continue; /* within the one before */
    add_quoted(to, text->bytes + done, secret->offset - done);
    pt_buffer_add_text(to->out, in_body ? "\"***\"" : "***");
    done = secret->offset + secret->length;
  }
  add_quoted(to, text->bytes + done, text->length - done);
}

static void add_line(writer *to, const char *line) {
  const char *secret = pt_redact_secret_header(line);
  pt_buffer_add_text(to->out, " -H '");
  add_quoted(to, line, secret != NULL ? (size_t)(secret - line) : strlen(line));
  if (secret != NULL)
    pt_buffer_add_text(to->out, "***");
  pt_buffer_add_char(to->out, '\'');
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
  writer to = {.out = out};
  if (call->secret_count > 1)
    qsort(call->secrets, call->secret_count, sizeof *call->secrets, compare_spans);
  pt_redact_gather(&to.secrets, call, config);
  pt_buffer_add_text(out, "curl -X ");
  pt_buffer_add_text(out, pt_method_name(call->operation->method));
  pt_buffer_add_text(out, " '");
  pt_buffer_add_text(out, config->base_url.origin);
  add_masked(&to, call, false);
  pt_buffer_add_char(out, '\'');
  add_key(out, call->credential);
  for (size_t i = 0; i < call->line_count; i++)
    if (!pt_ascii_begins(call->lines[i], "Authorization:"))
      add_line(&to, call->lines[i]);
  if (call->has_body) {
    pt_buffer_add_text(out, " --data-raw '");
    add_masked(&to, call, true);
    pt_buffer_add_char(out, '\'');
  }
  pt_buffer_wipe(&to.room);
  pt_redactor_free(&to.secrets);
}
