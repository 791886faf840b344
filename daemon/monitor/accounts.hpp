#pragma once

#include "lib/base/error.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

/// Users of a container, read from its own /etc/passwd and /etc/group. Never through NSS, which
/// would load the tenant's libraries into a process of ours.
namespace lodge::monitor {

struct Account {
    std::string name;
    uid_t user = 0;
    gid_t group = 0;
    std::string home = "/";
    std::string shell = "/bin/sh";
    std::vector<gid_t> groups; ///< supplementary ones, `group` among them
};

/// The next piece of a file; an empty one is its end.
using Pieces = std::function<Result<std::string_view>()>;

/// The account of `user`: a name, a number, or empty for root. A number or root needs no entry, and
/// root needs no readable file. The files come from the tenant and may hold anything, of any
/// length: malformed lines are skipped, and at most one line is held in memory.
[[nodiscard]] Result<Account>
find_account(std::string_view user, const Pieces& passwd, const Pieces& group);
/// The same over whole texts.
[[nodiscard]] Result<Account>
find_account(std::string_view user, std::string_view passwd, std::string_view group);

/// find_account() over the files below `root`, of which at most 64 MiB each are read.
[[nodiscard]] Result<Account> read_account(int root, std::string_view user);

} // namespace lodge::monitor
