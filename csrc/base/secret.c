/* secret.c: see secret.h. */
#include "base/secret.h"

#include "base/ascii.h"
#include "base/memory.h"

#include <string.h>

#define MAX_SECRET 4096 /* bytes */
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
    return PT_NO_MEMORY;
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

/* ---- names ---- */

/* A name that is gone through word by word. */
typedef struct {
  const char *at, *end;
} rest_of_name;

static bool is_word_char(char c) { return pt_is_letter(c) || pt_is_digit(c); }

static bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

/* The length of the next word, digits at its end left out; 0 at the end of the name. "XAuthToken2"
 * has the words X, Auth and Token, "APIKey" has API and Key. */
static size_t next_word(rest_of_name *in, const char **word) {
  while (in->at < in->end && !is_word_char(*in->at))
    in->at++;
  *word = in->at;
  while (in->at < in->end && is_word_char(*in->at)) {
    const char *c = in->at++;
    if (in->at == in->end || !is_capital(*in->at))
      continue;
    bool next_is_small = in->at + 1 < in->end && pt_is_letter(in->at[1]) && !is_capital(in->at[1]);
    if (!is_capital(*c) || next_is_small)
      break;
  }
  const char *end = in->at;
  while (end - *word > 1 && pt_is_digit(end[-1]))
    end--;
  return (size_t)(end - *word);
}

static bool is_one_of(const char *word, size_t length, const char *const *words) {
  while (*words != NULL && !pt_ascii_equal(word, length, *words))
    words++;
  return *words != NULL;
}

bool pt_secret_named(const char *name, size_t length) {
  static const char *const secret[] = {
      "secret",     "secrets",     "password", "passwords",     "passwd",  "pwd",
      "passphrase", "signature",   "auth",     "authorization", "session", "cookie",
      "credential", "credentials", "bearer",   "jwt",           "apikey",  "apikeys",
      "accesskey",  "secretkey",   "authkey",  "privatekey",    "passkey", "sessionid",
      "authtoken",  "accesstoken", "apitoken", "refreshtoken",  "idtoken", "clientsecret",
      NULL};
  static const char *const keys[] = {"key", "keys", "token", "tokens", NULL};
  static const char *const harmless[] = {
      "page",    "next",    "previous", "prev",   "cursor", "continuation", "sort",   "order",
      "primary", "foreign", "group",    "object", "row",    "record",       "column", "field",
      "cache",   "public",  "join",     "unique", "index",  "idempotency",  NULL};
  rest_of_name in = {name, name + length};
  const char *word, *before = name;
  size_t size, size_before = 0;
  while ((size = next_word(&in, &word)) > 0) {
    if (is_one_of(word, size, secret) ||
        (is_one_of(word, size, keys) && !is_one_of(before, size_before, harmless)))
      return true;
    before = word;
    size_before = size;
  }
  return false;
}
