/* SPDX-License-Identifier: MIT */
#include "bundler/demand.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "bundler/elf.h"

/* Bytes that are read from the front. */
struct cursor {
    const uint8_t *at;
    size_t left;
};

static bool skip(struct cursor *cursor, size_t size)
{
    if (size > cursor->left)
        return false;
    cursor->at += size;
    cursor->left -= size;
    return true;
}

static bool take_word(struct cursor *cursor, uint32_t *ret)
{
    const uint8_t *at = cursor->at;

    if (!skip(cursor, sizeof(*ret)))
        return false;
    memcpy(ret, at, sizeof(*ret));
    return true;
}

/* Padding may be missing behind the last one. */
static void skip_padded(struct cursor *cursor, size_t size, size_t align)
{
    size_t padded = (size + align - 1) / align * align;

    (void)skip(cursor, padded < cursor->left ? padded : cursor->left);
}

static void read_abi_tag(struct demand *demand, struct cursor text)
{
    uint32_t words[4] = {0};

    for (size_t i = 0; i < 4; i++)
        if (!take_word(&text, &words[i]))
            return;
    if (words[0] == ELF_NOTE_OS_LINUX && words[1] < 256 && words[2] < 256 && words[3] < 256)
        demand->linux_version = words[1] << 16 | words[2] << 8 | words[3];
}

/* Properties: type, size, data padded to 8 bytes. */
static void read_properties(struct demand *demand, struct cursor text)
{
    uint32_t type;
    uint32_t size;
    uint32_t bits;

    while (take_word(&text, &type) && take_word(&text, &size) && size <= text.left) {
        struct cursor data = {text.at, size};

        if (type == GNU_PROPERTY_X86_ISA_1_NEEDED && take_word(&data, &bits)) {
            for (unsigned int level = 1; level <= 4; level++)
                if ((bits >> (level - 1) & 1) != 0)
                    demand->cpu_level = level;
        }
        skip_padded(&text, size, 8);
    }
}

static void read_notes(struct demand *demand, struct cursor notes, size_t align)
{
    uint32_t name_size;
    uint32_t size;
    uint32_t type;

    while (take_word(&notes, &name_size) && take_word(&notes, &size) && take_word(&notes, &type)) {
        bool is_gnu = name_size == sizeof(ELF_NOTE_GNU) && name_size <= notes.left &&
                      memcmp(notes.at, ELF_NOTE_GNU, name_size) == 0;

        if (name_size > notes.left)
            return;
        skip_padded(&notes, name_size, 4);
        if (size > notes.left)
            return;
        if (is_gnu && type == NT_GNU_ABI_TAG)
            read_abi_tag(demand, (struct cursor){notes.at, size});
        if (is_gnu && type == NT_GNU_PROPERTY_TYPE_0)
            read_properties(demand, (struct cursor){notes.at, size});
        skip_padded(&notes, size, align);
    }
}

struct demand demand_of(const struct elf *elf)
{
    struct demand demand = {0};
    Elf64_Ehdr header;
    Elf64_Phdr phdr;

    if (elf->elf_class != ELFCLASS64 || elf->encoding != ELFDATA2LSB)
        return demand;
    memcpy(&header, elf->bytes, sizeof(header));
    for (size_t i = 0; header.e_phentsize == sizeof(phdr) && i < header.e_phnum; i++) {
        uint64_t offset = header.e_phoff + i * sizeof(phdr);

        if (offset > elf->size_bytes || sizeof(phdr) > elf->size_bytes - offset)
            break;
        memcpy(&phdr, elf->bytes + offset, sizeof(phdr));
        if (phdr.p_type == PT_NOTE && phdr.p_offset <= elf->size_bytes &&
            phdr.p_filesz <= elf->size_bytes - phdr.p_offset)
            read_notes(&demand, (struct cursor){elf->bytes + phdr.p_offset, phdr.p_filesz},
                       phdr.p_align == 8 ? 8 : 4);
    }
    return demand;
}
