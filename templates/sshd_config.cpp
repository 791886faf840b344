#include "templates/sshd_config.hpp"

#include "lib/base/printable.hpp"
#include "lib/kernel/fs.hpp"
#include "templates/tree_files.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

#include <fcntl.h>
#include <fnmatch.h>

namespace lodge::templates {

namespace {

constexpr std::size_t kMostFiles = 256;
constexpr unsigned kDeepest = 16; // as sshd has it
constexpr const char* kDirectory = "/etc/ssh/";

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return text;
}

// Words between blanks, in double quotes with blanks in them; a # begins a comment. The first, the
// keyword, may have a = behind it.
std::vector<std::string> arguments_of(std::string_view line) {
    constexpr std::string_view kBlanks = " \t\r\f\v";
    std::vector<std::string> words;
    std::size_t at = 0;
    while ((at = line.find_first_not_of(words.size() == 1 ? " \t\r\f\v=" : kBlanks, at)) !=
           std::string_view::npos) {
        if (line[at] == '#') {
            break;
        }
        const bool quoted = line[at] == '"';
        const std::size_t begin = at + (quoted ? 1 : 0);
        const std::size_t end = std::min(line.find_first_of(quoted          ? "\""
                                                            : words.empty() ? " \t\r\f\v="
                                                                            : kBlanks,
                                                            begin),
                                         line.size());
        words.emplace_back(line.substr(begin, end - begin));
        at = std::min(end + (quoted ? 1 : 0), line.size());
    }
    return words;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : " ") + word;
    }
    return text;
}

class Reader {
  public:
    Reader(int tree_fd, const std::optional<SshdFile>& drop_in)
        : tree_fd_(tree_fd), drop_in_(drop_in) {}

    Status read(const std::string& path, const std::string& outer_match, unsigned depth) {
        if (depth > kDeepest || ++files_ > kMostFiles) {
            return fail(ErrorCode::invalid_argument,
                        "the template's sshd_config includes too much");
        }
        SshdFile file{.path = path, .text = {}};
        if (drop_in_ && drop_in_->path == path) {
            file.text = drop_in_->text;
        } else {
            ASSIGN_OR_RETURN(file.text, text_in(tree_fd_, path));
        }
        for (SshdSetting& setting : parse_sshd_config(file)) {
            if (!outer_match.empty()) {
                setting.match = outer_match + (setting.match.empty() ? "" : " " + setting.match);
            }
            if (setting.keyword != "include") {
                settings_.push_back(std::move(setting));
                continue;
            }
            for (const std::string& pattern : setting.arguments) {
                RETURN_IF_ERROR(include(pattern, setting.match, depth + 1));
            }
        }
        return {};
    }

    std::vector<SshdSetting> take() { return std::move(settings_); }

  private:
    Status include(const std::string& pattern, const std::string& match, unsigned depth) {
        const std::string path = pattern.starts_with('/') ? pattern : kDirectory + pattern;
        const std::size_t slash = path.rfind('/');
        const std::string directory = path.substr(0, slash + 1);
        const std::string last = path.substr(slash + 1);
        std::vector<std::string> names;
        const auto take = [&](const std::string& name) {
            if (::fnmatch(last.c_str(), name.c_str(), FNM_PERIOD) == 0) {
                names.push_back(name);
            }
        };
        if (drop_in_ && drop_in_->path.starts_with(directory) &&
            drop_in_->path.find('/', directory.size()) == std::string::npos) {
            take(drop_in_->path.substr(directory.size()));
        }
        // A pattern in the directory's name is not supported; it matches nothing.
        ASSIGN_OR_RETURN(
            const auto fd,
            kernel::open_hostile_if_there(tree_fd_, directory, O_RDONLY | O_DIRECTORY));
        if (fd) {
            RETURN_IF_ERROR(kernel::for_each_entry(
                fd->get(), [&](const std::string& name, unsigned char) -> Status {
                    take(name);
                    return {};
                }));
        }
        std::sort(names.begin(), names.end());
        names.erase(std::unique(names.begin(), names.end()), names.end());
        for (const std::string& name : names) {
            RETURN_IF_ERROR(read(directory + name, match, depth));
        }
        return {};
    }

    int tree_fd_;
    const std::optional<SshdFile>& drop_in_;
    std::size_t files_ = 0;
    std::vector<SshdSetting> settings_;
};

// Names, or patterns with ! in front of those that are not meant; of user@host the user counts.
bool list_has(const std::vector<std::string>& patterns, const std::string& name) {
    bool has = false;
    for (const std::string& pattern : patterns) {
        const bool negated = pattern.starts_with('!');
        const std::string plain =
            pattern.substr(negated ? 1 : 0, pattern.find('@') - (negated ? 1 : 0));
        if (::fnmatch(plain.c_str(), name.c_str(), 0) == 0) {
            if (negated) {
                return false;
            }
            has = true;
        }
    }
    return has;
}

std::vector<std::string> split_at_commas(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t end = std::min(text.find(',', start), text.size());
        parts.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    return parts;
}

// The address of the client is not known, so only a criterion about the user can exclude root.
bool may_be_root(const std::string& criteria) {
    const std::vector<std::string> words = arguments_of(criteria);
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        const std::string kind = lower(words[i]);
        if ((kind == "user" || kind == "group") &&
            !list_has(split_at_commas(words[i + 1]), "root")) {
            return false;
        }
    }
    return true;
}

bool is_one_of(const SshdSetting* setting, std::initializer_list<std::string_view> values) {
    return std::find(values.begin(), values.end(), lower(joined(setting->arguments))) !=
           values.end();
}

// Of these settings every one counts.
std::optional<SshdSetting> list_for_root(const SshdConfig& config, const std::string& keyword) {
    std::optional<SshdSetting> all;
    for (const SshdSetting& setting : config.settings) {
        if (setting.keyword != keyword || (!setting.match.empty() && !may_be_root(setting.match))) {
            continue;
        }
        if (all) {
            all->arguments.insert(
                all->arguments.end(), setting.arguments.begin(), setting.arguments.end());
        } else {
            all = setting;
        }
    }
    return all;
}

std::string refusal(const SshdSetting& setting, LoginBy by) {
    return std::string("the template's sshd does not let root in by ") +
           (by == LoginBy::password ? "password" : "the given ssh key") + ": " +
           printable(setting.file) + " says '" + printable(setting.keyword) + " " +
           printable(joined(setting.arguments)) + "'" +
           (setting.match.empty() ? "" : " under 'Match " + printable(setting.match) + "'");
}

bool refuses(const SshdSetting& setting, LoginBy by) {
    const bool by_password = by == LoginBy::password;
    const std::string& what = setting.keyword;
    if (what == "permitrootlogin") {
        return !is_one_of(&setting, {"yes"}) &&
               (by_password || !is_one_of(&setting, {"prohibit-password", "without-password"}));
    }
    if (what == "passwordauthentication") {
        return by_password && !is_one_of(&setting, {"yes"});
    }
    if (what == "pubkeyauthentication") {
        return !by_password && is_one_of(&setting, {"no"});
    }
    if (what == "authorizedkeysfile") {
        return !by_password &&
               std::none_of(
                   setting.arguments.begin(), setting.arguments.end(), [](const std::string& file) {
                       return file == ".ssh/authorized_keys" || file == "%h/.ssh/authorized_keys";
                   });
    }
    if (what == "authenticationmethods") {
        const std::string_view alone = by_password ? "password" : "publickey";
        return std::none_of(
            setting.arguments.begin(), setting.arguments.end(), [&](const std::string& methods) {
                return methods == "any" || methods == alone ||
                       (by_password && methods == "keyboard-interactive");
            });
    }
    const bool listed = list_has(setting.arguments, "root");
    return what.starts_with("allow") ? !listed : listed;
}

} // namespace

std::vector<SshdSetting> parse_sshd_config(const SshdFile& file) {
    std::vector<SshdSetting> settings;
    std::string match;
    for (std::size_t start = 0; start < file.text.size();) {
        const std::size_t end = std::min(file.text.find('\n', start), file.text.size());
        std::vector<std::string> words =
            arguments_of(std::string_view(file.text).substr(start, end - start));
        start = end + 1;
        if (words.empty()) {
            continue;
        }
        const std::string keyword = lower(words.front());
        words.erase(words.begin());
        if (keyword == "match") {
            match = joined(words);
            continue;
        }
        settings.push_back(
            {.file = file.path, .keyword = keyword, .arguments = std::move(words), .match = match});
    }
    return settings;
}

Result<SshdConfig> read_sshd_config(int tree_fd, const std::optional<SshdFile>& drop_in) {
    SshdConfig config;
    for (const char* path : {"/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config"}) {
        ASSIGN_OR_RETURN(const bool there, exists_in(tree_fd, path));
        if (there && config.main.empty()) {
            config.main = path;
        }
    }
    if (config.main.empty()) {
        return config;
    }
    Reader reader(tree_fd, drop_in);
    RETURN_IF_ERROR(reader.read(config.main, {}, 0));
    config.settings = reader.take();
    return config;
}

const SshdSetting* deciding_for_root(const SshdConfig& config, const std::string& keyword) {
    const SshdSetting* outside = nullptr;
    for (const SshdSetting& setting : config.settings) {
        if (setting.keyword != keyword) {
            continue;
        }
        if (setting.match.empty()) {
            outside = outside == nullptr ? &setting : outside;
        } else if (may_be_root(setting.match)) {
            return &setting;
        }
    }
    return outside;
}

std::vector<std::string> what_keeps_root_out(const SshdConfig& config, LoginBy by) {
    std::vector<std::string> sentences;
    for (const char* keyword : {"permitrootlogin",
                                "passwordauthentication",
                                "pubkeyauthentication",
                                "authorizedkeysfile",
                                "authenticationmethods"}) {
        const SshdSetting* setting = deciding_for_root(config, keyword);
        if (setting != nullptr && refuses(*setting, by)) {
            sentences.push_back(refusal(*setting, by));
        }
    }
    for (const char* keyword : {"allowusers", "denyusers", "allowgroups", "denygroups"}) {
        const auto all = list_for_root(config, keyword);
        if (all && refuses(*all, by)) {
            sentences.push_back(refusal(*all, by));
        }
    }
    return sentences;
}

std::vector<HostKey> host_keys_of(const SshdConfig& config) {
    std::vector<HostKey> keys;
    for (const SshdSetting& setting : config.settings) {
        if (setting.keyword == "hostkey" && !setting.arguments.empty()) {
            const std::string& path = setting.arguments.front();
            const std::string name = path.substr(path.rfind('/') + 1);
            const auto has = [&](const char* type) { return name.find(type) != std::string::npos; };
            keys.push_back({.path = path,
                            .type = has("ed25519") ? "ed25519"
                                    : has("ecdsa") ? "ecdsa"
                                    : has("dsa")   ? "dsa"
                                    : has("rsa")   ? "rsa"
                                                   : "ed25519"});
        }
    }
    if (keys.empty()) { // sshd's default; RSA is read too, where there is one
        keys = {{.path = "/etc/ssh/ssh_host_ed25519_key", .type = "ed25519"},
                {.path = "/etc/ssh/ssh_host_ecdsa_key", .type = "ecdsa"}};
    }
    return keys;
}

} // namespace lodge::templates
