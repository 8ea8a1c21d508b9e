/* credential.c: see credential.h. */
#include "api/credential.h"

#include "base/ascii.h"
#include "base/memory.h"

#include <string.h>

static pt_key_kind first_of(const pt_secret keys[PT_KEY_NONE], const pt_key_kind *order,
                            size_t count) {
  for (size_t i = 0; i < count; i++)
    if (keys[order[i]].bytes != NULL)
      return order[i];
  return PT_KEY_NONE;
}

/* Which key is sent: for partner operations the widest there is; for an organization a partner or
 * deployment key with it, which goes as Basic and sets `*basic`; else the user's own. */
static pt_key_kind choose(const pt_secret keys[PT_KEY_NONE], const char *organization, pt_auth auth,
                          bool *basic) {
  static const pt_key_kind partner[] = {PT_KEY_PARTNER, PT_KEY_DEPLOYMENT, PT_KEY_API};
  static const pt_key_kind scoped[] = {PT_KEY_PARTNER, PT_KEY_DEPLOYMENT};
  static const pt_key_kind user[] = {PT_KEY_API, PT_KEY_PARTNER, PT_KEY_DEPLOYMENT};
  *basic = false;
  if (auth == PT_AUTH_CONNECT_TOKEN)
    return PT_KEY_NONE;
  if (auth == PT_AUTH_PARTNER)
    return first_of(keys, partner, 3);
  if (organization[0] != '\0') {
    pt_key_kind kind = first_of(keys, scoped, 2);
    *basic = kind != PT_KEY_NONE;
    if (*basic)
      return kind;
  }
  return first_of(keys, user, 3);
}

pt_credential *pt_credential_new(const pt_secret keys[PT_KEY_NONE], const char *organization,
                                 pt_auth auth) {
  pt_credential *credential = pt_zalloc(sizeof *credential);
  if (credential == NULL)
    return NULL;
  credential->references = 1;
  credential->kind = choose(keys, organization, auth, &credential->basic);
  if (credential->basic)
    memcpy(credential->organization, organization, PT_UUID_LENGTH + 1);
  if (credential->kind != PT_KEY_NONE)
    pt_secret_add_authorization(&credential->line, &keys[credential->kind],
                                credential->basic ? organization : NULL);
  if (credential->line.failed) {
    pt_credential_release(credential);
    return NULL;
  }
  return credential;
}

void pt_credential_retain(pt_credential *credential) { credential->references++; }

void pt_credential_release(pt_credential *credential) {
  if (credential == NULL || --credential->references > 0)
    return;
  pt_buffer_wipe(&credential->line);
  pt_free(credential);
}

bool pt_idempotency_key_valid(const char *key, size_t length) {
  if (length < 8 || length > 255)
    return false;
  for (size_t i = 0; i < length; i++)
    if (!pt_is_letter(key[i]) && !pt_is_digit(key[i]) && key[i] != '-' && key[i] != '_')
      return false;
  return true;
}

const char *pt_key_label(pt_key_kind kind) {
  static const char *const labels[PT_KEY_KINDS] = {"user API key", "partner key", "deployment key",
                                                   "no key"};
  return labels[kind];
}

const char *pt_key_option(pt_key_kind kind) {
  static const char *const options[PT_KEY_KINDS] = {"api_key", "partner_key", "deployment_key", ""};
  return options[kind];
}

const char *pt_key_variable(pt_key_kind kind) {
  static const char *const variables[PT_KEY_KINDS] = {"POLYTOMIC_API_KEY", "POLYTOMIC_PARTNER_KEY",
                                                      "POLYTOMIC_DEPLOYMENT_KEY", ""};
  return variables[kind];
}
