#pragma once

#include <mutex>
#include <set>

#include <sys/socket.h>

namespace lodge::daemon {

/// The connections whose requests are being served, so that another thread can shut them down.
/// Thread-safe.
class OpenLines {
  public:
    void add(int socket) {
        const std::lock_guard guard(lock_);
        sockets_.insert(socket);
        if (broken_) {
            (void)::shutdown(socket, SHUT_RDWR);
        }
    }
    /// Call it before the socket is closed or given away.
    void remove(int socket) {
        const std::lock_guard guard(lock_);
        sockets_.erase(socket);
    }
    /// Shuts down all of them and all later ones: their readers and writers return at once.
    void break_off() {
        const std::lock_guard guard(lock_);
        broken_ = true;
        for (const int socket : sockets_) {
            (void)::shutdown(socket, SHUT_RDWR); // the peer may be gone already
        }
    }

  private:
    std::mutex lock_;
    std::set<int> sockets_;
    bool broken_ = false;
};

} // namespace lodge::daemon
