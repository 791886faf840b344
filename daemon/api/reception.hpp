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

/// Takes connections and waits in one thread until each has said what it wants, so that a client
/// who is slow to say it costs a descriptor and nobody else's time. A client who is slow to read
/// his answer gets it from here too. Whoever says or takes nothing for 30 seconds is let go; so is
/// the one who has been silent for longest when there are more than kMostWaiting, or when they hold
/// more than kMostBytes.
class Reception {
  public:
    static constexpr std::size_t kMostWaiting = 1024;
    static constexpr std::size_t kMostBytes = std::size_t{64} << 20;

    /// `serve` gets each request that has come (Incoming::read()); it must not wait.
    using Serve = std::function<void(Incoming)>;
    Reception(UniqueFd listener, UniqueFd epoll, UniqueFd wake, Serve serve);
    ~Reception();
    Reception(const Reception&) = delete;
    Reception& operator=(const Reception&) = delete;

    /// Sends what is left of an answer, and closes. Thread-safe.
    void send(UniqueFd socket, std::string unsent);
    /// Takes no connection any more: nobody listens when it returns, and what has not come whole is
    /// dropped. Thread-safe.
    void refuse();

  private:
    /// One who speaks, or one who is answered.
    struct Guest {
        std::unique_ptr<Incoming> incoming;
        UniqueFd socket;
        std::string unsent;
        Deadline until = Deadline::never(); ///< set whenever it says or takes something
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
    Guests guests_; ///< the longest silent first; of the thread alone, as all up to lock_
    std::map<int, Guests::iterator> by_fd_;
    std::size_t bytes_ = 0;
    std::mutex lock_;              ///< protects to_answer_
    std::vector<Guest> to_answer_; ///< handed in by other threads
    std::atomic<bool> refuses_ = false;
    std::atomic<bool> ends_ = false;
    std::jthread thread_; ///< last: it uses all of the above
};

/// On a socket that listens already.
[[nodiscard]] Result<std::unique_ptr<Reception>> open_reception(UniqueFd listener,
                                                                Reception::Serve serve);

} // namespace lodge::daemon
