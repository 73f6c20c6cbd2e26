// SPDX-License-Identifier: Apache-2.0
//
// Memfds, which hold the pages of VMOs. Offsets and sizes are in bytes.
#ifndef VKZIRCON_ZIRCON_MEMFD_H_
#define VKZIRCON_ZIRCON_MEMFD_H_

#include "zircon_private.h"

// Makes a memfd for a VMO of this size. OUT_OF_RANGE if no file can be that large; NO_RESOURCES without a descriptor.
zx_status_t memfd_make(uint64_t size, int *out);

// Makes a memfd for a small VMO. Returns the system call that failed, whose errno is set, or NULL. A sandbox may refuse
// memfd_create, and RLIMIT_FSIZE the size.
const char *memfd_refused_call(void);

// Bytes that the system holds for the file; holes do not count.
uint64_t memfd_committed(int memfd);

// Copy bytes between a buffer and a range of the file. INVALID_ARGS if the buffer is not accessible.
typedef zx_status_t memfd_access(int memfd, void *buffer, size_t size, uint64_t offset);
memfd_access memfd_read, memfd_write;

// Copies a range to the start of another memfd. Holes stay holes.
zx_status_t memfd_copy(int from, uint64_t start, uint64_t size, int to);

// Commit the pages of a range that is not empty, or drop them, after which it reads as zeros.
zx_status_t memfd_commit(int memfd, uint64_t offset, uint64_t size);
zx_status_t memfd_decommit(int memfd, uint64_t offset, uint64_t size);

// Writes zeros to the committed pages of a range, which stay the pages that a driver may hold.
zx_status_t memfd_zero(int memfd, uint64_t offset, uint64_t size);

#endif
