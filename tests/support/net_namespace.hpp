#pragma once

#include "lib/base/unique_fd.hpp"

#include <functional>

namespace lodge::test {

/// A network namespace of the test, with lo up. It ends with the object.
class NetNamespace {
  public:
    NetNamespace();
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    /// Runs `body` in a thread inside the namespace and waits for it. Sockets it makes stay there.
    void run(const std::function<void()>& body) const;

  private:
    UniqueFd fd_;
};

} // namespace lodge::test
