#include "tests/support/host_state.hpp"

#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/process.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/patience.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <string_view>
#include <utility>

#include <poll.h>

namespace lodge::test {

namespace {

namespace fs = std::filesystem;

bool is_hex(char character) {
    return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'f');
}

// Whether `text` begins with `pattern`; an x matches any hexadecimal digit.
bool begins_as(std::string_view text, std::string_view pattern) {
    return text.size() >= pattern.size() &&
           std::equal(pattern.begin(), pattern.end(), text.begin(), [](char wanted, char found) {
               return wanted == 'x' ? is_hex(found) : wanted == found;
           });
}

// Replaces UUIDs, names of cards and images, and the addresses that come from them.
std::string without_identities(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 4> identities{{
        {"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "UUID"},
        {"xx:xx:xx:xx:xx:xx", "MAC"},
        {"fe80::", "LINK-LOCAL"},
        {"xxxxxxxxxxxx", "HEX"},
    }};
    std::string result;
    while (!text.empty()) {
        const auto* found =
            std::find_if(identities.begin(), identities.end(), [&](const auto& identity) {
                return begins_as(text, identity.first);
            });
        if (found == identities.end()) {
            result += text.front();
            text.remove_prefix(1);
            continue;
        }
        result += found->second;
        text.remove_prefix(found->first.size());
        text.remove_prefix(std::min(text.find_first_not_of("0123456789abcdef:"), text.size()));
    }
    return result;
}

std::string without_numbers(std::string_view text) {
    std::string result;
    for (const char character : without_identities(text)) {
        const bool digit = character >= '0' && character <= '9';
        if (!digit) {
            result += character;
        } else if (result.empty() || result.back() != '#') {
            result += '#';
        }
    }
    return result;
}

// Adds the elements of a set one by one, because nft(8) lists them in no fixed order.
void add_ruleset(HostState& into, const std::string& ruleset) {
    const std::string mark = "elements = ";
    std::istringstream lines(without_numbers(ruleset));
    for (std::string line; std::getline(lines, line);) {
        if (const std::size_t at = line.find(mark); at != std::string::npos) {
            line.erase(at, mark.size());
        }
        std::erase_if(line, [](char character) {
            return std::string_view("{},\t ").find(character) != std::string_view::npos;
        });
        into.lines.insert("nft " + line);
    }
}

// JSON with one member a line, without the members for times and numbers of events.
void add_answer(HostState& into, const CliResult& answer) {
    static const std::array volatile_members{"\"pid\"",
                                             "\"last_exit\"",
                                             "\"last_error\"",
                                             "\"created_at\"",
                                             "\"started_at\"",
                                             "\"built_at\"",
                                             "\"restarts\""};
    std::istringstream lines(without_identities(answer.out));
    for (std::string line; std::getline(lines, line);) {
        if (std::none_of(volatile_members.begin(), volatile_members.end(), [&](const char* member) {
                return line.find(member) != std::string::npos;
            })) {
            into.lines.insert(line.substr(0, line.find_last_not_of(',') + 1));
        }
    }
    if (answer.code != 0) {
        into.lines.insert("error: " + answer.err);
    }
}

// Leaves out the files of the database, which change by themselves, and the trees of the templates.
void add_files(HostState& into, const std::string& directory) {
    std::error_code error;
    for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string name = entry->path().string().substr(directory.size());
        if (name.find(".db") == std::string::npos) {
            into.lines.insert("file " + without_identities(name));
        }
    }
}

void add_group(HostState& into, const std::string& path) {
    for (const char* file :
         {"cgroup.freeze", "cgroup.events", "memory.max", "pids.max", "cpu.max"}) {
        if (const auto text = kernel::read_file(path + "/" + file, 4096)) {
            into.lines.insert(without_identities(path) + " " + file + ": " + *text);
        }
    }
}

std::string name_of(pid_t pid) {
    const auto name = kernel::read_file("/proc/" + std::to_string(pid) + "/comm", 64);
    return name ? *name : "nobody\n";
}

// A field of /proc/PID/stat behind the name: 0 the state, 1 the parent, 19 the start (man 5 proc).
std::string stat_field(pid_t pid, std::size_t number) {
    const auto stat = kernel::read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    std::istringstream fields(stat ? stat->substr(stat->rfind(')') + 1) : "");
    const std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
    return number < words.size() ? words[number] : "";
}

// The member `pid` of a container in the list; 0: there is none, or it has none.
pid_t pid_in(const std::string& list, const std::string& name) {
    const std::string mark = "\"pid\": ";
    const std::size_t begin = list.find("\"name\": \"" + name + "\"");
    const std::size_t at = list.find(mark, begin);
    return begin == std::string::npos || at == std::string::npos
               ? 0
               : std::atoi(list.c_str() + at + mark.size());
}

} // namespace

HostState take_state(const LodgeHost& host) {
    HostState state;
    const CliResult list = host.lodge({"list", "--json"});
    add_answer(state, list);
    add_answer(state, host.lodge({"template", "list", "--json"}));
    for (const std::string& line : take_inventory()) {
        if (line.starts_with("nft ")) {
            add_ruleset(state, line);
            continue;
        }
        if (line.ends_with("/.lodge")) {
            continue; // the first exec makes it; it stays with the group
        }
        state.lines.insert(without_numbers(line));
        if (line.starts_with("cgroup ")) {
            add_group(state, line.substr(line.find(' ') + 1));
        }
    }
    add_files(state, host.directory() + "/state");
    state.init = identify(pid_in(list.out, "web1"));
    if (state.init.pid != 0) {
        state.lines.insert("web1 is watched by " + name_of(parent_of(state.init.pid)));
    }
    return state;
}

std::string difference(const HostState& then, const HostState& now) {
    const auto only_in = [](const HostState& one, const HostState& other, const char* mark) {
        std::vector<std::string> lines;
        std::set_difference(one.lines.begin(),
                            one.lines.end(),
                            other.lines.begin(),
                            other.lines.end(),
                            std::back_inserter(lines));
        std::string text;
        for (const std::string& line : lines) {
            text += mark + line + "\n";
        }
        return text;
    };
    return only_in(then, now, "- ") + only_in(now, then, "+ ");
}

ProcessIdentity identify(pid_t pid) {
    const std::string state = stat_field(pid, 0);
    return state.empty() || state == "Z" ? ProcessIdentity{}
                                         : ProcessIdentity{pid, stat_field(pid, 19)};
}

ProcessIdentity init_of(const LodgeHost& host, const std::string& name) {
    return identify(pid_in(host.lodge({"list", "--json"}).out, name));
}

pid_t parent_of(pid_t pid) {
    const std::string parent = stat_field(pid, 1);
    return parent.empty() ? 0 : std::stoi(parent);
}

bool has_ended(pid_t pid) {
    const auto process = kernel::open_process(pid);
    pollfd end{.fd = process ? process->get() : -1, .events = POLLIN, .revents = 0};
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(10)));
    return !process || ::poll(&end, 1, deadline.poll_timeout()) == 1;
}

} // namespace lodge::test
