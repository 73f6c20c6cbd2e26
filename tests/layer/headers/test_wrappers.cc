// SPDX-License-Identifier: Apache-2.0
//
// A program in C++ that includes every header, and classes of the kind that Fuchsia's C++ sources wrap around handles:
// they mention calls that the emulation does not have, and a program that uses none of those links.
#include "every_header.h" // first, because each header stands alone
#include "every_header.h"

#include <cstdio>
#include <utility>

namespace {

class AnyHandle {
  public:
    explicit AnyHandle(zx_handle_t value = ZX_HANDLE_INVALID) : value_(value) {}
    AnyHandle(AnyHandle &&other) noexcept : value_(other.release()) {}
    AnyHandle &operator=(AnyHandle &&other) noexcept {
        reset(other.release());
        return *this;
    }
    ~AnyHandle() {
        reset();
    }
    zx_handle_t get() const {
        return value_;
    }
    zx_handle_t release() {
        return std::exchange(value_, ZX_HANDLE_INVALID);
    }
    void reset(zx_handle_t value = ZX_HANDLE_INVALID) {
        if (value_ != ZX_HANDLE_INVALID)
            zx_handle_close(std::exchange(value_, value));
        value_ = value;
    }
    zx_handle_t *out() {
        reset();
        return &value_;
    }

  private:
    zx_handle_t value_;
};

// Templates are compiled, and need no library before they are used.
template <typename Self> class Object : public AnyHandle {
  public:
    using AnyHandle::AnyHandle;

    zx_status_t duplicate(zx_rights_t rights, Self *copy) const {
        return zx_handle_duplicate(get(), rights, copy->out());
    }
    zx_status_t wait_one(zx_signals_t signals, zx_time_t deadline, zx_signals_t *pending) const {
        return zx_object_wait_one(get(), signals, deadline, pending);
    }
    zx_status_t wait_async(const AnyHandle &port, uint64_t key, zx_signals_t signals, uint32_t options) const {
        return zx_object_wait_async(get(), port.get(), key, signals, options);
    }
    static zx_status_t wait_many(zx_wait_item_t *items, size_t count, zx_time_t deadline) {
        return zx_object_wait_many(items, count, deadline);
    }
    zx_status_t get_child(zx_koid_t koid, zx_rights_t rights, AnyHandle *child) const {
        return zx_object_get_child(get(), koid, rights, child->out());
    }
    zx_status_t set_profile(const AnyHandle &profile, uint32_t options) const {
        return zx_object_set_profile(get(), profile.get(), options);
    }
    zx_status_t signal_peer(uint32_t clear, uint32_t set) const {
        return zx_object_signal_peer(get(), clear, set);
    }
    zx_status_t runtime(zx_info_task_runtime_t *info) const {
        return zx_object_get_info(get(), ZX_INFO_TASK_RUNTIME, info, sizeof *info, nullptr, nullptr);
    }
};

template <typename> class VmoOf : public Object<VmoOf<void>> {
  public:
    using Object<VmoOf<void>>::Object;

    static zx_status_t create(uint64_t size, uint32_t options, VmoOf *vmo) {
        return zx_vmo_create(size, options, vmo->out());
    }
    static zx_status_t create_physical(const AnyHandle &resource, zx_paddr_t address, size_t size, VmoOf *vmo) {
        return zx_vmo_create_physical(resource.get(), address, size, vmo->out());
    }
    zx_status_t set_size(uint64_t size) const {
        return zx_vmo_set_size(this->get(), size);
    }
    zx_status_t transfer_data(uint64_t offset, uint64_t length, const VmoOf &source) const {
        return zx_vmo_transfer_data(this->get(), 0, offset, length, source.get(), 0);
    }
    zx_status_t replace_as_executable(const AnyHandle &vmex, VmoOf *result) {
        return zx_vmo_replace_as_executable(this->release(), vmex.get(), result->out());
    }
};
using Vmo = VmoOf<void>;

template <typename> class ChannelOf : public Object<ChannelOf<void>> {
  public:
    zx_status_t call(zx_time_t deadline, const zx_channel_call_args_t &args, uint32_t *bytes, uint32_t *handles) const {
        return zx_channel_call(this->get(), 0, deadline, &args, bytes, handles);
    }
};

template <typename> class VmarOf : public Object<VmarOf<void>> {
  public:
    zx_status_t protect(zx_vm_option_t options, zx_vaddr_t address, size_t length) const {
        return zx_vmar_protect(this->get(), options, address, length);
    }
    zx_status_t allocate(zx_vm_option_t options, size_t size, VmarOf *child, zx_vaddr_t *address) const {
        return zx_vmar_allocate(this->get(), options, 0, size, child->out(), address);
    }
};

} // namespace

int main() {
    Vmo vmo, copy;
    ZX_ASSERT(Vmo::create(4096, 0, &vmo) == ZX_OK);
    ZX_ASSERT(vmo.duplicate(ZX_RIGHT_SAME_RIGHTS, &copy) == ZX_OK);
    zx_signals_t pending = 0;
    ZX_ASSERT(copy.wait_one(ZX_VMO_ZERO_CHILDREN, zx_clock_get_monotonic(), &pending) == ZX_OK);
    vmo = std::move(copy);
    ZX_ASSERT(zx_handle_check_valid(vmo.get()) == ZX_OK && copy.get() == ZX_HANDLE_INVALID);
    std::puts("ok   wrappers of handles compile and work");
    return 0;
}
