/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * OCI images: a bundle as what Kubernetes, Nomad, podman, containerd and Docker start.
 *
 * Written is one tar file: an OCI image layout (OCI Image Format Specification 1.0,
 * image-layout.md, config.md, manifest.md) with one image of one layer (layer.h); beside it
 * manifest.json, by which `docker load` before version 25 reads the same blobs.
 *
 * In the image /AppRun is the entrypoint, so that what follows the image's name is what would
 * follow the file's: `exec bin/rails db:migrate`, `backup`. State is in /var/lib/NAME, a volume;
 * caches, what lasts for a boot and logs are below /tmp, and end with the container. The user is
 * number 65532, whom distroless images call nonroot: nothing but these two places has to be
 * writable.
 */
#include <stdbool.h>
#include <stdint.h>

struct bundle;
struct err;
struct report;

enum { OCI_PORT = 9292, OCI_USER = 65532 };

struct oci_options {
    const char *output;
    const char *tag;     /* NAME[:TAG]; NULL: of the bundle's name and version */
    const char *process; /* that the image starts; NULL: web, or the only one */
    unsigned int port;   /* that it is told to listen on, by PORT; 0: OCI_PORT */
};

/*
 * The bundle is verified first (E-VERIFY). ERR_USAGE when there is no such process, or the tag is
 * none. E-OUTPUT, E-SPACE; then there is no file. *ret_tag is what the image is called, owned by
 * the caller.
 */
[[nodiscard]] bool oci_write(const struct bundle *bundle, const struct oci_options *options,
                             const struct report *report, char **ret_tag, struct err *err);
