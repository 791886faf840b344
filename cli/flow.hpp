#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <poll.h>

namespace lodge::cli {

/// Bytes on their way from one descriptor to another. Never waits for either, so that flows in both
/// directions cannot block each other; the caller polls. A terminal as a sink should be O_NONBLOCK.
/// Owns no descriptor.
class Flow {
  public:
    enum class State { flowing, source_ended, sink_ended };

    Flow(int source, int sink) : source_(source), sink_(sink) {}
    /// The descriptor and events to poll for; none for a closed flow.
    [[nodiscard]] pollfd wait() const;
    /// One read or one write. Pre: poll(2) has reported the descriptor of wait() as ready.
    [[nodiscard]] State move();
    /// The errno of the sink's failure; 0: it has not failed.
    [[nodiscard]] int sink_error() const { return sink_error_; }
    /// Reads only the bytes that are in the source now; then the source counts as ended.
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
