// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: the memfds that hold the pages of VMOs.
#include "zircon_memfd.h"
#include "zircon_objects.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// The file has one granule more than the size, so that a device's mapping stays inside it wherever a slice begins. It
// is sparse, so the granule takes no memory. It is sealed, because a file that shrinks under a mapping kills the
// process.
// On failure, returns the refused call, whose errno is set.
static const char *make(uint64_t size, int *out) {
    *out = memfd_create("vmo", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*out < 0)
        return "memfd_create";
    const uint64_t backed = round_up(size, VKZ_GRANULE) + VKZ_GRANULE;
    if (ftruncate(*out, (off_t)backed) != 0) {
        const int error = errno;
        close(*out);
        errno = error;
        return "ftruncate of a memfd";
    }
    fcntl(*out, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    return NULL;
}

zx_status_t memfd_make(uint64_t size, int *out) {
    if (!make(size, out))
        return ZX_OK;
    if (errno == EMFILE || errno == ENFILE)
        return ZX_ERR_NO_RESOURCES;
    return errno == EFBIG || errno == EINVAL ? ZX_ERR_OUT_OF_RANGE : ZX_ERR_NO_MEMORY;
}

const char *memfd_refused_call(void) {
    int memfd;
    const char *call = make(VKZ_GRANULE, &memfd);
    if (call)
        return call;
    if (pwrite(memfd, "", 1, 0) != 1)
        call = "pwrite to a memfd";
    close(memfd);
    return call;
}

uint64_t memfd_committed(int memfd) {
    struct stat status;
    return fstat(memfd, &status) == 0 ? (uint64_t)status.st_blocks * 512 : 0;
}

static ssize_t move(bool to_file, int memfd, void *buffer, size_t size, off_t offset) {
    return to_file ? pwrite(memfd, buffer, size, offset) : pread(memfd, buffer, size, offset);
}

// Linux moves at most 2 GiB per call.
static zx_status_t move_all(bool to_file, int memfd, char *buffer, size_t size, uint64_t offset) {
    while (size > 0) {
        const ssize_t moved = move(to_file, memfd, buffer, size, (off_t)offset);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved <= 0)
            return moved < 0 && errno == EFAULT ? ZX_ERR_INVALID_ARGS : ZX_ERR_NO_MEMORY;
        buffer += moved;
        size -= (size_t)moved;
        offset += (uint64_t)moved;
    }
    return ZX_OK;
}

zx_status_t memfd_read(int memfd, void *buffer, size_t size, uint64_t offset) {
    return move_all(false, memfd, buffer, size, offset);
}

zx_status_t memfd_write(int memfd, void *buffer, size_t size, uint64_t offset) {
    return move_all(true, memfd, buffer, size, offset);
}

#define PIECE 16384

// The next piece of the range that is not a hole: false at the range's end.
static bool next_piece(int memfd, uint64_t end, uint64_t *offset, size_t *size) {
    const off_t data = *offset < end ? lseek(memfd, (off_t)*offset, SEEK_DATA) : -1;
    if (data < 0 || (uint64_t)data >= end)
        return false;
    const off_t hole = lseek(memfd, data, SEEK_HOLE);
    const uint64_t until = hole > data && (uint64_t)hole < end ? (uint64_t)hole : end;
    *offset = (uint64_t)data;
    *size = until - *offset < PIECE ? (size_t)(until - *offset) : PIECE;
    return true;
}

zx_status_t memfd_copy(int from, uint64_t start, uint64_t size, int to) {
    char buffer[PIECE];
    size_t piece;
    for (uint64_t offset = start; next_piece(from, start + size, &offset, &piece); offset += piece) {
        zx_status_t status = memfd_read(from, buffer, piece, offset);
        if (status == ZX_OK)
            status = memfd_write(to, buffer, piece, offset - start);
        if (status != ZX_OK)
            return status;
    }
    return ZX_OK;
}

zx_status_t memfd_zero(int memfd, uint64_t start, uint64_t size) {
    static char zeros[PIECE];
    zx_status_t status = ZX_OK;
    size_t piece;
    for (uint64_t offset = start; status == ZX_OK && next_piece(memfd, start + size, &offset, &piece); offset += piece)
        status = memfd_write(memfd, zeros, piece, offset);
    return status;
}

zx_status_t memfd_commit(int memfd, uint64_t offset, uint64_t size) {
    return fallocate(memfd, 0, (off_t)offset, (off_t)size) ? ZX_ERR_NO_MEMORY : ZX_OK;
}

zx_status_t memfd_decommit(int memfd, uint64_t offset, uint64_t size) {
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return fallocate(memfd, mode, (off_t)offset, (off_t)size) ? ZX_ERR_NO_MEMORY : ZX_OK;
}
