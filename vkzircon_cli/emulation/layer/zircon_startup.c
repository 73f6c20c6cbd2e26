// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: startup handles. A process inherits the socket of a channel's end, and finds in the environment what it
// is: "INFO:DESCRIPTOR:INODE:KOID:PEER:RIGHTS", all in hex. The inode tells it from another file that has the number by
// now, for the variable goes on to children's children, and the descriptor does not.
#include "zircon_objects.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vkzircon/startup.h>
#include <zircon/process.h>

#define MAX_ENTRIES 32
#define ENTRY       "%" PRIx32 ":%x:%" PRIx64 ":%" PRIx64 ":%" PRIx64 ":%" PRIx32
#define ENTRY_SCAN  "%8" SCNx32 ":%8x:%16" SCNx64 ":%16" SCNx64 ":%16" SCNx64 ":%8" SCNx32

struct entry {
    uint32_t info;
    unsigned int descriptor;
    uint64_t inode;
    zx_koid_t koid;
    zx_koid_t peer;
    zx_rights_t rights;
};

// What was given and not yet taken, once somebody asked. Guarded by the table's mutex.
static struct entry entries[MAX_ENTRIES];
static size_t num_entries;
static bool were_read;

static bool inode_of(int descriptor, uint64_t *inode) {
    struct stat status;
    if (fstat(descriptor, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    *inode = status.st_ino;
    return true;
}

static bool read_entry(const char *text, struct entry *entry) {
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

// Until it is taken the descriptor goes on to whatever this process becomes.
static zx_handle_t take_locked(uint32_t info) {
    zx_handle_t handle = ZX_HANDLE_INVALID;
    if (!were_read)
        read_entries_locked();
    for (size_t i = 0; i < num_entries; i++) {
        const struct entry entry = entries[i];
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
    *descriptor = fcntl(channel->socket, F_DUPFD_CLOEXEC, 3); // none of the standard ones, which programs replace
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
