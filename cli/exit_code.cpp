#include "cli/exit_code.hpp"

namespace lodge::cli {

int exit_code_of(const Error& error) noexcept {
    switch (error.code()) {
    case ErrorCode::internal:
        return 1;
    case ErrorCode::invalid_argument:
        return 2;
    case ErrorCode::not_found:
        return 3;
    case ErrorCode::already_exists:
        return 4;
    case ErrorCode::invalid_state:
        return 5;
    case ErrorCode::busy:
        return 6;
    case ErrorCode::permission_denied:
        return 7;
    case ErrorCode::unsupported:
        return 8;
    case ErrorCode::no_space:
        return 9;
    case ErrorCode::resource_exhausted:
        return 10;
    case ErrorCode::timeout:
        return 11;
    case ErrorCode::cancelled:
        return 12;
    case ErrorCode::bad_key:
        return 13;
    case ErrorCode::corrupt:
        return 14;
    case ErrorCode::unreachable:
        return 20;
    case ErrorCode::kernel:
        break;
    }
    return 15;
}

} // namespace lodge::cli
