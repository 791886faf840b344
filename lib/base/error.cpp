#include "lib/base/error.hpp"

#include <array>
#include <cerrno>

#include <string.h>

namespace lodge {

namespace {

struct CodeName {
    ErrorCode code;
    std::string_view name;
};

constexpr std::array kCodeNames{
    CodeName{ErrorCode::invalid_argument, "invalid_argument"},
    CodeName{ErrorCode::not_found, "not_found"},
    CodeName{ErrorCode::already_exists, "already_exists"},
    CodeName{ErrorCode::invalid_state, "invalid_state"},
    CodeName{ErrorCode::busy, "busy"},
    CodeName{ErrorCode::permission_denied, "permission_denied"},
    CodeName{ErrorCode::unsupported, "unsupported"},
    CodeName{ErrorCode::no_space, "no_space"},
    CodeName{ErrorCode::resource_exhausted, "resource_exhausted"},
    CodeName{ErrorCode::timeout, "timeout"},
    CodeName{ErrorCode::cancelled, "cancelled"},
    CodeName{ErrorCode::bad_key, "bad_key"},
    CodeName{ErrorCode::corrupt, "corrupt"},
    CodeName{ErrorCode::kernel, "kernel"},
    CodeName{ErrorCode::internal, "internal"},
    CodeName{ErrorCode::unreachable, "unreachable"},
};

// strerrordesc_np (glibc 2.32) is thread-safe and untranslated, unlike strerror.
std::string describe_errno(int error_number) {
    const char* text = strerrordesc_np(error_number);
    return text != nullptr ? std::string(text) : "errno " + std::to_string(error_number);
}

} // namespace

std::string_view to_string(ErrorCode code) noexcept {
    for (const CodeName& entry : kCodeNames) {
        if (entry.code == code) {
            return entry.name;
        }
    }
    return "internal";
}

ErrorCode error_code_from_string(std::string_view name) noexcept {
    for (const CodeName& entry : kCodeNames) {
        if (entry.name == name) {
            return entry.code;
        }
    }
    return ErrorCode::internal;
}

// A missing file on a lower layer (ENOENT) need not be the object that the caller asked for. A
// caller who knows that it is sets the code with with_code(). A caller who needs the kernel's
// answer reads sys_errno().
ErrorCode error_code_from_errno(int error_number) noexcept {
    switch (error_number) {
    case ENOSPC:
    case EDQUOT:
        return ErrorCode::no_space;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case ENOBUFS:
        return ErrorCode::resource_exhausted;
    case ENOSYS:
    case EOPNOTSUPP:
        return ErrorCode::unsupported;
    case ETIMEDOUT:
        return ErrorCode::timeout;
    default:
        return ErrorCode::kernel;
    }
}

Error Error::from_errno(std::string_view call, std::string_view subject, int error_number) {
    std::string message(call);
    if (!subject.empty()) {
        message.append(" '").append(subject).append("'");
    }
    message.append(": ").append(describe_errno(error_number));
    Error error(error_code_from_errno(error_number), std::move(message));
    error.sys_errno_ = error_number;
    return error;
}

std::string Error::to_string() const {
    std::string line;
    for (auto intent = trail_.rbegin(); intent != trail_.rend(); ++intent) {
        line.append(*intent).append(": ");
    }
    return line.append(message_);
}

std::unexpected<Error> fail_errno(std::string_view call, std::string_view subject) {
    const int error_number = errno;
    return std::unexpected<Error>(Error::from_errno(call, subject, error_number));
}

std::unexpected<Error>
fail_errno(std::string_view call, std::string_view subject, int error_number) {
    return std::unexpected<Error>(Error::from_errno(call, subject, error_number));
}

} // namespace lodge
