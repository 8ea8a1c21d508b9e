/* config.h: the settings that all clients sharing one engine have in common. */
#ifndef PT_CONFIG_H
#define PT_CONFIG_H

#include "base/secret.h"
#include "http/transport_options.h"
#include "http/url.h"

#define PT_VERSION "0.2.0"
#define PT_API_VERSION "2025-09-18"

/* Owned and wiped by pt_config_free; strings are NULL where not given. */
typedef struct {
  pt_secret keys[3]; /* by pt_key_kind */
  bool key_from_environment[3];
  pt_base_url base_url;
  char *user_agent; /* the whole header line */
  pt_transport_options transport;
} pt_config;

void pt_config_free(pt_config *config);

#endif
