/* trust.c: see trust.h. */
#include "api/trust.h"

#include "base/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bundles of Debian and Alpine, Fedora and RHEL, older RHEL, openSUSE, macOS and OpenBSD,
 * FreeBSD. */
static const char *const well_known[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
};
enum { WELL_KNOWN_COUNT = sizeof well_known / sizeof well_known[0] };

static bool readable(const char *path) { return path != NULL && access(path, R_OK) == 0; }

/* Whether the directory has files under the names OpenSSL looks for, "5ed36f99.0": what `openssl
 * rehash` and Debian's packages make. */
static bool is_hashed(const char *path) {
  DIR *directory = path != NULL ? opendir(path) : NULL;
  bool found = false;
  const struct dirent *entry;
  while (directory != NULL && !found && (entry = readdir(directory)) != NULL)
    found = strspn(entry->d_name, "0123456789abcdef") == 8 && strcmp(entry->d_name + 8, ".0") == 0;
  if (directory != NULL)
    (void)closedir(directory);
  return found;
}

/* Whether the bundle was written to after the directory was made: certificates may have been
 * added to it alone. */
static bool is_newer(const char *file, const char *directory) {
  struct stat of_file, of_directory;
  if (file == NULL || stat(file, &of_file) != 0 || stat(directory, &of_directory) != 0)
    return false;
  return of_file.st_mtime > of_directory.st_mtime;
}

bool pt_trust_find(pt_config *config, const char *library_file, const char *library_path) {
  if (config->transport.ca_file != NULL || config->transport.ca_path != NULL)
    return true;
  if (is_hashed(library_path) && !is_newer(library_file, library_path)) {
    config->transport.ca_path = pt_copy(library_path, strlen(library_path));
    return config->transport.ca_path != NULL;
  }
  if (readable(library_file) || readable(library_path))
    return true;
  for (size_t i = 0; i < WELL_KNOWN_COUNT; i++) {
    if (!readable(well_known[i]))
      continue;
    config->transport.ca_file = pt_copy(well_known[i], strlen(well_known[i]));
    return config->transport.ca_file != NULL;
  }
  return true;
}

static void add_place(pt_buffer *out, const char *what, const char *path) {
  if (path == NULL)
    return;
  if (out->length > 0)
    pt_buffer_add_text(out, ", ");
  pt_buffer_add_text(out, what);
  pt_buffer_add_text(out, path);
}

void pt_trust_describe(pt_buffer *out, const pt_config *config, const char *library_file,
                       const char *library_path) {
  if (config->transport.ca_file != NULL || config->transport.ca_path != NULL) {
    add_place(out, "CA file ", config->transport.ca_file);
    add_place(out, "CA directory ", config->transport.ca_path);
    if (config->transport.ca_variable != NULL) {
      pt_buffer_add_text(out, " from ");
      pt_buffer_add_text(out, config->transport.ca_variable);
    }
    return;
  }
  if (readable(library_file) || readable(library_path)) {
    add_place(out, "CA file ", readable(library_file) ? library_file : NULL);
    add_place(out, "CA directory ", readable(library_path) ? library_path : NULL);
    return;
  }
  add_place(out, "no CA bundle found, looked at ", library_file);
  for (size_t i = 0; i < WELL_KNOWN_COUNT; i++)
    add_place(out, "", well_known[i]);
}

static bool holds_pem(const char *path, const char *label) {
  char line[256];
  bool found = false;
  FILE *file = fopen(path, "rb");
  while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
    const char *name = strncmp(line, "-----BEGIN ", 11) == 0 ? strstr(line + 11, label) : NULL;
    found = name != NULL && strncmp(name + strlen(label), "-----", 5) == 0;
  }
  if (file != NULL)
    (void)fclose(file);
  return found;
}

const char *pt_trust_check_file(const char *path, const char *label) {
  struct stat status;
  if (!readable(path) || stat(path, &status) != 0)
    return "cannot be read";
  if (S_ISDIR(status.st_mode))
    return "is a directory, not a file";
  if (!S_ISREG(status.st_mode) || holds_pem(path, label))
    return NULL;
  return label[0] == 'C' ? "contains no certificate in PEM format"
                         : "contains no private key in PEM format";
}

const char *pt_trust_check_directory(const char *path) {
  struct stat status;
  if (!readable(path) || stat(path, &status) != 0)
    return "cannot be read";
  return S_ISDIR(status.st_mode) ? NULL : "is not a directory";
}

const char *pt_trust_check_directories(const char *list) {
  const char *problem = "cannot be read";
  for (const char *start = list; start != NULL && problem != NULL;) {
    const char *colon = strchr(start, ':');
    char *path = pt_copy(start, colon != NULL ? (size_t)(colon - start) : strlen(start));
    if (path == NULL)
      return PT_NO_MEMORY;
    problem = pt_trust_check_directory(path);
    pt_free(path);
    start = colon != NULL ? colon + 1 : NULL;
  }
  return problem;
}
