#include "lib/model/address.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace lodge::model {

namespace {

// The network mask of `prefix` for one byte of the address.
std::uint8_t network_mask(unsigned prefix, std::size_t byte) {
    const unsigned before = static_cast<unsigned>(byte) * 8;
    if (prefix >= before + 8) {
        return 0xff;
    }
    if (prefix <= before) {
        return 0;
    }
    return static_cast<std::uint8_t>(0xff << (8 - (prefix - before)));
}

} // namespace

IpAddress IpAddress::v4(const std::array<std::uint8_t, 4>& bytes) {
    IpAddress address;
    std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
    return address;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
    IpAddress address;
    address.family_ = Family::v6;
    address.bytes_ = bytes;
    return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string copy(text);
    IpAddress address;
    // inet_pton() would not see the text behind a NUL.
    if (copy.find('\0') == std::string::npos) {
        if (::inet_pton(AF_INET, copy.c_str(), address.bytes_.data()) == 1) {
            return address;
        }
        if (::inet_pton(AF_INET6, copy.c_str(), address.bytes_.data()) == 1) {
            address.family_ = Family::v6;
            return address;
        }
    }
    return fail(ErrorCode::invalid_argument, "'" + copy + "' is not an IPv4 or IPv6 address");
}

std::string IpAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    // Cannot fail: the family is one of the two and the buffer is long enough.
    (void)::inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
    return text.data();
}

IpAddress IpAddress::plus(std::uint64_t offset) const {
    IpAddress sum = *this;
    for (std::size_t i = bits() / 8; i-- > 0 && offset != 0;) {
        offset += sum.bytes_[i];
        sum.bytes_[i] = static_cast<std::uint8_t>(offset & 0xff);
        offset >>= 8;
    }
    return sum;
}

Result<CidrAddress> CidrAddress::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash != std::string_view::npos) {
        ASSIGN_OR_RETURN(const IpAddress address, IpAddress::parse(text.substr(0, slash)));
        const std::string_view digits = text.substr(slash + 1);
        unsigned prefix = 0;
        const char* const last = digits.data() + digits.size();
        const auto [end, error] = std::from_chars(digits.data(), last, prefix);
        if (error == std::errc{} && end == last && prefix <= address.bits()) {
            return CidrAddress{address, prefix};
        }
    }
    return fail(ErrorCode::invalid_argument,
                "'" + std::string(text) +
                    "' is not an address with a prefix length, such as 10.0.0.1/24");
}

std::string CidrAddress::to_string() const {
    return address.to_string() + "/" + std::to_string(prefix);
}

IpAddress CidrAddress::network() const {
    std::array<std::uint8_t, 16> bytes = address.bytes();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(bytes[i] & network_mask(prefix, i));
    }
    return address.is_v4() ? IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]})
                           : IpAddress::v6(bytes);
}

bool CidrAddress::contains(const IpAddress& other) const {
    return other.family() == address.family() && CidrAddress{other, prefix}.network() == network();
}

} // namespace lodge::model
