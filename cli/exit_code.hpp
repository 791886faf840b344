#pragma once

#include "lib/base/error.hpp"

namespace lodge::cli {

/// The exit code of an error, documented in docs/exit-codes.md; never changed.
[[nodiscard]] int exit_code_of(const Error& error) noexcept;

} // namespace lodge::cli
