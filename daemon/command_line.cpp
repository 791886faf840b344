#include "daemon/command_line.hpp"

#include "lib/base/likeness.hpp"
#include "lib/base/printable.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace lodge::daemon {

namespace {

struct Option {
    std::string_view name;
    std::string_view value; ///< its name in the help; empty: a flag
    std::string_view help;
    std::string CommandLine::* text = nullptr;
    bool CommandLine::* flag = nullptr;
};

constexpr std::array kOptions{
    Option{"--config",
           "FILE",
           "Configuration (default: /etc/lodge/lodge.yaml, if there)",
           &CommandLine::config},
    Option{"--state-dir",
           "DIR",
           "What outlives a reboot (default: /var/lib/lodge)",
           &CommandLine::state_directory},
    Option{"--run-dir",
           "DIR",
           "What dies with the host (default: /run/lodge)",
           &CommandLine::run_directory},
    Option{
        "--socket", "PATH", "Where to listen (default: RUN_DIR/lodged.sock)", &CommandLine::socket},
    Option{"--foreground",
           "",
           "Stay in the foreground; always so, for service managers of old",
           nullptr,
           &CommandLine::foreground},
    Option{"--recover",
           "",
           "Build a lost database anew and end; see `lodge recover`",
           nullptr,
           &CommandLine::recover},
    Option{"--clean-host",
           "",
           "Remove bridge, firewall, groups and run directory, but no data, and end",
           nullptr,
           &CommandLine::clean_host},
    Option{"--version", "", "Show the version and end", nullptr, &CommandLine::version},
    Option{"--help", "", "Show this and end", nullptr, &CommandLine::help},
};

std::unexpected<Error> refuse(const std::string& what) {
    return fail(ErrorCode::invalid_argument, printable(what));
}

std::string no_option(const std::string& name) {
    std::vector<std::string> known;
    for (const Option& option : kOptions) {
        known.emplace_back(option.name.substr(2));
    }
    const std::size_t begin = name.find_first_not_of('-');
    const std::string_view near =
        begin == std::string::npos ? "" : nearest(std::string_view(name).substr(begin), known);
    return "there is no option " + name +
           (near.empty() ? "" : "; did you mean '--" + std::string(near) + "'?");
}

} // namespace

Result<CommandLine> parse_command_line(std::span<char* const> words) {
    CommandLine line;
    std::set<std::string_view> given;
    for (std::size_t at = 0; at < words.size(); ++at) {
        const std::string word = words[at] == std::string_view("-h") ? "--help" : words[at];
        if (!word.starts_with('-')) {
            return refuse("'" + word + "' is more than it takes");
        }
        const std::size_t sign = word.find('=');
        const std::string name = word.substr(0, sign);
        const auto* const option = std::ranges::find(kOptions, name, &Option::name);
        if (option == kOptions.end()) {
            return refuse(no_option(name));
        }
        if (!given.insert(option->name).second) {
            return refuse(name + " is given more than once");
        }
        if (option->flag != nullptr) {
            if (sign != std::string::npos) {
                return refuse(name + " takes no value");
            }
            line.*(option->flag) = true;
            continue;
        }
        std::string& value = line.*(option->text);
        if (sign != std::string::npos) {
            value = word.substr(sign + 1);
        } else if (++at < words.size()) {
            value = words[at];
        }
        if (value.empty()) {
            return refuse(name + " needs a value");
        }
    }
    return line;
}

std::string usage() {
    constexpr std::size_t kColumn = 24;
    std::string text = "lodged, the container manager's daemon\nUsage: lodged [OPTIONS]\n\n";
    for (const Option& option : kOptions) {
        std::string left = "  " + std::string(option.name);
        left += (option.value.empty() ? "" : " ") + std::string(option.value);
        left.resize(std::max(kColumn, left.size() + 1), ' ');
        text += left + std::string(option.help) + "\n";
    }
    return text;
}

} // namespace lodge::daemon
