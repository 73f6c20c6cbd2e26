// SPDX-License-Identifier: Apache-2.0
//
// Macros that Zircon's sources use for every compiler.
#ifndef ZIRCON_COMPILER_H_
#define ZIRCON_COMPILER_H_

#ifdef __cplusplus
#define __BEGIN_CDECLS extern "C" {
#define __END_CDECLS   }
#else
#define __BEGIN_CDECLS
#define __END_CDECLS
#endif

#define __EXPORT             __attribute__((visibility("default")))
#define __LOCAL              __attribute__((visibility("hidden")))
#define __WARN_UNUSED_RESULT __attribute__((warn_unused_result))
#define __PRINTFLIKE(f, a)   __attribute__((format(printf, f, a)))
#define __THREAD_ANNOTATION(annotation)
#define __TA_CAPABILITY(name)
#define __TA_GUARDED(lock)
#define __TA_REQUIRES(...)
#define __TA_EXCLUDES(...)
#ifndef likely
#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#endif

#endif
