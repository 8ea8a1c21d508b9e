/* fuzz_command.c: a call with secret arguments, within one another and empty ones too, and headers,
 * as a shell command. It ends, a shell reads it as words, and no secret is in it. */
#include "api/call_pool.h"
#include "api/curl_command.h"
#include "base/json_writer.h"
#include "base/redactor.h"
#include "check.h"

#include <string.h>

enum { MAX_SECRETS = 40 };

static const pt_operation operation = {.name = "request", .method = PT_METHOD_POST};

/* Whether a shell takes the text for words without an end of a command, an expansion of anything
 * but a key, or a quote that is open. */
static bool is_one_command(const char *text, size_t length) {
  char quote = '\0';
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    if (quote == '\'') {
      if (c == '\'')
        quote = '\0';
    } else if (c == '\\') {
      if (++i >= length || text[i] != '\'')
        return false;
    } else if (quote == '"') {
      if (c == '"')
        quote = '\0';
      else if (c == '`' || (c == '$' && strncmp(text + i, "$POLYTOMIC_", 11) != 0))
        return false;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (strchr(";&|<>()$`\n#*?[~", c) != NULL) {
      return false;
    }
  }
  return quote == '\0';
}

/* Input: length of a secret and the secret, then a byte for each part: a secret or other text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2 || size - 1 < data[0])
    return 0;
  const char *secret = (const char *)data + 1;
  size_t length = data[0];
  bool hidden = length >= PT_MIN_HIDDEN && memchr(secret, '*', length) == NULL &&
                memchr(secret, '\'', length) == NULL && memchr(secret, '\\', length) == NULL;
  const uint8_t *at = data + 1 + length, *end = data + size;
  pt_config config = {.base_url = {.origin = (char[]){"https://x.example"}}};
  pt_call *call = pt_call_new();
  CHECK(call != NULL);
  call->operation = &operation;
  pt_buffer_add_text(&call->target, "/api?");
  pt_buffer_add_char(&call->body, '[');
  call->has_body = true;
  size_t outer = call->body.length;
  bool marked = false;
  for (int i = 0; at < end && i < MAX_SECRETS; at++, i++) {
    pt_buffer *out = (*at & 1) != 0 ? &call->body : &call->target;
    size_t start = out->length;
    switch (*at >> 1 & 7) {
    case 0: CHECK(pt_call_mark_secret(call, out == &call->body, start, 0)); break;
    case 1:
    case 2:
      if (pt_json_add_string(out, secret, length)) {
        CHECK(pt_call_mark_secret(call, out == &call->body, start, out->length - start));
        marked = marked || out == &call->body; /* JSON in a query is not decoded */
      }
      break;
    case 3: /* all so far is within a secret */
      CHECK(pt_call_mark_secret(call, true, outer, call->body.length - outer));
      break;
    case 4:
      if (memchr(secret, '\0', length) == NULL)
        CHECK(pt_call_add_line(call, "X-Auth-Token", secret, length));
      break;
    case 5: CHECK(pt_call_add_line(call, "X-Other", "it's", 4)); break;
    default: /* other text, which does not make up the secret by chance */
      if (*at != '\0' && memchr(secret, *at, length) == NULL)
        pt_buffer_add_char(out, (char)*at);
    }
    if (call->line_count > PT_FEW_LINES)
      break;
  }
  CHECK(!call->target.failed && !call->body.failed);
  (void)pt_call_prepare(call, false);
  pt_buffer out = {0};
  pt_curl_command(&out, call, &config);
  CHECK(!out.failed && is_one_command(out.bytes, out.length));
  CHECK(!hidden || !marked || memmem(out.bytes, out.length, secret, length) == NULL);
  CHECK(out.length < 100 +
                         5 * (call->target.length + call->body.length + call->header_text.length) +
                         16 * call->secret_count);
  pt_buffer_free(&out);
  pt_call_release(call);
  return 0;
}
