#include "daemon/api/reception.hpp"

#include "daemon/api/answer.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <utility>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

constexpr auto kMostSilence = std::chrono::seconds(30);
constexpr int kPauseMs = 100; // without descriptors or memory

UniqueFd next_connection(int listener) {
    return UniqueFd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
}

} // namespace

Reception::Reception(UniqueFd listener, UniqueFd epoll, UniqueFd wake, Serve serve)
    : listener_(std::move(listener)), epoll_(std::move(epoll)), wake_(std::move(wake)),
      serve_(std::move(serve)),
      too_late_(answer_text(Error(ErrorCode::timeout, "the request did not arrive whole in time"))),
      thread_([this] { run(); }) {}

Reception::~Reception() {
    ends_ = true;
    wake();
}

void Reception::wake() const {
    (void)::eventfd_write(wake_.get(), 1); // never blocks: its counter is not full
}

void Reception::send(UniqueFd socket, std::string unsent) {
    {
        const std::lock_guard guard(lock_);
        Guest& guest = to_answer_.emplace_back();
        guest.socket = std::move(socket);
        guest.unsent = std::move(unsent);
    }
    wake();
}

// From now on connect(2) fails as for a path without a listener (man 7 unix).
void Reception::refuse() {
    refuses_ = true;
    (void)::shutdown(listener_.get(), SHUT_RDWR); // harmless when repeated
    wake();
}

void Reception::run() {
    while (!ends_) {
        try {
            look();
        } catch (const std::exception&) { // want of memory: whoever it met is let go or heard later
            (void)::poll(nullptr, 0, kPauseMs);
        }
    }
}

int Reception::patience() const {
    return guests_.empty() ? -1 : guests_.front().until.poll_timeout();
}

void Reception::look() {
    std::array<epoll_event, 64> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), patience());
    for (int i = 0; i < count; ++i) {
        const int fd = events.at(static_cast<std::size_t>(i)).data.fd;
        if (fd == wake_.get()) {
            take_orders();
        } else if (fd == listener_.get()) {
            accept_all();
        } else if (const auto guest = by_fd_.find(fd); guest != by_fd_.end()) {
            attend(guest->second);
        }
    }
    dismiss_some();
}

void Reception::take_orders() {
    eventfd_t count = 0;
    (void)::eventfd_read(wake_.get(), &count); // resets it
    std::vector<Guest> orders;
    {
        const std::lock_guard guard(lock_);
        orders.swap(to_answer_);
    }
    for (Guest& guest : orders) {
        admit(std::move(guest));
    }
    if (refuses_) {
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_.get(), nullptr);
        for (auto guest = guests_.begin(); guest != guests_.end();) {
            const auto next = std::next(guest);
            if (guest->incoming) {
                dismiss(guest);
            }
            guest = next;
        }
    }
}

void Reception::accept_all() {
    while (!refuses_) {
        UniqueFd socket = next_connection(listener_.get());
        if (!socket) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                (void)::poll(nullptr, 0, kPauseMs); // the listener stays readable
            }
            return; // who gave up while he waited (ECONNABORTED) is told anew, too
        }
        Guest guest;
        guest.incoming = std::make_unique<Incoming>(std::move(socket));
        admit(std::move(guest));
        dismiss_some();
    }
}

// Reads at once, because most requests have come whole when the connection is accepted.
void Reception::admit(Guest guest) {
    const int fd = guest.fd();
    const auto place = guests_.insert(guests_.end(), std::move(guest));
    by_fd_[fd] = place;
    epoll_event event{.events = place->incoming ? EPOLLIN : EPOLLOUT, .data = {.fd = fd}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        dismiss(place);
    } else {
        attend(place);
    }
}

void Reception::attend(Guests::iterator guest) {
    if (guest->incoming) {
        if (guest->incoming->read()) {
            serve(guest);
        } else {
            keep(guest, guest->incoming->size());
        }
    } else if (send_some(guest->fd(), guest->unsent)) {
        dismiss(guest);
    } else {
        keep(guest, guest->unsent.size());
    }
}

void Reception::serve(Guests::iterator guest) {
    const std::unique_ptr<Incoming> incoming = std::move(guest->incoming);
    const int fd = incoming->fd();
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); // the request keeps the connection
    by_fd_.erase(fd);
    bytes_ -= guest->bytes;
    guests_.erase(guest);
    if (!incoming->empty() && !refuses_) {
        serve_(std::move(*incoming));
    }
}

void Reception::keep(Guests::iterator guest, std::size_t bytes) {
    bytes_ += bytes - guest->bytes;
    guest->bytes = bytes;
    guest->until = Deadline::after(kMostSilence);
    guests_.splice(guests_.end(), guests_, guest);
}

void Reception::dismiss(Guests::iterator guest) {
    if (guest->incoming && !guest->incoming->empty() && !refuses_) {
        (void)::send(guest->fd(), too_late_.data(), too_late_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    bytes_ -= guest->bytes;
    by_fd_.erase(guest->fd());
    guests_.erase(guest); // the close removes it from the epoll set
}

void Reception::dismiss_some() {
    while (!guests_.empty() && (guests_.front().until.expired() || guests_.size() > kMostWaiting ||
                                bytes_ > kMostBytes)) {
        dismiss(guests_.begin());
    }
}

Result<std::unique_ptr<Reception>> open_reception(UniqueFd listener, Reception::Serve serve) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) {
        return fail_errno("epoll_create1");
    }
    UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake) {
        return fail_errno("eventfd");
    }
    for (const int fd : {listener.get(), wake.get()}) {
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
            return fail_errno("epoll_ctl");
        }
    }
    return std::make_unique<Reception>(
        std::move(listener), std::move(epoll), std::move(wake), std::move(serve));
}

} // namespace lodge::daemon
