#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

/// Users of a container, read from its own /etc/passwd and /etc/group. Never through NSS: that
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

/// The account of `user`: a name, a number, or empty for root. A number or root need no entry.
/// Pure; the texts come from the tenant and may hold anything: lines that are none are passed over.
[[nodiscard]] Result<Account>
find_account(std::string_view user, std::string_view passwd, std::string_view group);

/// find_account() over the files below `root`, of which at most 1 MiB each is read.
[[nodiscard]] Result<Account> read_account(int root, std::string_view user);

} // namespace lodge::monitor
