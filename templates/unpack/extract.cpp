#include "templates/unpack/extract.hpp"

#include "lib/base/printable.hpp"
#include "lib/kernel/fs.hpp"
#include "templates/unpack/left_out.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace lodge::templates {

namespace {

constexpr int kFailed = 1;
constexpr int kRefused = 2;
constexpr int kNoSpace = 3;
constexpr int kTooLarge = 4;
constexpr la_int64_t kHighestId = 65535;

struct ReadFree {
    void operator()(archive* handle) const { (void)archive_read_free(handle); }
};
struct WriteFree {
    void operator()(archive* handle) const { (void)archive_write_free(handle); }
};
using Reader = std::unique_ptr<archive, ReadFree>;
using Writer = std::unique_ptr<archive, WriteFree>;

// A name of the archive's as it can stand in an error.
std::string shown(const char* name) {
    return "'" + printable(std::string_view(name).substr(0, 120)) + "'";
}

// The message of libarchive, which may have names in it.
std::string said_by(archive* handle) {
    const char* text = archive_error_string(handle);
    return text == nullptr ? std::string() : printable(text);
}

Outcome refuse(const char* name, std::string_view why) {
    return {kRefused, "the archive was refused: " + shown(name) + " " + std::string(why)};
}

bool leaves_the_tree(std::string_view path) {
    return path.starts_with('/') || (std::string(path) + "/").find("../") == 0 ||
           (std::string(path) + "/").find("/../") != std::string::npos;
}

// Keeps only attributes that are harmless on the host and useful in the container.
void keep_harmless_xattrs(archive_entry* entry, LeftOut& left_out) {
    std::vector<std::pair<std::string, std::string>> kept;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    const auto all = static_cast<std::size_t>(archive_entry_xattr_reset(entry));
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        const std::string_view key(name);
        const bool overlay = key.starts_with("user.overlay.");
        if ((key.starts_with("user.") && !overlay) || key == "security.capability") {
            kept.emplace_back(name, std::string(static_cast<const char*>(value), size));
        }
    }
    if (kept.size() < all) {
        left_out.of_an_entry(LeftOut::Kind::attributes);
    }
    if (archive_entry_acl_types(entry) != 0) {
        left_out.of_an_entry(LeftOut::Kind::acl);
    }
    archive_entry_xattr_clear(entry);
    for (const auto& [key, text] : kept) {
        archive_entry_xattr_add_entry(entry, key.c_str(), text.data(), text.size());
    }
    archive_entry_acl_clear(entry);
}

// Of an entry's mtime, rounded up; 0: it has none. No farther off than any clock will be.
std::int64_t whole_seconds(archive_entry* entry) {
    constexpr std::int64_t kLatest = std::int64_t{1} << 40;
    return std::min<std::int64_t>(archive_entry_mtime(entry), kLatest) +
           (archive_entry_mtime_nsec(entry) > 0 ? 1 : 0);
}

enum class Verdict { take, skip };

class Extraction {
  public:
    explicit Extraction(const ExtractLimits& limits) : limits_(limits) {}

    std::optional<Outcome> judge(archive_entry* entry, Verdict& verdict) {
        const char* path = archive_entry_pathname(entry);
        if (path == nullptr) {
            return refuse("?", "has no name");
        }
        if (leaves_the_tree(path)) {
            return refuse(path, "is an absolute path or leads out of the tree");
        }
        const char* link = archive_entry_hardlink(entry);
        if (link != nullptr && leaves_the_tree(link)) {
            return refuse(path, "is a hard link to something outside the tree");
        }
        if (archive_entry_uid(entry) < 0 || archive_entry_uid(entry) > kHighestId ||
            archive_entry_gid(entry) < 0 || archive_entry_gid(entry) > kHighestId) {
            return refuse(path, "belongs to an id outside 0..65535");
        }
        entries_ += made_by(path);
        if (entries_ > limits_.most_entries) {
            return Outcome{kTooLarge,
                           "the archive has more than " + std::to_string(limits_.most_entries) +
                               " entries"};
        }
        const auto size = static_cast<std::uint64_t>(archive_entry_size(entry));
        if (size > limits_.most_bytes - bytes_) {
            return Outcome{kTooLarge,
                           "the archive unpacks to more than " +
                               std::to_string(limits_.most_bytes) + " bytes"};
        }
        bytes_ += size;
        newest_ = std::max(newest_, whole_seconds(entry));
        verdict = sort_out(entry, path, link);
        return left_out_.too_much()
                   ? std::optional(Outcome{kTooLarge, "too much of the archive is to be left out"})
                   : std::nullopt;
    }

    [[nodiscard]] bool empty() const { return entries_ == 0; }
    [[nodiscard]] std::int64_t newest() const { return newest_; }
    LeftOut& left_out() { return left_out_; }

  private:
    Verdict sort_out(archive_entry* entry, const char* path, const char* link) {
        const auto type = archive_entry_filetype(entry);
        if (link != nullptr && left_out_.contains(link)) {
            left_out_.entry(LeftOut::Kind::link_to_such, path);
            return Verdict::skip;
        }
        if (link != nullptr || type == AE_IFREG || type == AE_IFDIR || type == AE_IFLNK) {
            left_out_.taken(path);
            left_out_.unholdable(path);
            return Verdict::take;
        }
        left_out_.entry(type == AE_IFIFO    ? LeftOut::Kind::fifo
                        : type == AE_IFSOCK ? LeftOut::Kind::socket
                                            : LeftOut::Kind::device_node,
                        path);
        return Verdict::skip;
    }

    // The directories on the way to it come about by themselves: those that the entry before, which
    // most archives have next to it, does not show to be there are counted.
    std::uint64_t made_by(std::string_view path) {
        while (path.ends_with('/')) {
            path.remove_suffix(1);
        }
        const auto parted = std::mismatch(before_.begin(), before_.end(), path.begin(), path.end());
        const auto on_the_way = std::count(parted.second, path.end(), '/');
        before_ = path;
        return 1 + static_cast<std::uint64_t>(on_the_way);
    }

    ExtractLimits limits_;
    std::uint64_t bytes_ = 0;
    std::uint64_t entries_ = 0;
    std::int64_t newest_ = 0;
    LeftOut left_out_;
    std::string before_; ///< path of the entry before
};

Outcome unreadable(archive* reader, bool nothing_read) {
    const std::string said = said_by(reader);
    const std::string why = said.empty() ? "unknown format" : said;
    if (nothing_read) {
        return {kRefused, "this is not a tar archive (plain, gzip, xz or zstd): " + why};
    }
    return {kRefused, "the archive is damaged or cut: " + why};
}

Outcome unwritable(archive* writer, const char* name) {
    const int error_number = archive_errno(writer);
    const int code = error_number == ENOSPC || error_number == EDQUOT ? kNoSpace : kRefused;
    std::string why;
    if (error_number > 0) {
        why = std::string(": ") +
              std::strerror(error_number); // NOLINT(concurrency-mt-unsafe): one thread
    }
    return {code, "unpack " + shown(name) + ": " + said_by(writer) + why};
}

std::optional<Outcome> copy_data(archive* reader, archive* writer, archive_entry* entry) {
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    while (true) {
        const int rc = archive_read_data_block(reader, &block, &size, &offset);
        if (rc == ARCHIVE_EOF) {
            return std::nullopt;
        }
        if (rc != ARCHIVE_OK) {
            return unreadable(reader, false);
        }
        if (archive_write_data_block(writer, block, size, offset) < ARCHIVE_OK) {
            return unwritable(writer, archive_entry_pathname(entry));
        }
    }
}

Reader open_reader(int archive_fd) {
    Reader reader(archive_read_new());
    (void)archive_read_support_format_tar(
        reader.get()); // each says WARN only for an external program
    (void)archive_read_support_filter_gzip(reader.get());
    (void)archive_read_support_filter_xz(reader.get());
    (void)archive_read_support_filter_zstd(reader.get());
    constexpr std::size_t kBlock = std::size_t{128} << 10;
    if (archive_read_open_fd(reader.get(), archive_fd, kBlock) != ARCHIVE_OK) {
        return nullptr;
    }
    return reader;
}

Writer open_writer() {
    Writer writer(archive_write_disk_new());
    (void)archive_write_disk_set_options(
        writer.get(),
        ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
            ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_SPARSE | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
            ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
    return writer;
}

// Below the current directory, which is hostile by now.
Status remove(const std::set<std::string>& paths) {
    ASSIGN_OR_RETURN(const UniqueFd tree, kernel::open_directory("."));
    for (const std::string& path : paths) {
        const std::size_t slash = path.rfind('/');
        const bool top = slash == std::string::npos;
        const auto parent = kernel::open_hostile(tree.get(),
                                                 top ? "." : path.substr(0, slash),
                                                 O_RDONLY | O_DIRECTORY,
                                                 0,
                                                 kernel::Resolve::beneath_no_symlinks);
        if (!parent && parent.error().sys_errno() == ENOENT) {
            continue; // gone with one above it
        }
        if (!parent) {
            return std::unexpected<Error>(parent.error());
        }
        RETURN_IF_ERROR(kernel::remove_tree_at(parent->get(), path.substr(top ? 0 : slash + 1)));
    }
    return {};
}

// A tar ends with blocks of zeros (tar(5)). One that was cut between two entries has none, which
// libarchive takes for its end all the same.
bool has_end_mark(archive* reader, la_int64_t end_of_last_entry) {
    constexpr la_int64_t kBlock = 512;
    return archive_filter_bytes(reader, 0) - end_of_last_entry >= kBlock;
}

} // namespace

Outcome extract(int archive_fd, const ExtractLimits& limits) {
    const Reader reader = open_reader(archive_fd);
    if (!reader) {
        return {kRefused, "this is not a tar archive (plain, gzip, xz or zstd)"};
    }
    const Writer writer = open_writer();
    Extraction extraction(limits);
    archive_entry* entry = nullptr;
    while (true) {
        if (entry != nullptr && archive_read_data_skip(reader.get()) < ARCHIVE_WARN) {
            return unreadable(reader.get(), false);
        }
        const la_int64_t end_of_entry = archive_filter_bytes(reader.get(), 0);
        const int rc = archive_read_next_header(reader.get(), &entry);
        if (rc == ARCHIVE_EOF) {
            if (!extraction.empty() && !has_end_mark(reader.get(), end_of_entry)) {
                return {kRefused, "the archive is damaged or cut: its end mark is missing"};
            }
            break;
        }
        if (rc < ARCHIVE_WARN) {
            return unreadable(reader.get(), extraction.empty());
        }
        Verdict verdict = Verdict::skip;
        if (auto outcome = extraction.judge(entry, verdict)) {
            return *outcome;
        }
        if (verdict == Verdict::skip) {
            continue;
        }
        keep_harmless_xattrs(entry, extraction.left_out());
        if (archive_write_header(writer.get(), entry) < ARCHIVE_WARN) {
            return unwritable(writer.get(), archive_entry_pathname(entry));
        }
        if (auto outcome = copy_data(reader.get(), writer.get(), entry)) {
            return *outcome;
        }
        if (archive_write_finish_entry(writer.get()) < ARCHIVE_WARN) {
            return unwritable(writer.get(), archive_entry_pathname(entry));
        }
    }
    if (extraction.empty()) {
        return {kRefused, "the archive is empty"};
    }
    if (archive_write_close(writer.get()) < ARCHIVE_WARN) {
        return unwritable(writer.get(), ".");
    }
    if (const Status gone = remove(extraction.left_out().to_go()); !gone) {
        return {kFailed, "leave out what no image can hold: " + gone.error().to_string()};
    }
    return {.newest = extraction.newest(), .left_out = extraction.left_out().sentence()};
}

} // namespace lodge::templates
