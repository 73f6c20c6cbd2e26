// SPDX-License-Identifier: Apache-2.0
//
// Every header for programs, twice.
#include <vkzircon/startup.h>
#include <zircon/assert.h>
#include <zircon/availability.h>
#include <zircon/compiler.h>
#include <zircon/errors.h>
#include <zircon/limits.h>
#include <zircon/process.h>
#include <zircon/processargs.h>
#include <zircon/rights.h>
#include <zircon/status.h>
#include <zircon/syscalls.h>
#include <zircon/syscalls/object.h>
#include <zircon/syscalls/types.h>
#include <zircon/threads.h>
#include <zircon/time.h>
#include <zircon/types.h>
