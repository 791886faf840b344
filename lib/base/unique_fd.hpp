#pragma once

#include "lib/base/error.hpp"

#include <utility>

namespace lodge {

/// Owns one file descriptor; -1 means none. Move-only.
class [[nodiscard]] UniqueFd {
  public:
    UniqueFd() noexcept = default;
    explicit UniqueFd(int fd) noexcept : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset(other.release());
        }
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
    explicit operator bool() const noexcept { return valid(); }

    /// Passes the ownership of the descriptor to the caller.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes the owned descriptor, then owns `fd`. Keeps errno.
    void reset(int fd = -1) noexcept;
    /// Closes and returns the error of close(2). The descriptor is closed also after an error (man
    /// 2 close, on EINTR and EIO).
    Status close();
    /// A new descriptor of the same open file, O_CLOEXEC.
    [[nodiscard]] Result<UniqueFd> duplicate() const;

  private:
    int fd_ = -1;
};

} // namespace lodge
