// SPDX-License-Identifier: Apache-2.0
//
// Listing the extension, enabling it, and looking up its commands.
#include "gpu.h"
#include "test.h"

#include "zircon_private.h"

#define LAYER "VK_LAYER_VKZIRCON_external_memory"

static const char *const extension = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME;

static uint32_t times_named(const VkExtensionProperties *properties, uint32_t count, const char *name) {
    uint32_t times = 0;
    for (uint32_t i = 0; i < count; i++)
        times += strcmp(properties[i].extensionName, name) == 0;
    return times;
}

static void a_list_may_be_short(const struct gpu *gpu) {
    uint32_t all = 0;
    CHECK_OK(vkEnumerateDeviceExtensionProperties(gpu->physical, NULL, &all, NULL));
    VkExtensionProperties *properties = calloc(all + 1, sizeof *properties);
    for (uint32_t room = 0; room <= all + 1; room++) {
        uint32_t count = room;
        memset(properties, 0, (all + 1) * sizeof *properties);
        CHECK_EQ(vkEnumerateDeviceExtensionProperties(gpu->physical, NULL, &count, properties),
                 room < all ? VK_INCOMPLETE : VK_SUCCESS);
        CHECK_EQ(count, room < all ? room : all);
        CHECK_EQ(times_named(properties, count, extension), room >= all);
        CHECK_EQ(times_named(properties, count, ""), 0);
    }
    free(properties);
}

static void the_layer_lists_its_own(const struct gpu *gpu) {
    uint32_t count = 0;
    VkExtensionProperties properties = {0};
    CHECK_OK(vkEnumerateDeviceExtensionProperties(gpu->physical, LAYER, &count, NULL));
    CHECK_EQ(count, 1);
    CHECK_OK(vkEnumerateDeviceExtensionProperties(gpu->physical, LAYER, &count, &properties));
    CHECK_EQ(strcmp(properties.extensionName, extension), 0);
    CHECK_EQ(properties.specVersion, 1);
    count = 0;
    CHECK_EQ(vkEnumerateDeviceExtensionProperties(gpu->physical, LAYER, &count, &properties), VK_INCOMPLETE);
    CHECK_EQ(count, 0);
}

static void the_layer_is_a_tool(const struct gpu *gpu) {
    const PFN_vkGetPhysicalDeviceToolPropertiesEXT list =
        (PFN_vkGetPhysicalDeviceToolPropertiesEXT)vkGetInstanceProcAddr(gpu->instance,
                                                                        "vkGetPhysicalDeviceToolPropertiesEXT");
    VkPhysicalDeviceToolProperties tools[8];
    uint32_t all = 0, count = 8, ours = 0;
    CHECK_OK(list(gpu->physical, &all, NULL));
    for (uint32_t i = 0; i < count; i++)
        tools[i] = (VkPhysicalDeviceToolProperties){.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TOOL_PROPERTIES};
    CHECK_OK(list(gpu->physical, &count, tools));
    CHECK_EQ(count, all);
    for (uint32_t i = 0; i < count; i++)
        ours += strcmp(tools[i].layer, LAYER) == 0;
    CHECK_EQ(ours, 1);
}

// The result for an unknown layer depends on the loader (1.3.239: VK_SUCCESS with no extension).
static void another_layer_does_not_list_it(const struct gpu *gpu) {
    uint32_t count = 0;
    vkEnumerateDeviceExtensionProperties(gpu->physical, "VK_LAYER_unknown", &count, NULL);
    CHECK_EQ(count, 0);
}

static void both_commands_are_there_when_enabled(const struct gpu *gpu) {
    CHECK(gpu->get_handle);
    CHECK(gpu->get_handle_properties);
    CHECK(vkGetInstanceProcAddr(gpu->instance, "vkGetMemoryZirconHandleFUCHSIA"));
    CHECK(!vkGetDeviceProcAddr(gpu->device, "vkGetSemaphoreZirconHandleFUCHSIA"));
    CHECK(!vkGetDeviceProcAddr(gpu->device, "vkUnknownFUCHSIA"));
}

static void neither_command_is_there_when_not(void) {
    struct gpu gpu;
    gpu_open(&gpu, NULL, 0);
    CHECK(!gpu.get_handle);
    CHECK(!gpu.get_handle_properties);
    // The loader returns its own trampoline, which has no command behind it. Memory works.
    VkDeviceMemory memory;
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = 4096};
    CHECK_OK(vkAllocateMemory(gpu.device, &info, NULL, &memory));
    vkFreeMemory(gpu.device, memory, NULL);
    gpu_close(&gpu);
}

// The layer returns NULL for a command that the driver does not have on this device.
static void other_names_are_the_drivers(void) {
    static const char *const names[] = {"vkGetDeviceBufferMemoryRequirementsKHR", "vkGetImageMemoryRequirements2KHR",
                                        "vkGetMemoryHostPointerPropertiesEXT", "vkAllocateMemory"};
    struct gpu plain, emulating;
    gpu_open(&plain, NULL, 0);
    gpu_open_zircon(&emulating);
    for (size_t i = 0; i < 4; i++) {
        const bool known = vkGetDeviceProcAddr(plain.device, names[i]);
        const bool host_memory = strstr(names[i], "HostPointer"); // enabled by the layer
        CHECK_EQ(vkGetDeviceProcAddr(emulating.device, names[i]) != NULL, known || host_memory);
    }
    gpu_close(&plain);
    gpu_close(&emulating);
}

static void it_may_be_enabled_with_what_it_rests_on(void) {
    const char *const names[] = {VK_KHR_EXTERNAL_MEMORY_EXTENSION_NAME, extension,
                                 VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME};
    struct gpu gpu;
    gpu_open(&gpu, names, 3);
    CHECK(gpu.get_handle);
    gpu_close(&gpu);
}

static void a_group_of_devices_is_refused(void) {
    struct gpu gpu;
    gpu_open_instance(&gpu, VK_API_VERSION_1_3);
    const VkPhysicalDevice both[] = {gpu.physical, gpu.physical};
    VkDeviceGroupDeviceCreateInfo group = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_GROUP_DEVICE_CREATE_INFO,
        .physicalDeviceCount = 2,
        .pPhysicalDevices = both,
    };
    CHECK_EQ(gpu_create_device(&gpu, &extension, 1, &group), VK_ERROR_FEATURE_NOT_PRESENT);
    group.physicalDeviceCount = 1;
    CHECK_OK(gpu_create_device(&gpu, &extension, 1, &group));
    gpu_close(&gpu);
}

static const char *reason_without_uuid(void) {
    static const uint8_t zeros[VKZ_UUID_SIZE];
    return vkz_device_reason(zeros);
}

// Vulkan 1.0 needs VK_KHR_external_memory_capabilities, a dependency of the extension.
static void vulkan_1_0_needs_an_instance_extension(void) {
    struct gpu gpu;
    gpu_open_instance(&gpu, VK_API_VERSION_1_0);
    uint32_t count = 0;
    CHECK_OK(vkEnumerateDeviceExtensionProperties(gpu.physical, LAYER, &count, NULL));
    CHECK_EQ(count, 0);
    CHECK(strstr(reason_without_uuid(), "VK_KHR_external_memory_capabilities"));
    gpu_close(&gpu);
}

static void vulkan_1_0_works_with_it(void) {
    const char *const names[] = {VK_KHR_GET_PHYSICAL_DEVICE_PROPERTIES_2_EXTENSION_NAME,
                                 VK_KHR_EXTERNAL_MEMORY_CAPABILITIES_EXTENSION_NAME};
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .enabledExtensionCount = 2,
        .ppEnabledExtensionNames = names,
    };
    struct gpu gpu = {0};
    uint32_t one = 1;
    REQUIRE(CHECK_OK(vkCreateInstance(&info, NULL, &gpu.instance)));
    CHECK(vkEnumeratePhysicalDevices(gpu.instance, &one, &gpu.physical) >= 0);
    CHECK_OK(gpu_create_device(&gpu, &extension, 1, NULL));
    REQUIRE(CHECK(gpu.get_handle));
    VkDeviceMemory memory;
    CHECK_OK(gpu_export(&gpu, 4096, gpu.shared_type, &memory));
    const zx_handle_t vmo = gpu_get_handle(&gpu, memory);
    CHECK(vmo != ZX_HANDLE_INVALID);
    CHECK_OK(zx_handle_close(vmo));
    vkFreeMemory(gpu.device, memory, NULL);
    const PFN_vkGetPhysicalDeviceExternalBufferPropertiesKHR query =
        (PFN_vkGetPhysicalDeviceExternalBufferPropertiesKHR)vkGetInstanceProcAddr(
            gpu.instance, "vkGetPhysicalDeviceExternalBufferPropertiesKHR");
    REQUIRE(CHECK(query));
    const VkPhysicalDeviceExternalBufferInfo buffer = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
        .handleType = ZIRCON_VMO,
    };
    VkExternalBufferProperties properties = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    query(gpu.physical, &buffer, &properties);
    CHECK_EQ(properties.externalMemoryProperties.externalMemoryFeatures, 6);
    gpu_close(&gpu);
}

int main(void) {
    struct gpu gpu;
    gpu_open_zircon(&gpu);
    RUN(a_list_may_be_short(&gpu));
    RUN(the_layer_lists_its_own(&gpu));
    RUN(the_layer_is_a_tool(&gpu));
    RUN(another_layer_does_not_list_it(&gpu));
    RUN(both_commands_are_there_when_enabled(&gpu));
    gpu_close(&gpu);
    RUN(neither_command_is_there_when_not());
    RUN(other_names_are_the_drivers());
    RUN(it_may_be_enabled_with_what_it_rests_on());
    RUN(a_group_of_devices_is_refused());
    RUN(vulkan_1_0_needs_an_instance_extension());
    RUN(vulkan_1_0_works_with_it());
    return test_result();
}
