#pragma once

#include "lib/base/error.hpp"

#include <optional>
#include <string>
#include <vector>

namespace lodge::templates {

/// One setting of sshd, as in sshd_config(5).
struct SshdSetting {
    std::string file;                   ///< its file
    std::string keyword;                ///< lower case
    std::vector<std::string> arguments; ///< without quotes
    std::string match;                  ///< criteria of the Match block around it; empty: none
};

/// sshd's configuration in the order in which it is read, included files in their places.
struct SshdConfig {
    std::string main; ///< its path
    std::vector<SshdSetting> settings;
};

/// A file of the configuration that does not exist yet.
struct SshdFile {
    std::string path;
    std::string text;
};

/// Reads the configuration of a tree that may be hostile; without one there are no settings. At
/// most 256 files. `drop_in` is read as if it were in the tree: its settings appear if sshd reads
/// it.
[[nodiscard]] Result<SshdConfig>
read_sshd_config(int tree_fd, const std::optional<SshdFile>& drop_in = std::nullopt);

/// The settings of a file that includes no other. Pure.
[[nodiscard]] std::vector<SshdSetting> parse_sshd_config(const SshdFile& file);

/// The setting that applies to root, wherever root logs in from: the first in a Match block that
/// may match root, else the first outside. Null: sshd's default. Pure.
[[nodiscard]] const SshdSetting* deciding_for_root(const SshdConfig& config,
                                                   const std::string& keyword);

/// The reasons why sshd will refuse root a login by password, or by a key in
/// ~/.ssh/authorized_keys, one sentence each. Pure.
enum class LoginBy { password, key };
[[nodiscard]] std::vector<std::string> what_keeps_root_out(const SshdConfig& config, LoginBy by);

struct HostKey {
    std::string path;
    std::string type; ///< of ssh-keygen(1)
};
/// Every file that sshd reads a host key from.
[[nodiscard]] std::vector<HostKey> host_keys_of(const SshdConfig& config);

} // namespace lodge::templates
