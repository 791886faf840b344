#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <poll.h>

namespace lodge::cli {

/// Bytes on their way from one descriptor to another. Waits for neither, so that flows in both
/// directions cannot hold each other up; the caller polls. A terminal as a sink should be
/// O_NONBLOCK. Owns no descriptor.
class Flow {
  public:
    enum class State { flowing, source_ended, sink_ended };

    Flow(int source, int sink) : source_(source), sink_(sink) {}
    /// What to poll for next; of a closed flow: nothing.
    [[nodiscard]] pollfd wait() const;
    /// After poll() has said that it is ready: one read or one write.
    [[nodiscard]] State move();
    /// Why the sink took no more: an errno; 0 while it does.
    [[nodiscard]] int sink_error() const { return sink_error_; }
    /// From now on only what lies in the source already is read; then it has ended.
    void last_call();
    [[nodiscard]] bool pending() const { return begin_ < end_; }
    [[nodiscard]] bool open() const { return source_ >= 0; }
    void close() { source_ = sink_ = -1; }

  private:
    int source_;
    int sink_;
    std::array<char, 65536> buffer_{};
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t left_ = SIZE_MAX; ///< bytes to be read
    int sink_error_ = 0;
};

} // namespace lodge::cli
