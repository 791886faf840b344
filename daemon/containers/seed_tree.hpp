#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <vector>

namespace lodge::daemon {

/// Content of a new container's tree before its tenant has ever run.
struct Seed {
    std::string hostname;
    std::vector<std::string> addresses;   ///< for /etc/hosts
    std::vector<std::string> nameservers; ///< for /etc/resolv.conf
    std::vector<std::string> ssh_keys;    ///< root's authorized_keys
    std::string password_hash;            ///< of root, crypt(5); empty: the template's
};

/// Writes the seed into `target_fd`, the directory of the tree's changes: the overlay's upper
/// directory, with the template in `template_fd`; or a private root, with both the same. The
/// template is hostile: no lookup leaves its root, and nothing is followed in `target_fd`. Symlinks
/// to directories in the template are resolved inside it. invalid_argument when the template cannot
/// take the seed (no real /etc, no shadow line for root). Returns a sentence for each reason why
/// sshd will refuse root the password or the keys.
[[nodiscard]] Result<std::vector<std::string>>
seed_tree(int template_fd, int target_fd, const Seed& seed);

/// The line of `user` in a shadow file's text replaced so that it has `hash`. Pure.
[[nodiscard]] Result<std::string>
with_password(const std::string& shadow, const std::string& user, const std::string& hash);
/// The home directory of `user` in a passwd file's text, "/root" when it has none. Pure.
[[nodiscard]] std::string home_of(const std::string& passwd, const std::string& user);

} // namespace lodge::daemon
