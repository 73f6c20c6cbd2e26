// SPDX-License-Identifier: Apache-2.0
//
// The number of a startup handle: its kind, and an index within the kind.
#ifndef ZIRCON_PROCESSARGS_H_
#define ZIRCON_PROCESSARGS_H_

#define PA_HND(type, arg) (((type)&0xFF) | (((arg)&0xFFFF) << 16))
#define PA_HND_TYPE(info) ((info)&0xFF)
#define PA_HND_ARG(info)  (((info) >> 16) & 0xFFFF)

// For any use by programs.
#define PA_USER0 0xF0u
#define PA_USER1 0xF1u
#define PA_USER2 0xF2u

#endif
