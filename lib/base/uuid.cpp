#include "lib/base/uuid.hpp"

#include <sys/random.h>

namespace lodge {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string hex(const std::array<std::uint8_t, 16>& bytes) {
    std::string text;
    text.reserve(32);
    for (const std::uint8_t byte : bytes) {
        text.push_back(kHexDigits[byte >> 4]);
        text.push_back(kHexDigits[byte & 0xf]);
    }
    return text;
}

} // namespace

Result<Uuid> Uuid::generate() {
    Uuid uuid;
    // A request of up to 256 bytes is never cut short once the entropy pool is ready (man 2
    // getrandom).
    if (::getrandom(uuid.bytes_.data(), uuid.bytes_.size(), 0) !=
        static_cast<ssize_t>(uuid.bytes_.size())) {
        return fail_errno("getrandom");
    }
    uuid.bytes_[6] = static_cast<std::uint8_t>((uuid.bytes_[6] & 0x0f) | 0x40);
    uuid.bytes_[8] = static_cast<std::uint8_t>((uuid.bytes_[8] & 0x3f) | 0x80);
    return uuid;
}

Result<Uuid> Uuid::parse(std::string_view text) {
    const auto refuse = [&] {
        return fail(ErrorCode::invalid_argument, "'" + std::string(text) + "' is not a UUID");
    };
    if (text.size() != 36) {
        return refuse();
    }
    Uuid uuid;
    std::size_t digit = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-') {
                return refuse();
            }
            continue;
        }
        const std::size_t value = kHexDigits.find(text[i]);
        if (value == std::string_view::npos) {
            return refuse();
        }
        std::uint8_t& byte = uuid.bytes_[digit / 2];
        byte = static_cast<std::uint8_t>(digit % 2 == 0 ? value << 4 : byte | value);
        ++digit;
    }
    return uuid;
}

std::string Uuid::to_string() const {
    std::string text = hex(bytes_);
    for (const std::size_t at : {20U, 16U, 12U, 8U}) {
        text.insert(at, 1, '-');
    }
    return text;
}

std::string Uuid::short_hex(std::size_t digits) const {
    return hex(bytes_).substr(0, digits);
}

} // namespace lodge
