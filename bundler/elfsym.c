/* SPDX-License-Identifier: MIT */
#include "bundler/elfsym.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/elf.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

enum { VERSION_INDEX = 0x7fff, VERSION_HIDDEN = 0x8000 };

/* One name by its index in DT_VERSYM. */
struct version {
    const char *name; /* NULL where the index is not used */
    const char *file; /* of DT_VERNEED, or NULL */
    bool is_offered;  /* of DT_VERDEF */
};

struct elfsym_tables {
    const char *strings;
    size_t strings_size;
    const uint8_t *symbols;
    size_t symbol_max;     /* as many as the segment can hold */
    const uint8_t *versym; /* or NULL */
    size_t versym_max;
    struct version *versions;
    size_t version_count;
    size_t version_capacity;
    bool has_verdef;
    const uint8_t *gnu_hash; /* or NULL */
    size_t gnu_hash_size;
    const uint8_t *hash; /* or NULL */
    size_t hash_size;
};

[[gnu::format(printf, 3, 4)]] static bool damaged(struct err *err, const struct elf *elf,
                                                  const char *fmt, ...)
{
    char what[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    (void)err_set(err, ERR_INPUT, "'%s': %s", elf->path, what);
    return err_id(err, "E-ELF");
}

/* Tables need not be aligned in a hostile file. */
static uint32_t word_at(const uint8_t *bytes, size_t index)
{
    uint32_t word;

    memcpy(&word, bytes + index * sizeof(word), sizeof(word));
    return word;
}

static bool find_table(const struct elf *elf, int64_t tag, const char *name, const uint8_t **ret,
                       size_t *ret_size, struct err *err)
{
    uint64_t address;

    if (!elf_dynamic(elf, tag, &address))
        return true;
    *ret = elf_segment_bytes(elf, address, ret_size);
    return *ret != NULL || damaged(err, elf, "%s 0x%llx lies outside of every segment", name,
                                   (unsigned long long)address);
}

static bool find_tables(struct elfsym_tables *tables, const struct elf *elf, struct err *err)
{
    const uint8_t *strings = NULL;
    size_t size = 0;
    uint64_t strings_size = 0;

    if (!find_table(elf, DT_STRTAB, "DT_STRTAB", &strings, &size, err) ||
        !find_table(elf, DT_SYMTAB, "DT_SYMTAB", &tables->symbols, &tables->symbol_max, err) ||
        !find_table(elf, DT_VERSYM, "DT_VERSYM", &tables->versym, &tables->versym_max, err) ||
        !find_table(elf, DT_GNU_HASH, "DT_GNU_HASH", &tables->gnu_hash, &tables->gnu_hash_size,
                    err) ||
        !find_table(elf, DT_HASH, "DT_HASH", &tables->hash, &tables->hash_size, err))
        return false;
    (void)elf_dynamic(elf, DT_STRSZ, &strings_size);
    if (strings_size > size)
        return damaged(err, elf, "DT_STRSZ %llu is larger than its segment",
                       (unsigned long long)strings_size);
    if (strings_size > 0 && strings[strings_size - 1] != '\0')
        return damaged(err, elf, "DT_STRTAB: string without an end");
    tables->strings = (const char *)strings;
    tables->strings_size = (size_t)strings_size;
    tables->symbol_max /= sizeof(Elf64_Sym);
    tables->versym_max /= sizeof(uint16_t);
    return true;
}

/* NULL when it lies outside; the table ends with a NUL, so every string in it has an end. */
static const char *string_at(const struct elfsym_tables *tables, uint64_t offset)
{
    return offset < tables->strings_size ? tables->strings + offset : NULL;
}

static bool symbol_at(const struct elfsym_tables *tables, size_t index, Elf64_Sym *ret)
{
    if (index >= tables->symbol_max)
        return false;
    memcpy(ret, tables->symbols + index * sizeof(*ret), sizeof(*ret));
    return true;
}

/* Without DT_VERSYM no symbol has a version; index 1 means: global, no version. */
static uint16_t versym_at(const struct elfsym_tables *tables, size_t index)
{
    uint16_t value = VER_NDX_GLOBAL;

    if (tables->versym != NULL && index < tables->versym_max)
        memcpy(&value, tables->versym + index * sizeof(value), sizeof(value));
    return value;
}

static void keep_version(struct elfsym_tables *tables, size_t index, struct version version)
{
    while (tables->version_count <= index) {
        tables->versions = xgrow(tables->versions, &tables->version_capacity, tables->version_count,
                                 sizeof(*tables->versions));
        tables->versions[tables->version_count++] = (struct version){0};
    }
    tables->versions[index] = version;
}

/* A chain of records: each says how far the next one is. */
struct chain {
    const uint8_t *bytes;
    size_t size;
    size_t offset;
    size_t left; /* records that may still come: what ends a chain that loops */
};

static bool chain_read(const struct chain *chain, void *ret, size_t size)
{
    if (chain->offset > chain->size || size > chain->size - chain->offset)
        return false;
    memcpy(ret, chain->bytes + chain->offset, size);
    return true;
}

/* False at the end. */
static bool chain_next(struct chain *chain, uint32_t step)
{
    if (step == 0 || step > chain->size - chain->offset)
        return false;
    chain->offset += step;
    return true;
}

static bool read_need_names(struct elfsym *elfsym, size_t *capacity, struct chain chain,
                            uint16_t count, const char *file, struct err *err)
{
    struct elfsym_tables *tables = elfsym->tables;

    for (uint16_t i = 0; i < count; i++) {
        Elf64_Vernaux aux;
        const char *name;

        if (elfsym->need_count == ELFSYM_VERSION_MAX)
            return damaged(err, elfsym->elf, "DT_VERNEED: more than %d versions",
                           ELFSYM_VERSION_MAX);
        if (!chain_read(&chain, &aux, sizeof(aux)) ||
            (name = string_at(tables, aux.vna_name)) == NULL)
            return damaged(err, elfsym->elf, "DT_VERNEED: a version lies outside of the file");
        elfsym->needs = xgrow(elfsym->needs, capacity, elfsym->need_count, sizeof(*elfsym->needs));
        elfsym->needs[elfsym->need_count++] = (struct elfsym_need){
            .file = file, .name = name, .is_weak = (aux.vna_flags & VER_FLG_WEAK) != 0};
        keep_version(tables, aux.vna_other & VERSION_INDEX,
                     (struct version){.name = name, .file = file});
        if (!chain_next(&chain, aux.vna_next))
            break;
    }
    return true;
}

static bool read_needs(struct elfsym *elfsym, struct err *err)
{
    struct chain chain = {.left = ELFSYM_VERSION_MAX};
    size_t capacity = 0;

    if (!find_table(elfsym->elf, DT_VERNEED, "DT_VERNEED", &chain.bytes, &chain.size, err))
        return false;
    while (chain.bytes != NULL) {
        struct chain names = chain;
        Elf64_Verneed need;
        const char *file;

        if (chain.left-- == 0)
            return damaged(err, elfsym->elf, "DT_VERNEED has no end");
        if (!chain_read(&chain, &need, sizeof(need)) || need.vn_version != VER_NEED_CURRENT ||
            (file = string_at(elfsym->tables, need.vn_file)) == NULL)
            return damaged(err, elfsym->elf, "DT_VERNEED: entry 0x%zx cannot be read",
                           chain.offset);
        if (!chain_next(&names, need.vn_aux))
            return damaged(err, elfsym->elf, "DT_VERNEED: entry 0x%zx has no versions",
                           chain.offset);
        if (!read_need_names(elfsym, &capacity, names, need.vn_cnt, file, err))
            return false;
        if (!chain_next(&chain, need.vn_next))
            break;
    }
    return true;
}

static bool read_offers(struct elfsym *elfsym, struct err *err)
{
    struct elfsym_tables *tables = elfsym->tables;
    struct chain chain = {.left = ELFSYM_VERSION_MAX};

    if (!find_table(elfsym->elf, DT_VERDEF, "DT_VERDEF", &chain.bytes, &chain.size, err))
        return false;
    tables->has_verdef = chain.bytes != NULL;
    while (chain.bytes != NULL) {
        struct chain names = chain;
        Elf64_Verdef def;
        Elf64_Verdaux aux;
        const char *name;

        if (chain.left-- == 0)
            return damaged(err, elfsym->elf, "DT_VERDEF has no end");
        if (!chain_read(&chain, &def, sizeof(def)) || def.vd_version != VER_DEF_CURRENT ||
            !chain_next(&names, def.vd_aux) || !chain_read(&names, &aux, sizeof(aux)) ||
            (name = string_at(tables, aux.vda_name)) == NULL)
            return damaged(err, elfsym->elf, "DT_VERDEF: entry 0x%zx cannot be read", chain.offset);
        /* VER_FLG_BASE is the name of the object itself, which nobody asks for. */
        if ((def.vd_flags & VER_FLG_BASE) == 0)
            keep_version(tables, def.vd_ndx & VERSION_INDEX,
                         (struct version){.name = name, .is_offered = true});
        if (!chain_next(&chain, def.vd_next))
            break;
    }
    return true;
}

/* The table of relocations for calls, and that for everything else. */
struct relocations {
    const uint8_t *bytes;
    size_t count;
};

static bool find_relocations(struct relocations *ret, const struct elf *elf, int64_t tag,
                             int64_t size_tag, const char *name, struct err *err)
{
    uint64_t size_bytes = 0;
    size_t left = 0;

    if (!find_table(elf, tag, name, &ret->bytes, &left, err))
        return false;
    (void)elf_dynamic(elf, size_tag, &size_bytes);
    if (ret->bytes == NULL || size_bytes == 0)
        return true;
    if (size_bytes > left)
        return damaged(err, elf, "%s is larger than its segment", name);
    ret->count = (size_t)size_bytes / sizeof(Elf64_Rela);
    if (ret->count > ELFSYM_REF_MAX)
        return damaged(err, elf, "%s: %zu relocations", name, ret->count);
    return true;
}

static bool binds_now(const struct elf *elf)
{
    uint64_t flags = 0;

    return elf_dynamic(elf, DT_BIND_NOW, &flags) || (elf->flags_1 & DF_1_NOW) != 0 ||
           (elf_dynamic(elf, DT_FLAGS, &flags) && (flags & DF_BIND_NOW) != 0);
}

/* Which symbols have been taken, as bits; grows with the largest index. */
struct seen {
    uint8_t *bits;
    size_t size;
};

static void seen_release(struct seen *seen)
{
    free(seen->bits);
}

static bool seen_before(struct seen *seen, size_t index)
{
    bool was;

    if (index / 8 >= seen->size) {
        size_t size = 2 * (index / 8 + 1);

        seen->bits = xrealloc_array(seen->bits, size, 1);
        memset(seen->bits + seen->size, 0, size - seen->size);
        seen->size = size;
    }
    was = (seen->bits[index / 8] >> (index % 8) & 1) != 0;
    seen->bits[index / 8] |= (uint8_t)(1U << (index % 8));
    return was;
}

static bool take_ref(struct elfsym *elfsym, size_t *capacity, size_t index, bool is_lazy,
                     struct seen *seen, struct err *err)
{
    const struct elfsym_tables *tables = elfsym->tables;
    size_t version = versym_at(tables, index) & VERSION_INDEX;
    struct elfsym_ref ref = {.is_lazy = is_lazy};
    Elf64_Sym symbol;

    if (!symbol_at(tables, index, &symbol))
        return damaged(err, elfsym->elf, "a relocation names symbol %zu, behind DT_SYMTAB", index);
    /* Not before: of an index that is no symbol's, the bits could be larger than the file. */
    if (seen_before(seen, index))
        return true;
    if (symbol.st_shndx != SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) != STB_GLOBAL)
        return true;
    ref.name = string_at(tables, symbol.st_name);
    if (ref.name == NULL)
        return damaged(err, elfsym->elf, "symbol %zu: its name lies outside of DT_STRTAB", index);
    if (version < tables->version_count) {
        ref.version = tables->versions[version].name;
        ref.file = tables->versions[version].file;
    }
    elfsym->refs = xgrow(elfsym->refs, capacity, elfsym->ref_count, sizeof(*elfsym->refs));
    elfsym->refs[elfsym->ref_count++] = ref;
    return true;
}

static bool take_refs(struct elfsym *elfsym, const struct relocations *all, bool is_lazy,
                      size_t *capacity, struct seen *seen, struct err *err)
{
    for (size_t i = 0; i < all->count; i++) {
        Elf64_Rela entry;
        size_t index;

        memcpy(&entry, all->bytes + i * sizeof(entry), sizeof(entry));
        index = ELF64_R_SYM(entry.r_info);
        if (index != STN_UNDEF && !take_ref(elfsym, capacity, index, is_lazy, seen, err))
            return false;
    }
    return true;
}

/* Data first: a symbol that both name is needed at load. DT_RELR names no symbols. */
static bool read_refs(struct elfsym *elfsym, struct err *err)
{
    const struct elf *elf = elfsym->elf;
    struct relocations data = {0};
    struct relocations calls = {0};
    cleanup_with(seen_release) struct seen seen = {0};
    size_t capacity = 0;

    if (!find_relocations(&data, elf, DT_RELA, DT_RELASZ, "DT_RELA", err) ||
        !find_relocations(&calls, elf, DT_JMPREL, DT_PLTRELSZ, "DT_JMPREL", err))
        return false;
    /* Some linkers count the calls, which follow, as data as well (dl-machine.h, ranges[]). */
    if (calls.count > 0 && data.count >= calls.count &&
        calls.bytes == data.bytes + (data.count - calls.count) * sizeof(Elf64_Rela))
        data.count -= calls.count;
    return take_refs(elfsym, &data, false, &capacity, &seen, err) &&
           take_refs(elfsym, &calls, !binds_now(elf), &capacity, &seen, err);
}

bool elfsym_read(struct elfsym *ret, const struct elf *elf, struct err *err)
{
    struct elfsym elfsym = {.elf = elf, .tables = xcalloc(1, sizeof(*elfsym.tables))};
    bool ok = elf->elf_class == ELFCLASS64 && elf->encoding == ELFDATA2LSB;

    if (!ok)
        (void)damaged(err, elf, "is not an object of 64 bits, little-endian");
    if (!ok || !find_tables(elfsym.tables, elf, err) || !read_needs(&elfsym, err) ||
        !read_offers(&elfsym, err) || !read_refs(&elfsym, err)) {
        elfsym_release(&elfsym);
        return false;
    }
    *ret = elfsym;
    return true;
}

void elfsym_release(struct elfsym *elfsym)
{
    if (elfsym == NULL)
        return;
    free(elfsym->needs);
    free(elfsym->refs);
    if (elfsym->tables != NULL)
        free(elfsym->tables->versions);
    free(elfsym->tables);
    *elfsym = (struct elfsym){0};
}

bool elfsym_has_versions(const struct elfsym *elfsym)
{
    return elfsym->tables != NULL && elfsym->tables->has_verdef;
}

bool elfsym_offers_version(const struct elfsym *elfsym, const char *version)
{
    const struct elfsym_tables *tables = elfsym->tables;

    for (size_t i = 0; tables != NULL && i < tables->version_count; i++)
        if (tables->versions[i].is_offered && strcmp(tables->versions[i].name, version) == 0)
            return true;
    return false;
}

/* dl-lookup.c, check_match(): index 1 is the object's base version; a hidden symbol is only for
 * those who ask for its version. */
static bool version_fits(const struct elfsym_tables *tables, size_t index,
                         const struct elfsym_ref *ref)
{
    uint16_t value = versym_at(tables, index);
    size_t version = value & VERSION_INDEX;
    const char *name = version < tables->version_count ? tables->versions[version].name : NULL;

    if (tables->versym == NULL)
        return true;
    if (ref->version == NULL)
        return (value & VERSION_HIDDEN) == 0 || version < 3;
    if (name != NULL)
        return strcmp(name, ref->version) == 0;
    return (value & VERSION_HIDDEN) == 0;
}

static bool symbol_fits(const struct elfsym_tables *tables, size_t index,
                        const struct elfsym_ref *ref)
{
    Elf64_Sym symbol;
    const char *name;

    if (!symbol_at(tables, index, &symbol) || symbol.st_shndx == SHN_UNDEF)
        return false;
    if (symbol.st_value == 0 && symbol.st_shndx != SHN_ABS &&
        ELF64_ST_TYPE(symbol.st_info) != STT_TLS)
        return false;
    if (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL)
        return false;
    name = string_at(tables, symbol.st_name);
    return name != NULL && strcmp(name, ref->name) == 0 && version_fits(tables, index, ref);
}

static uint32_t gnu_hash_of(const char *name)
{
    uint32_t hash = 5381;

    for (const unsigned char *at = (const unsigned char *)name; *at != '\0'; at++)
        hash = hash * 33 + *at;
    return hash;
}

/* nbuckets, symoffset, bloom_size, bloom_shift; bloom_size words of 64 bits; buckets; chains,
 * which are as long as the symbols are many and end with an odd number. */
static bool gnu_hash_defines(const struct elfsym_tables *tables, const struct elfsym_ref *ref)
{
    size_t words = tables->gnu_hash_size / sizeof(uint32_t);
    uint32_t hash = gnu_hash_of(ref->name);
    size_t bucket_count;
    size_t first;
    size_t buckets;
    size_t index;

    if (words < 4 || word_at(tables->gnu_hash, 0) == 0)
        return false;
    bucket_count = word_at(tables->gnu_hash, 0);
    first = word_at(tables->gnu_hash, 1);
    buckets = 4 + 2 * (size_t)word_at(tables->gnu_hash, 2);
    if (buckets > words || bucket_count > words - buckets)
        return false;
    index = word_at(tables->gnu_hash, buckets + hash % bucket_count);
    for (; index >= first; index++) {
        size_t at = buckets + bucket_count + (index - first);
        uint32_t value;

        if (at >= words)
            return false;
        value = word_at(tables->gnu_hash, at);
        if ((value | 1) == (hash | 1) && symbol_fits(tables, index, ref))
            return true;
        if ((value & 1) != 0)
            return false;
    }
    return false;
}

static uint32_t sysv_hash_of(const char *name)
{
    uint32_t hash = 0;

    for (const unsigned char *at = (const unsigned char *)name; *at != '\0'; at++) {
        hash = (hash << 4) + *at;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    return hash;
}

/* nbucket, nchain; buckets; chains, each entry the index of the next one, 0 at the end. */
static bool sysv_hash_defines(const struct elfsym_tables *tables, const struct elfsym_ref *ref)
{
    size_t words = tables->hash_size / sizeof(uint32_t);
    size_t bucket_count;
    size_t chain_count;
    size_t index;

    if (words < 2 || word_at(tables->hash, 0) == 0)
        return false;
    bucket_count = word_at(tables->hash, 0);
    chain_count = word_at(tables->hash, 1);
    if (bucket_count > words - 2 || chain_count > words - 2 - bucket_count)
        return false;
    index = word_at(tables->hash, 2 + sysv_hash_of(ref->name) % bucket_count);
    for (size_t step = 0; index != STN_UNDEF && index < chain_count && step < chain_count; step++) {
        if (symbol_fits(tables, index, ref))
            return true;
        index = word_at(tables->hash, 2 + bucket_count + index);
    }
    return false;
}

bool elfsym_defines(const struct elfsym *elfsym, const struct elfsym_ref *ref)
{
    const struct elfsym_tables *tables = elfsym->tables;

    if (tables == NULL || tables->symbols == NULL)
        return false;
    return tables->gnu_hash != NULL ? gnu_hash_defines(tables, ref)
                                    : tables->hash != NULL && sysv_hash_defines(tables, ref);
}
