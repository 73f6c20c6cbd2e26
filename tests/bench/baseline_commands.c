// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

#define FENCE_TIMEOUT_NS UINT64_C(10000000000)

struct recording {
    VkCommandPool pool;
    VkCommandBuffer commands;
};

static struct recording begin(const struct device *device) {
    const VkCommandPoolCreateInfo pool_info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .queueFamilyIndex = device->queue_family,
    };
    const VkCommandBufferBeginInfo begin_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    struct recording recording;
    MUST(device, vkCreateCommandPool, device->handle, &pool_info, NULL, &recording.pool);
    const VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = recording.pool,
        .commandBufferCount = 1,
    };
    MUST(device, vkAllocateCommandBuffers, device->handle, &info, &recording.commands);
    MUST(device, vkBeginCommandBuffer, recording.commands, &begin_info);
    return recording;
}

static void submit_and_wait(const struct device *device, const struct recording *recording) {
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &recording->commands,
    };
    const VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkQueue queue;
    VkFence fence;
    MUST(device, vkCreateFence, device->handle, &fence_info, NULL, &fence);
    CALL(device, vkGetDeviceQueue, device->handle, device->queue_family, 0, &queue);
    MUST(device, vkQueueSubmit, queue, 1, &submit, fence);
    MUST(device, vkWaitForFences, device->handle, 1, &fence, VK_TRUE, FENCE_TIMEOUT_NS);
    CALL(device, vkDestroyFence, device->handle, fence, NULL);
}

static void end(const struct device *device, const struct recording *recording) {
    MUST(device, vkEndCommandBuffer, recording->commands);
    submit_and_wait(device, recording);
    CALL(device, vkDestroyCommandPool, device->handle, recording->pool, NULL);
}

static void to_host(const struct device *device, VkCommandBuffer commands) {
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_HOST_READ_BIT,
    };
    CALL(device, vkCmdPipelineBarrier, commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
         &barrier, 0, NULL, 0, NULL);
}

static void hand_over(const struct device *device, VkCommandBuffer commands, VkBuffer buffer, uint32_t giver,
                      uint32_t taker) {
    const bool is_release = taker == VK_QUEUE_FAMILY_EXTERNAL;
    const VkBufferMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_BARRIER,
        .srcAccessMask = is_release ? VK_ACCESS_TRANSFER_WRITE_BIT : 0,
        .dstAccessMask = is_release ? 0 : VK_ACCESS_TRANSFER_WRITE_BIT,
        .srcQueueFamilyIndex = giver,
        .dstQueueFamilyIndex = taker,
        .buffer = buffer,
        .size = VK_WHOLE_SIZE,
    };
    CALL(device, vkCmdPipelineBarrier, commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 0,
         NULL, 1, &barrier, 0, NULL);
}

void fill_buffer(const struct device *device, VkBuffer buffer, uint32_t word) {
    const struct recording recording = begin(device);
    hand_over(device, recording.commands, buffer, VK_QUEUE_FAMILY_EXTERNAL, device->queue_family);
    CALL(device, vkCmdFillBuffer, recording.commands, buffer, 0, VK_WHOLE_SIZE, word);
    hand_over(device, recording.commands, buffer, device->queue_family, VK_QUEUE_FAMILY_EXTERNAL);
    to_host(device, recording.commands);
    end(device, &recording);
}

void copy_buffer(const struct device *device, VkBuffer source, VkBuffer destination, VkDeviceSize size) {
    const VkBufferCopy region = {.size = size};
    const struct recording recording = begin(device);
    hand_over(device, recording.commands, destination, VK_QUEUE_FAMILY_EXTERNAL, device->queue_family);
    CALL(device, vkCmdCopyBuffer, recording.commands, source, destination, 1, &region);
    hand_over(device, recording.commands, destination, device->queue_family, VK_QUEUE_FAMILY_EXTERNAL);
    to_host(device, recording.commands);
    end(device, &recording);
}

static const VkImageSubresourceRange whole_image = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};

static void image_barrier(const struct device *device, VkCommandBuffer commands, VkImage image,
                          const uint32_t families[2], const VkImageLayout layouts[2]) {
    const VkAccessFlags access = VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT;
    const VkImageMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = families[0] == VK_QUEUE_FAMILY_EXTERNAL ? 0 : access,
        .dstAccessMask = families[1] == VK_QUEUE_FAMILY_EXTERNAL ? 0 : access,
        .oldLayout = layouts[0],
        .newLayout = layouts[1],
        .srcQueueFamilyIndex = families[0],
        .dstQueueFamilyIndex = families[1],
        .image = image,
        .subresourceRange = whole_image,
    };
    CALL(device, vkCmdPipelineBarrier, commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 0,
         NULL, 0, NULL, 1, &barrier);
}

static void change_layout(const struct device *device, VkCommandBuffer commands, VkImage image, VkImageLayout before,
                          VkImageLayout after) {
    const uint32_t nobody[2] = {VK_QUEUE_FAMILY_IGNORED, VK_QUEUE_FAMILY_IGNORED};
    const VkImageLayout layouts[2] = {before, after};
    image_barrier(device, commands, image, nobody, layouts);
}

static void hand_image_over(const struct device *device, VkCommandBuffer commands, VkImage image, uint32_t giver,
                            uint32_t taker) {
    const uint32_t families[2] = {giver, taker};
    const VkImageLayout layouts[2] = {VK_IMAGE_LAYOUT_GENERAL, VK_IMAGE_LAYOUT_GENERAL};
    image_barrier(device, commands, image, families, layouts);
}

void clear_image(const struct device *device, VkImage image, const VkClearColorValue *color) {
    const struct recording recording = begin(device);
    change_layout(device, recording.commands, image, VK_IMAGE_LAYOUT_UNDEFINED, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    CALL(device, vkCmdClearColorImage, recording.commands, image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, color, 1,
         &whole_image);
    change_layout(device, recording.commands, image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, VK_IMAGE_LAYOUT_GENERAL);
    hand_image_over(device, recording.commands, image, device->queue_family, VK_QUEUE_FAMILY_EXTERNAL);
    end(device, &recording);
}

void read_image(const struct device *device, VkImage image, VkBuffer buffer) {
    const VkBufferImageCopy region = {
        .imageSubresource = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT, .layerCount = 1},
        .imageExtent = {IMAGE_WIDTH, IMAGE_WIDTH, 1},
    };
    const struct recording recording = begin(device);
    hand_image_over(device, recording.commands, image, VK_QUEUE_FAMILY_EXTERNAL, device->queue_family);
    change_layout(device, recording.commands, image, VK_IMAGE_LAYOUT_GENERAL, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    CALL(device, vkCmdCopyImageToBuffer, recording.commands, image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, buffer, 1,
         &region);
    to_host(device, recording.commands);
    end(device, &recording);
}
