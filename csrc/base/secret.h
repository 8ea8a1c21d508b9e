/* secret.h: the one place that knows secrets: holds them, masks them, wipes them. */
#ifndef PT_SECRET_H
#define PT_SECRET_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  char *bytes; /* NUL-terminated; NULL when there is none */
  size_t length;
} pt_secret;

/* Takes a copy, trimmed of surrounding white space. Returns NULL on success, else a static message
   that never holds the text: a key is printable ASCII without spaces inside, at most 4096 bytes.
   What was held before is wiped first; what is refused is not copied. An empty text leaves no
   secret and is a success. A zeroed pt_secret is valid and holds none. */
const char *pt_secret_set(pt_secret *secret, const char *bytes, size_t length);
/* Wipes and frees. */
void pt_secret_clear(pt_secret *secret);
/* "****90ab": the last four characters when the secret has at least 12, else "****". */
void pt_secret_add_masked(pt_buffer *out, const pt_secret *secret);
/* Appends `Authorization: Bearer SECRET`, or `Authorization: Basic base64(user:SECRET)` when `user`
   is not NULL (RFC 6750, RFC 7617), without a line end. The buffer grows at most once, before the
   secret is in it; add nothing after it that could make it grow again, and free it with
   pt_buffer_wipe. */
void pt_secret_add_authorization(pt_buffer *out, const pt_secret *secret, const char *user);
/* True for the name of a header, a member or a parameter that holds a secret as a rule. One of its
   words, in any case, says so: "token" or "key" (but for what sorts, pages and identifies:
   "sort_key", "page_token", "primary_key", "idempotency_key"), "secret", "password", "auth",
   "session", "signature" and the like. Words end where letters and digits end and where capitals
   begin: "apiKey", "X-Auth-Token" and "client_secret" are such names; "author", "keyboard" and
   "monkey" are not. */
bool pt_secret_named(const char *name, size_t length);
/* Overwrites memory in a way the compiler keeps. */
void pt_wipe(void *bytes, size_t length);
/* Wipes the whole capacity, then frees. */
void pt_buffer_wipe(pt_buffer *buffer);

#endif
