/* fuzz_redact.c: a secret argument in the body or the query of a call, and a reply that echoes it.
 * No byte of it is left afterwards, however it was written, and nothing else is touched. */
#include "api/call_pool.h"
#include "api/redact.h"
#include "base/ascii.h"
#include "base/json_writer.h"
#include "base/unicode.h"
#include "http/url.h"
#include "check.h"

#include <string.h>

static const pt_operation operation = {.name = "request"};

enum { MIN_SECRET = 6 }; /* shorter ones are not hidden */

/* Writes the secret into the request, as the binding does. False where it would be refused. */
static bool send(pt_call *call, bool in_body, const char *secret, size_t length) {
  size_t pairs = 0, start;
  if (!in_body) {
    pt_url_add_pair(&call->target, &pairs, "token", 5, secret, length);
    return pt_call_mark_secret(call, false, 7, call->target.length - 7);
  }
  pt_buffer_add_text(&call->body, "{\"settings\":");
  start = call->body.length;
  pt_buffer_add_text(&call->body, "{\"name of it\":[");
  if (!pt_json_add_string(&call->body, secret, length))
    return false;
  pt_buffer_add_text(&call->body, "]}");
  bool marked = pt_call_mark_secret(call, true, start, call->body.length - start);
  pt_buffer_add_char(&call->body, '}');
  return marked;
}

/* Adds text with every byte that is no letter or digit in this format. */
static void add_encoded(pt_buffer *out, const char *bytes, size_t length, const char *format) {
  for (size_t i = 0; i < length; i++) {
    char one[8];
    if (pt_is_letter(bytes[i]) || pt_is_digit(bytes[i]))
      pt_buffer_add_char(out, bytes[i]);
    else {
      (void)snprintf(one, sizeof one, format, (unsigned char)bytes[i]);
      pt_buffer_add_text(out, one);
    }
  }
}

static void add_html(pt_buffer *out, const char *bytes, size_t length) {
  static const char *const names[] = {
      ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;"};
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c < sizeof names / sizeof names[0] && names[c] != NULL)
      pt_buffer_add_text(out, names[c]);
    else
      pt_buffer_add_char(out, bytes[i]);
  }
}

enum { WAYS = 7 };

/* Writes the secret into the reply, in one of the ways a server may echo it. */
static void echo(pt_buffer *reply, const char *secret, size_t length, unsigned way) {
  pt_buffer html = {0};
  size_t pairs = 1;
  add_html(&html, secret, length);
  switch (way) {
  case 0: pt_buffer_add(reply, secret, length); break;
  case 1: CHECK(pt_json_add_string(reply, secret, length)); break;
  case 2: pt_url_add_pair(reply, &pairs, "token", 5, secret, length); break;
  case 3: add_encoded(reply, secret, length, "%%%02x"); break;
  case 4: add_encoded(reply, secret, length, "%%25%02X"); break;
  case 5: pt_buffer_add(reply, html.bytes, html.length); break;
  default: CHECK(pt_json_add_string(reply, html.bytes, html.length));
  }
  pt_buffer_free(&html);
}

/* Whether the echo, from `start` to `end`, has nothing of the secret left. */
static void check_hidden(const pt_buffer *reply, size_t start, size_t end, unsigned way) {
  bool quoted = way == 1 || way == 6;
  size_t first = start + (quoted ? 1 : way == 2 ? sizeof "&token=" - 1 : 0);
  size_t last = end - (quoted ? 1 : 0);
  if (way == 4 && last > 4) /* what follows "%2525" may have been encoded a third time */
    last -= 4;
  for (size_t i = first; i < last; i++)
    CHECK(reply->bytes[i] == '*' || reply->bytes[i] == ' ' || reply->bytes[i] == '0');
}

/* Whether the secret may be looked for afterwards: stars hide nothing behind stars, backslashes are
 * taken for escapes. */
static bool is_plain(const char *secret, size_t length) {
  return length >= MIN_SECRET && memchr(secret, '*', length) == NULL &&
         memchr(secret, '\\', length) == NULL && pt_unicode_valid(secret, length);
}

/* Input: in the body or not, way of the echo, length of the secret, the secret, what else is in the
 * reply. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3 || size - 3 < data[2])
    return 0;
  bool in_body = (data[0] & 1) != 0;
  unsigned way = data[1] % WAYS;
  const char *secret = (const char *)data + 3;
  size_t length = data[2];
  if (!is_plain(secret, length))
    return 0;
  pt_call *call = pt_call_new();
  CHECK(call != NULL);
  call->operation = &operation;
  pt_buffer *reply = &call->reply.body;
  CHECK(send(call, in_body, secret, length));
  pt_buffer_add(reply, secret + length, size - 3 - length);
  size_t start = reply->length;
  echo(reply, secret, length, way);
  size_t end = reply->length;
  pt_buffer_add(reply, secret + length, size - 3 - length);
  size_t whole = reply->length;
  CHECK(!reply->failed);
  pt_redact_reply(call, NULL);
  CHECK(reply->length == whole);
  check_hidden(reply, start, end, way);
  CHECK(memmem(reply->bytes, whole, secret, length) == NULL);
  pt_call_release(call);
  return 0;
}
