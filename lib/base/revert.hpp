#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace lodge {

/// Undo in memory: add an undo directly after each success, and commit in the last line. Without a
/// commit the destructor runs the undos in reverse order. Undo functions must not throw.
class Revert {
  public:
    Revert() = default;
    Revert(Revert&& other) noexcept : undos_(std::exchange(other.undos_, {})) {}
    Revert& operator=(Revert&&) = delete;
    Revert(const Revert&) = delete;
    Revert& operator=(const Revert&) = delete;
    ~Revert() { run(); }

    void add(std::function<void()> undo) { undos_.push_back(std::move(undo)); }
    void commit() noexcept { undos_.clear(); }

  private:
    void run() noexcept {
        while (!undos_.empty()) {
            undos_.back()();
            undos_.pop_back();
        }
    }
    std::vector<std::function<void()>> undos_;
};

} // namespace lodge
