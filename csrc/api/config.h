/* config.h: the settings that all clients sharing one engine have in common. */
#ifndef PT_CONFIG_H
#define PT_CONFIG_H

#include "api/credential.h"
#include "http/transport_options.h"
#include "http/url.h"

#define PT_VERSION "0.2.0"
#define PT_API_VERSION "2025-09-18"

typedef enum {
  PT_KEY_FROM_OPTION,
  PT_KEY_FROM_ENVIRONMENT,
  PT_KEY_FROM_FUNCTION /* asked before each call; there is none before the first */
} pt_key_source;

/* Owned and wiped by pt_config_free; strings are NULL where not given. */
typedef struct {
  pt_secret keys[PT_KEY_NONE]; /* by pt_key_kind */
  pt_key_source key_sources[PT_KEY_NONE];
  pt_base_url base_url;
  char *user_agent;  /* the whole header line */
  pt_buffer headers; /* lines "Name: value" sent with every request, a NUL after each */
  pt_transport_options transport;
} pt_config;

void pt_config_free(pt_config *config);

#endif
