/* secret.c: see secret.h. */
#include "base/secret.h"

#include "base/json_reader.h"
#include "base/memory.h"

#include <string.h>
#include <strings.h>

#define MAX_SECRET 4096 /* bytes */
#define MIN_HIDDEN 6    /* bytes: shorter text is not hidden, since it stands anywhere */
#define MASK_SHOWN 4    /* characters a mask shows */
#define MIN_MASKED 12   /* length from which it shows them */

void pt_wipe(void *bytes, size_t length) {
  /* Called through a volatile pointer, the compiler cannot know that the write has no reader. */
  static void *(*const volatile overwrite)(void *, int, size_t) = memset;
  if (bytes != NULL)
    overwrite(bytes, 0, length);
}

void pt_buffer_wipe(pt_buffer *buffer) {
  pt_wipe(buffer->bytes, buffer->capacity);
  pt_buffer_free(buffer);
}

void pt_secret_clear(pt_secret *secret) {
  pt_wipe(secret->bytes, secret->length);
  pt_free(secret->bytes);
  secret->bytes = NULL;
  secret->length = 0;
}

static bool is_white(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

const char *pt_secret_set(pt_secret *secret, const char *bytes, size_t length) {
  pt_secret_clear(secret);
  while (length > 0 && is_white(bytes[0])) {
    bytes++;
    length--;
  }
  while (length > 0 && is_white(bytes[length - 1]))
    length--;
  if (length == 0)
    return NULL;
  if (length > MAX_SECRET)
    return "must not be longer than 4096 bytes";
  /* Checked before it is copied, so that nothing refused is ever kept. */
  for (size_t i = 0; i < length; i++)
    if (bytes[i] <= ' ' || bytes[i] > '~')
      return "must hold printable ASCII characters only, without spaces";
  secret->bytes = pt_copy(bytes, length);
  if (secret->bytes == NULL)
    return "out of memory";
  secret->length = length;
  return NULL;
}

void pt_secret_add_masked(pt_buffer *out, const pt_secret *secret) {
  pt_buffer_add_text(out, "****");
  if (secret->length >= MIN_MASKED)
    pt_buffer_add(out, secret->bytes + secret->length - MASK_SHOWN, MASK_SHOWN);
}

/* The bytes of `user:secret` one by one: they are never put together in memory. */
typedef struct {
  const char *user;
  size_t user_length;
  const pt_secret *secret;
} credentials;

static size_t credentials_length(const credentials *pair) {
  return pair->user_length + 1 + pair->secret->length;
}

static unsigned credentials_byte(const credentials *pair, size_t i) {
  if (i < pair->user_length)
    return (unsigned char)pair->user[i];
  if (i == pair->user_length)
    return ':';
  return (unsigned char)pair->secret->bytes[i - pair->user_length - 1];
}

/* RFC 4648 section 4. */
static void add_base64(pt_buffer *out, const credentials *pair) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t length = credentials_length(pair);
  for (size_t i = 0; i < length; i += 3) {
    unsigned bits = credentials_byte(pair, i) << 16;
    if (i + 1 < length)
      bits |= credentials_byte(pair, i + 1) << 8;
    if (i + 2 < length)
      bits |= credentials_byte(pair, i + 2);
    pt_buffer_add_char(out, alphabet[bits >> 18]);
    pt_buffer_add_char(out, alphabet[(bits >> 12) & 63]);
    pt_buffer_add_char(out, i + 1 < length ? alphabet[(bits >> 6) & 63] : '=');
    pt_buffer_add_char(out, i + 2 < length ? alphabet[bits & 63] : '=');
  }
}

void pt_secret_add_authorization(pt_buffer *out, const pt_secret *secret, const char *user) {
  static const char bearer[] = "Authorization: Bearer ";
  static const char basic[] = "Authorization: Basic ";
  /* Room for all of it first: a buffer that grew half way would leave a piece of the secret in the
   * memory it gave back. */
  if (user == NULL) {
    if (pt_buffer_reserve(out, sizeof bearer + secret->length) == NULL)
      return;
    pt_buffer_add_text(out, bearer);
    pt_buffer_add(out, secret->bytes, secret->length);
    return;
  }
  credentials pair = {user, strlen(user), secret};
  if (pt_buffer_reserve(out, sizeof basic + (credentials_length(&pair) + 2) / 3 * 4) == NULL)
    return;
  pt_buffer_add_text(out, basic);
  add_base64(out, &pair);
}

static size_t count_backslashes(const char *text, size_t length) {
  size_t count = 0;
  while (count < length && text[count] == '\\')
    count++;
  return count;
}

/* How many of the bytes the escape behind a backslash stands for, and in `taken` how long it is; 0
 * when it stands for something else. */
static size_t match_escape(const char *text, size_t length, const char *bytes, size_t bytes_length,
                           size_t *taken) {
  char meant[4];
  size_t count;
  *taken = pt_json_read_escape(text, length, meant, &count);
  return count <= bytes_length && memcmp(meant, bytes, count) == 0 ? count : 0;
}

/* How much of the text, from its start, is these bytes as they are or as JSON may write them; 0
   when it is something else. A text that was put into JSON several times has several backslashes
   where there was one: they do not count, neither in the text nor in the bytes. */
static size_t match(const char *text, size_t length, const char *bytes, size_t bytes_length) {
  size_t at = 0;
  for (size_t i = count_backslashes(bytes, bytes_length); i < bytes_length;
       i += count_backslashes(bytes + i, bytes_length - i)) {
    size_t backslashes = count_backslashes(text + at, length - at), taken = 0, matched = 0;
    at += backslashes;
    if (backslashes > 0)
      matched = match_escape(text + at, length - at, bytes + i, bytes_length - i, &taken);
    if (matched == 0) {
      if (at == length || text[at] != bytes[i])
        return 0;
      matched = taken = 1;
    }
    at += taken;
    i += matched;
  }
  return at;
}

void pt_secret_hide_bytes(char *text, size_t length, const char *bytes, size_t bytes_length) {
  if (text == NULL || bytes_length < MIN_HIDDEN)
    return;
  size_t backslashes = count_backslashes(bytes, bytes_length);
  if (backslashes == bytes_length)
    return;
  char first = bytes[backslashes];
  for (size_t i = 0; i < length; i++) {
    if (text[i] != first && text[i] != '\\')
      continue;
    size_t matched = match(text + i, length - i, bytes, bytes_length);
    size_t seen = matched > 0 ? matched : count_backslashes(text + i, length - i);
    memset(text + i, '*', matched);
    i += seen > 0 ? seen - 1 : 0;
  }
}

void pt_secret_hide(char *text, size_t length, const pt_secret *secret) {
  if (secret->bytes != NULL)
    pt_secret_hide_bytes(text, length, secret->bytes, secret->length);
}

bool pt_secret_named(const char *name, size_t length) {
  static const char *const words[] = {"key",        "token", "secret",  "signature", "password",
                                      "passphrase", "auth",  "session", "credential"};
  for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
    for (size_t i = 0; i + strlen(words[w]) <= length; i++)
      if (strncasecmp(name + i, words[w], strlen(words[w])) == 0)
        return true;
  return false;
}
