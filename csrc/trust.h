/* trust.h: which certificate authorities to verify servers with. */
#ifndef PT_TRUST_H
#define PT_TRUST_H

#include "config.h"

/* Where no CA was chosen: takes libcurl's directory alone when certificates can be looked up in it and its bundle is not newer (given both, libcurl reads the
   whole bundle anew for every connection: 38 ms and 0.8 MB each), keeps libcurl's own (both left NULL) when it can be read, else takes the first well-known bundle of this system.
   Returns false when memory is exhausted. */
bool pt_trust_find(pt_config *config, const char *library_file, const char *library_path);
/* Appends what verification uses: "CA file /etc/ssl/certs/ca-certificates.crt", and, when nothing could be read, the places looked at. */
void pt_trust_describe(pt_buffer *out, const pt_config *config, const char *library_file, const char *library_path);

#endif
