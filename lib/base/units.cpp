#include "lib/base/units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace lodge {

namespace {

struct Suffix {
    char letter;
    unsigned shift;
};
constexpr std::array kSuffixes{Suffix{'K', 10}, Suffix{'M', 20}, Suffix{'G', 30}, Suffix{'T', 40}};

std::unexpected<Error> bad_size(std::string_view text, std::string_view why) {
    return fail(ErrorCode::invalid_argument,
                "'" + std::string(text) + "' is not a size: " + std::string(why) +
                    "; write it as 512M or 2G");
}

// The exponent of the power of two that a suffix means; 64: the suffix is unknown.
unsigned shift_of(std::string_view suffix) {
    if (suffix.empty() || suffix == "B" || suffix == "b") {
        return 0;
    }
    const char letter = static_cast<char>(suffix[0] & ~0x20);
    const std::string_view rest = suffix.substr(1);
    if (!(rest.empty() || rest == "B" || rest == "b" || rest == "iB" || rest == "ib")) {
        return 64;
    }
    for (const Suffix& known : kSuffixes) {
        if (known.letter == letter) {
            return known.shift;
        }
    }
    return 64;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

constexpr std::uint32_t kDecimalUnit = 1000;

// Takes a point and its one to three digits from the beginning of `text` and returns them as
// thousandths. nullopt: the point has no digits, or more than three.
std::optional<std::uint32_t> take_decimals(std::string_view& text) {
    if (!text.starts_with('.')) {
        return 0;
    }
    text.remove_prefix(1);
    std::uint32_t thousandths = 0;
    std::uint32_t unit = kDecimalUnit;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
        unit /= 10;
        thousandths += unit * static_cast<std::uint32_t>(text.front() - '0');
        if (unit == 0) {
            return std::nullopt;
        }
    }
    return unit == kDecimalUnit ? std::nullopt : std::optional(thousandths);
}

} // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
    if (text.empty() || !is_digit(text[0])) {
        return bad_size(text, "it does not start with a digit");
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) {
        return bad_size(text, "it is too large");
    }
    std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
    const auto decimals = take_decimals(rest);
    const unsigned shift = shift_of(rest);
    if (!decimals) {
        return bad_size(text, "one to three digits may stand behind a point");
    }
    if (shift == 64) {
        return bad_size(text, "its unit is none of K, M, G, T");
    }
    if (*decimals > 0 && shift == 0) {
        return bad_size(text, "a part of a byte is none");
    }
    constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
    if (value >= (kMost >> shift)) {
        return bad_size(text, "it is too large");
    }
    // Rounds down to whole bytes: 1.1G has a fraction of a byte.
    const std::uint64_t bytes =
        (value << shift) + (std::uint64_t{*decimals} << shift) / kDecimalUnit;
    return bytes == 0 ? bad_size(text, "it is zero") : Result<std::uint64_t>(bytes);
}

std::string format_size(std::uint64_t bytes) {
    for (auto suffix = kSuffixes.rbegin(); suffix != kSuffixes.rend(); ++suffix) {
        const std::uint64_t unit = std::uint64_t{1} << suffix->shift;
        if (bytes >= unit && bytes % unit == 0) {
            return std::to_string(bytes / unit) + suffix->letter;
        }
    }
    return std::to_string(bytes);
}

Result<std::uint32_t> parse_cpus(std::string_view text) {
    const auto refuse = [&] {
        return fail(
            ErrorCode::invalid_argument,
            "'" + std::string(text) +
                "' is not a number of CPUs; write it as 2 or 1.5, with at most three decimals");
    };
    if (text.empty() || !is_digit(text[0])) {
        return refuse();
    }
    const char* const last = text.data() + text.size();
    std::uint32_t whole = 0;
    auto [end, error] = std::from_chars(text.data(), last, whole);
    if (error != std::errc{} || whole > 8192) {
        return refuse();
    }
    std::uint32_t millis = whole * 1000;
    if (end != last) {
        std::string_view decimals(end + 1, static_cast<std::size_t>(last - end - 1));
        if (*end != '.' || decimals.empty() || decimals.size() > 3) {
            return refuse();
        }
        std::uint32_t scale = 100;
        for (const char c : decimals) {
            if (!is_digit(c)) {
                return refuse();
            }
            millis += static_cast<std::uint32_t>(c - '0') * scale;
            scale /= 10;
        }
    }
    if (millis == 0 || millis > 8192U * 1000U) {
        return refuse();
    }
    return millis;
}

std::string format_cpus(std::uint32_t millis) {
    std::string text = std::to_string(millis / 1000);
    if (const std::uint32_t rest = millis % 1000; rest != 0) {
        std::string decimals = std::to_string(1000 + rest).substr(1);
        decimals.erase(decimals.find_last_not_of('0') + 1);
        text.append(".").append(decimals);
    }
    return text;
}

Result<std::int64_t> parse_duration_ms(std::string_view text) {
    const auto refuse = [&] {
        return fail(ErrorCode::invalid_argument,
                    "'" + std::string(text) +
                        "' is not a duration; write it as 500ms, 30s, 5m or 1h");
    };
    if (text.empty() || !is_digit(text[0])) {
        return refuse();
    }
    std::int64_t value = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, value);
    const std::string_view unit(end, static_cast<std::size_t>(last - end));
    std::int64_t scale = 0;
    if (unit.empty() || unit == "s") {
        scale = 1000;
    } else if (unit == "ms") {
        scale = 1;
    } else if (unit == "m") {
        scale = 60'000;
    } else if (unit == "h") {
        scale = 3'600'000;
    }
    if (error != std::errc{} || scale == 0 || value > std::int64_t{366} * 86'400'000 / scale) {
        return refuse();
    }
    return value * scale;
}

Result<std::uint32_t> parse_count(std::string_view text, const std::string& noun) {
    std::uint32_t number = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, number);
    if (error != std::errc{} || end != last) {
        return fail(ErrorCode::invalid_argument,
                    "'" + std::string(text) + "' is not " + noun + "; a whole number is wanted");
    }
    return number;
}

} // namespace lodge
