#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lodge {

/// The closed set of reasons for which Lodge refuses or fails. The numbers and names are part of
/// the wire protocol and of the CLI's exit codes: never renumber, only append.
enum class ErrorCode : std::uint16_t {
    invalid_argument = 1,
    not_found = 2,
    already_exists = 3,
    invalid_state = 4,
    busy = 5,
    permission_denied = 6,
    unsupported = 7,
    no_space = 8,
    resource_exhausted = 9,
    timeout = 10,
    cancelled = 11,
    bad_key = 12,
    corrupt = 13,
    kernel = 14,
    internal = 15,
    unreachable = 16, ///< no daemon listens: only its clients report this
};

/// The wire name ("not_found") of a code. Never empty.
[[nodiscard]] std::string_view to_string(ErrorCode code) noexcept;

/// The code of a wire name; `internal` for a name this release does not know.
[[nodiscard]] ErrorCode error_code_from_string(std::string_view name) noexcept;

/// The code of an errno for a caller who knows nothing else: a code about the host, never one about
/// the object that was asked for (not_found, already_exists, busy, permission_denied). `kernel` for
/// all other values.
[[nodiscard]] ErrorCode error_code_from_errno(int error_number) noexcept;

/// What failed and why. `message()` is a sentence for a person; `trail()` leads from the intent
/// (last entry) down to the failure (the message). Value type; not thread-safe to mutate.
class [[nodiscard]] Error {
  public:
    Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

    /// `call` failed on `subject` (may be empty) with `error_number`. The code follows from it.
    static Error from_errno(std::string_view call, std::string_view subject, int error_number);

    [[nodiscard]] ErrorCode code() const noexcept { return code_; }
    /// The errno of the failed call; 0: the failure had no errno.
    [[nodiscard]] int sys_errno() const noexcept { return sys_errno_; }
    [[nodiscard]] const std::string& message() const noexcept { return message_; }
    [[nodiscard]] const std::vector<std::string>& trail() const noexcept { return trail_; }

    /// Adds the intent of the caller ("attach the volume of 'web1'"). Do not repeat the lower text.
    /// Returns by value, as with_code() does: `e = std::move(e).context(...)` must not move e into
    /// itself.
    Error context(std::string intent) && {
        trail_.push_back(std::move(intent));
        return std::move(*this);
    }
    /// Replaces the code where the caller knows better what the failure means to its own caller.
    Error with_code(ErrorCode code) && {
        code_ = code;
        return std::move(*this);
    }
    Error with_errno(int error_number) && {
        sys_errno_ = error_number;
        return std::move(*this);
    }

    /// One line: "intent: lower intent: message".
    [[nodiscard]] std::string to_string() const;

  private:
    ErrorCode code_;
    int sys_errno_ = 0;
    std::string message_;
    std::vector<std::string> trail_;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
    return std::unexpected<Error>(Error(code, std::move(message)));
}

/// Reads errno: call it on the line after the system call.
[[nodiscard]] std::unexpected<Error> fail_errno(std::string_view call,
                                                std::string_view subject = {});
[[nodiscard]] std::unexpected<Error>
fail_errno(std::string_view call, std::string_view subject, int error_number);

/// Adds context to an error; does not change a success.
template <typename T>
[[nodiscard]] Result<T> with_context(Result<T> result, std::string intent) {
    if (!result) {
        result.error() = std::move(result).error().context(std::move(intent));
    }
    return result;
}

} // namespace lodge

#define LODGE_CONCAT_INNER(a, b) a##b
#define LODGE_CONCAT(a, b) LODGE_CONCAT_INNER(a, b)

/// Returns the error of `expr` (a Result of any type) from the enclosing function.
#define RETURN_IF_ERROR(expr)                                                                      \
    do {                                                                                           \
        if (auto lodge_status = (expr); !lodge_status) {                                           \
            return std::unexpected<::lodge::Error>(std::move(lodge_status).error());               \
        }                                                                                          \
    } while (false)

/// Assigns the value of `expr` to `decl` or returns its error: ASSIGN_OR_RETURN(auto fd, open()).
#define ASSIGN_OR_RETURN(decl, expr)                                                               \
    ASSIGN_OR_RETURN_INNER(LODGE_CONCAT(lodge_result_, __LINE__), decl, expr)
#define ASSIGN_OR_RETURN_INNER(tmp, decl, expr)                                                    \
    auto tmp = (expr);                                                                             \
    if (!tmp) {                                                                                    \
        return std::unexpected<::lodge::Error>(std::move(tmp).error());                            \
    }                                                                                              \
    decl = std::move(*tmp)
