/* config.c: see config.h. */
#include "api/config.h"

#include "base/memory.h"

#include <string.h>

void pt_config_free(pt_config *config) {
  for (size_t i = 0; i < PT_KEY_NONE; i++)
    pt_secret_clear(&config->keys[i]);
  pt_base_url_free(&config->base_url);
  pt_free(config->user_agent);
  pt_buffer_wipe(&config->headers);
  pt_transport_options_free(&config->transport);
  memset(config, 0, sizeof *config);
}
