/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The on-disk format of a bundle: its only definition. docs/format.md is the specification.
 *
 *     0              ELF stub; "AI\x02" at byte 8; section header table last
 *     image_offset   squashfs 4.0 image (the ELF end; a multiple of FORMAT_ALIGN)
 *     image_offset + image_size   end of file; of a capsule, a snapshot and a trailer
 *
 * The stub reserves the sections below. `.rucksack` holds one struct format_header, little-endian,
 * all zero in a stub without an image. All readers check magic, version, offset and size against
 * the file before they believe anything else.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define FORMAT_SECTION ".rucksack"
#define FORMAT_MAGIC "RUCKSACK"
#define FORMAT_UPD_INFO_SECTION ".upd_info"

enum {
    FORMAT_VERSION = 1,
    FORMAT_ALIGN = 4096,
    FORMAT_HASH_SIZE = 32, /* BLAKE2b-256, RFC 7693 */
    FORMAT_NAME_SIZE = 64, /* NUL-terminated */
    FORMAT_RESERVED_SIZE = 432,
    FORMAT_COMMENT_SIZE = 254, /* of a signature; NUL-terminated */
    FORMAT_SIGNATURE_OFFSET = 168,
    FORMAT_SUMS_OFFSET = 64, /* stub_hash and checksum: what cannot sum itself */
    FORMAT_SUMS_SIZE = 40,
    FORMAT_HEADER_SIZE = 1024,
    FORMAT_UPD_INFO_SIZE = 1024,   /* section FORMAT_UPD_INFO_SECTION */
    FORMAT_SHA256_SIG_SIZE = 1024, /* section .sha256_sig */
    FORMAT_SIG_KEY_SIZE = 8192,    /* section .sig_key */
    FORMAT_DIGEST_MD5_SIZE = 16,   /* section .digest_md5 */
};

enum format_kind {
    FORMAT_KIND_NONE,
    FORMAT_KIND_APP,
    FORMAT_KIND_CLI,
};

/* Of the file, by minisign's rules (minisign.h); all zero in one that is not signed. */
struct format_signature {
    uint8_t algorithm[2]; /* "ED" */
    uint8_t id[8];        /* of the key */
    uint8_t key[32];      /* Ed25519, public */
    uint8_t signature[64];
    uint8_t comment_signature[64];
    char comment[FORMAT_COMMENT_SIZE]; /* zero behind its end */
};

struct format_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t kind;
    uint64_t image_offset;                /* bytes from the start of the file */
    uint64_t image_size;                  /* bytes */
    uint8_t image_hash[FORMAT_HASH_SIZE]; /* of the image's bytes */
    uint8_t stub_hash[FORMAT_HASH_SIZE];  /* of bytes 0 to image_offset, this field read as zero */
    uint64_t checksum;                    /* XXH3-64 of the file, this and stub_hash as zero */
    char name[FORMAT_NAME_SIZE];          /* the app's identity */
    struct format_signature signature;    /* of the file, this, checksum and stub_hash as zero */
    uint8_t reserved[FORMAT_RESERVED_SIZE];
};

static_assert(offsetof(struct format_header, image_hash) == 32);
static_assert(offsetof(struct format_header, stub_hash) == FORMAT_SUMS_OFFSET);
static_assert(offsetof(struct format_header, name) == FORMAT_SUMS_OFFSET + FORMAT_SUMS_SIZE);
static_assert(offsetof(struct format_header, signature) == FORMAT_SIGNATURE_OFFSET);
static_assert(sizeof(struct format_signature) == 424);
static_assert(sizeof(struct format_header) == FORMAT_HEADER_SIZE);

/*
 * The end of a capsule, a bundle that a snapshot of its state follows:
 *
 *     snapshot_offset   the snapshot (the end of the image)
 *     end - FORMAT_TRAILER_SIZE   struct format_trailer, little-endian
 */
#define FORMAT_TRAILER_MAGIC "RUCKSNAP"

enum { FORMAT_TRAILER_VERSION = 1, FORMAT_TRAILER_SIZE = 128 };

struct format_trailer {
    uint8_t magic[8];
    uint32_t version;
    uint32_t reserved;
    uint64_t snapshot_offset;                /* bytes from the start of the file */
    uint64_t snapshot_size;                  /* bytes */
    uint8_t snapshot_hash[FORMAT_HASH_SIZE]; /* BLAKE2b-256 of the snapshot's bytes */
    uint8_t trailer_hash[FORMAT_HASH_SIZE];  /* of the bytes of the trailer before this field */
    uint8_t padding[32];                     /* zero */
};

static_assert(offsetof(struct format_trailer, trailer_hash) == 64);
static_assert(sizeof(struct format_trailer) == FORMAT_TRAILER_SIZE);

/* A variable by which the stub tells the launcher which bundle it has mounted, and the launcher the
 * verb `service`: hash of the image, then of the stub, in hexadecimal. Nobody else gets to see it.
 */
#define FORMAT_IDENTITY "RUCKSACK_IDENTITY"

/* Ruby's variable for the slots its heap begins with, and what a value of the launcher's begins
 * with: strtoll(3), by which Ruby reads it, takes the sign, which nobody else writes. */
#define FORMAT_HEAP "RUBY_GC_HEAP_INIT_SLOTS"
#define FORMAT_HEAP_MARK '+'

enum { FORMAT_IDENTITY_SIZE = 4 * FORMAT_HASH_SIZE + 1 };

/* Lower case, with a NUL: ret has 2 * size + 1 bytes. */
static inline void format_hex(const uint8_t *bytes, size_t size, char *ret)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * size] = '\0';
}

/* The value of FORMAT_IDENTITY for a bundle with that header. */
static inline void format_identity(const struct format_header *header,
                                   char ret[FORMAT_IDENTITY_SIZE])
{
    format_hex(header->image_hash, FORMAT_HASH_SIZE, ret);
    format_hex(header->stub_hash, FORMAT_HASH_SIZE, ret + 2 * FORMAT_HASH_SIZE);
}

/* Paths inside the image; each is relative to the image root. */
#define FORMAT_DIR ".rucksack"
#define FORMAT_LAUNCH ".rucksack/launch"          /* see launchfile.h */
#define FORMAT_MANIFEST ".rucksack/manifest.json" /* what `rucksack inspect` shows */
#define FORMAT_SBOM ".rucksack/sbom.json" /* CycloneDX: what `rucksack inspect --sbom` shows */
#define FORMAT_LICENSES ".rucksack/licenses"
#define FORMAT_GUEST ".rucksack/guest.so"
#define FORMAT_KEEPER ".rucksack/keeper"   /* snapshots; only where there is state to keep */
#define FORMAT_SERVICE ".rucksack/service" /* the verb `service`; of applications */
#define FORMAT_ISEQS ".rucksack/iseqs"     /* compiled sources, see iseqpack.h */
#define FORMAT_PROFILE ".rucksack/profile" /* what a start reads, see launchfile.h */
#define FORMAT_NAMES ".rucksack/names"     /* see nametable.h: all paths of the image */
#define FORMAT_LOADPATH_DIR ".rucksack/l"  /* Ruby's load path where no other one fits */
#define FORMAT_APP_DIR "app"
#define FORMAT_GEM_DIR "gems"

enum {
    FORMAT_LAUNCH_MAX = 1 << 20,    /* bytes of FORMAT_LAUNCH */
    FORMAT_MANIFEST_MAX = 64 << 20, /* bytes of FORMAT_MANIFEST, and of FORMAT_SBOM */
    /* Bytes of a file that is read ahead: of a larger one, as data of ICU, a start needs little. */
    FORMAT_PROFILE_READ_MAX = 8 << 20,
};
