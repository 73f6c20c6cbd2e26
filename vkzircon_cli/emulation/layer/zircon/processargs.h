// SPDX-License-Identifier: Apache-2.0
//
// How a startup handle is named: what kind it is, and which one of that kind.
#ifndef ZIRCON_PROCESSARGS_H_
#define ZIRCON_PROCESSARGS_H_

#define PA_HND(type, arg) (((type)&0xFF) | (((arg)&0xFFFF) << 16))
#define PA_HND_TYPE(info) ((info)&0xFF)
#define PA_HND_ARG(info)  (((info) >> 16) & 0xFFFF)

// For programs' own use.
#define PA_USER0 0xF0u
#define PA_USER1 0xF1u
#define PA_USER2 0xF2u

#endif
