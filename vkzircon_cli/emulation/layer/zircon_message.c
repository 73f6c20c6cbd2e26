// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: messages. An object that travels in one stays the same object in the process that it arrives in, also
// if that is the process that it came from.
#include "zircon_message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_HANDLES ZX_CHANNEL_MAX_MSG_HANDLES

// The members that a VMO and its description share.
#define VMO_MEMBERS(X) X(start) X(size) X(content_size) X(flags) X(discardable) X(cache_policy) X(origin)

static int describe_vmo(const struct vmo *vmo, struct transfer *transfer) {
#define DESCRIBE(member) transfer->member = vmo->member;
    VMO_MEMBERS(DESCRIBE)
#undef DESCRIBE
    transfer->related_koid = vmo->parent ? vmo->parent->object.koid : vmo->parent_koid;
    memcpy(transfer->name, vmo->object.name, sizeof transfer->name);
    return vmo->memfd;
}

// Describes an object for a message. The descriptor still belongs to the object. NOT_SUPPORTED for other types.
static zx_status_t pack_object_locked(const struct object *object, zx_rights_t rights, struct transfer *transfer,
                                      int *descriptor) {
    memset(transfer, 0, sizeof *transfer); // the padding too, because it leaves the process
    transfer->koid = object->koid;
    transfer->type = object->type;
    transfer->rights = rights;
    if (object->type == ZX_OBJ_TYPE_VMO) {
        *descriptor = describe_vmo((const struct vmo *)object, transfer);
        return ZX_OK;
    }
    if (object->type == ZX_OBJ_TYPE_CHANNEL) {
        *descriptor = ((const struct channel *)object)->socket;
        transfer->related_koid = ((const struct channel *)object)->peer;
        return ZX_OK;
    }
    return ZX_ERR_NOT_SUPPORTED;
}

// Whether the file fits the description. It must be sealed: a file that shrinks under a mapping kills the process.
static bool is_memfd_of(int descriptor, const struct transfer *transfer) {
    struct stat status;
    const int seals = fcntl(descriptor, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(descriptor, &status) != 0)
        return false;
    const uint64_t page = zx_system_get_page_size(), there = (uint64_t)status.st_size;
    return transfer->start % page == 0 && transfer->start <= there && transfer->size <= there - transfer->start &&
           transfer->cache_policy <= ZX_CACHE_POLICY_WRITE_COMBINING;
}

static bool is_same_file(int one, int other) {
    struct stat first, second;
    return fstat(one, &first) == 0 && fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static struct vmo *new_vmo_locked(const struct transfer *transfer, int descriptor) {
    struct vmo *vmo = calloc(1, sizeof *vmo);
    if (!vmo)
        return NULL;
    object_init_locked(&vmo->object, ZX_OBJ_TYPE_VMO, ZX_VMO_ZERO_CHILDREN, transfer->koid);
    object_set_name_locked(&vmo->object, transfer->name, sizeof transfer->name - 1);
    vmo->memfd = descriptor;
    vmo->parent_koid = transfer->related_koid;
#define RESTORE(member) vmo->member = transfer->member;
    VMO_MEMBERS(RESTORE)
#undef RESTORE
    return vmo;
}

// A VMO that this process has already is the same object, and keeps its state.
static zx_status_t unpack_vmo_locked(const struct transfer *transfer, int descriptor, zx_handle_t *out) {
    struct object *known = object_find_locked(transfer->koid);
    if (!is_memfd_of(descriptor, transfer) ||
        (known && (known->type != ZX_OBJ_TYPE_VMO || !is_same_file(((struct vmo *)known)->memfd, descriptor)))) {
        close(descriptor);
        return ZX_ERR_IO_DATA_INTEGRITY;
    }
    if (known) {
        close(descriptor);
        return handle_open_locked(known, transfer->rights, out);
    }
    struct vmo *vmo = new_vmo_locked(transfer, descriptor);
    if (vmo)
        return handle_open_locked(&vmo->object, transfer->rights, out);
    close(descriptor);
    return ZX_ERR_NO_MEMORY;
}

static bool is_channel_socket(int descriptor) {
    int domain = 0, type = 0;
    socklen_t size = sizeof domain;
    return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
           getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && domain == AF_UNIX &&
           type == SOCK_SEQPACKET;
}

// An end that comes home is still known if a thread waited on its old handle and has not seen yet that it was sent.
static zx_status_t unpack_channel_locked(const struct transfer *transfer, int descriptor, zx_handle_t *out) {
    struct object *known = object_find_locked(transfer->koid);
    if (!known && is_channel_socket(descriptor))
        return channel_open_locked(descriptor, transfer->koid, transfer->related_koid, transfer->rights, out);
    const bool came_home = known && known->type == ZX_OBJ_TYPE_CHANNEL && known->handle_count == 0 &&
                           is_same_file(((struct channel *)known)->socket, descriptor);
    close(descriptor);
    return came_home ? handle_open_locked(known, transfer->rights, out) : ZX_ERR_IO_DATA_INTEGRITY;
}

// Opens a handle to the object of a message, and takes over the descriptor, on failure too. IO_DATA_INTEGRITY where
// descriptor and description do not fit: the process at the other end can write anything.
static zx_status_t unpack_object_locked(const struct transfer *transfer, int descriptor, zx_handle_t *out) {
    if (transfer->type == ZX_OBJ_TYPE_VMO)
        return unpack_vmo_locked(transfer, descriptor, out);
    if (transfer->type == ZX_OBJ_TYPE_CHANNEL)
        return unpack_channel_locked(transfer, descriptor, out);
    close(descriptor);
    return ZX_ERR_IO_DATA_INTEGRITY;
}

// `io` points to the header, the transfers and the bytes.
struct message {
    struct message_header header;
    struct transfer transfers[MAX_HANDLES];
    int descriptors[MAX_HANDLES];
    struct iovec io[3];
    union {
        char space[CMSG_SPACE(MAX_HANDLES * sizeof(int))];
        struct cmsghdr aligned;
    } control;
};

static bool is_among(zx_handle_t handle, const zx_handle_t *handles, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (handles[i] == handle)
            return true;
    }
    return false;
}

static zx_status_t pack_locked(zx_handle_t channel, const zx_handle_t *handles, uint32_t count,
                               struct message *message) {
    for (uint32_t i = 0; i < count; i++) {
        struct object *object;
        zx_rights_t rights;
        if (is_among(handles[i], handles, i))
            return ZX_ERR_BAD_HANDLE;
        zx_status_t status = handle_lookup_locked(handles[i], ZX_OBJ_TYPE_NONE, ZX_RIGHT_TRANSFER, &object, &rights);
        if (status == ZX_OK && handles[i] == channel)
            status = ZX_ERR_NOT_SUPPORTED;
        if (status == ZX_OK)
            status = pack_object_locked(object, rights, &message->transfers[i], &message->descriptors[i]);
        if (status != ZX_OK)
            return status;
    }
    return ZX_OK;
}

// The message's parts for sendmsg() and recvmsg(), sized by its header.
static struct msghdr parts_of(struct message *message, void *bytes) {
    const struct message_header *header = &message->header;
    message->io[0] = (struct iovec){&message->header, sizeof message->header};
    message->io[1] = (struct iovec){message->transfers, header->num_handles * sizeof message->transfers[0]};
    message->io[2] = (struct iovec){bytes, header->num_bytes};
    return (struct msghdr){.msg_iov = message->io, .msg_iovlen = 3};
}

static void attach_descriptors(struct message *message, struct msghdr *parts) {
    const size_t size = message->header.num_handles * sizeof(int);
    memset(&message->control, 0, sizeof message->control);
    parts->msg_control = &message->control;
    parts->msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *control = CMSG_FIRSTHDR(parts);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(control), message->descriptors, size);
}

static bool is_peer_gone(int error) {
    return error == EPIPE || error == ECONNRESET || error == ECONNREFUSED || error == ENOTCONN;
}

static zx_status_t send_message(int socket, struct message *message, const void *bytes) {
    struct msghdr parts = parts_of(message, (void *)(uintptr_t)bytes);
    if (message->header.num_handles)
        attach_descriptors(message, &parts);
    ssize_t sent;
    do
        sent = sendmsg(socket, &parts, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return ZX_OK;
    if (errno == EFAULT)
        return ZX_ERR_INVALID_ARGS;
    return is_peer_gone(errno) ? ZX_ERR_PEER_CLOSED : ZX_ERR_NO_MEMORY;
}

zx_status_t message_send_locked(zx_handle_t sender, int socket, const void *bytes, uint32_t num_bytes,
                                const zx_handle_t *handles, uint32_t num_handles) {
    struct message message;
    message.header = (struct message_header){MESSAGE_MAGIC, num_bytes, num_handles, 0};
    const zx_status_t status = pack_locked(sender, handles, num_handles, &message);
    return status == ZX_OK ? send_message(socket, &message, bytes) : status;
}

// Collects the descriptors of a received message, whose number may differ from that in the header.
static uint32_t detach_descriptors(struct msghdr *parts, int descriptors[MAX_HANDLES]) {
    uint32_t count = 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(parts); control; control = CMSG_NXTHDR(parts, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t here = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(&descriptors[count], CMSG_DATA(control),
               here * sizeof(int)); // recvmsg() bounds their number by the space
        count += (uint32_t)here;
    }
    return count;
}

static ssize_t receive(int socket, struct msghdr *parts, int flags) {
    for (;;) {
        const ssize_t size = recvmsg(socket, parts, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        // A peer that closes with unread messages resets the connection once. Its own messages are still readable.
        if (size >= 0 || (errno != EINTR && errno != ECONNRESET))
            return size;
    }
}

// Whether libzircon.so wrote the message, and its parts have the sizes in its header.
static bool is_sound(const struct message_header *header, size_t size) {
    return size >= sizeof *header && header->magic == MESSAGE_MAGIC && header->num_bytes <= ZX_CHANNEL_MAX_MSG_BYTES &&
           header->num_handles <= MAX_HANDLES &&
           size == sizeof *header + header->num_handles * sizeof(struct transfer) + header->num_bytes;
}

void message_drop(int socket) {
    struct msghdr parts = {0};
    receive(socket, &parts, 0); // the system closes descriptors that have no room
}

static bool has_hung_up(int socket) {
    struct pollfd ready = {.fd = socket, .events = POLLRDHUP};
    return poll(&ready, 1, 0) > 0 && (ready.revents & (POLLHUP | POLLRDHUP));
}

zx_status_t message_peek(int socket, struct message_header *header) {
    struct iovec io = {header, sizeof *header};
    struct msghdr parts = {.msg_iov = &io, .msg_iovlen = 1};
    const ssize_t size = receive(socket, &parts, MSG_PEEK | MSG_TRUNC);
    if (size == 0 && has_hung_up(socket)) // an empty message has size 0 too
        return ZX_ERR_PEER_CLOSED;
    if (size < 0)
        return errno == EAGAIN ? ZX_ERR_SHOULD_WAIT : ZX_ERR_PEER_CLOSED;
    if (is_sound(header, (size_t)size))
        return ZX_OK;
    message_drop(socket);
    return ZX_ERR_IO_DATA_INTEGRITY;
}

// Opens handles to all objects of the message, or to none if one fails or the message is not `whole`.
static zx_status_t unpack_locked(const struct message *message, bool whole, uint32_t num_descriptors,
                                 zx_handle_t *handles) {
    zx_handle_t opened[MAX_HANDLES];
    whole &= num_descriptors == message->header.num_handles;
    zx_status_t status = whole ? ZX_OK : ZX_ERR_IO_DATA_INTEGRITY;
    uint32_t count = 0;
    for (uint32_t i = 0; i < num_descriptors; i++) {
        if (status == ZX_OK)
            status = unpack_object_locked(&message->transfers[i], message->descriptors[i], &opened[count]);
        else
            close(message->descriptors[i]);
        count += status == ZX_OK;
    }
    for (uint32_t i = 0; i < count && status != ZX_OK; i++)
        handle_discard_locked(opened[i]);
    if (status == ZX_OK && count)
        memcpy(handles, opened, count * sizeof *handles);
    return status;
}

zx_status_t message_receive_locked(int socket, const struct message_header *header, void *bytes, zx_handle_t *handles) {
    struct message message;
    message.header = *header;
    struct msghdr parts = parts_of(&message, bytes);
    parts.msg_control = &message.control;
    parts.msg_controllen = sizeof message.control;
    const ssize_t size = receive(socket, &parts, 0);
    if (size < 0)
        return errno == EFAULT ? ZX_ERR_INVALID_ARGS : errno == EAGAIN ? ZX_ERR_SHOULD_WAIT : ZX_ERR_NO_MEMORY;
    // Another process with the same socket may have received the message that the parts were sized for.
    const bool whole = memcmp(&message.header, header, sizeof *header) == 0 && is_sound(header, (size_t)size);
    return unpack_locked(&message, whole, detach_descriptors(&parts, message.descriptors), handles);
}

bool message_is_waiting(int socket) {
    char byte;
    struct iovec io = {&byte, sizeof byte};
    struct msghdr parts = {.msg_iov = &io, .msg_iovlen = 1};
    return receive(socket, &parts, MSG_PEEK) > 0;
}
