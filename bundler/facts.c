/* SPDX-License-Identifier: MIT */
#include "bundler/facts.h"

#include <stdlib.h>
#include <string.h>

#include "bundler/bundle.h"
#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "bundler/signer.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/launchfile.h"
#include "common/port.h"
#include "common/text.h"
#include "common/words.h"
#include "common/xalloc.h"

static struct jdoc *signature_of(const struct bundle *bundle)
{
    struct signer_findings findings;
    struct err why = {0};
    bool fits = signer_verify(bundle, NULL, &findings, &why);
    struct jdoc *signature = jdoc_object();
    char key[MINISIGN_PUBLIC_TEXT];

    jdoc_set_bool(signature, "signed", findings.is_signed);
    jdoc_set_bool(signature, "minisig", findings.has_file || findings.is_file_unknown);
    if (!findings.is_signed)
        return signature;
    minisign_name_key(&findings.key, key);
    jdoc_set_text(signature, "key", key);
    jdoc_set_bool(signature, "valid", fits);
    if (fits)
        jdoc_set_text(signature, "comment", findings.comment);
    else
        jdoc_set_text(signature, "why", why.msg);
    return signature;
}

/* The command is a stranger's: what is set here is nobody's business. */
static char *nothing_is_set(const char *name)
{
    (void)name;
    return NULL;
}

/* The word behind -p, --port or --port=; NULL: the command names none. Owned by the caller. */
static char *named_port(const char *command)
{
    cleanup_with(words_release) struct words words = {0};
    struct err ignored = {0};

    if (!words_split(&words, command, nothing_is_set, &ignored))
        return NULL;
    for (char **word = words.items; word != NULL && *word != NULL; word++) {
        if (strncmp(*word, "--port=", 7) == 0)
            return xstrdup(*word + 7);
        if ((strcmp(*word, "-p") == 0 || strcmp(*word, "--port") == 0) && word[1] != NULL)
            return xstrdup(word[1]);
    }
    return NULL;
}

/* Its own, or what the launcher sets. Owned by the caller. */
static char *usual_port(const char *command, size_t number)
{
    const char *own = port_own_default(command);

    return own != NULL ? xstrndup(own, strspn(own, "0123456789"))
                       : xasprintf("%zu", port_of(number));
}

/* number: of the process. Of web alone it is known that it listens. */
static void add_port(struct jdoc *ports, const char *process, const char *command, size_t number)
{
    bool is_asked = port_is_named(command);
    cleanup_free char *named = is_asked ? NULL : named_port(command);
    struct jdoc *port;

    if (!is_asked && named == NULL && strcmp(process, "web") != 0)
        return;
    port = jdoc_object();
    jdoc_set_text(port, "process", process);
    jdoc_set_text(port, "variable", named == NULL ? "PORT" : NULL);
    if (is_asked) {
        cleanup_free char *usual = usual_port(command, number);

        jdoc_set_text(port, "default", usual);
    } else {
        jdoc_set_text(port, "default", named);
    }
    jdoc_push(ports, port);
}

/* "A", or "A or B": one of them must be set. */
static void add_secret(struct jdoc *secrets, const struct launchfile_record *record)
{
    cleanup_free char *text = xstrdup(record->fields[1]);

    for (size_t i = 2; i < record->count; i++)
        text_join(&text, " or ", record->fields[i]);
    jdoc_push_text(secrets, text);
}

static bool read_records(struct launchfile *file, struct jdoc *facts, struct jdoc *ports,
                         struct jdoc *secrets)
{
    struct launchfile_record record;
    size_t processes = 0;

    while (launchfile_next(file, &record)) {
        if (launchfile_is(&record, "process", 2))
            add_port(ports, record.fields[1], record.fields[2], processes++);
        else if (launchfile_is(&record, "secret", 1))
            add_secret(secrets, &record);
        else if (launchfile_is(&record, "health", 1))
            jdoc_set_text(facts, "health", record.fields[1]);
        else if (launchfile_is(&record, "release", 1))
            jdoc_set_text(facts, "release", record.fields[1]);
    }
    return file->at == file->end;
}

/* Without a launch file a bundle does not start, but what is in it can be told. */
static bool read_launch(struct image *image, struct jdoc *facts, struct err *err)
{
    struct jdoc *ports = jdoc_array();
    struct jdoc *secrets = jdoc_array();
    cleanup_free char *text = NULL;
    struct launchfile file;
    size_t size;

    jdoc_set(facts, "ports", ports);
    jdoc_set(facts, "secrets", secrets);
    if (!image_has(image, FORMAT_LAUNCH))
        return true;
    if (!image_read(image, FORMAT_LAUNCH, FORMAT_LAUNCH_MAX, &text, &size, err))
        return false;
    if (launchfile_begin(&file, text, size) && read_records(&file, facts, ports, secrets))
        return true;
    (void)err_set(err, ERR_INPUT, "'" FORMAT_LAUNCH "' is damaged");
    return err_id(err, "E-IMAGE");
}

struct jdoc *facts_of(const struct bundle *bundle, struct image *image, struct err *err)
{
    struct jdoc *facts = jdoc_object();

    if (!read_launch(image, facts, err)) {
        jdoc_free(facts);
        return NULL;
    }
    jdoc_set(facts, "signature", signature_of(bundle));
    return facts;
}
