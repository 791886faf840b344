#include "daemon/monitor/console.hpp"

#include "daemon/monitor/terminal.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace lodge::monitor {

namespace {

// A container that writes without end must not keep the monitor from its other work.
constexpr int kReadsPerTurn = 16;
// Nor may it keep the monitor busy: this is two hundredths of a processor.
constexpr int kReadsPerWindow = 128;
constexpr auto kWindow = std::chrono::milliseconds(50);
// Edge-triggered, because while nobody in the container has the console open the master reports a
// hang-up without end; it works again when somebody opens it.
constexpr std::uint32_t kEvents = EPOLLIN | EPOLLET;

} // namespace

struct Console::Viewer final : Watcher {
    Viewer(Console& owner, UniqueFd connection) : console(owner), client(std::move(connection)) {}
    void ready(std::uint32_t) override { console.input(*this); }
    Console& console;
    Client client;
};

Console::Console(Loop& loop, UniqueFd master, std::size_t log_size)
    : loop_(loop), master_(std::move(master)), log_(new char[log_size]), log_size_(log_size),
      window_(loop, [this] { resume(); }) {}

Console::~Console() = default;

std::unexpected<Error> Console::full() {
    return fail(ErrorCode::resource_exhausted,
                "the console has its most clients already (" + std::to_string(kMostClients) +
                    "): leave one first");
}

Status Console::open() {
    if (::fcntl(master_.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
        return fail_errno("fcntl(F_SETFL)");
    }
    return loop_.add(master_.get(), kEvents, *this);
}

void Console::ready(std::uint32_t) {
    if (reads_ == 0) {
        window_.set(Deadline::after(kWindow));
    }
    reads_ += drain(kReadsPerTurn);
    if (reads_ >= kReadsPerWindow) {
        pause();
    }
}

// Its writers wait when the terminal's buffer is full.
void Console::pause() {
    loop_.remove(master_.get());
    paused_ = true;
}

void Console::resume() {
    reads_ = 0;
    if (paused_ && !loop_.add(master_.get(), kEvents, *this)) {
        window_.set(Deadline::after(kWindow)); // it was in the set, so memory is short
        return;
    }
    paused_ = false;
}

// Returns the number of reads.
int Console::drain(int most_reads) {
    std::array<char, 2048> buffer; // not initialised: read fills it
    for (int count = 1; count <= most_reads; ++count) {
        const ssize_t size = ::read(master_.get(), buffer.data(), buffer.size());
        if (size <= 0) {
            return count; // EAGAIN, or EIO while nobody has it open
        }
        const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
        record(bytes);
        show(bytes);
    }
    (void)loop_.rearm(master_.get(), kEvents, *this); // fails only for a descriptor not in the set
    return most_reads;
}

void Console::record(std::string_view bytes) {
    while (!bytes.empty() && log_size_ > 0) {
        const std::size_t at = written_ % log_size_;
        const std::size_t count = std::min(bytes.size(), log_size_ - at);
        std::memcpy(&log_[at], bytes.data(), count);
        written_ += count;
        bytes.remove_prefix(count);
    }
}

std::string Console::log() const {
    if (written_ <= log_size_) {
        return std::string(log_.get(), written_);
    }
    const std::size_t at = written_ % log_size_;
    return std::string(&log_[at], log_size_ - at).append(log_.get(), at);
}

void Console::show(std::string_view bytes) {
    for (std::size_t i = clients_.size(); i-- > 0;) {
        if (!clients_[i]->client.send(session::FrameType::terminal_data, bytes)) {
            drop(*clients_[i]);
        }
    }
}

Status Console::attach(UniqueFd connection) {
    if (clients_.size() >= kMostClients) {
        return full();
    }
    auto viewer = std::make_unique<Viewer>(*this, std::move(connection));
    const std::string kept = log();
    constexpr std::size_t kPiece = 16384;
    for (std::size_t at = 0; at < kept.size(); at += kPiece) {
        if (!viewer->client.send(session::FrameType::terminal_data,
                                 std::string_view(kept).substr(at, kPiece))) {
            return {}; // the client is gone already
        }
    }
    if (!master_) {
        (void)viewer->client.send_exited(exit_code_);
        return {};
    }
    RETURN_IF_ERROR(loop_.add(viewer->client.fd(), EPOLLIN, *viewer));
    clients_.push_back(std::move(viewer));
    return {};
}

void Console::input(Viewer& viewer) {
    const bool good = viewer.client.receive([this](const Client::Part& part) {
        if (part.type == session::FrameType::terminal_data) {
            // A terminal whose input is full drops more of it, as hardware does.
            (void)!::write(master_.get(), part.bytes.data(), part.bytes.size());
        } else if (part.type == session::FrameType::resize &&
                   part.bytes.size() == sizeof(session::ResizePayload)) {
            session::ResizePayload size{};
            std::memcpy(&size, part.bytes.data(), sizeof size);
            (void)set_window_size(master_.get(), size.rows, size.columns); // cosmetic
        }
    });
    if (!good) {
        drop(viewer);
    }
}

void Console::drop(const Viewer& viewer) {
    loop_.remove(viewer.client.fd());
    std::erase_if(clients_, [&](const auto& held) { return held.get() == &viewer; });
}

void Console::finish(std::int32_t code) {
    if (!master_) {
        return;
    }
    exit_code_ = code;
    // The terminal's buffers are bounded, so this ends.
    (void)drain(INT_MAX);
    for (const auto& viewer : clients_) {
        (void)viewer->client.send_exited(code); // dropped in any case
        loop_.remove(viewer->client.fd());
    }
    clients_.clear();
    window_.stop();
    loop_.remove(master_.get());
    master_.reset();
}

} // namespace lodge::monitor
