#pragma once

#include <gtest/gtest.h>

#include <string>

namespace lodge::test {

/// The reason why this machine lacks `feature`; empty: it has it. Features: "root",
/// "device_mapper", "fscrypt", "erofs", "systemd", "ia32", "cgroup2", "cgroup2:memory",
/// "cgroup2:cpu", "cgroup2:pids".
[[nodiscard]] std::string missing(const std::string& feature);

/// Whether a missing feature fails the test instead of skipping it (LODGE_REQUIRE=all, as in the
/// VM).
[[nodiscard]] bool everything_is_required();

/// Whether this build has a sanitizer, which adds shadow memory and interceptors to the process.
#ifdef LODGE_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

} // namespace lodge::test

/// First line of a test: a feature of the machine that it needs.
#define REQUIRES(feature)                                                                          \
    do {                                                                                           \
        if (const std::string lodge_why = ::lodge::test::missing(feature); !lodge_why.empty()) {   \
            if (::lodge::test::everything_is_required()) {                                         \
                FAIL() << "required here: " << lodge_why;                                          \
            }                                                                                      \
            GTEST_SKIP() << lodge_why;                                                             \
        }                                                                                          \
    } while (false)
