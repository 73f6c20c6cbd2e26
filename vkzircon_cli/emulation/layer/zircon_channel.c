// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: channels, and the startup handles of a process, which are channels too. The two ends of a channel are a
// pair of sockets, which keep messages whole and in order. The system keeps unread messages after their writer is gone.
//
// A new process inherits the socket of a startup handle and finds its description in the environment:
// "INFO:DESCRIPTOR:INODE:KOID:PEER:RIGHTS", all in hex. The variable is inherited further than the descriptor is; the
// inode then tells the socket from another file with the same number.
#include "zircon_message.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vkzircon/startup.h>
#include <zircon/process.h>

void channel_destroy_locked(struct channel *channel) {
    close(channel->socket);
}

zx_status_t channel_open_locked(int socket, zx_koid_t koid, zx_koid_t peer, zx_rights_t rights, zx_handle_t *out) {
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel) {
        close(socket);
        return ZX_ERR_NO_MEMORY;
    }
    object_init_locked(&channel->object, ZX_OBJ_TYPE_CHANNEL, ZX_SIGNAL_NONE, koid);
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

// A channel of Zircon holds 3,500 messages (kMaxPendingMessageCount in channel_dispatcher.cc), a Linux socket about 280
// small ones by default. Linux may grant less than is requested.
static void hold_many_messages(int socket) {
    const int size = 2 << 20; // Linux doubles it, and counts about 770 bytes for a small message
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

// Whether a message comes through: a sandbox may allow socketpair() and refuse sendmsg() or recvmsg().
static bool carry_messages(const int sockets[2]) {
    char byte = 0;
    struct iovec io = {&byte, sizeof byte};
    struct msghdr parts = {.msg_iov = &io, .msg_iovlen = 1};
    return sendmsg(sockets[0], &parts, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 &&
           recvmsg(sockets[1], &parts, MSG_DONTWAIT) == 1;
}

zx_status_t zx_channel_create(uint32_t options, zx_handle_t *out0, zx_handle_t *out1) {
    int sockets[2];
    if (options || !out0 || !out1)
        return ZX_ERR_INVALID_ARGS;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
        return errno == EMFILE || errno == ENFILE ? ZX_ERR_NO_RESOURCES : ZX_ERR_NO_MEMORY;
    if (!carry_messages(sockets)) {
        close(sockets[0]);
        close(sockets[1]);
        return ZX_ERR_NO_MEMORY;
    }
    hold_many_messages(sockets[0]);
    hold_many_messages(sockets[1]);
    table_lock();
    const zx_status_t status = open_pair_locked(sockets, out0, out1);
    table_unlock();
    return status;
}

static zx_status_t arguments_status(uint32_t options, const void *bytes, uint32_t num_bytes, uint32_t num_handles) {
    if (options || (num_bytes && !bytes))
        return ZX_ERR_INVALID_ARGS;
    if (num_bytes > ZX_CHANNEL_MAX_MSG_BYTES || num_handles > ZX_CHANNEL_MAX_MSG_HANDLES)
        return ZX_ERR_OUT_OF_RANGE;
    return ZX_OK;
}

// The fault channel-copies: replaces the handle by one to a copy, if its rights allow a copy.
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

static zx_status_t write_locked(zx_handle_t handle, const void *bytes, uint32_t num_bytes, const zx_handle_t *handles,
                                uint32_t num_handles) {
    struct object *object;
    const zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_CHANNEL, ZX_RIGHT_WRITE, &object, NULL);
    if (status != ZX_OK)
        return status;
    return message_send_locked(handle, ((struct channel *)object)->socket, bytes, num_bytes, handles, num_handles);
}

static void discard_all_locked(const zx_handle_t *handles, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        handle_discard_locked(handles[i]);
}

static zx_status_t write_copies(zx_handle_t handle, const void *bytes, uint32_t num_bytes, const zx_handle_t *given,
                                uint32_t num_handles) {
    zx_handle_t handles[ZX_CHANNEL_MAX_MSG_HANDLES];
    for (uint32_t i = 0; i < num_handles; i++)
        handles[i] = copied(given[i]);
    table_lock();
    const zx_status_t status = write_locked(handle, bytes, num_bytes, handles, num_handles);
    discard_all_locked(handles, num_handles);
    table_unlock();
    return status;
}

zx_status_t zx_channel_write(zx_handle_t handle, uint32_t options, const void *bytes, uint32_t num_bytes,
                             const zx_handle_t *handles, uint32_t num_handles) {
    if (num_handles && !handles)
        return ZX_ERR_INVALID_ARGS;
    zx_status_t status = arguments_status(options, bytes, num_bytes, num_handles);
    if (status == ZX_OK && vkz_fault(VKZ_FAULT_CHANNEL_COPIES))
        return write_copies(handle, bytes, num_bytes, handles, num_handles);
    table_lock();
    if (status == ZX_OK)
        status = write_locked(handle, bytes, num_bytes, handles, num_handles);
    discard_all_locked(handles, num_handles);
    table_unlock();
    return status;
}

// The buffers of a reader.
struct room {
    void *bytes;
    zx_handle_t *handles;
    uint32_t num_bytes;
    uint32_t num_handles;
};

static zx_status_t read_locked(zx_handle_t handle, bool may_discard, const struct room *room,
                               struct message_header *header) {
    struct object *object;
    zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_CHANNEL, ZX_RIGHT_READ, &object, NULL);
    if (status != ZX_OK)
        return status;
    const int socket = ((struct channel *)object)->socket;
    status = message_peek(socket, header);
    if (status != ZX_OK)
        return status;
    if (header->num_bytes > room->num_bytes || header->num_handles > room->num_handles) {
        if (may_discard)
            message_drop(socket);
        return ZX_ERR_BUFFER_TOO_SMALL;
    }
    return message_receive_locked(socket, header, room->bytes, room->handles);
}

zx_status_t zx_channel_read(zx_handle_t handle, uint32_t options, void *bytes, zx_handle_t *handles, uint32_t num_bytes,
                            uint32_t num_handles, uint32_t *actual_bytes, uint32_t *actual_handles) {
    const struct room room = {bytes, handles, num_bytes, num_handles};
    struct message_header header;
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

zx_signals_t channel_signals_locked(const struct channel *channel) {
    struct pollfd ready = {.fd = channel->socket, .events = POLLIN | POLLOUT | POLLRDHUP};
    if (poll(&ready, 1, 0) < 0)
        return ZX_SIGNAL_NONE;
    const bool readable = ready.revents & POLLIN;
    if (ready.revents & (POLLHUP | POLLRDHUP)) // which also sets POLLIN
        return ZX_CHANNEL_PEER_CLOSED | (readable && message_is_waiting(channel->socket) ? ZX_CHANNEL_READABLE : 0);
    return (readable ? ZX_CHANNEL_READABLE : 0) | (ready.revents & POLLOUT ? ZX_CHANNEL_WRITABLE : 0);
}

// poll() would return at once for signals that are already set. They are not read again here: a message that another
// process sends after the caller read them must end the sleep.
struct pollfd channel_changes(const struct channel *channel, zx_signals_t seen) {
    const int events = (seen & ZX_CHANNEL_READABLE ? 0 : POLLIN) | (seen & ZX_CHANNEL_WRITABLE ? 0 : POLLOUT);
    const bool gone = seen & ZX_CHANNEL_PEER_CLOSED; // poll() ignores a negative descriptor
    return (struct pollfd){.fd = gone ? -1 : channel->socket, .events = (short)(events | POLLRDHUP)};
}

#define MAX_ENTRIES 32
#define ENTRY       "%" PRIx32 ":%x:%" PRIx64 ":%" PRIx64 ":%" PRIx64 ":%" PRIx32
#define ENTRY_SCAN  "%8" SCNx32 ":%8x:%16" SCNx64 ":%16" SCNx64 ":%16" SCNx64 ":%8" SCNx32

struct startup_entry {
    uint32_t info;
    unsigned int descriptor;
    uint64_t inode;
    zx_koid_t koid;
    zx_koid_t peer;
    zx_rights_t rights;
};

// The startup handles that were not taken yet. Filled on the first call; guarded by the table's mutex.
static struct startup_entry entries[MAX_ENTRIES];
static size_t num_entries;
static bool were_read;

static bool inode_of(int descriptor, uint64_t *inode) {
    struct stat status;
    if (fstat(descriptor, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    *inode = status.st_ino;
    return true;
}

static bool read_entry(const char *text, struct startup_entry *entry) {
    uint64_t inode;
    return sscanf(text, ENTRY_SCAN, &entry->info, &entry->descriptor, &entry->inode, &entry->koid, &entry->peer,
                  &entry->rights) == 6 &&
           inode_of((int)entry->descriptor, &inode) && inode == entry->inode;
}

bool startup_is_given(void) {
    const char *list = getenv(VKZ_STARTUP_VARIABLE);
    return list && *list;
}

void startup_forget_locked(void) {
    were_read = false;
}

static void read_entries_locked(void) {
    const char *list = getenv(VKZ_STARTUP_VARIABLE);
    num_entries = 0;
    were_read = true;
    while (list && *list && num_entries < MAX_ENTRIES) {
        num_entries += read_entry(list, &entries[num_entries]);
        list = strchr(list, ',');
        list = list ? list + 1 : NULL;
    }
}

// A descriptor that was not taken survives exec(), for the program that this process becomes.
static zx_handle_t take_locked(uint32_t info) {
    zx_handle_t handle = ZX_HANDLE_INVALID;
    if (!were_read)
        read_entries_locked();
    for (size_t i = 0; i < num_entries; i++) {
        const struct startup_entry entry = entries[i];
        if (entry.info != info)
            continue;
        entries[i] = entries[--num_entries];
        fcntl((int)entry.descriptor, F_SETFD, FD_CLOEXEC);
        channel_open_locked((int)entry.descriptor, entry.koid, entry.peer, entry.rights, &handle);
        break;
    }
    return handle;
}

zx_handle_t zx_take_startup_handle(uint32_t hnd_info) {
    table_lock();
    const zx_handle_t handle = take_locked(hnd_info);
    table_unlock();
    return handle;
}

static zx_status_t give_locked(uint32_t info, zx_handle_t handle, int *descriptor, char *text) {
    struct object *object;
    zx_rights_t rights;
    uint64_t inode;
    const zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_CHANNEL, ZX_RIGHT_TRANSFER, &object, &rights);
    if (status != ZX_OK)
        return status;
    const struct channel *channel = (const struct channel *)object;
    *descriptor = fcntl(channel->socket, F_DUPFD_CLOEXEC, 3); // above the standard ones, which programs replace
    if (*descriptor < 0 || !inode_of(*descriptor, &inode))
        return ZX_ERR_NO_RESOURCES;
    snprintf(text, VKZ_STARTUP_ENTRY_SIZE, ENTRY, info, (unsigned int)*descriptor, inode, object->koid, channel->peer,
             rights);
    return ZX_OK;
}

zx_status_t vkz_startup_handle(uint32_t hnd_info, zx_handle_t handle, int *descriptor, char *entry) {
    zx_status_t status = ZX_ERR_INVALID_ARGS;
    table_lock();
    if (descriptor && entry)
        status = give_locked(hnd_info, handle, descriptor, entry);
    handle_discard_locked(handle);
    table_unlock();
    return status;
}
