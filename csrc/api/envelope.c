/* envelope.c: see envelope.h. */
#include "api/envelope.h"

#include <stdio.h>

enum { MAX_SNIPPET = 60 }; /* bytes of a reply that are shown */

bool pt_envelope_may_be_empty(const pt_operation *operation, int status) {
  return !operation->returns_body || operation->method == PT_METHOD_DELETE || status == 204 ||
         status == 205 || status == 404;
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

const char *pt_envelope_check(const pt_operation *operation, pt_envelope envelope, char *problem,
                              size_t size) {
  bool may_be_any = operation->data_open || operation->method == PT_METHOD_GET;
  if (envelope.top != '{' && (operation->returns_body || !may_be_any)) {
    (void)snprintf(problem, size, "the reply is %s instead of %s", json_word(envelope.top),
                   operation->returns_body ? "an object" : "nothing");
    return problem;
  }
  if (!operation->returns_body || !operation->envelope)
    return NULL;
  bool fits = envelope.data == (operation->is_list ? '[' : '{') ||
              (operation->is_list && envelope.data == 'n');
  bool nothing = envelope.data == '\0' || envelope.data == 'n';
  if (fits || (nothing ? operation->has_job : operation->data_open))
    return NULL;
  (void)snprintf(problem, size, "its data is %s instead of %s", json_word(envelope.data),
                 operation->is_list ? "a list" : "an object");
  return problem;
}

void pt_envelope_describe_text(char *problem, size_t size, const pt_operation *operation,
                               const pt_buffer *body, char top) {
  char snippet[MAX_SNIPPET + 1];
  size_t n = 0;
  for (; n < MAX_SNIPPET && n < body->length; n++)
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
                   body->length > MAX_SNIPPET ? "..." : "");
}
