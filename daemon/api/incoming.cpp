#include "daemon/api/incoming.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/String.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <sstream>
#include <system_error>

#include <poll.h>
#include <sys/socket.h>

namespace lodge::daemon {

namespace {

constexpr std::size_t kLongestHead = std::size_t{64} << 10;

std::unexpected<Error> malformed(const std::string& what) {
    return fail(ErrorCode::invalid_argument, what);
}

// The position after the empty line; npos: it has not come yet. Lines may end without a CR (RFC
// 9112, 2.2).
std::size_t end_of_head(const std::string& text, std::size_t from) {
    for (std::size_t at = text.find('\n', from); at != std::string::npos;
         at = text.find('\n', at + 1)) {
        const bool returns = at + 1 < text.size() && text[at + 1] == '\r';
        const std::size_t next = at + (returns ? 2 : 1);
        if (next < text.size() && text[next] == '\n') {
            return next + 1;
        }
    }
    return std::string::npos;
}

} // namespace

bool Incoming::read() {
    while (!is_ready() && receive()) {
        advance();
    }
    return is_ready();
}

Status Incoming::read_on(const Deadline& deadline) {
    if (!has_more()) {
        return whole();
    }
    pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    int ready = 0;
    do {
        ready = ::poll(&wait, 1, deadline.poll_timeout());
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        return fail(ErrorCode::timeout, "the rest of the request's body does not come");
    }
    if (receive()) {
        advance();
    }
    return {};
}

// False: no bytes are available now, or the stream is at its end.
bool Incoming::receive() {
    std::array<char, 16384> chunk{};
    ssize_t size = 0;
    do {
        size = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size > 0) {
        began_ = true;
        raw_.append(chunk.data(), static_cast<std::size_t>(size));
        return true;
    }
    if (size == 0 || errno != EAGAIN) {
        ended_ = true;
        if (!has_head_ && !refusal_) {
            refusal_ = malformed("the request ended in its head").error();
        }
    }
    return false;
}

void Incoming::advance() {
    if (refusal_) {
        return;
    }
    if (!has_head_) {
        const std::size_t end = end_of_head(raw_, looked_at_);
        if (end == std::string::npos) {
            constexpr std::size_t kEnd = 3; // its last byte may come next
            looked_at_ = std::max(raw_.size(), kEnd) - kEnd;
            if (raw_.size() > kLongestHead) {
                refusal_ = malformed("the request's head is longer than 64 KiB").error();
            }
            return;
        }
        const Status parsed = parse_head(raw_.substr(0, end));
        raw_.erase(0, end);
        has_head_ = true;
        if (!parsed) {
            refusal_ = parsed.error();
            return;
        }
        const auto expects = head_.fields.find("expect");
        if (expects != head_.fields.end() && is_partial() && raw_.empty()) {
            constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
            (void)::send( // an error means that the peer is gone
                socket_.get(),
                kGoOn.data(),
                kGoOn.size(),
                MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    }
    (void)body_.take(raw_, content_); // state() tells
}

Status Incoming::parse_head(const std::string& text) {
    if (text.find('\0') != std::string::npos) {
        return malformed("the request's head is malformed");
    }
    try {
        Poco::Net::HTTPRequest request;
        std::istringstream stream(text);
        request.read(stream);
        head_ = {.method = request.getMethod(),
                 .target = request.getURI(),
                 .version = request.getVersion(),
                 .fields = {}};
        for (const auto& [name, value] : request) {
            const std::string key = Poco::toLower(name);
            if (!head_.fields.emplace(key, value).second && key == "content-length") {
                return malformed("the request has its Content-Length twice");
            }
        }
    } catch (const Poco::Exception&) { // its subclasses add no information
        return malformed("the request's head is malformed");
    }
    if (head_.version != Poco::Net::HTTPMessage::HTTP_1_1 &&
        head_.version != Poco::Net::HTTPMessage::HTTP_1_0) {
        return malformed("the request line is malformed");
    }
    return frame_body();
}

Status Incoming::frame_body() {
    const auto length = head_.fields.find("content-length");
    const auto coding = head_.fields.find("transfer-encoding");
    if (coding != head_.fields.end()) {
        if (length != head_.fields.end() || Poco::toLower(coding->second) != "chunked") {
            return malformed("the request's body is neither of a known length nor chunked");
        }
        body_ = BodyDecoder::of_chunks();
    } else if (length != head_.fields.end()) {
        const std::string& text = length->second;
        const char* end = text.data() + text.size();
        const auto read = std::from_chars(text.data(), end, announced_);
        if (read.ec != std::errc{} || read.ptr != end) {
            return malformed("the request's Content-Length is no number");
        }
        body_ = BodyDecoder::of_length(announced_);
    }
    return {};
}

bool Incoming::is_too_large() const {
    return body_size() > kLargestBody;
}

std::uint64_t Incoming::body_size() const {
    return std::max(announced_, std::uint64_t{content_.size()});
}

bool Incoming::is_ready() const {
    return ended_ || refusal_ || (has_head_ && (!is_partial() || is_too_large()));
}

Status Incoming::whole() const {
    switch (body_.state()) {
    case BodyDecoder::State::whole:
        return {};
    case BodyDecoder::State::broken:
        return malformed("the request's body is not chunked as it should be");
    case BodyDecoder::State::partial:
        break;
    }
    return malformed("the request's body did not arrive whole");
}

} // namespace lodge::daemon
