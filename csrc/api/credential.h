/* credential.h: which key goes with which operation, as the header line that is sent. */
#ifndef PT_CREDENTIAL_H
#define PT_CREDENTIAL_H

#include "api/operations.h"
#include "base/buffer.h"
#include "base/random.h"
#include "base/secret.h"

typedef enum { PT_KEY_API, PT_KEY_PARTNER, PT_KEY_DEPLOYMENT, PT_KEY_NONE } pt_key_kind;
#define PT_KEY_KINDS 4

/* Counted: a call holds its credential as long as it lives. Wiped with the last reference. */
typedef struct {
  unsigned references;
  pt_key_kind kind;
  bool basic;                            /* organization-scoped */
  char organization[PT_UUID_LENGTH + 1]; /* of a basic one */
  pt_buffer line;                        /* "Authorization: …"; empty for PT_KEY_NONE */
} pt_credential;

/* The credential of an operation that needs `auth`. `keys` has an entry for api, partner and
   deployment key; `organization` is a UUID or "". Its kind is PT_KEY_NONE when no key fits, or when
   the operation is authorised by a token of its own. NULL when memory is exhausted. */
pt_credential *pt_credential_new(const pt_secret keys[PT_KEY_NONE], const char *organization,
                                 pt_auth auth);
void pt_credential_retain(pt_credential *credential);
void pt_credential_release(pt_credential *credential);

/* Idempotency-Key: 8 to 255 of [A-Za-z0-9_-] (API guide "Idempotent requests"). */
bool pt_idempotency_key_valid(const char *key, size_t length);

/* "partner key"; "no key". */
const char *pt_key_label(pt_key_kind kind);
/* "partner_key": the option of a client; "" for no key. */
const char *pt_key_option(pt_key_kind kind);
/* "POLYTOMIC_PARTNER_KEY"; "" for no key. */
const char *pt_key_variable(pt_key_kind kind);

#endif
