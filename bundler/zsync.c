/* SPDX-License-Identifier: MIT */
#include "bundler/zsync.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <md4.h>
#include <sha1.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/text.h"
#include "common/xalloc.h"

enum {
    BLOCK_SMALL = 2048,
    BLOCK_LARGE = 4096,
    LARGE_FROM = 100000000, /* bytes of a file */
    RSUM_BYTES = 4,
    RSUM_BYTES_MIN = 2,
};

/* How much of each hash tells the blocks of one file apart. */
struct lengths {
    uint32_t block;
    int matches; /* so many blocks in a row must match */
    int rsum;
    int md4;
};

static struct lengths lengths_for(uint64_t size)
{
    struct lengths lengths = {.block = size < LARGE_FROM ? BLOCK_SMALL : BLOCK_LARGE};
    double bits = log2((double)size);
    uint64_t whole = size / lengths.block;
    double blocks = log2((double)(1 + whole));
    int least;

    lengths.matches = size > lengths.block ? 2 : 1;
    lengths.rsum = (int)ceil((bits + log2(lengths.block) - 8.6) / lengths.matches / 8);
    lengths.rsum = lengths.rsum > RSUM_BYTES ? RSUM_BYTES : lengths.rsum;
    lengths.rsum = lengths.rsum < RSUM_BYTES_MIN ? RSUM_BYTES_MIN : lengths.rsum;
    lengths.md4 = (int)ceil((20 + bits + blocks) / lengths.matches / 8);
    least = (int)((7.9 + 20 + blocks) / 8);
    lengths.md4 = lengths.md4 < least ? least : lengths.md4;
    lengths.md4 = lengths.md4 > MD4_DIGEST_LENGTH ? MD4_DIGEST_LENGTH : lengths.md4;
    return lengths;
}

/* Two sums of 16 bits, big-endian, of which the second weighs a byte by its distance to the end. */
static void rsum(const uint8_t *block, uint32_t size, uint8_t ret[RSUM_BYTES])
{
    uint32_t plain = 0;
    uint32_t weighed = 0;

    for (uint32_t i = 0; i < size; i++) {
        plain += block[i];
        weighed += (size - i) * block[i];
    }
    ret[0] = (uint8_t)(plain >> 8);
    ret[1] = (uint8_t)plain;
    ret[2] = (uint8_t)(weighed >> 8);
    ret[3] = (uint8_t)weighed;
}

/* The last one is filled up with zeros. */
static bool read_block(const struct zsync_input *input, uint64_t offset, uint8_t *block,
                       uint32_t size, struct err *err)
{
    size_t have = 0;
    size_t want = input->size_bytes - offset < size ? (size_t)(input->size_bytes - offset) : size;

    memset(block, 0, size);
    while (have < want) {
        ssize_t length = pread(input->fd, block + have, want - have, (off_t)(offset + have));

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "read");
        if (length == 0) {
            (void)err_set(err, ERR_INPUT, "the file was cut off while it was read");
            return err_id(err, "E-TRUNCATED");
        }
        have += (size_t)length;
    }
    return true;
}

static uint8_t *add_block(const struct lengths *lengths, const uint8_t *block, uint8_t *to)
{
    uint8_t sum[RSUM_BYTES];
    uint8_t digest[MD4_DIGEST_LENGTH];
    MD4_CTX md4;

    rsum(block, lengths->block, sum);
    memcpy(to, sum + RSUM_BYTES - lengths->rsum, (size_t)lengths->rsum);
    MD4Init(&md4);
    MD4Update(&md4, block, lengths->block);
    MD4Final(digest, &md4);
    memcpy(to + lengths->rsum, digest, (size_t)lengths->md4);
    return to + lengths->rsum + lengths->md4;
}

static bool check_line(const char *what, const char *text, struct err *err)
{
    if (text[0] != '\0' && text_is_plain(text))
        return true;
    (void)err_set(err, ERR_INPUT, "%s: it is empty, or holds a control character", what);
    return err_id(err, "E-NAME");
}

static void to_hex(const uint8_t *bytes, size_t size, char *ret)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * size] = '\0';
}

static char *header_of(const struct zsync_input *input, const struct lengths *lengths,
                       SHA1_CTX *sha1)
{
    uint8_t digest[SHA1_DIGEST_LENGTH];
    char hex[2 * SHA1_DIGEST_LENGTH + 1];

    SHA1Final(digest, sha1);
    to_hex(digest, sizeof(digest), hex);
    return xasprintf("zsync: 0.6.2\nFilename: %s\nBlocksize: %u\nLength: %llu\n"
                     "Hash-Lengths: %d,%d,%d\nURL: %s\nSHA-1: %s\n\n",
                     input->name, lengths->block, (unsigned long long)input->size_bytes,
                     lengths->matches, lengths->rsum, lengths->md4, input->url, hex);
}

bool zsync_write(const struct zsync_input *input, int fd, struct err *err)
{
    struct lengths lengths = lengths_for(input->size_bytes);
    uint64_t blocks = (input->size_bytes + lengths.block - 1) / lengths.block;
    cleanup_free uint8_t *block = xcalloc(lengths.block, 1);
    cleanup_free uint8_t *sums = NULL;
    cleanup_free char *header = NULL;
    uint8_t *end;
    SHA1_CTX sha1;

    if (!check_line("name", input->name, err) || !check_line("URL", input->url, err))
        return false;
    sums = xcalloc((size_t)blocks + 1, (size_t)lengths.rsum + (size_t)lengths.md4);
    end = sums;
    SHA1Init(&sha1);
    for (uint64_t at = 0; at < input->size_bytes; at += lengths.block) {
        uint64_t rest = input->size_bytes - at;

        if (!read_block(input, at, block, lengths.block, err))
            return false;
        SHA1Update(&sha1, block, rest < lengths.block ? (size_t)rest : lengths.block);
        end = add_block(&lengths, block, end);
    }
    header = header_of(input, &lengths, &sha1);
    return fs_write_all(fd, header, strlen(header), err) &&
           fs_write_all(fd, sums, (size_t)(end - sums), err);
}
