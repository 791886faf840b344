#include "daemon/monitor/client.hpp"

#include "lib/base/clock.hpp"
#include "lib/kernel/message_socket.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include <fcntl.h>

namespace lodge::monitor {

using session::FrameHeader;
using session::FrameType;

Client::Client(UniqueFd connection) : connection_(std::move(connection)) {
    if (::fcntl(connection_.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
        connection_.reset(); // not a socket
    }
}

bool Client::receive(const std::function<void(const Part&)>& handle) {
    std::array<char, 2048> buffer; // not initialised: recvmsg fills it
    auto received = kernel::receive_message(
        fd(), std::as_writable_bytes(std::span(buffer)), Deadline::after(std::chrono::seconds(0)));
    if (!received) {
        return received.error().code() ==
               ErrorCode::timeout; // an earlier read took all available bytes
    }
    constexpr std::size_t kMostFds = 3;
    for (UniqueFd& fd : received->fds) {
        if (fds_.size() == kMostFds) {
            return false;
        }
        fds_.push_back(std::move(fd));
    }
    return !received->closed && take(std::string_view(buffer.data(), received->size), handle);
}

bool Client::take(std::string_view bytes, const std::function<void(const Part&)>& handle) {
    while (!bytes.empty()) {
        if (streaming_ > 0) {
            const std::string_view part = bytes.substr(0, streaming_);
            bytes.remove_prefix(part.size());
            streaming_ -= static_cast<std::uint32_t>(part.size());
            handle(Part{.type = FrameType::terminal_data, .bytes = part});
            continue;
        }
        FrameHeader header{};
        std::memcpy(&header, pending_.data(), sizeof header);
        const std::size_t wanted =
            pending_size_ < sizeof header ? sizeof header : sizeof header + header.size;
        const std::size_t count = std::min(wanted - pending_size_, bytes.size());
        std::memcpy(pending_.data() + pending_size_, bytes.data(), count);
        pending_size_ += count;
        bytes.remove_prefix(count);
        if (pending_size_ < sizeof header) {
            continue;
        }
        std::memcpy(&header, pending_.data(), sizeof header);
        if (header.type == FrameType::terminal_data && header.size <= session::kLargestPayload) {
            streaming_ = header.size;
            pending_size_ = 0;
        } else if (header.size > pending_.size() - sizeof header) {
            return false;
        } else if (pending_size_ == sizeof header + header.size) {
            pending_size_ = 0;
            handle(Part{.type = header.type,
                        .bytes = std::string_view(pending_.data() + sizeof header, header.size)});
        }
    }
    return true;
}

bool Client::send(FrameType type, std::string_view payload, std::span<const int> fds) {
    const FrameHeader header{.type = type, .size = static_cast<std::uint32_t>(payload.size())};
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes.append(payload);
    return kernel::send_message(fd(), std::as_bytes(std::span(bytes)), fds).has_value();
}

bool Client::send_error(const Error& error) {
    return send(FrameType::error, session::encode_error(error));
}

bool Client::send_exited(std::int32_t code) {
    const session::ExitPayload payload{.code = code};
    return send(FrameType::exited,
                std::string_view(reinterpret_cast<const char*>(&payload), sizeof payload));
}

} // namespace lodge::monitor
