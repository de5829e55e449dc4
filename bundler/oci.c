/* SPDX-License-Identifier: MIT */
#include "bundler/oci.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bundler/bundle.h"
#include "bundler/jdoc.h"
#include "bundler/layer.h"
#include "bundler/manifest.h"
#include "bundler/output.h"
#include "bundler/report.h"
#include "bundler/tar.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/prim.h"
#include "common/text.h"
#include "common/words.h"
#include "common/xalloc.h"

#define MEDIA "application/vnd.oci.image."
#define LABEL "org.opencontainers.image."

enum {
    TAG_MAX = 255,
    VERSION_MAX = 128, /* of it, what follows the name */
    CHUNK_BYTES = 1 << 20,
    PLACES_MAX = 16,
    TIME_SIZE = sizeof("1970-01-01T00:00:00Z"),
};

/* What the parts of an image have in common. */
struct maker {
    const struct bundle *bundle;
    const struct oci_options *options;
    const struct jdoc *manifest;
    const char *process; /* NULL: none, it is a command */
    char *name;          /* of directories and the image */
    char *tag;
    char *state_dir; /* absolute; NULL: there is no state */
    struct layer layer;
    char created[TIME_SIZE + 32];
};

/* A blob in memory with what a descriptor says of it. */
struct blob {
    char *text;
    size_t size;
    char digest[2 * FORMAT_HASH_SIZE + 1];
};

static void maker_release(struct maker *maker)
{
    free(maker->name);
    free(maker->tag);
    free(maker->state_dir);
}

/* What an image may be called is narrower than a bundle's name: lower case, digits, and one of
 * "._-" between them (OCI Distribution Specification, "Pulling manifests"). */
static char *plain_name(const char *name)
{
    char *plain = xstrdup(name);
    char *to = plain;

    for (const char *at = name; *at != '\0'; at++) {
        bool is_plain = isalnum((unsigned char)*at) != 0;

        if (is_plain)
            *to++ = (char)tolower((unsigned char)*at);
        else if (to > plain && isalnum((unsigned char)to[-1]) && at[1] != '\0')
            *to++ = *at == '.' || *at == '_' ? *at : '-';
    }
    while (to > plain && !isalnum((unsigned char)to[-1]))
        to--;
    *to = '\0';
    if (to == plain) {
        free(plain);
        plain = xstrdup("app");
    }
    return plain;
}

/* What follows the name: (OCI Distribution Specification, "Pulling manifests"). NULL: nothing. */
static const char *tag_of(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon != NULL && strchr(colon, '/') == NULL ? colon + 1 : NULL;
}

static bool has_tag(const char *name)
{
    return tag_of(name) != NULL;
}

static bool is_version(const char *tag)
{
    size_t len = strlen(tag);

    if (len == 0 || len > VERSION_MAX || !(isalnum((unsigned char)tag[0]) || tag[0] == '_'))
        return false;
    for (const char *at = tag; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("._-", *at) == NULL)
            return false;
    return true;
}

/* HOST[:PORT]/NAME:TAG as docker, podman and containerd understand it, without a digest. */
static bool is_tag(const char *name)
{
    const char *tag = tag_of(name);
    const char *end = tag != NULL ? tag - 1 : name + strlen(name);
    const char *port = memchr(name, ':', (size_t)(end - name));
    const char *slash = memchr(name, '/', (size_t)(end - name));

    if (strlen(name) > TAG_MAX || (tag != NULL && !is_version(tag)) || end == name ||
        !isalnum((unsigned char)name[0]) || !isalnum((unsigned char)end[-1]) ||
        (port != NULL && (slash == NULL || slash < port)))
        return false;
    for (const char *at = name; at < end; at++) {
        bool is_repeated = (*at == '_' || *at == '-') && at[1] == *at;

        if (isalnum((unsigned char)*at) && !isupper((unsigned char)*at))
            continue;
        if ((*at == ':' && at != port) || strchr("._-/:", *at) == NULL ||
            (!isalnum((unsigned char)at[1]) && !is_repeated))
            return false;
    }
    return true;
}

static bool choose_tag(struct maker *maker, struct err *err)
{
    const char *given = maker->options->tag;
    const char *version = jdoc_text_or(maker->manifest, "version", "");
    cleanup_free char *plain = version[0] != '\0' ? plain_name(version) : xstrdup("latest");

    if (given == NULL) {
        maker->tag = xasprintf("%s:%s", maker->name, plain);
    } else if (is_tag(given)) {
        maker->tag = xasprintf("%s%s", given, has_tag(given) ? "" : ":latest");
    } else {
        (void)err_set(err, ERR_USAGE, "oci: '%.200s' is not a name of an image", given);
        return err_hint(err, "like %s:1.0, or registry.example/team/%s:1.0", maker->name,
                        maker->name);
    }
    return true;
}

/* ---- processes ---- */

struct choice {
    const char *wanted;
    const char *found;
    const char *web;
    const char *command; /* of found */
    size_t count;
    char *names; /* "web, worker" */
};

static void consider(const char *name, const struct jdoc *command, void *context)
{
    struct choice *choice = context;
    char *names = xasprintf("%s%s%s", choice->names != NULL ? choice->names : "",
                            choice->names != NULL ? ", " : "", name);

    free(choice->names);
    choice->names = names;
    choice->count++;
    if (choice->wanted != NULL ? strcmp(name, choice->wanted) == 0
                               : strcmp(name, "web") == 0 || choice->count == 1) {
        choice->found = name;
        choice->command = jdoc_value_text(command);
    }
    if (strcmp(name, "web") == 0)
        choice->web = name;
}

static void warn_of_shell(const char *name, const char *command, const struct report *report)
{
    cleanup_free char *text =
        xasprintf("'%s' needs a shell, which the image does not have: %s", name, command);

    if (words_need_shell(command))
        report_phase(report, "warning", text, NULL);
}

static bool choose_process(struct maker *maker, const struct report *report, struct err *err)
{
    struct choice choice = {.wanted = maker->options->process};
    bool ok = true;

    if (maker->bundle->header.kind == FORMAT_KIND_CLI)
        return choice.wanted == NULL ||
               err_set(err, ERR_USAGE, "oci: '%.200s' is a command, without processes",
                       maker->bundle->path);
    jdoc_each(jdoc_member(maker->manifest, "processes"), consider, &choice);
    if (choice.wanted == NULL && choice.web == NULL && choice.count > 1) {
        ok = err_set(err, ERR_USAGE, "oci: name the process that the image starts: %.300s",
                     choice.names);
        (void)err_hint(err, "--process NAME");
    } else if (choice.found == NULL) {
        ok = err_set(err, ERR_USAGE, "oci: there is no process '%.100s'; there are: %.300s",
                     choice.wanted != NULL ? choice.wanted : "web",
                     choice.names != NULL ? choice.names : "none");
    } else {
        maker->process = choice.found;
        if (choice.command != NULL)
            warn_of_shell(choice.found, choice.command, report);
    }
    free(choice.names);
    return ok;
}

/* ---- state ---- */

static bool has_class(const struct maker *maker, const char *class)
{
    return jdoc_count(jdoc_member(jdoc_member(maker->manifest, "state"), class)) > 0;
}

static bool has_state(const struct maker *maker)
{
    static const char *const classes[] = {"data", "sqlite", "cache", "run", "log"};

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (has_class(maker, classes[i]))
            return true;
    return false;
}

/* Places a container needs; runtimes mount over some, and find the others as they are. */
static bool write_layer(struct maker *maker, int fd, struct err *err)
{
    const char *state = maker->state_dir;
    const struct layer_place places[] = {
        {"dev", S_IFDIR | 0755, 0, NULL},
        {"etc", S_IFDIR | 0755, 0, NULL},
        {"etc/group", S_IFREG | 0644, 0, "root:x:0:\nnonroot:x:65532:\n"},
        {"etc/nsswitch.conf", S_IFREG | 0644, 0, "passwd: files\ngroup: files\nhosts: files dns\n"},
        {"etc/passwd", S_IFREG | 0644, 0,
         "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n"},
        {"proc", S_IFDIR | 0755, 0, NULL},
        {"run", S_IFDIR | 0755, 0, NULL},
        {"sys", S_IFDIR | 0755, 0, NULL},
        {"tmp", S_IFDIR | 01777, 0, NULL},
        {"var", S_IFDIR | 0755, 0, NULL},
        {"var/lib", S_IFDIR | 0755, 0, NULL},
        /* Behind the others: an image without state ends before. */
        {"state", S_IFLNK | 0777, 0, state},
        {state != NULL ? state + 1 : "", S_IFDIR | 0700, OCI_USER, NULL},
    };
    size_t count = sizeof(places) / sizeof(places[0]);

    return layer_write(maker->bundle, places, state != NULL ? count : count - 2, fd, &maker->layer,
                       err);
}

/* ---- documents ---- */

static void blob_init(struct blob *blob, struct jdoc *document)
{
    struct prim_sha256 hash;

    blob->text = jdoc_format(document);
    blob->size = strlen(blob->text);
    jdoc_free(document);
    prim_sha256_init(&hash);
    prim_sha256_update(&hash, blob->text, blob->size);
    prim_sha256_final(&hash, blob->digest);
}

static void set_digest(struct jdoc *object, const char *key, const char *digest)
{
    cleanup_free char *text = xasprintf("sha256:%s", digest);

    jdoc_set_text(object, key, text);
}

static struct jdoc *descriptor(const char *type, const char *digest, uint64_t size)
{
    struct jdoc *object = jdoc_object();

    jdoc_set_text(object, "mediaType", type);
    set_digest(object, "digest", digest);
    jdoc_set_number(object, "size", (int64_t)size);
    return object;
}

static struct jdoc *list_of(struct jdoc *item)
{
    struct jdoc *list = jdoc_array();

    jdoc_push(list, item);
    return list;
}

static const char *architecture(const struct bundle *bundle)
{
    return bundle->machine == EM_AARCH64 ? "arm64" : "amd64";
}

/* The keys of OCI's annotations.md. */
static struct jdoc *labels_of(const struct maker *maker)
{
    struct jdoc *labels = jdoc_object();
    const char *version = jdoc_text_or(maker->manifest, "version", "");

    jdoc_set_text(labels, LABEL "title", maker->bundle->header.name);
    if (version[0] != '\0')
        jdoc_set_text(labels, LABEL "version", version);
    jdoc_set_text(labels, LABEL "created", maker->created);
    return labels;
}

/* An object whose one key is what matters, as ExposedPorts and Volumes are. */
static void set_key(struct jdoc *object, const char *key, const char *only)
{
    struct jdoc *set = jdoc_object();

    jdoc_set(set, only, jdoc_object());
    jdoc_set(object, key, set);
}

static unsigned int port_of(const struct maker *maker)
{
    if (maker->options->port != 0)
        return maker->options->port;
    return maker->process != NULL && strcmp(maker->process, "web") == 0 ? OCI_PORT : 0;
}

static void push_env(struct jdoc *list, char *entry)
{
    jdoc_push_text(list, entry);
    free(entry);
}

static struct jdoc *environment_of(const struct maker *maker)
{
    static const struct {
        const char *class;
        const char *variable; /* systemd.exec(5); see runtime/launch/state.h */
    } own[] = {
        {"cache", "CACHE_DIRECTORY"}, {"run", "RUNTIME_DIRECTORY"}, {"log", "LOGS_DIRECTORY"}};
    struct jdoc *list = jdoc_array();

    jdoc_push_text(list, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    jdoc_push_text(list, "HOME=/tmp");
    if (port_of(maker) != 0)
        push_env(list, xasprintf("PORT=%u", port_of(maker)));
    if (maker->state_dir != NULL)
        push_env(list, xasprintf("RUCKSACK_STATE=%s", maker->state_dir));
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (has_class(maker, own[i].class))
            push_env(list, xasprintf("%s=/tmp/%s-%s", own[i].variable, maker->name, own[i].class));
    return list;
}

static struct jdoc *settings_of(const struct maker *maker)
{
    struct jdoc *settings = jdoc_object();
    struct jdoc *entrypoint = jdoc_array();
    struct jdoc *command = jdoc_array();
    cleanup_free char *user = xasprintf("%d:%d", OCI_USER, OCI_USER);
    cleanup_free char *port = xasprintf("%u/tcp", port_of(maker));

    jdoc_push_text(entrypoint, "/AppRun");
    if (maker->process != NULL) {
        jdoc_push_text(command, "run");
        jdoc_push_text(command, maker->process);
    }
    jdoc_set_text(settings, "User", user);
    if (port_of(maker) != 0)
        set_key(settings, "ExposedPorts", port);
    jdoc_set(settings, "Env", environment_of(maker));
    jdoc_set(settings, "Entrypoint", entrypoint);
    jdoc_set(settings, "Cmd", command);
    if (maker->state_dir != NULL)
        set_key(settings, "Volumes", maker->state_dir);
    jdoc_set_text(settings, "WorkingDir", maker->process != NULL ? "/app" : "/");
    jdoc_set(settings, "Labels", labels_of(maker));
    jdoc_set_text(settings, "StopSignal", "SIGTERM");
    return settings;
}

static struct jdoc *config_of(const struct maker *maker)
{
    struct jdoc *config = jdoc_object();
    struct jdoc *rootfs = jdoc_object();
    struct jdoc *layers = jdoc_array();
    struct jdoc *step = jdoc_object();
    cleanup_free char *diff_id = xasprintf("sha256:%s", maker->layer.diff_id);

    jdoc_push_text(layers, diff_id);
    jdoc_set_text(rootfs, "type", "layers");
    jdoc_set(rootfs, "diff_ids", layers);
    jdoc_set_text(step, "created", maker->created);
    jdoc_set_text(step, "created_by", "rucksack oci");
    jdoc_set_text(config, "created", maker->created);
    jdoc_set_text(config, "architecture", architecture(maker->bundle));
    jdoc_set_text(config, "os", "linux");
    jdoc_set(config, "config", settings_of(maker));
    jdoc_set(config, "rootfs", rootfs);
    jdoc_set(config, "history", list_of(step));
    return config;
}

static struct jdoc *manifest_of(const struct maker *maker, const struct blob *config)
{
    struct jdoc *manifest = jdoc_object();

    jdoc_set_number(manifest, "schemaVersion", 2);
    jdoc_set_text(manifest, "mediaType", MEDIA "manifest.v1+json");
    jdoc_set(manifest, "config", descriptor(MEDIA "config.v1+json", config->digest, config->size));
    jdoc_set(manifest, "layers",
             list_of(descriptor(MEDIA "layer.v1.tar+gzip", maker->layer.digest,
                                maker->layer.size_bytes)));
    jdoc_set(manifest, "annotations", labels_of(maker));
    return manifest;
}

/* As containerd wants it: with the registry that a name without one has for Docker. */
static char *full_name(const char *tag)
{
    const char *slash = strchr(tag, '/');
    size_t len = slash != NULL ? (size_t)(slash - tag) : 0;
    bool has_host =
        slash != NULL && (memchr(tag, '.', len) != NULL || memchr(tag, ':', len) != NULL ||
                          (len == 9 && strncmp(tag, "localhost", len) == 0));

    return xasprintf("%s%s%s", has_host ? "" : "docker.io/", slash != NULL ? "" : "library/", tag);
}

static struct jdoc *index_of(const struct maker *maker, const struct blob *manifest)
{
    struct jdoc *index = jdoc_object();
    struct jdoc *one = descriptor(MEDIA "manifest.v1+json", manifest->digest, manifest->size);
    struct jdoc *platform = jdoc_object();
    struct jdoc *annotations = jdoc_object();
    cleanup_free char *full = full_name(maker->tag);

    jdoc_set_text(platform, "architecture", architecture(maker->bundle));
    jdoc_set_text(platform, "os", "linux");
    jdoc_set(one, "platform", platform);
    jdoc_set_text(annotations, LABEL "ref.name", maker->tag);
    jdoc_set_text(annotations, "io.containerd.image.name", full);
    jdoc_set(one, "annotations", annotations);
    jdoc_set_number(index, "schemaVersion", 2);
    jdoc_set_text(index, "mediaType", MEDIA "index.v1+json");
    jdoc_set(index, "manifests", list_of(one));
    return index;
}

/* manifest.json of `docker save`: the same blobs under the names that they have here. */
static struct jdoc *docker_manifest_of(const struct maker *maker, const struct blob *config)
{
    struct jdoc *one = jdoc_object();
    struct jdoc *tags = jdoc_array();
    struct jdoc *layers = jdoc_array();
    cleanup_free char *config_path = xasprintf("blobs/sha256/%s", config->digest);
    cleanup_free char *layer_path = xasprintf("blobs/sha256/%s", maker->layer.digest);

    jdoc_push_text(tags, maker->tag);
    jdoc_push_text(layers, layer_path);
    jdoc_set_text(one, "Config", config_path);
    jdoc_set(one, "RepoTags", tags);
    jdoc_set(one, "Layers", layers);
    return list_of(one);
}

/* ---- the archive ---- */

static bool take_archive(void *context, const void *data, size_t size, struct err *err)
{
    const int *fd = context;

    return fs_write_all(*fd, data, size, err);
}

static bool add_layer(struct tar *tar, const struct maker *maker, int fd, struct err *err)
{
    cleanup_free char *path = xasprintf("blobs/sha256/%s", maker->layer.digest);
    cleanup_free char *chunk = xcalloc(CHUNK_BYTES, 1);
    const struct tar_entry entry = {.path = path,
                                    .mode = S_IFREG | 0644,
                                    .size_bytes = maker->layer.size_bytes,
                                    .mtime = maker->layer.mtime};
    uint64_t done = 0;

    if (!tar_entry(tar, &entry, err))
        return false;
    while (done < maker->layer.size_bytes) {
        ssize_t length = pread(fd, chunk, CHUNK_BYTES, (off_t)done);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "layer");
        if (length == 0)
            return err_set(err, ERR_SYSTEM, "the layer was cut off while it was read");
        if (!tar_data(tar, chunk, (size_t)length, err))
            return false;
        done += (uint64_t)length;
    }
    return true;
}

static bool add_document(struct tar *tar, const struct maker *maker, const char *path,
                         const struct blob *blob, struct err *err)
{
    cleanup_free char *name =
        path != NULL ? xstrdup(path) : xasprintf("blobs/sha256/%s", blob->digest);

    return tar_file(tar, name, blob->text, blob->size, maker->layer.mtime, err);
}

static bool write_archive(const struct maker *maker, int layer_fd, int fd, struct err *err)
{
    static const char layout[] = "{\"imageLayoutVersion\": \"1.0.0\"}\n";
    struct blob config;
    struct blob manifest;
    struct blob index;
    struct blob docker;
    struct tar tar = {.sink = take_archive, .context = &fd};
    bool ok;

    blob_init(&config, config_of(maker));
    blob_init(&manifest, manifest_of(maker, &config));
    blob_init(&index, index_of(maker, &manifest));
    blob_init(&docker, docker_manifest_of(maker, &config));
    ok = tar_file(&tar, "oci-layout", layout, sizeof(layout) - 1, maker->layer.mtime, err) &&
         add_document(&tar, maker, "index.json", &index, err) &&
         add_document(&tar, maker, "manifest.json", &docker, err) &&
         add_document(&tar, maker, NULL, &config, err) &&
         add_document(&tar, maker, NULL, &manifest, err) && add_layer(&tar, maker, layer_fd, err) &&
         tar_end(&tar, err);
    free(config.text);
    free(manifest.text);
    free(index.text);
    free(docker.text);
    return ok;
}

/* A layer's name is its hash, which is known when it is written: so first it has none. */
static int open_scratch(const char *directory, struct err *err)
{
    cleanup_free char *name = xasprintf("%s/.layer.XXXXXX", directory);
    int fd = open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        (void)err_sys(err, "'%s'", directory);
    else
        (void)unlink(name);
    return fd;
}

static void name_time(struct maker *maker)
{
    time_t when = maker->layer.mtime;
    struct tm utc;

    if (gmtime_r(&when, &utc) == NULL ||
        strftime(maker->created, sizeof(maker->created), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        maker->created[0] = '\0';
}

static bool write_all(struct maker *maker, struct output *output, struct err *err)
{
    cleanup_fd int layer_fd = open_scratch(output->directory, err);

    if (layer_fd < 0 || !write_layer(maker, layer_fd, err))
        return false;
    name_time(maker);
    return write_archive(maker, layer_fd, output->fd, err) && output_publish(output, 0644, err);
}

static bool write_file(struct maker *maker, struct err *err)
{
    struct output output;
    bool ok = output_open_beside(&output, maker->options->output, maker->bundle->fd, err);

    if (ok && !write_all(maker, &output, err))
        ok = output_explain(maker->options->output, err);
    output_release(&output);
    return ok;
}

static bool make(struct maker *maker, const struct report *report, struct err *err)
{
    struct bundle_findings findings;

    maker->name = plain_name(maker->bundle->header.name);
    if (has_state(maker))
        maker->state_dir = xasprintf("/var/lib/%s", maker->name);
    if (!choose_tag(maker, err) || !choose_process(maker, report, err) ||
        !bundle_verify(maker->bundle, &findings, err))
        return false;
    if (findings.is_capsule)
        report_phase(report, "warning", "the snapshot of this capsule is not in the image", NULL);
    return write_file(maker, err);
}

bool oci_write(const struct bundle *bundle, const struct oci_options *options,
               const struct report *report, char **ret_tag, struct err *err)
{
    struct jdoc *manifest = manifest_read(bundle, err);
    struct maker maker = {.bundle = bundle, .options = options, .manifest = manifest};
    bool ok = manifest != NULL && make(&maker, report, err);

    if (ok)
        *ret_tag = xstrdup(maker.tag);
    maker_release(&maker);
    jdoc_free(manifest);
    return ok;
}
