#pragma once

#include "lib/base/error.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace lodge::model {

/// An IPv4 or IPv6 address. Value type, ordered by family and then numerically.
class IpAddress {
  public:
    enum class Family : std::uint8_t { v4 = 4, v6 = 6 };

    IpAddress() = default;
    static IpAddress v4(const std::array<std::uint8_t, 4>& bytes);
    static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);
    /// inet_pton(3) forms only: no zone, no port, no brackets.
    static Result<IpAddress> parse(std::string_view text);

    [[nodiscard]] Family family() const noexcept { return family_; }
    [[nodiscard]] bool is_v4() const noexcept { return family_ == Family::v4; }
    /// Bits of an address of this family: 32 or 128.
    [[nodiscard]] unsigned bits() const noexcept { return is_v4() ? 32 : 128; }
    /// Network byte order; an IPv4 address fills the first four.
    [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::string to_string() const;
    /// The address `offset` after this one; wraps silently at the end of the family.
    [[nodiscard]] IpAddress plus(std::uint64_t offset) const;

    auto operator<=>(const IpAddress&) const = default;

  private:
    Family family_ = Family::v4;
    std::array<std::uint8_t, 16> bytes_{};
};

/// An address with the length of its network's prefix: "10.77.0.2/16".
struct CidrAddress {
    IpAddress address;
    unsigned prefix = 0;

    static Result<CidrAddress> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    /// The network's own address: all host bits zero.
    [[nodiscard]] IpAddress network() const;
    [[nodiscard]] bool contains(const IpAddress& other) const;
    auto operator<=>(const CidrAddress&) const = default;
};

} // namespace lodge::model
