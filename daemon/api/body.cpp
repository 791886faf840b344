#include "daemon/api/body.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace lodge::daemon {

namespace {

// Bounds of the bytes behind a chunk's size and of the trailers behind the last chunk. Both are
// skipped.
constexpr std::size_t kLongestLine = 1024;
constexpr std::size_t kLongestTrailers = 8192;
constexpr std::string_view kLineBreak = "\r\n";

} // namespace

BodyDecoder BodyDecoder::of_length(std::uint64_t length) {
    BodyDecoder decoder;
    decoder.left_ = length;
    decoder.part_ = length == 0 ? Part::over : Part::content;
    return decoder;
}

BodyDecoder BodyDecoder::of_chunks() {
    BodyDecoder decoder;
    decoder.part_ = Part::size;
    return decoder;
}

BodyDecoder::State BodyDecoder::state() const {
    if (part_ == Part::over) {
        return State::whole;
    }
    return part_ == Part::broken ? State::broken : State::partial;
}

BodyDecoder::State BodyDecoder::take(std::string& raw, std::string& content) {
    std::size_t used = 0;
    while (state() == State::partial) {
        const std::size_t more = step(std::string_view(raw).substr(used), content);
        if (more == 0) {
            break;
        }
        used += more;
    }
    raw.erase(0, used);
    return state();
}

// Returns the number of consumed bytes of `raw`; 0: it needs more bytes, or the body is at its end.
std::size_t BodyDecoder::step(std::string_view raw, std::string& content) {
    if (part_ == Part::content) {
        return take_content(raw, content, Part::over);
    }
    if (part_ == Part::chunk) {
        return take_content(raw, content, Part::chunk_end);
    }
    const std::size_t end = raw.find(kLineBreak);
    if (end == std::string_view::npos) {
        if (raw.size() > kLongestLine) {
            part_ = Part::broken;
        }
        return 0;
    }
    const std::size_t size = end + kLineBreak.size();
    if (part_ == Part::size) {
        return take_size(raw.substr(0, end));
    }
    if (part_ == Part::chunk_end) {
        part_ = end == 0 ? Part::size : Part::broken;
        return size;
    }
    trailers_ += size;
    if (end == 0) {
        part_ = Part::over;
    } else if (trailers_ > kLongestTrailers) {
        part_ = Part::broken;
    }
    return size;
}

std::size_t BodyDecoder::take_content(std::string_view raw, std::string& content, Part next) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, raw.size()));
    content.append(raw.substr(0, size));
    left_ -= size;
    if (left_ == 0) {
        part_ = next;
    }
    return size;
}

std::size_t BodyDecoder::take_size(std::string_view line) {
    constexpr int kHex = 16;
    const auto read = std::from_chars(line.data(), line.data() + line.size(), left_, kHex);
    const auto digits = static_cast<std::size_t>(read.ptr - line.data());
    const std::string_view rest = line.substr(digits);
    // Extensions after the digits are ignored.
    if (read.ec != std::errc{} || (!rest.empty() && rest.find_first_of(" \t;") != 0)) {
        part_ = Part::broken;
    } else {
        part_ = left_ == 0 ? Part::trailer : Part::chunk;
    }
    return line.size() + kLineBreak.size();
}

} // namespace lodge::daemon
