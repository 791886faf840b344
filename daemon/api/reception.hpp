#pragma once

#include "daemon/api/incoming.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/unique_fd.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lodge::daemon {

/// Accepts connections and reads their requests in one thread, so that a slow client costs a
/// descriptor and delays nobody. It also sends answers to clients that read slowly. It closes a
/// connection after 30 seconds without progress. It also closes the one that was silent for longest
/// when there are more than kMostWaiting, or when they hold more than kMostBytes.
class Reception {
  public:
    static constexpr std::size_t kMostWaiting = 1024;
    static constexpr std::size_t kMostBytes = std::size_t{64} << 20;

    /// `serve` gets each request that can be served (Incoming::read()). It must not wait.
    using Serve = std::function<void(Incoming)>;
    Reception(UniqueFd listener, UniqueFd epoll, UniqueFd wake, Serve serve);
    ~Reception();
    Reception(const Reception&) = delete;
    Reception& operator=(const Reception&) = delete;

    /// Sends the rest of an answer and closes the connection. Thread-safe.
    void send(UniqueFd socket, std::string unsent);
    /// Stops listening: on return no socket listens, and requests that have not come whole are
    /// dropped. Thread-safe.
    void refuse();

  private:
    /// A client that sends its request, or one that reads its answer.
    struct Guest {
        std::unique_ptr<Incoming> incoming;
        UniqueFd socket;
        std::string unsent;
        Deadline until = Deadline::never(); ///< reset at each progress
        std::size_t bytes = 0;              ///< counted in bytes_
        [[nodiscard]] int fd() const { return incoming ? incoming->fd() : socket.get(); }
    };
    using Guests = std::list<Guest>;

    void run();
    void look();
    [[nodiscard]] int patience() const;
    void take_orders();
    void accept_all();
    void admit(Guest guest);
    void attend(Guests::iterator guest);
    void serve(Guests::iterator guest);
    void keep(Guests::iterator guest, std::size_t bytes);
    void dismiss(Guests::iterator guest);
    void dismiss_some();
    void wake() const;

    UniqueFd listener_;
    UniqueFd epoll_;
    UniqueFd wake_;
    Serve serve_;
    const std::string too_late_;
    Guests guests_; ///< longest silence first; only the thread uses it and all up to lock_
    std::map<int, Guests::iterator> by_fd_;
    std::size_t bytes_ = 0;
    std::mutex lock_;              ///< protects to_answer_
    std::vector<Guest> to_answer_; ///< handed in by other threads
    std::atomic<bool> refuses_ = false;
    std::atomic<bool> ends_ = false;
    std::jthread thread_; ///< last: it uses all of the above
};

/// `listener` listens already.
[[nodiscard]] Result<std::unique_ptr<Reception>> open_reception(UniqueFd listener,
                                                                Reception::Serve serve);

} // namespace lodge::daemon
