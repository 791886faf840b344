#include "daemon/monitor/accounts.hpp"

#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::monitor {

namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 20; // of a file: a session waits for its read
constexpr std::size_t kPiece = std::size_t{16} << 10;
constexpr std::size_t kMostGroups = 256;
constexpr std::size_t kLongestField = 1024;

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

// Parses lines of fields piece by piece, because a line may be longer than our memory.
class Lines {
  public:
    /// Gets the number of colons before a field, and its text; nullopt: the field is not valid.
    using Field = std::function<void(std::size_t number, std::optional<std::string_view> text)>;
    /// True: no more lines are needed.
    using End = std::function<bool()>;

    Lines(std::string_view separators, Field field, End end)
        : separators_(separators), field_(std::move(field)), end_(std::move(end)) {}

    Status read(const Pieces& pieces) {
        while (true) {
            ASSIGN_OR_RETURN(const std::string_view piece, pieces());
            // The last line may lack its end.
            if (take(piece.empty() ? "\n" : piece) || piece.empty()) {
                return {};
            }
        }
    }

  private:
    bool take(std::string_view piece) {
        while (!piece.empty()) {
            const std::size_t size = std::min(piece.find_first_of(separators_), piece.size());
            remember(piece.substr(0, size));
            if (size == piece.size()) {
                return false;
            }
            field_(number_, sound_ ? std::optional<std::string_view>(text_) : std::nullopt);
            text_.clear();
            sound_ = true;
            number_ += piece[size] == ':' ? 1U : 0U;
            if (piece[size] == '\n') {
                number_ = 0;
                if (end_()) {
                    return true;
                }
            }
            piece.remove_prefix(size + 1);
        }
        return false;
    }

    void remember(std::string_view part) {
        sound_ = sound_ && text_.size() + part.size() < kLongestField &&
                 part.find('\0') == std::string_view::npos;
        if (sound_) {
            text_.append(part);
        }
    }

    std::string_view separators_;
    Field field_;
    End end_;
    std::string text_;
    bool sound_ = true;
    std::size_t number_ = 0;
};

// One line of passwd(5).
struct PasswdLine {
    enum Place : std::size_t { name, password, user, group, person, home, shell, places };
    std::array<std::string, places> fields;
    bool sound = true;

    void take(std::size_t number, std::optional<std::string_view> text) {
        if (number < places && number != password && number != person) {
            sound = sound && text;
            fields.at(number) = text.value_or("");
        }
    }
    [[nodiscard]] std::optional<Account> account() const {
        const auto user_id = parse_id(fields[user]);
        const auto group_id = parse_id(fields[group]);
        if (!sound || fields[name].empty() || !user_id || !group_id) {
            return std::nullopt;
        }
        return Account{.name = fields[name],
                       .user = *user_id,
                       .group = *group_id,
                       .home = fields[home].empty() ? "/" : fields[home],
                       .shell = fields[shell].empty() ? "/bin/sh" : fields[shell],
                       .groups = {}};
    }
};

// The requested user.
struct Wanted {
    std::string_view user;
    std::optional<std::uint32_t> number = parse_id(user);

    [[nodiscard]] bool root() const { return user.empty() || user == "root" || number == 0U; }
    [[nodiscard]] bool is(const Account& account) const {
        return user.empty() ? account.user == 0 : account.name == user || account.user == number;
    }
};

Result<std::optional<Account>> search_passwd(const Wanted& wanted, const Pieces& passwd) {
    std::optional<Account> found;
    PasswdLine line;
    Lines lines(
        ":\n",
        [&](std::size_t number, std::optional<std::string_view> text) { line.take(number, text); },
        [&] {
            found = line.account();
            line = {};
            if (found && !wanted.is(*found)) {
                found.reset();
            }
            return found.has_value();
        });
    RETURN_IF_ERROR(lines.read(passwd));
    return found;
}

Status add_groups(Account& account, const Pieces& group) {
    constexpr std::size_t kNumber = 2; // the gid of a line of group(5)
    constexpr std::size_t kMembers = 3;
    std::optional<std::uint32_t> id;
    bool listed = false;
    Lines lines(
        ":,\n",
        [&](std::size_t number, std::optional<std::string_view> text) {
            if (number == kNumber) {
                id = text ? parse_id(*text) : std::nullopt;
            }
            listed = listed || (number == kMembers && text == account.name);
        },
        [&] {
            if (id && listed &&
                std::find(account.groups.begin(), account.groups.end(), *id) ==
                    account.groups.end()) {
                account.groups.push_back(*id);
            }
            id.reset();
            listed = false;
            return account.groups.size() >= kMostGroups;
        });
    return lines.read(group);
}

Pieces whole(std::string_view text) {
    return [text]() mutable -> Result<std::string_view> {
        return std::exchange(text, std::string_view());
    };
}

// A file of the tenant. A missing one counts as empty.
class TenantFile {
  public:
    TenantFile(int root, const char* path) : root_(root), path_(path) {}

    Result<std::string_view> next() {
        if (buffer_.empty()) {
            RETURN_IF_ERROR(open());
            buffer_.resize(kPiece);
        }
        if (!file_) {
            return std::string_view();
        }
        const ssize_t size = ::read(file_.get(), buffer_.data(), buffer_.size());
        if (size < 0) {
            return fail_errno("read the container's", path_);
        }
        total_ += static_cast<std::size_t>(size);
        if (total_ > kMostBytes) {
            return fail(ErrorCode::resource_exhausted,
                        std::string("the container's ") + path_ + " is longer than 64 MiB");
        }
        return std::string_view(buffer_.data(), static_cast<std::size_t>(size));
    }

  private:
    Status open() {
        // O_NONBLOCK: a FIFO in its place must not block us.
        auto file = kernel::open_hostile(
            root_, path_, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, kernel::Resolve::in_root);
        if (!file && file.error().sys_errno() == ENOENT) {
            return {};
        }
        if (!file) {
            return std::unexpected<Error>(std::move(file).error());
        }
        struct stat info{};
        if (::fstat(file->get(), &info) != 0) {
            return fail_errno("fstat", path_);
        }
        if (!S_ISREG(info.st_mode)) {
            return fail(ErrorCode::invalid_state,
                        std::string("the container's ") + path_ + " is not a file");
        }
        file_ = std::move(*file);
        return {};
    }

    int root_;
    const char* path_;
    UniqueFd file_;
    std::string buffer_;
    std::size_t total_ = 0;
};

} // namespace

Result<Account> find_account(std::string_view user, const Pieces& passwd, const Pieces& group) {
    const Wanted wanted{.user = user};
    auto found = search_passwd(wanted, passwd);
    if (!found && !wanted.root()) {
        return std::unexpected<Error>(std::move(found).error());
    }
    Account account;
    if (found && *found) {
        account = std::move(**found);
    } else if (wanted.root()) {
        account.name = "root";
        account.home = "/root";
    } else if (wanted.number) {
        account.name = std::to_string(*wanted.number);
        account.user = *wanted.number;
        account.group = *wanted.number;
    } else {
        return fail(ErrorCode::not_found, "no user '" + std::string(user) + "' in the container");
    }
    account.groups.push_back(account.group);
    if (Status added = add_groups(account, group); !added && !wanted.root()) {
        return std::unexpected<Error>(std::move(added).error());
    }
    return account;
}

Result<Account>
find_account(std::string_view user, std::string_view passwd, std::string_view group) {
    return find_account(user, whole(passwd), whole(group));
}

Result<Account> read_account(int root, std::string_view user) {
    TenantFile passwd(root, "/etc/passwd");
    TenantFile group(root, "/etc/group");
    return find_account(user, [&] { return passwd.next(); }, [&] { return group.next(); });
}

} // namespace lodge::monitor
