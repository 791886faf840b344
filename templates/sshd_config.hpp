#pragma once

#include "lib/base/error.hpp"

#include <optional>
#include <string>
#include <vector>

namespace lodge::templates {

/// One setting of sshd's, as sshd_config(5) has it.
struct SshdSetting {
    std::string file;                   ///< where it stands
    std::string keyword;                ///< lower case
    std::vector<std::string> arguments; ///< without quotes
    std::string match;                  ///< criteria of the Match block around it; empty: none
};

/// sshd's configuration in the order in which it is read, included files in their places.
struct SshdConfig {
    std::string main; ///< its path
    std::vector<SshdSetting> settings;
};

/// A file of the configuration as it would be if it were there.
struct SshdFile {
    std::string path;
    std::string text;
};

/// Of a tree that may be hostile; without a configuration there are no settings. At most 256 files.
/// `drop_in` takes part as if it were in the tree: it shows in the settings if sshd reads it.
[[nodiscard]] Result<SshdConfig>
read_sshd_config(int tree_fd, const std::optional<SshdFile>& drop_in = std::nullopt);

/// The settings of a file that includes no other. Pure.
[[nodiscard]] std::vector<SshdSetting> parse_sshd_config(const SshdFile& file);

/// What counts for root, from wherever it logs in: the first setting in a Match block that may be
/// meant for root, else the first outside. Null: sshd's default. Pure.
[[nodiscard]] const SshdSetting* deciding_for_root(const SshdConfig& config,
                                                   const std::string& keyword);

/// Why a login of root's by password, or by a key in ~/.ssh/authorized_keys, will be refused, each
/// a sentence. Pure.
enum class LoginBy { password, key };
[[nodiscard]] std::vector<std::string> what_keeps_root_out(const SshdConfig& config, LoginBy by);

struct HostKey {
    std::string path;
    std::string type; ///< of ssh-keygen(1)
};
/// Every file that sshd reads a host key from.
[[nodiscard]] std::vector<HostKey> host_keys_of(const SshdConfig& config);

} // namespace lodge::templates
