#pragma once

#include "lib/base/error.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace lodge {

/// A random (version 4) UUID, RFC 9562. The identity of a container or an operation; kernel objects
/// carry names derived from it.
class Uuid {
  public:
    Uuid() = default;
    static Result<Uuid> generate();
    /// Takes the canonical 36-character lower-case form only, so that a UUID has one spelling.
    static Result<Uuid> parse(std::string_view text);

    [[nodiscard]] std::string to_string() const;
    /// The first `digits` hexadecimal digits: for names with a length limit, such as links.
    [[nodiscard]] std::string short_hex(std::size_t digits) const;
    [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }

    auto operator<=>(const Uuid&) const = default;

  private:
    std::array<std::uint8_t, 16> bytes_{};
};

} // namespace lodge
