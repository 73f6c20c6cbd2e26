// SPDX-License-Identifier: Apache-2.0
#include "chain.h"

#include <pthread.h>

// Held for reading while a chain is read, and for writing from the first redirection to chain_restore(), so that no
// thread reads a chain that is redirected for another thread's call.
static pthread_rwlock_t chains = PTHREAD_RWLOCK_INITIALIZER;

// All structs in these headers that extend VkMemoryAllocateInfo, VkBufferCreateInfo, VkImageCreateInfo or
// VkPhysicalDeviceImageFormatInfo2 on this platform.
static size_t known_size(VkStructureType type) {
    switch (type) {
#define KNOWN(type, name)                                                                                              \
    case VK_STRUCTURE_TYPE_##type:                                                                                     \
        return sizeof(name);
        KNOWN(BUFFER_COLLECTION_BUFFER_CREATE_INFO_FUCHSIA, VkBufferCollectionBufferCreateInfoFUCHSIA)
        KNOWN(BUFFER_COLLECTION_IMAGE_CREATE_INFO_FUCHSIA, VkBufferCollectionImageCreateInfoFUCHSIA)
        KNOWN(BUFFER_DEVICE_ADDRESS_CREATE_INFO_EXT, VkBufferDeviceAddressCreateInfoEXT)
        KNOWN(BUFFER_OPAQUE_CAPTURE_ADDRESS_CREATE_INFO, VkBufferOpaqueCaptureAddressCreateInfo)
        KNOWN(DEDICATED_ALLOCATION_BUFFER_CREATE_INFO_NV, VkDedicatedAllocationBufferCreateInfoNV)
        KNOWN(DEDICATED_ALLOCATION_IMAGE_CREATE_INFO_NV, VkDedicatedAllocationImageCreateInfoNV)
        KNOWN(DEDICATED_ALLOCATION_MEMORY_ALLOCATE_INFO_NV, VkDedicatedAllocationMemoryAllocateInfoNV)
        KNOWN(EXPORT_MEMORY_ALLOCATE_INFO, VkExportMemoryAllocateInfo)
        KNOWN(EXPORT_MEMORY_ALLOCATE_INFO_NV, VkExportMemoryAllocateInfoNV)
        KNOWN(EXTERNAL_MEMORY_BUFFER_CREATE_INFO, VkExternalMemoryBufferCreateInfo)
        KNOWN(EXTERNAL_MEMORY_IMAGE_CREATE_INFO, VkExternalMemoryImageCreateInfo)
        KNOWN(EXTERNAL_MEMORY_IMAGE_CREATE_INFO_NV, VkExternalMemoryImageCreateInfoNV)
        KNOWN(IMAGE_COMPRESSION_CONTROL_EXT, VkImageCompressionControlEXT)
        KNOWN(IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT, VkImageDrmFormatModifierExplicitCreateInfoEXT)
        KNOWN(IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT, VkImageDrmFormatModifierListCreateInfoEXT)
        KNOWN(IMAGE_FORMAT_LIST_CREATE_INFO, VkImageFormatListCreateInfo)
        KNOWN(IMAGE_STENCIL_USAGE_CREATE_INFO, VkImageStencilUsageCreateInfo)
        KNOWN(IMAGE_SWAPCHAIN_CREATE_INFO_KHR, VkImageSwapchainCreateInfoKHR)
        KNOWN(IMPORT_MEMORY_BUFFER_COLLECTION_FUCHSIA, VkImportMemoryBufferCollectionFUCHSIA)
        KNOWN(IMPORT_MEMORY_FD_INFO_KHR, VkImportMemoryFdInfoKHR)
        KNOWN(IMPORT_MEMORY_HOST_POINTER_INFO_EXT, VkImportMemoryHostPointerInfoEXT)
        KNOWN(IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA, VkImportMemoryZirconHandleInfoFUCHSIA)
        KNOWN(MEMORY_ALLOCATE_FLAGS_INFO, VkMemoryAllocateFlagsInfo)
        KNOWN(MEMORY_DEDICATED_ALLOCATE_INFO, VkMemoryDedicatedAllocateInfo)
        KNOWN(MEMORY_OPAQUE_CAPTURE_ADDRESS_ALLOCATE_INFO, VkMemoryOpaqueCaptureAddressAllocateInfo)
        KNOWN(MEMORY_PRIORITY_ALLOCATE_INFO_EXT, VkMemoryPriorityAllocateInfoEXT)
        KNOWN(OPAQUE_CAPTURE_DESCRIPTOR_DATA_CREATE_INFO_EXT, VkOpaqueCaptureDescriptorDataCreateInfoEXT)
        KNOWN(OPTICAL_FLOW_IMAGE_FORMAT_INFO_NV, VkOpticalFlowImageFormatInfoNV)
        KNOWN(PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO, VkPhysicalDeviceExternalImageFormatInfo)
        KNOWN(PHYSICAL_DEVICE_IMAGE_DRM_FORMAT_MODIFIER_INFO_EXT, VkPhysicalDeviceImageDrmFormatModifierInfoEXT)
        KNOWN(PHYSICAL_DEVICE_IMAGE_VIEW_IMAGE_FORMAT_INFO_EXT, VkPhysicalDeviceImageViewImageFormatInfoEXT)
        KNOWN(VIDEO_PROFILE_LIST_INFO_KHR, VkVideoProfileListInfoKHR)
#undef KNOWN
    default:
        return 0;
    }
}

const void *chain_find(const void *first, VkStructureType type) {
    const VkBaseInStructure *node = first;
    while (node && node->sType != type)
        node = node->pNext;
    return node;
}

bool chain_read(const void *first, VkStructureType type, void *copy, size_t size) {
    pthread_rwlock_rdlock(&chains);
    const void *found = chain_find(first, type);
    if (found)
        memcpy(copy, found, size);
    pthread_rwlock_unlock(&chains);
    return found;
}

static const struct chain_rule *rule_for(const VkBaseInStructure *node, const struct chain_rule *rules, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (rules[i].type == node->sType)
            return &rules[i];
    }
    return NULL;
}

static const VkBaseInStructure *last_ruled(const VkBaseInStructure *first, const struct chain_rule *rules, size_t n) {
    const VkBaseInStructure *last = NULL;
    for (const VkBaseInStructure *node = first; node; node = node->pNext) {
        if (rule_for(node, rules, n))
            last = node;
    }
    return last;
}

// NULL if the size is unknown or no space is left.
static VkBaseOutStructure *copy_node(struct chain *chain, const VkBaseInStructure *node) {
    const size_t size = known_size(node->sType);
    if (!size || size > CHAIN_BYTES - chain->used)
        return NULL;
    void *copy = memcpy(chain->copies + chain->used, node, size);
    chain->used += (size + 15) & ~(size_t)15;
    return copy;
}

// The last struct so far, and whether it belongs to the application.
struct tail {
    VkBaseOutStructure *node;
    bool foreign;
};

// False if the application's struct would have to be written to and `redirects` is not set.
static bool append(struct chain *chain, struct tail *tail, VkBaseOutStructure *node, bool foreign) {
    if (tail->node->pNext != node && tail->foreign) {
        if (!chain->redirects || chain->num_patches == CHAIN_PATCHES)
            return false;
        chain->patches[chain->num_patches].node = tail->node;
        chain->patches[chain->num_patches++].next = tail->node->pNext;
    }
    if (tail->node->pNext != node) // the struct may be in read-only memory
        tail->node->pNext = node;
    *tail = (struct tail){node, foreign};
    return true;
}

// Ends before `end`, or where append() fails; the rest is then linked unchanged.
static bool build(struct chain *chain, const void *first, const VkBaseInStructure *end, const struct chain_rule *rules,
                  size_t num_rules) {
    VkBaseOutStructure head = {0};
    struct tail tail = {&head, false};
    bool whole = true;
    for (const VkBaseInStructure *node = first, *next; whole && node != end; node = next) {
        const struct chain_rule *rule = rule_for(node, rules, num_rules);
        next = node->pNext; // before append() redirects the node
        VkBaseOutStructure *ours = rule ? rule->replacement : copy_node(chain, node);
        VkBaseOutStructure *theirs = rule ? NULL : (VkBaseOutStructure *)(uintptr_t)node;
        if (ours || theirs)
            whole = append(chain, &tail, ours ? ours : theirs, !ours);
    }
    whole = whole && append(chain, &tail, (VkBaseOutStructure *)(uintptr_t)end, true);
    chain->first = head.pNext;
    return whole;
}

// The first pass writes only to memory of the layer, which is nearly always enough.
void chain_rewrite(struct chain *chain, const void *first, const struct chain_rule *rules, size_t num_rules) {
    chain->first = first;
    chain->redirects = false;
    chain->used = chain->num_patches = 0;
    pthread_rwlock_rdlock(&chains);
    const VkBaseInStructure *last = last_ruled(first, rules, num_rules);
    const bool done = !last || build(chain, first, last->pNext, rules, num_rules);
    pthread_rwlock_unlock(&chains);
    if (done)
        return;
    pthread_rwlock_wrlock(&chains);
    chain->redirects = true;
    chain->used = 0;
    build(chain, first, last->pNext, rules, num_rules);
}

void chain_restore(struct chain *chain) {
    for (size_t i = chain->num_patches; i-- > 0;)
        chain->patches[i].node->pNext = chain->patches[i].next;
    if (chain->redirects)
        pthread_rwlock_unlock(&chains);
    chain->redirects = false;
    chain->num_patches = 0;
}
