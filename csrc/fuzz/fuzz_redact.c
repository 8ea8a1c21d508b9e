/* fuzz_redact.c: a secret argument in the body or the query of a call, and a reply that echoes it.
 * No byte of it is left afterwards, however it was written, and nothing else is touched. */
#include "api/call_pool.h"
#include "api/redact.h"
#include "base/json_writer.h"
#include "http/url.h"
#include "check.h"

#include <string.h>

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

/* Writes the secret into the reply, in one of the ways a server may echo it. */
static void echo(pt_buffer *reply, const char *secret, size_t length, unsigned way) {
  size_t pairs = 1;
  if (way == 0)
    pt_buffer_add(reply, secret, length);
  else if (way == 1)
    CHECK(pt_json_add_string(reply, secret, length));
  else
    pt_url_add_pair(reply, &pairs, "token", 5, secret, length);
}

/* Whether the secret may be looked for afterwards: stars hide nothing behind stars, backslashes are
 * taken for escapes. */
static bool is_plain(const char *secret, size_t length) {
  return length >= MIN_SECRET && memchr(secret, '*', length) == NULL &&
         memchr(secret, '\\', length) == NULL && pt_utf8_valid(secret, length);
}

/* Input: in the body or not, way of the echo, length of the secret, the secret, what else is in the
 * reply. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3 || size - 3 < data[2])
    return 0;
  bool in_body = (data[0] & 1) != 0;
  unsigned way = in_body ? data[1] % 2 : data[1] % 3;
  const char *secret = (const char *)data + 3;
  size_t length = data[2];
  if (!is_plain(secret, length))
    return 0;
  pt_call *call = pt_call_new();
  CHECK(call != NULL);
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
  CHECK(reply->length == whole && memchr(reply->bytes + start, '*', end - start) != NULL);
  CHECK(memmem(reply->bytes, whole, secret, length) == NULL);
  pt_call_release(call);
  return 0;
}
