// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: messages of a hostile process at the other end of a channel, which writes to the socket directly.
#include "test.h"
#include "zircon_message.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vkzircon/startup.h>

static int wild;          // the socket itself
static zx_handle_t tamed; // the other end, a channel

static size_t open_files(void) {
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void send_wild(const struct message_header *header, const struct transfer *transfers, size_t num_transfers,
                      const int *descriptors, size_t num_descriptors) {
    union {
        char space[CMSG_SPACE(250 * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec io[] = {{(void *)(uintptr_t)header, header ? sizeof *header : 0},
                         {(void *)(uintptr_t)transfers, num_transfers * sizeof *transfers}};
    struct msghdr parts = {.msg_iov = io, .msg_iovlen = 2};
    memset(&control, 0, sizeof control);
    if (num_descriptors) {
        parts.msg_control = &control;
        parts.msg_controllen = CMSG_SPACE(num_descriptors * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&parts);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(num_descriptors * sizeof(int));
        memcpy(CMSG_DATA(rights), descriptors, num_descriptors * sizeof(int));
    }
    CHECK(sendmsg(wild, &parts, MSG_NOSIGNAL) >= 0);
}

static void reads_as(zx_status_t status) {
    char bytes[64];
    zx_handle_t handles[ZX_CHANNEL_MAX_MSG_HANDLES];
    zx_signals_t observed;
    CHECK_OK(zx_object_wait_one(tamed, ZX_CHANNEL_READABLE, 0, &observed));
    CHECK_EQ(zx_channel_read(tamed, 0, bytes, handles, sizeof bytes, ZX_CHANNEL_MAX_MSG_HANDLES, NULL, NULL), status);
    CHECK_EQ(zx_channel_read(tamed, 0, bytes, handles, sizeof bytes, ZX_CHANNEL_MAX_MSG_HANDLES, NULL, NULL),
             ZX_ERR_SHOULD_WAIT);
}

static void headers_are_not_believed(void) {
    static const struct message_header headers[] = {
        {0, 0, 0, 0},
        {MESSAGE_MAGIC, 1, 0, 0},
        {MESSAGE_MAGIC, 0, 1, 0},
        {MESSAGE_MAGIC, UINT32_MAX, 0, 0},
        {MESSAGE_MAGIC, 0, UINT32_MAX, 0},
        {MESSAGE_MAGIC, 0, 65, 0},
        {MESSAGE_MAGIC, (uint32_t) - sizeof(struct transfer), 1, 0},
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        send_wild(&headers[i], NULL, 0, NULL, 0);
        reads_as(ZX_ERR_IO_DATA_INTEGRITY);
    }
    send_wild(NULL, NULL, 0, NULL, 0); // an empty message
    reads_as(ZX_ERR_IO_DATA_INTEGRITY);
    CHECK_EQ(send(wild, "short", 5, MSG_NOSIGNAL), 5);
    reads_as(ZX_ERR_IO_DATA_INTEGRITY);
}

static void descriptors_must_be_as_many_as_handles(void) {
    const struct message_header none = {MESSAGE_MAGIC, 0, 0, 0}, one = {MESSAGE_MAGIC, 0, 1, 0};
    const struct transfer transfer = {.koid = 1u << 30, .type = ZX_OBJ_TYPE_VMO};
    int many[250];
    for (size_t i = 0; i < 250; i++)
        many[i] = wild;
    send_wild(&one, &transfer, 1, NULL, 0);
    reads_as(ZX_ERR_IO_DATA_INTEGRITY);
    send_wild(&none, NULL, 0, many, 1);
    reads_as(ZX_ERR_IO_DATA_INTEGRITY);
    send_wild(&one, &transfer, 1, many, 2);
    reads_as(ZX_ERR_IO_DATA_INTEGRITY);
    send_wild(&one, &transfer, 1, many, 250);
    reads_as(ZX_ERR_IO_DATA_INTEGRITY);
}

static int new_memfd(off_t size, unsigned int seals) {
    const int memfd = memfd_create("wild", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(memfd >= 0 && ftruncate(memfd, size) == 0 && fcntl(memfd, F_ADD_SEALS, seals) == 0);
    return memfd;
}

static void arrives(const struct transfer *transfer, int descriptor, zx_status_t status) {
    const struct message_header one = {MESSAGE_MAGIC, 0, 1, 0};
    send_wild(&one, transfer, 1, &descriptor, 1);
    reads_as(status);
}

static void files_are_not_believed(void) {
    const zx_rights_t rights = ZX_DEFAULT_VMO_RIGHTS;
    const struct transfer good = {.koid = 1u << 30, .type = ZX_OBJ_TYPE_VMO, .rights = rights, .size = 8192};
    struct transfer bad;
    const int sealed = new_memfd(8192, F_SEAL_SHRINK), open_ended = new_memfd(8192, 0),
              null = open("/dev/null", O_RDWR);
    arrives(&good, open_ended, ZX_ERR_IO_DATA_INTEGRITY); // could shrink while it is mapped
    arrives(&good, null, ZX_ERR_IO_DATA_INTEGRITY);
    arrives(&good, wild, ZX_ERR_IO_DATA_INTEGRITY);
    bad = good, bad.size = 8193;
    arrives(&bad, sealed, ZX_ERR_IO_DATA_INTEGRITY);
    bad = good, bad.start = 4096;
    arrives(&bad, sealed, ZX_ERR_IO_DATA_INTEGRITY);
    bad = good, bad.start = UINT64_MAX - 4095;
    arrives(&bad, sealed, ZX_ERR_IO_DATA_INTEGRITY);
    bad = good, bad.start = 1, bad.size = 4096;
    arrives(&bad, sealed, ZX_ERR_IO_DATA_INTEGRITY);
    bad = good, bad.cache_policy = 4;
    arrives(&bad, sealed, ZX_ERR_IO_DATA_INTEGRITY);
    bad = good, bad.type = ZX_OBJ_TYPE_EVENT;
    arrives(&bad, sealed, ZX_ERR_IO_DATA_INTEGRITY);
    bad = good, bad.type = ZX_OBJ_TYPE_CHANNEL;
    arrives(&bad, sealed, ZX_ERR_IO_DATA_INTEGRITY);
    close(sealed), close(open_ended), close(null);
}

static void a_koid_does_not_open_what_is_here(void) {
    zx_handle_t vmo;
    zx_info_handle_basic_t basic;
    CHECK_OK(zx_vmo_create(4096, 0, &vmo));
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL));
    const struct transfer other = {.koid = basic.koid, .type = ZX_OBJ_TYPE_VMO, .rights = UINT32_MAX, .size = 4096};
    const struct transfer end = {.koid = basic.koid, .type = ZX_OBJ_TYPE_CHANNEL, .rights = UINT32_MAX};
    const int sealed = new_memfd(8192, F_SEAL_SHRINK);
    arrives(&other, sealed, ZX_ERR_IO_DATA_INTEGRITY);
    arrives(&end, wild, ZX_ERR_IO_DATA_INTEGRITY);
    close(sealed);
    CHECK_OK(zx_handle_close(vmo));
}

static void a_name_without_an_end_is_cut(void) {
    struct transfer transfer = {.koid = 1u << 30, .type = ZX_OBJ_TYPE_VMO, .rights = ZX_DEFAULT_VMO_RIGHTS};
    const struct message_header one = {MESSAGE_MAGIC, 0, 1, 0};
    const int sealed = new_memfd(8192, F_SEAL_SHRINK);
    zx_handle_t vmo;
    char name[ZX_MAX_NAME_LEN];
    transfer.size = 4096;
    memset(transfer.name, 'n', sizeof transfer.name);
    send_wild(&one, &transfer, 1, &sealed, 1);
    CHECK_OK(zx_channel_read(tamed, 0, NULL, &vmo, 0, 1, NULL, NULL));
    CHECK_OK(zx_object_get_property(vmo, ZX_PROP_NAME, name, sizeof name));
    CHECK_EQ(strnlen(name, sizeof name), 31);
    CHECK_OK(zx_handle_close(vmo));
    close(sealed);
}

int main(void) {
    zx_handle_t given;
    char entry[VKZ_STARTUP_ENTRY_SIZE];
    CHECK_OK(zx_channel_create(0, &tamed, &given));
    CHECK_OK(vkz_startup_handle(0, given, &wild, entry));
    const size_t open = open_files();
    RUN(headers_are_not_believed());
    RUN(descriptors_must_be_as_many_as_handles());
    RUN(files_are_not_believed());
    RUN(a_koid_does_not_open_what_is_here());
    RUN(a_name_without_an_end_is_cut());
    CHECK_EQ(open_files(), open);
    close(wild);
    CHECK_OK(zx_handle_close(tamed));
    return test_result();
}
