// SPDX-License-Identifier: Apache-2.0
//
// Messages: the bytes and handles of a channel on their way through its socket.
#ifndef VKZIRCON_ZIRCON_MESSAGE_H_
#define VKZIRCON_ZIRCON_MESSAGE_H_

#include "zircon_objects.h"

#define MESSAGE_MAGIC ((uint32_t)0x56a3c4e1)

struct message_header {
    uint32_t magic;
    uint32_t num_bytes;
    uint32_t num_handles;
    uint32_t reserved;
};

// Describes one handle. Its object travels as a descriptor: the memfd of a VMO, the socket of a channel.
struct transfer {
    zx_koid_t koid;
    zx_koid_t related_koid; // a channel's peer, a VMO's parent
    zx_obj_type_t type;
    zx_rights_t rights;
    uint64_t start; // from here on for VMOs only
    uint64_t size;
    uint64_t content_size;
    uint32_t flags;
    uint32_t cache_policy;
    uint32_t discardable;
    char name[ZX_MAX_NAME_LEN];
    struct vkz_origin origin;
};

// Sends a message from the channel behind the handle `sender`, which cannot be among the handles. Closes no handle.
zx_status_t message_send_locked(zx_handle_t sender, int socket, const void *bytes, uint32_t num_bytes,
                                const zx_handle_t *handles, uint32_t num_handles);

// Reads the header of the first message, which stays in the socket. SHOULD_WAIT without one; IO_DATA_INTEGRITY for a
// message that message_send_locked() did not write, which is dropped.
zx_status_t message_peek(int socket, struct message_header *header);

// Receives the message that message_peek() saw.
zx_status_t message_receive_locked(int socket, const struct message_header *header, void *bytes, zx_handle_t *handles);

void message_drop(int socket);
bool message_is_waiting(int socket);

#endif
