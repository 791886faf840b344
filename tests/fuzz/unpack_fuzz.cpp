#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"
#include "templates/unpack/extract.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <array>
#include <cstdio>
#include <string>
#include <thread>

#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using lodge::UniqueFd;
using lodge::test::must;

constexpr std::uint64_t kMostBytes = 65536;
constexpr std::uint64_t kMostEntries = 64;
constexpr const char* kTree = "tree";
constexpr const char* kOutside = "outside";
constexpr const char* kCanary = "untouched";

// A filesystem that is mounted nowhere and gone with this process: the whole world of what unpacks.
int world() {
    static const auto mount =
        lodge::kernel::new_mount({.type = "tmpfs",
                                  .source = "fuzz",
                                  .options = {{"size", "4m"}, {"nr_inodes", "1024"}},
                                  .attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC});
    must(mount.has_value());
    return mount->get();
}

// A changed header would not get past its checksum (tar(5)): the sum of its bytes, those of the
// checksum itself as blanks.
std::string with_checksums(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kBlock = 512;
    constexpr std::size_t kSumAt = 148;
    constexpr std::size_t kSumSize = 8;
    std::string archive(lodge::test::as_text(data, size));
    for (std::size_t at = 0; at + kBlock <= archive.size(); at += kBlock) {
        if (archive.compare(at + 257, 5, "ustar") != 0) {
            continue;
        }
        archive.replace(at + kSumAt, kSumSize, kSumSize, ' ');
        unsigned sum = 0;
        for (std::size_t i = 0; i < kBlock; ++i) {
            sum += static_cast<unsigned char>(archive[at + i]);
        }
        std::array<char, kSumSize> octal{};
        (void)std::snprintf(octal.data(), octal.size(), "%06o", sum); // fits: at most 0374000
        archive.replace(at + kSumAt, octal.size(), octal.data(), octal.size());
    }
    return archive;
}

UniqueFd in_memory(const std::string& content) {
    UniqueFd file(::memfd_create("archive", MFD_CLOEXEC));
    must(file && lodge::kernel::write_all(file.get(), content).has_value());
    must(::lseek(file.get(), 0, SEEK_SET) == 0);
    return file;
}

// In a thread whose root and directory are its own.
lodge::templates::Outcome unpack(const std::string& archive) {
    lodge::templates::Outcome outcome;
    std::jthread([&] {
        must(::unshare(CLONE_FS) == 0 && ::fchdir(world()) == 0 && ::chroot(".") == 0 &&
             ::chdir(kTree) == 0);
        outcome = lodge::templates::extract(
            in_memory(archive).get(), {.most_bytes = kMostBytes, .most_entries = kMostEntries});
    }).join();
    return outcome;
}

void must_be_harmless(const struct stat& entry) {
    must(S_ISDIR(entry.st_mode) || S_ISREG(entry.st_mode) || S_ISLNK(entry.st_mode));
    must(entry.st_uid <= 65535 && entry.st_gid <= 65535);
}

struct Load {
    std::uint64_t bytes = 0; ///< of all files
    std::uint64_t entries = 0;
};

void weigh(int directory, Load& load) {
    must(lodge::kernel::for_each_entry(
             directory,
             [&](const std::string& name, unsigned char) -> lodge::Status {
                 struct stat entry{};
                 must(::fstatat(directory, name.c_str(), &entry, AT_SYMLINK_NOFOLLOW) == 0);
                 must_be_harmless(entry);
                 ++load.entries;
                 if (S_ISDIR(entry.st_mode)) {
                     const auto below = lodge::kernel::open_directory_at(directory, name);
                     must(below.has_value());
                     weigh(below->get(), load);
                 } else if (S_ISREG(entry.st_mode)) {
                     load.bytes += static_cast<std::uint64_t>(entry.st_size) / entry.st_nlink;
                 }
                 return {};
             })
             .has_value());
}

void must_be_untouched(const struct stat& before, const struct stat& after) {
    must(before.st_mode == after.st_mode && before.st_uid == after.st_uid &&
         before.st_nlink == after.st_nlink && before.st_size == after.st_size &&
         before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
         before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

std::array<struct stat, 2> outside() {
    std::array<struct stat, 2> found{};
    must(::fstatat(world(), kOutside, found.data(), 0) == 0);
    must(::fstatat(world(), (std::string(kOutside) + "/" + kCanary).c_str(), &found.at(1), 0) == 0);
    return found;
}

void make_outside() {
    must(lodge::kernel::make_directory_at(world(), kOutside, 0755).has_value());
    const auto directory = lodge::kernel::open_directory_at(world(), kOutside);
    must(directory.has_value());
    must(lodge::kernel::replace_file(directory->get(), kCanary, "as it was", 0644).has_value());
}

} // namespace

// A template's archive, which comes from anywhere. Beside the tree stands what must not change.
FUZZ_TARGET(unpack)(const std::uint8_t* data, std::size_t size) {
    static const bool made = (make_outside(), true);
    must(made && lodge::kernel::make_directory_at(world(), kTree, 0755).has_value());
    const auto before = outside();
    const auto outcome = unpack(with_checksums(data, size));
    must(outcome.exit_code == 0 || (outcome.exit_code >= 2 && outcome.exit_code <= 4));
    must((outcome.exit_code == 0) == outcome.sentence.empty());
    const auto after = outside();
    for (std::size_t i = 0; i < before.size(); ++i) {
        must_be_untouched(before.at(i), after.at(i));
    }
    const auto tree = lodge::kernel::open_directory_at(world(), kTree);
    must(tree.has_value());
    Load load;
    weigh(tree->get(), load);
    must(load.bytes <= kMostBytes && load.entries <= kMostEntries);
    std::size_t beside = 0;
    must(lodge::kernel::for_each_entry(world(), [&](const std::string&, unsigned char) {
             ++beside;
             return lodge::Status{};
         }).has_value());
    must(beside == 2);
    must(lodge::kernel::remove_tree_at(world(), kTree).has_value());
    return 0;
}
