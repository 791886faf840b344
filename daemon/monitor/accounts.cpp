#include "daemon/monitor/accounts.hpp"

#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::monitor {

namespace {

constexpr std::size_t kLongestFile = std::size_t{1} << 20;
constexpr std::size_t kMostGroups = 256;
constexpr std::size_t kLongestField = 1024;

std::string_view take_until(std::string_view& text, char separator) {
    const std::size_t end = text.find(separator);
    const std::string_view taken = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return taken;
}

// An id inside the container: the map ends at 65535 and -1 means "leave it" to the kernel.
std::optional<std::uint32_t> parse_id(std::string_view text) {
    constexpr std::uint32_t kHighest = 65535;
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() || id > kHighest) {
        return std::nullopt;
    }
    return id;
}

struct PasswdLine {
    std::string_view name;
    std::uint32_t user;
    std::uint32_t group;
    std::string_view home;
    std::string_view shell;
};

std::optional<PasswdLine> parse_passwd_line(std::string_view line) {
    const std::string_view name = take_until(line, ':');
    (void)take_until(line, ':'); // the password's place
    const auto user = parse_id(take_until(line, ':'));
    const auto group = parse_id(take_until(line, ':'));
    (void)take_until(line, ':'); // the person
    const std::string_view home = take_until(line, ':');
    const std::string_view shell = take_until(line, ':');
    const auto sound = [](std::string_view path) {
        return path.size() < kLongestField && path.find('\0') == std::string_view::npos;
    };
    if (name.empty() || !user || !group || !sound(home) || !sound(shell) || !sound(name)) {
        return std::nullopt;
    }
    return PasswdLine{name, *user, *group, home, shell};
}

bool lists(std::string_view members, std::string_view name) {
    while (!members.empty()) {
        if (take_until(members, ',') == name) {
            return true;
        }
    }
    return false;
}

void add_groups(Account& account, std::string_view text) {
    account.groups.push_back(account.group);
    while (!text.empty() && account.groups.size() < kMostGroups) {
        std::string_view line = take_until(text, '\n');
        (void)take_until(line, ':'); // the name
        (void)take_until(line, ':'); // the password's place
        const auto id = parse_id(take_until(line, ':'));
        if (id && lists(line, account.name) &&
            std::find(account.groups.begin(), account.groups.end(), *id) == account.groups.end()) {
            account.groups.push_back(*id);
        }
    }
}

Result<std::string> read_tenant_file(int root, const char* path) {
    // O_NONBLOCK: a FIFO in its place must not hold us.
    auto file = kernel::open_hostile(
        root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, kernel::Resolve::in_root);
    if (!file) {
        return file.error().sys_errno() == ENOENT ? Result<std::string>(std::string())
                                                  : std::unexpected<Error>(std::move(file).error());
    }
    struct stat info{};
    if (::fstat(file->get(), &info) != 0) {
        return fail_errno("fstat", path);
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(ErrorCode::invalid_state,
                    std::string("the container's /") + path + " is not a file");
    }
    return with_context(kernel::read_all(file->get(), kLongestFile),
                        std::string("read the container's /") + path);
}

} // namespace

Result<Account>
find_account(std::string_view user, std::string_view passwd, std::string_view group) {
    const auto number = parse_id(user);
    const bool root = user.empty() || user == "root" || (number && *number == 0);
    Account account;
    bool found = false;
    while (!passwd.empty() && !found) {
        const auto line = parse_passwd_line(take_until(passwd, '\n'));
        if (!line ||
            !(user.empty() ? line->user == 0 : line->name == user || line->user == number)) {
            continue;
        }
        found = true;
        account.name = line->name;
        account.user = line->user;
        account.group = line->group;
        account.home = line->home.empty() ? "/" : line->home;
        account.shell = line->shell.empty() ? "/bin/sh" : line->shell;
    }
    if (!found && root) {
        account.name = "root";
        account.home = "/root";
    } else if (!found && number) {
        account.name = std::to_string(*number);
        account.user = *number;
        account.group = *number;
    } else if (!found) {
        return fail(ErrorCode::not_found, "no user '" + std::string(user) + "' in the container");
    }
    add_groups(account, group);
    return account;
}

Result<Account> read_account(int root, std::string_view user) {
    ASSIGN_OR_RETURN(const std::string passwd, read_tenant_file(root, "etc/passwd"));
    ASSIGN_OR_RETURN(const std::string group, read_tenant_file(root, "etc/group"));
    return find_account(user, passwd, group);
}

} // namespace lodge::monitor
