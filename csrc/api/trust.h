/* trust.h: which certificate authorities to verify servers with, and whether files given for TLS
 * can serve. */
#ifndef PT_TRUST_H
#define PT_TRUST_H

#include "api/config.h"

/* Where no CA was chosen: takes libcurl's directory alone when certificates can be looked up in it
   and its bundle is not newer (given both, libcurl reads the whole bundle again for every
   connection: 38 ms and 0.8 MB each), keeps libcurl's own (both left NULL) when it can be read,
   else takes the first well-known bundle of this system. Returns false when memory is exhausted. */
bool pt_trust_find(pt_config *config, const char *library_file, const char *library_path);
/* Appends what verification uses: "CA file /etc/ssl/certs/ca-certificates.crt", and, when nothing
 * could be read, the places looked at. */
void pt_trust_describe(pt_buffer *out, const pt_config *config, const char *library_file,
                       const char *library_path);
/* What is wrong with a file that is to hold PEM (RFC 7468) of a label that ends in `label`,
   "CERTIFICATE" or "PRIVATE KEY"; NULL when nothing is. Only a regular file is looked into. */
const char *pt_trust_check_file(const char *path, const char *label);
/* What is wrong with a directory of certificates, or NULL. */
const char *pt_trust_check_directory(const char *path);
/* The same of a list of directories, separated by colons as OpenSSL reads SSL_CERT_DIR: NULL where
 * one of them can serve. */
const char *pt_trust_check_directories(const char *list);

#endif
