// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: channels. Both ends are sockets of one pair, which keep messages whole and in order; the objects that a
// message brings go along as descriptors. The kernel keeps what nobody has read yet, also when its writer is gone.
#include "zircon_objects.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC       ((uint32_t)0x56a3c4e1)
#define MAX_HANDLES ZX_CHANNEL_MAX_MSG_HANDLES
#define PATIENCE_NS ((zx_time_t)10000000) // how long a wait looks at the socket before it looks at the table again

struct header {
    uint32_t magic;
    uint32_t num_bytes;
    uint32_t num_handles;
    uint32_t reserved;
};

// One message on its way. `io` is header, transfers and bytes.
struct message {
    struct header header;
    struct transfer transfers[MAX_HANDLES];
    int descriptors[MAX_HANDLES];
    struct iovec io[3];
    union {
        char space[CMSG_SPACE(MAX_HANDLES * sizeof(int))];
        struct cmsghdr aligned;
    } control;
};

void channel_destroy_locked(struct channel *channel) {
    close(channel->socket);
}

zx_status_t channel_open_locked(int socket, zx_koid_t koid, zx_koid_t peer, zx_rights_t rights, zx_handle_t *out) {
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel) {
        close(socket);
        return ZX_ERR_NO_MEMORY;
    }
    object_init_locked(&channel->object, ZX_OBJ_TYPE_CHANNEL, ZX_SIGNAL_NONE);
    if (koid != ZX_KOID_INVALID)
        channel->object.koid = koid;
    channel->socket = socket;
    channel->peer = peer;
    return handle_open_locked(&channel->object, rights, out);
}

static struct channel *channel_locked(zx_handle_t handle) {
    struct object *object;
    handle_lookup_locked(handle, ZX_OBJ_TYPE_CHANNEL, ZX_RIGHT_NONE, &object, NULL);
    return (struct channel *)object;
}

static zx_status_t open_pair_locked(const int sockets[2], zx_handle_t *out0, zx_handle_t *out1) {
    zx_status_t status = channel_open_locked(sockets[0], 0, 0, ZX_DEFAULT_CHANNEL_RIGHTS, out0);
    if (status != ZX_OK) {
        close(sockets[1]);
        return status;
    }
    struct channel *first = channel_locked(*out0);
    status = channel_open_locked(sockets[1], 0, first->object.koid, ZX_DEFAULT_CHANNEL_RIGHTS, out1);
    if (status == ZX_OK)
        first->peer = channel_locked(*out1)->object.koid;
    else
        handle_discard_locked(*out0);
    return status;
}

zx_status_t zx_channel_create(uint32_t options, zx_handle_t *out0, zx_handle_t *out1) {
    int sockets[2];
    if (options || !out0 || !out1)
        return ZX_ERR_INVALID_ARGS;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
        return errno == EMFILE || errno == ENFILE ? ZX_ERR_NO_RESOURCES : ZX_ERR_NO_MEMORY;
    table_lock();
    const zx_status_t status = open_pair_locked(sockets, out0, out1);
    table_unlock();
    return status;
}

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
            status = transfer_leave_locked(object, rights, &message->transfers[i], &message->descriptors[i]);
        if (status != ZX_OK)
            return status;
    }
    return ZX_OK;
}

// The message's parts for sendmsg() and recvmsg(), sized by its header.
static struct msghdr parts_of(struct message *message, void *bytes) {
    const struct header *header = &message->header;
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

static zx_status_t write_locked(zx_handle_t handle, const void *bytes, const zx_handle_t *handles,
                                struct message *message) {
    struct object *object;
    zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_CHANNEL, ZX_RIGHT_WRITE, &object, NULL);
    if (status == ZX_OK)
        status = pack_locked(handle, handles, message->header.num_handles, message);
    if (status == ZX_OK)
        status = send_message(((struct channel *)object)->socket, message, bytes);
    return status;
}

static zx_status_t arguments_status(uint32_t options, const void *bytes, uint32_t num_bytes, uint32_t num_handles) {
    if (options || (num_bytes && !bytes))
        return ZX_ERR_INVALID_ARGS;
    if (num_bytes > ZX_CHANNEL_MAX_MSG_BYTES || num_handles > MAX_HANDLES)
        return ZX_ERR_OUT_OF_RANGE;
    return ZX_OK;
}

// For a kernel that is wrong: the handle becomes one to a copy, if its rights allow making one.
static zx_handle_t copied(zx_handle_t handle) {
    struct vkz_origin origin;
    zx_handle_t copy;
    uint64_t size;
    if (zx_vmo_get_size(handle, &size) != ZX_OK ||
        zx_vmo_create_child(handle, ZX_VMO_CHILD_SNAPSHOT, 0, size, &copy) != ZX_OK)
        return handle;
    if (vkz_vmo_get_origin(handle, &origin) == ZX_OK)
        vkz_vmo_set_origin(copy, &origin);
    zx_handle_close(handle);
    return copy;
}

static zx_status_t write_message(zx_handle_t handle, const void *bytes, uint32_t num_bytes, const zx_handle_t *given,
                                 uint32_t num_handles) {
    struct message message;
    zx_handle_t handles[MAX_HANDLES];
    message.header = (struct header){MAGIC, num_bytes, num_handles, 0};
    for (uint32_t i = 0; i < num_handles; i++)
        handles[i] = vkz_fault(VKZ_FAULT_CHANNEL_COPIES) ? copied(given[i]) : given[i];
    table_lock();
    const zx_status_t status = write_locked(handle, bytes, handles, &message);
    for (uint32_t i = 0; i < num_handles; i++)
        handle_discard_locked(handles[i]);
    table_unlock();
    return status;
}

static void discard_all(const zx_handle_t *handles, uint32_t count) {
    table_lock();
    for (uint32_t i = 0; i < count; i++)
        handle_discard_locked(handles[i]);
    table_unlock();
}

zx_status_t zx_channel_write(zx_handle_t handle, uint32_t options, const void *bytes, uint32_t num_bytes,
                             const zx_handle_t *handles, uint32_t num_handles) {
    if (num_handles && !handles)
        return ZX_ERR_INVALID_ARGS;
    const zx_status_t status = arguments_status(options, bytes, num_bytes, num_handles);
    if (status == ZX_OK)
        return write_message(handle, bytes, num_bytes, handles, num_handles);
    discard_all(handles, num_handles);
    return status;
}

// Takes descriptors out of what recvmsg() got; there can be others than were meant to be.
static uint32_t detach_descriptors(struct msghdr *parts, int descriptors[MAX_HANDLES]) {
    uint32_t count = 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(parts); control; control = CMSG_NXTHDR(parts, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t here = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(&descriptors[count], CMSG_DATA(control), here * sizeof(int)); // as many as the space had room for
        count += (uint32_t)here;
    }
    return count;
}

static ssize_t receive(int socket, struct msghdr *parts, int flags) {
    for (;;) {
        const ssize_t size = recvmsg(socket, parts, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        // A peer that leaves messages unread resets the connection once: what it wrote before is still there.
        if (size >= 0 || (errno != EINTR && errno != ECONNRESET))
            return size;
    }
}

// Whether the message is one of ours: its parts are as long as its header says.
static bool is_sound(const struct header *header, size_t size) {
    return size >= sizeof *header && header->magic == MAGIC && header->num_bytes <= ZX_CHANNEL_MAX_MSG_BYTES &&
           header->num_handles <= MAX_HANDLES &&
           size == sizeof *header + header->num_handles * sizeof(struct transfer) + header->num_bytes;
}

static void drop_message(int socket) {
    struct msghdr parts = {0};
    receive(socket, &parts, 0); // without room for descriptors they are closed
}

static bool has_hung_up(int socket) {
    struct pollfd ready = {.fd = socket, .events = POLLRDHUP};
    return poll(&ready, 1, 0) > 0 && (ready.revents & (POLLHUP | POLLRDHUP));
}

// Looks at the first message and leaves it where it is.
static zx_status_t peek(int socket, struct header *header) {
    struct iovec io = {header, sizeof *header};
    struct msghdr parts = {.msg_iov = &io, .msg_iovlen = 1};
    const ssize_t size = receive(socket, &parts, MSG_PEEK | MSG_TRUNC);
    if (size == 0 && has_hung_up(socket)) // an empty message looks the same
        return ZX_ERR_PEER_CLOSED;
    if (size < 0)
        return errno == EAGAIN ? ZX_ERR_SHOULD_WAIT : ZX_ERR_PEER_CLOSED;
    if (is_sound(header, (size_t)size))
        return ZX_OK;
    drop_message(socket);
    return ZX_ERR_IO_DATA_INTEGRITY;
}

// Opens handles to all that came, or to none: to none of a message that is not `whole`.
static zx_status_t unpack_locked(const struct message *message, bool whole, uint32_t num_descriptors,
                                 zx_handle_t *handles) {
    zx_handle_t opened[MAX_HANDLES];
    whole &= num_descriptors == message->header.num_handles;
    zx_status_t status = whole ? ZX_OK : ZX_ERR_IO_DATA_INTEGRITY;
    uint32_t count = 0;
    for (uint32_t i = 0; i < num_descriptors; i++) {
        if (status == ZX_OK)
            status = transfer_arrive_locked(&message->transfers[i], message->descriptors[i], &opened[count]);
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

static zx_status_t take_message_locked(int socket, const struct header *header, void *bytes, zx_handle_t *handles) {
    struct message message;
    message.header = *header;
    struct msghdr parts = parts_of(&message, bytes);
    parts.msg_control = &message.control;
    parts.msg_controllen = sizeof message.control;
    const ssize_t size = receive(socket, &parts, 0);
    if (size < 0)
        return errno == EFAULT ? ZX_ERR_INVALID_ARGS : errno == EAGAIN ? ZX_ERR_SHOULD_WAIT : ZX_ERR_NO_MEMORY;
    // A process that has the socket too may have taken what was looked at: the parts were sized for that.
    const bool whole = memcmp(&message.header, header, sizeof *header) == 0 && is_sound(header, (size_t)size);
    return unpack_locked(&message, whole, detach_descriptors(&parts, message.descriptors), handles);
}

// What the caller has room for.
struct room {
    void *bytes;
    zx_handle_t *handles;
    uint32_t num_bytes;
    uint32_t num_handles;
};

static zx_status_t read_locked(zx_handle_t handle, bool may_discard, const struct room *room, struct header *header) {
    struct object *object;
    zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_CHANNEL, ZX_RIGHT_READ, &object, NULL);
    if (status != ZX_OK)
        return status;
    const int socket = ((struct channel *)object)->socket;
    status = peek(socket, header);
    if (status != ZX_OK)
        return status;
    if (header->num_bytes > room->num_bytes || header->num_handles > room->num_handles) {
        if (may_discard)
            drop_message(socket);
        return ZX_ERR_BUFFER_TOO_SMALL;
    }
    return take_message_locked(socket, header, room->bytes, room->handles);
}

zx_status_t zx_channel_read(zx_handle_t handle, uint32_t options, void *bytes, zx_handle_t *handles, uint32_t num_bytes,
                            uint32_t num_handles, uint32_t *actual_bytes, uint32_t *actual_handles) {
    const struct room room = {bytes, handles, num_bytes, num_handles};
    struct header header;
    if (options & ~ZX_CHANNEL_READ_MAY_DISCARD)
        return ZX_ERR_NOT_SUPPORTED;
    if ((num_bytes && !bytes) || (num_handles && !handles))
        return ZX_ERR_INVALID_ARGS;
    table_lock();
    const zx_status_t status = read_locked(handle, options & ZX_CHANNEL_READ_MAY_DISCARD, &room, &header);
    table_unlock();
    if (status != ZX_OK && status != ZX_ERR_BUFFER_TOO_SMALL)
        return status;
    if (actual_bytes)
        *actual_bytes = header.num_bytes;
    if (actual_handles)
        *actual_handles = header.num_handles;
    return status;
}

static bool has_message(int socket) {
    char byte;
    struct iovec io = {&byte, sizeof byte};
    struct msghdr parts = {.msg_iov = &io, .msg_iovlen = 1};
    return receive(socket, &parts, MSG_PEEK) > 0;
}

zx_signals_t channel_signals_locked(const struct channel *channel) {
    struct pollfd ready = {.fd = channel->socket, .events = POLLIN | POLLOUT | POLLRDHUP};
    if (poll(&ready, 1, 0) < 0)
        return ZX_SIGNAL_NONE;
    const bool readable = ready.revents & POLLIN;
    if (ready.revents & (POLLHUP | POLLRDHUP)) // then it counts as readable for ever
        return ZX_CHANNEL_PEER_CLOSED | (readable && has_message(channel->socket) ? ZX_CHANNEL_READABLE : 0);
    return (readable ? ZX_CHANNEL_READABLE : 0) | (ready.revents & POLLOUT ? ZX_CHANNEL_WRITABLE : 0);
}

bool channel_wait_locked(struct channel *channel, zx_time_t deadline) {
    const zx_time_t now = zx_clock_get_monotonic();
    if (deadline <= now)
        return false;
    const zx_time_t until = deadline - now < PATIENCE_NS ? deadline : now + PATIENCE_NS;
    const zx_signals_t seen = channel_signals_locked(channel);
    if (seen & (ZX_CHANNEL_PEER_CLOSED | ZX_CHANNEL_READABLE)) { // the socket is ready, and is not what is waited for
        table_wait_locked(until);
        return true;
    }
    struct pollfd ready = {.fd = channel->socket, .events = POLLIN | POLLRDHUP};
    const struct timespec patience = {.tv_nsec = until - now};
    object_ref_locked(&channel->object);
    table_unlock();
    ppoll(&ready, 1, &patience, NULL);
    table_lock();
    object_unref_locked(&channel->object);
    return true;
}
