#include "daemon/containers/logged_verb.hpp"

#include <charconv>
#include <cstdint>
#include <system_error>

namespace lodge::daemon {

std::string to_arguments(const LoggedVerb& verb) {
    std::string arguments = verb.container.to_string();
    if (verb.halt_timeout) {
        arguments += " " + std::to_string(verb.halt_timeout->count());
    }
    return arguments;
}

std::optional<LoggedVerb> parse_arguments(const std::string& arguments) {
    const std::size_t space = arguments.find(' ');
    const auto container = Uuid::parse(arguments.substr(0, space));
    if (!container) {
        return {};
    }
    LoggedVerb verb{.container = *container, .halt_timeout = {}};
    if (space != std::string::npos) {
        std::int64_t milliseconds = 0;
        const char* end = arguments.data() + arguments.size();
        const auto read = std::from_chars(arguments.data() + space + 1, end, milliseconds);
        if (read.ec != std::errc{} || read.ptr != end || milliseconds < 0) {
            return {};
        }
        verb.halt_timeout = std::chrono::milliseconds(milliseconds);
    }
    return verb;
}

} // namespace lodge::daemon
