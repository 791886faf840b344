#include "lib/secret/secret_buffer.hpp"

#include <algorithm>
#include <utility>

#include <sodium.h>

namespace lodge::secret {

namespace {

// sodium_init(3) may be called from any thread, any number of times.
Status ensure_sodium() {
    if (sodium_init() < 0) {
        return fail(ErrorCode::internal, "libsodium could not be initialised");
    }
    return {};
}

} // namespace

Result<SecretBuffer> SecretBuffer::allocate(std::size_t size) {
    RETURN_IF_ERROR(ensure_sodium());
    void* data = sodium_malloc(size);
    // sodium_malloc() tries to lock the memory and reports no failure of that. A second lock
    // reports it; locks do not stack (man 2 mlock).
    if (data == nullptr || sodium_mlock(data, size) != 0) {
        sodium_free(data);
        return fail(ErrorCode::resource_exhausted,
                    "no locked memory for a secret of " + std::to_string(size) +
                        " bytes; is the limit on locked memory (ulimit -l) too low?");
    }
    return SecretBuffer(static_cast<std::byte*>(data), size);
}

Result<SecretBuffer> SecretBuffer::random(std::size_t size) {
    ASSIGN_OR_RETURN(SecretBuffer buffer, allocate(size));
    randombytes_buf(buffer.data_, size);
    return buffer;
}

Result<SecretBuffer> SecretBuffer::copy_of(std::span<const std::byte> bytes) {
    ASSIGN_OR_RETURN(SecretBuffer buffer, allocate(bytes.size()));
    std::copy(bytes.begin(), bytes.end(), buffer.data_);
    return buffer;
}

SecretBuffer::SecretBuffer(SecretBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBuffer& SecretBuffer::operator=(SecretBuffer&& other) noexcept {
    if (this != &other) {
        sodium_free(data_); // wipes before it frees; accepts nullptr
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

SecretBuffer::~SecretBuffer() {
    sodium_free(data_);
}

void wipe(std::span<std::byte> bytes) noexcept {
    sodium_memzero(bytes.data(), bytes.size());
}

} // namespace lodge::secret
