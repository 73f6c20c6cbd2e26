/* SPDX-License-Identifier: Apache-2.0
 * What the `vulkan` binding does not declare. abi_build.py turns this file into _abi.py; a test proves it fresh.
 * Layouts and prototypes: vulkan_fuchsia.h, zircon/types.h, zircon/syscalls.h. A non-dispatchable Vulkan handle is a
 * uint64_t here and a dispatchable one a void *, since the binding's own types belong to another FFI.
 */
typedef uint32_t zx_handle_t;
typedef int32_t zx_status_t;

typedef struct {
    int32_t sType;
    const void *pNext;
    uint32_t handleType;
    zx_handle_t handle;
} VkImportMemoryZirconHandleInfoFUCHSIA;

typedef struct {
    int32_t sType;
    void *pNext;
    uint32_t memoryTypeBits;
} VkMemoryZirconHandlePropertiesFUCHSIA;

typedef struct {
    int32_t sType;
    const void *pNext;
    uint64_t memory;
    uint32_t handleType;
} VkMemoryGetZirconHandleInfoFUCHSIA;

/* Used to call the loader without the Python binding, which takes longer to import. */
typedef struct {
    int32_t sType;
    const void *pNext;
    const char *pApplicationName;
    uint32_t applicationVersion;
    const char *pEngineName;
    uint32_t engineVersion;
    uint32_t apiVersion;
} VkApplicationInfo;

typedef struct {
    int32_t sType;
    const void *pNext;
    uint32_t flags;
    const VkApplicationInfo *pApplicationInfo;
    uint32_t enabledLayerCount;
    const char *const *ppEnabledLayerNames;
    uint32_t enabledExtensionCount;
    const char *const *ppEnabledExtensionNames;
} VkInstanceCreateInfo;

typedef void *(*PFN_vkGetInstanceProcAddr)(void *, const char *);
typedef int32_t (*PFN_vkCreateInstance)(const VkInstanceCreateInfo *, const void *, void **);
typedef void (*PFN_vkDestroyInstance)(void *, const void *);

typedef int32_t (*PFN_vkGetMemoryZirconHandleFUCHSIA)(void *, const VkMemoryGetZirconHandleInfoFUCHSIA *,
                                                      zx_handle_t *);
typedef int32_t (*PFN_vkGetMemoryZirconHandlePropertiesFUCHSIA)(void *, uint32_t, zx_handle_t,
                                                                VkMemoryZirconHandlePropertiesFUCHSIA *);

typedef struct {
    uint64_t koid;
    uint32_t rights;
    uint32_t type;
    uint64_t related_koid;
    uint32_t reserved;
    uint8_t padding[4];
} zx_info_handle_basic_t;

typedef struct {
    uint64_t koid;
    char name[32];
    uint64_t size_bytes;
    uint64_t parent_koid;
    uint64_t num_children;
    uint64_t num_mappings;
    uint64_t share_count;
    uint32_t flags;
    uint8_t padding[4];
    uint64_t committed_bytes;
    uint32_t handle_rights;
    uint32_t cache_policy;
    uint64_t metadata_bytes;
    uint64_t committed_change_events;
    uint64_t populated_bytes;
    uint64_t committed_private_bytes;
    uint64_t populated_private_bytes;
    uint64_t committed_scaled_bytes;
    uint64_t populated_scaled_bytes;
    uint64_t committed_fractional_scaled_bytes;
    uint64_t populated_fractional_scaled_bytes;
} zx_info_vmo_t;

zx_status_t zx_object_get_info(zx_handle_t, uint32_t topic, void *, size_t, size_t *actual, size_t *avail);
zx_status_t zx_vmo_create(uint64_t size, uint32_t options, zx_handle_t *);
zx_status_t zx_event_create(uint32_t options, zx_handle_t *);
zx_status_t zx_vmo_get_size(zx_handle_t, uint64_t *size);
zx_status_t zx_vmo_read(zx_handle_t, void *, uint64_t offset, size_t);
zx_status_t zx_vmo_write(zx_handle_t, const void *, uint64_t offset, size_t);
zx_status_t zx_vmo_op_range(zx_handle_t, uint32_t op, uint64_t offset, uint64_t size, void *, size_t);
zx_status_t zx_vmar_map(zx_handle_t vmar, uint32_t options, size_t vmar_offset, zx_handle_t vmo, uint64_t vmo_offset,
                        size_t length, uintptr_t *address);
zx_status_t zx_vmar_unmap(zx_handle_t vmar, uintptr_t address, size_t length);
zx_status_t zx_handle_close(zx_handle_t);
zx_status_t zx_handle_duplicate(zx_handle_t, uint32_t rights, zx_handle_t *);
zx_status_t zx_channel_create(uint32_t options, zx_handle_t *, zx_handle_t *);
zx_status_t zx_channel_write(zx_handle_t, uint32_t options, const void *, uint32_t, const zx_handle_t *, uint32_t);
zx_status_t zx_channel_read(zx_handle_t, uint32_t options, void *, zx_handle_t *, uint32_t num_bytes,
                            uint32_t num_handles, uint32_t *actual_bytes, uint32_t *actual_handles);
zx_status_t zx_object_wait_one(zx_handle_t, uint32_t signals, int64_t deadline, uint32_t *observed);
int64_t zx_clock_get_monotonic(void);
zx_handle_t zx_take_startup_handle(uint32_t info);
uint32_t zx_system_get_page_size(void);
zx_handle_t zx_vmar_root_self(void);
zx_handle_t zx_process_self(void);

/* Of our own libzircon only: see layer/zircon_private.h and layer/vkzircon/startup.h. */
zx_status_t vkz_startup_handle(uint32_t info, zx_handle_t, int *descriptor, char *entry);
const char *vkz_emulation_error(void);
size_t vkz_fault_count(void);
const char *vkz_fault_name(size_t);
const char *vkz_fault_description(size_t);
size_t vkz_persona_count(void);
const char *vkz_persona_name(size_t);
const char *vkz_persona_description(size_t);
const char *vkz_persona_faults(size_t);
const char *vkz_device_reason(const uint8_t uuid[16]);

/* Of libc. A semaphore is a void * here, since its size is libc's own matter. */
int __cxa_atexit(void (*)(void *), void *argument, void *library);
int __cxa_at_quick_exit(void (*)(void *), void *library);
int sem_init(void *semaphore, int shared, unsigned value);
int sem_post(void *semaphore);
int sem_trywait(void *semaphore);
unsigned sleep(unsigned seconds);
void _exit(int code);
void abort(void);
int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long);
int unshare(int flags);
long syscall(long number, unsigned long, unsigned long, const void *);
void *dlopen(const char *name, int flags);
void *dlsym(void *library, const char *symbol);
char *dlerror(void);
int memcmp(const void *, const void *, size_t);
void *mmap(void *address, size_t, int protection, int flags, int descriptor, int64_t offset);
int munmap(void *address, size_t);
