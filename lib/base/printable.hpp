#pragma once

#include <string>
#include <string_view>

namespace lodge {

/// `text` in a form that is safe on a terminal and in one line of a log, also when a tenant chose
/// it. Each control character (C0, DEL, C1) that is not in `kept`, and each byte that is not UTF-8,
/// becomes '?'. Thread-safe.
[[nodiscard]] std::string printable(std::string_view text, std::string_view kept = {});

} // namespace lodge
