#pragma once

#include <string>
#include <string_view>

namespace lodge {

/// `text` as it can be shown on a terminal or stand in one line of a log, whoever chose it: each
/// control character (C0, DEL, C1) but those of `kept`, and each byte that is not UTF-8, becomes
/// '?'. Thread-safe.
[[nodiscard]] std::string printable(std::string_view text, std::string_view kept = {});

} // namespace lodge
