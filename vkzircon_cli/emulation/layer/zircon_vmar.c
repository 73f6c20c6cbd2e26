// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: mappings into the address space, for programs and for the layer's devices.
#include "zircon_objects.h"

#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>

// A mapping holds a reference to its VMO.
struct mapping {
    zx_vaddr_t start, end;
    struct vmo *vmo;
    uint64_t offset;
    bool for_device;
};

// A balanced tree for <search.h>. Guarded by the table's mutex.
static void *mappings;

// No two mappings overlap, so that a range "equals" each mapping that it overlaps.
static int compare(const void *left, const void *right) {
    const struct mapping *one = left, *other = right;
    if (one->end <= other->start)
        return -1;
    return one->start >= other->end;
}

static struct mapping *find_locked(const struct mapping *range) {
    struct mapping *const *found = tfind(range, &mappings, compare);
    return found ? *found : NULL;
}

static void forget_locked(struct mapping *mapping) {
    tdelete(mapping, &mappings, compare);
    mapping->vmo->num_mappings--;
    object_unref_locked(&mapping->vmo->object);
    free(mapping);
}

static zx_status_t add_locked(struct mapping *mapping) {
    // The program may have unmapped these pages itself.
    for (struct mapping *gone; (gone = find_locked(mapping));)
        forget_locked(gone);
    if (!tsearch(mapping, &mappings, compare))
        return ZX_ERR_NO_MEMORY;
    object_ref_locked(&mapping->vmo->object);
    mapping->vmo->num_mappings++;
    return ZX_OK;
}

// Reserves `length` bytes of address space at a multiple of `alignment`.
static char *reserve(size_t length, size_t alignment) {
    const size_t slack = alignment - zx_system_get_page_size();
    char *start = mmap(NULL, length + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    char *aligned = start + (round_up((uintptr_t)start, alignment) - (uintptr_t)start);
    const size_t before = (size_t)(aligned - start);
    if (before)
        munmap(start, before);
    if (slack > before)
        munmap(aligned + length, slack - before);
    return aligned;
}

// Pages past `backed` stay reserved, so that an access faults as it does past a VMO's end.
static char *map_pages(const struct vmo *vmo, int protection, int flags, uint64_t offset, size_t length, size_t backed,
                       size_t alignment) {
    char *address = reserve(length, alignment);
    if (!address || backed == 0)
        return address;
    if (mmap(address, backed, protection, MAP_SHARED | MAP_FIXED | flags, vmo->memfd, (off_t)(vmo->start + offset)) ==
        MAP_FAILED) {
        munmap(address, length);
        return NULL;
    }
    return address;
}

struct span {
    uint64_t offset;
    size_t length;
    size_t backed;
    size_t alignment;
};

static zx_status_t map_vmo(struct vmo *vmo, int protection, int flags, const struct span *span, bool for_device,
                           zx_vaddr_t *out) {
    struct mapping *mapping = malloc(sizeof *mapping);
    char *address = map_pages(vmo, protection, flags, span->offset, span->length, span->backed, span->alignment);
    zx_status_t status = mapping && address ? ZX_OK : ZX_ERR_NO_MEMORY;
    if (status == ZX_OK) {
        const zx_vaddr_t start = (zx_vaddr_t)address;
        *mapping = (struct mapping){start, start + span->length, vmo, span->offset, for_device};
        table_lock();
        status = add_locked(mapping);
        table_unlock();
    }
    if (status == ZX_OK) {
        *out = (zx_vaddr_t)address;
        return ZX_OK;
    }
    if (address)
        munmap(address, span->length);
    free(mapping);
    return status;
}

#define PERMISSIONS   (ZX_VM_PERM_READ | ZX_VM_PERM_WRITE | ZX_VM_PERM_EXECUTE)
#define KNOWN_OPTIONS (PERMISSIONS | ZX_VM_MAP_RANGE | ZX_VM_REQUIRE_NON_RESIZABLE | ZX_VM_ALLOW_FAULTS)

static const struct permission {
    zx_vm_option_t option;
    zx_rights_t right;
    int protection;
} permissions[] = {
    {ZX_VM_PERM_READ, ZX_RIGHT_READ, PROT_READ},
    {ZX_VM_PERM_WRITE, ZX_RIGHT_WRITE, PROT_WRITE},
    {ZX_VM_PERM_EXECUTE, ZX_RIGHT_EXECUTE, PROT_EXEC},
};

// The sum of what the options ask for.
static struct permission permission_for(zx_vm_option_t options) {
    struct permission sum = {0, 0, PROT_NONE};
    for (size_t i = 0; i < sizeof permissions / sizeof permissions[0]; i++) {
        if (options & permissions[i].option) {
            sum.right |= permissions[i].right;
            sum.protection |= permissions[i].protection;
        }
    }
    return sum;
}

// ZX_VM_PERM_WRITE requires ZX_VM_PERM_READ. The emulation does not offer an offset in the VMAR.
static bool arguments_are_valid(zx_vm_option_t options, size_t vmar_offset, uint64_t vmo_offset, size_t len) {
    const uint64_t page = zx_system_get_page_size();
    const bool write_only = (options & (ZX_VM_PERM_READ | ZX_VM_PERM_WRITE)) == ZX_VM_PERM_WRITE;
    return !(options & ~KNOWN_OPTIONS) && !write_only && vmar_offset == 0 && vmo_offset % page == 0 && len > 0 &&
           len <= SIZE_MAX / 2;
}

static zx_status_t map_checked(struct vmo *vmo, zx_vm_option_t options, uint64_t offset, size_t len, zx_vaddr_t *out) {
    const size_t page = zx_system_get_page_size();
    const size_t length = round_up(len, page);
    if (offset > UINT64_MAX - length)
        return ZX_ERR_OUT_OF_RANGE;
    const bool faults_allowed = options & ZX_VM_ALLOW_FAULTS;
    const bool resizable = vmo->flags & ZX_INFO_VMO_RESIZABLE;
    if (((resizable || vmo->discardable) && !faults_allowed) || (resizable && options & ZX_VM_REQUIRE_NON_RESIZABLE))
        return ZX_ERR_NOT_SUPPORTED;
    const uint64_t there = offset < vmo->size ? vmo->size - offset : 0;
    if (length > there && !faults_allowed)
        return ZX_ERR_BUFFER_TOO_SMALL;
    const struct span span = {offset, length, length < there ? length : (size_t)there, page};
    const int flags = options & ZX_VM_MAP_RANGE ? MAP_POPULATE : 0;
    return map_vmo(vmo, permission_for(options).protection, flags, &span, false, out);
}

static zx_status_t check_vmar(zx_handle_t handle, zx_rights_t needed) {
    struct object *vmar;
    table_lock();
    const zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_VMAR, needed, &vmar, NULL);
    table_unlock();
    return status;
}

zx_status_t zx_vmar_map(zx_handle_t handle, zx_vm_option_t options, size_t vmar_offset, zx_handle_t vmo_handle,
                        uint64_t vmo_offset, size_t len, zx_vaddr_t *mapped_addr) {
    vkz_point(VKZ_POINT_VMAR_MAP);
    const zx_rights_t rights = permission_for(options).right;
    zx_status_t status = check_vmar(handle, rights);
    struct vmo *vmo;
    if (status == ZX_OK)
        status = vmo_acquire(vmo_handle, rights | ZX_RIGHT_MAP, &vmo, NULL);
    if (status != ZX_OK)
        return status;
    if (!mapped_addr || !arguments_are_valid(options, vmar_offset, vmo_offset, len))
        status = ZX_ERR_INVALID_ARGS;
    else
        status = map_checked(vmo, options, vmo_offset, len, mapped_addr);
    vmo_release(vmo);
    return status;
}

zx_status_t vkz_vmo_map(zx_handle_t handle, uint64_t size, zx_vaddr_t *address, size_t *length) {
    struct vmo *vmo;
    zx_status_t status = vmo_acquire(handle, ZX_RIGHT_READ | ZX_RIGHT_WRITE | ZX_RIGHT_MAP, &vmo, NULL);
    if (status != ZX_OK)
        return status;
    const bool too_much = size > vmo->size;
    if (size == 0 || (too_much && !vkz_fault(VKZ_FAULT_IMPORT_IGNORES_SIZE))) {
        status = ZX_ERR_OUT_OF_RANGE;
    } else {
        *length = round_up(size, VKZ_GRANULE);
        const struct span span = {0, *length, too_much ? vmo->size : *length, VKZ_GRANULE};
        status = map_vmo(vmo, PROT_READ | PROT_WRITE, 0, &span, true, address);
    }
    vmo_release(vmo);
    return status;
}

// What vmo_is_pinned_locked() looks for. <search.h> passes no argument.
static struct {
    const struct vmo *vmo;
    uint64_t start, end; // in the memfd
    bool found;
} pinned;

static void look_for_pins(const void *node, VISIT visit, int depth) {
    const struct mapping *mapping = *(const struct mapping *const *)node;
    const uint64_t start = mapping->vmo->start + mapping->offset;
    (void)depth;
    if ((visit == postorder || visit == leaf) && mapping->for_device && mapping->vmo->memfd == pinned.vmo->memfd)
        pinned.found |= start < pinned.end && pinned.start < start + (mapping->end - mapping->start);
}

bool vmo_is_pinned_locked(const struct vmo *vmo, uint64_t offset, uint64_t size) {
    pinned.vmo = vmo;
    pinned.start = vmo->start + offset;
    pinned.end = pinned.start + size;
    pinned.found = false;
    twalk(mappings, look_for_pins);
    return pinned.found;
}

// A mapping that is only partly in the range keeps the rest, which may be two pieces.
static zx_status_t cut_locked(struct mapping *mapping, const struct mapping *range) {
    struct mapping before = *mapping, after = *mapping;
    before.end = range->start;
    after.start = range->end;
    after.offset += range->end - mapping->start;
    const bool keeps_before = mapping->start<range->start, keeps_after = mapping->end> range->end;
    struct mapping *second = keeps_before && keeps_after ? malloc(sizeof *second) : NULL;
    if (keeps_before && keeps_after && !second)
        return ZX_ERR_NO_MEMORY;
    const zx_vaddr_t start = keeps_before ? range->start : mapping->start;
    munmap((void *)start, (keeps_after ? range->end : mapping->end) - start);
    if (!keeps_before && !keeps_after) {
        forget_locked(mapping);
        return ZX_OK;
    }
    *mapping = keeps_before ? before : after; // the order in the tree stays
    if (second) {
        *second = after;
        if (add_locked(second) != ZX_OK)
            free(second); // short of memory, the pages stay mapped
    }
    return ZX_OK;
}

// docs/reference/syscalls/vmar_unmap.md
zx_status_t zx_vmar_unmap(zx_handle_t handle, zx_vaddr_t addr, size_t len) {
    const size_t page = zx_system_get_page_size();
    zx_status_t status = check_vmar(handle, ZX_RIGHT_NONE);
    if (status != ZX_OK)
        return status;
    if (addr % page || len == 0 || len > UINTPTR_MAX - addr - page)
        return ZX_ERR_INVALID_ARGS;
    const struct mapping range = {.start = addr, .end = addr + round_up(len, page)};
    table_lock();
    struct mapping *mapping = find_locked(&range);
    status = mapping ? ZX_OK : ZX_ERR_NOT_FOUND;
    for (; mapping && status == ZX_OK; mapping = find_locked(&range))
        status = cut_locked(mapping, &range);
    table_unlock();
    return status;
}
