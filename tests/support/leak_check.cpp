#include "tests/support/leak_check.hpp"

#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/loop.hpp"
#include "lib/kernel/mount.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/patience.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <string_view>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::test {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDeleted = " (deleted)"; // behind a loop device's file that was unlinked

void add_entries(Inventory& into, const std::string& what, const std::string& directory) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        into.insert(what + " " + entry.path().filename().string());
    }
}

void add_fds(Inventory& into) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd", error)) {
        const fs::path target = fs::read_symlink(entry.path(), error);
        const bool own_listing = target.string().find("/fd") != std::string::npos;
        // libcryptsetup opens its random sources once, for good.
        const bool random = target == "/dev/urandom" || target == "/dev/random";
        if (!error && !own_listing && !random) {
            into.insert("fd " + entry.path().filename().string() + " -> " + target.string());
        }
    }
}

void add_children(Inventory& into) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc/self/task", error)) {
        const auto text = kernel::read_file(entry.path().string() + "/children", 65536);
        std::istringstream children(text ? *text : "");
        for (std::string pid; children >> pid;) {
            into.insert("child " + pid);
        }
    }
    // Our programs, anywhere in the process tree: they share the network namespace of this process.
    // Programs of another test run on the same machine do not.
    const fs::path own = fs::read_symlink("/proc/self/ns/net", error);
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const auto name = kernel::read_file(entry.path().string() + "/comm", 64);
        if (name && name->rfind("lodge", 0) == 0 &&
            entry.path().filename() != std::to_string(::getpid()) &&
            fs::read_symlink(entry.path() / "ns/net", error) == own) {
            into.insert("process " + entry.path().filename().string() + " " + *name);
        }
    }
}

void add_mounts(Inventory& into) {
    if (const auto mounts = kernel::read_mountinfo()) {
        for (const kernel::MountInfo& mount : *mounts) {
            into.insert("mount " + mount.mount_point + " " + mount.type);
        }
    }
}

// Whether a file belongs to another test run, whose directories have this name (TempDir), or to a
// lodged of this machine.
bool is_foreign(const std::string& file) {
    static const std::string others = "/lodge-test-";
    static const std::string own = others + std::to_string(::getpid()) + "-";
    return (file.find(others) != std::string::npos && file.find(own) == std::string::npos) ||
           file.starts_with("/var/lib/lodge/");
}

// Whether a file of this test run is that inode. Images lie no deeper.
bool is_own_file(const kernel::LoopStatus& wanted) {
    constexpr int kDeepest = 4;
    const std::string own = "lodge-test-" + std::to_string(::getpid()) + "-";
    std::error_code error;
    for (const auto& directory : fs::directory_iterator("/var/tmp", error)) {
        if (!directory.path().filename().string().starts_with(own)) {
            continue;
        }
        for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
             entry.increment(error)) {
            if (entry.depth() == kDeepest) {
                entry.disable_recursion_pending();
            }
            struct stat info{};
            if (::lstat(entry->path().c_str(), &info) == 0 && info.st_ino == wanted.inode &&
                info.st_dev == wanted.device) {
                return true;
            }
        }
    }
    return false;
}

// A path from kernel::open_unseen() does not show the owner, so the inode decides. A device whose
// image is gone may belong to anybody; it counts as ours.
bool is_foreign(const kernel::LoopInfo& loop) {
    if (loop.backing_file.rfind('/') != 0) {
        return is_foreign(loop.backing_file);
    }
    if (loop.backing_file.ends_with(kDeleted)) {
        return false;
    }
    const auto status = kernel::loop_status(loop.path);
    return !status || !is_own_file(*status);
}

void add_loops(Inventory& into) {
    if (const auto loops = kernel::list_loops()) {
        for (const kernel::LoopInfo& loop : *loops) {
            if (!is_foreign(loop)) {
                into.insert("loop " + loop.path + " " + loop.backing_file);
            }
        }
    }
}

// Whether a block device has a foreign file below it, directly or through other devices.
bool stands_on_foreign(const fs::path& device) {
    auto file = kernel::read_file((device / "loop/backing_file").string(), 4096);
    if (file && is_foreign(kernel::LoopInfo{.path = "/dev/" + device.filename().string(),
                                            .backing_file = file->substr(0, file->find('\n'))})) {
        return true;
    }
    std::error_code error;
    for (const auto& below : fs::directory_iterator(device / "slaves", error)) {
        if (stands_on_foreign(below.path())) {
            return true;
        }
    }
    return false;
}

void add_dm_devices(Inventory& into) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/sys/block", error)) {
        if (!entry.path().filename().string().starts_with("dm-")) { // hundreds of others
            continue;
        }
        const auto name = kernel::read_file(entry.path().string() + "/dm/name", 256);
        if (name && !stands_on_foreign(entry.path())) {
            into.insert("dm " + *name);
        }
    }
}

// The groups of the whole machine, without those of other test processes ("lodge-test-PID-...", see
// GuestContainer) and those of a lodged of this machine ("lodge", its default). Groups appear and
// disappear meanwhile, which would end a recursive_directory_iterator.
void add_cgroups_below(Inventory& into, const fs::path& directory) {
    static const std::string others = "/lodge-test-";
    static const std::string own = others + std::to_string(::getpid()) + "-";
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
        std::error_code ignored;
        const std::string path = entry->path().string();
        const bool foreign =
            (path.find(others) != std::string::npos && path.find(own) == std::string::npos) ||
            entry->path().filename() == "lodge";
        if (!entry->is_directory(ignored) || entry->is_symlink(ignored) || foreign) {
            continue;
        }
        if (path.find("lodge") != std::string::npos) {
            into.insert("cgroup " + path);
        }
        add_cgroups_below(into, entry->path());
    }
}

void erase_part(std::string& text, std::size_t from, const std::string& end) {
    const std::size_t to = from == std::string::npos ? from : text.find(end, from);
    if (to != std::string::npos) {
        text.erase(from, to + end.size() - from);
    }
}

// Removes the parts that pass by themselves: a daemon's claim to its network exists while it runs,
// and elements that rules add exist while there is traffic.
std::string without_passing(std::string rules) {
    erase_part(rules, rules.find("table inet lodge-claim "), "\n}\n");
    const std::string mark = "flags dynamic";
    for (std::size_t at = rules.find(mark); at != std::string::npos;
         at = rules.find(mark, at + 1)) {
        const std::size_t elements = rules.find("\n\t\telements = {", at);
        if (elements < rules.find("\n\t}", at)) {
            erase_part(rules, elements, "}");
        }
    }
    return rules;
}

// Links and nft objects of our network namespace, from independent programs and not from our
// network room.
void add_network(Inventory& into) {
    const auto links = kernel::run_program({.path = "ip",
                                            .arguments = {"-o", "link"},
                                            .deadline = Deadline::after(std::chrono::seconds(10))});
    std::istringstream lines(links ? links->standard_output : "");
    for (std::string line; std::getline(lines, line);) {
        const std::size_t name = line.find(' ') + 1; // behind its number
        into.insert("link " + line.substr(name, line.find('<') - name));
    }
    const auto rules = kernel::run_program({.path = "nft",
                                            .arguments = {"list", "ruleset"},
                                            .deadline = Deadline::after(std::chrono::seconds(10))});
    const std::string left = without_passing(rules ? rules->standard_output : "");
    if (!left.empty()) {
        into.insert("nft " + left);
    }
}

} // namespace

Inventory take_inventory(const std::vector<std::string>& directories) {
    Inventory inventory;
    add_fds(inventory);
    add_children(inventory);
    add_mounts(inventory);
    add_loops(inventory);
    add_dm_devices(inventory);
    add_cgroups_below(inventory, "/sys/fs/cgroup");
    add_network(inventory);
    for (const std::string& directory : directories) {
        add_entries(inventory, "file " + directory, directory);
    }
    return inventory;
}

std::string difference(const Inventory& before, const Inventory& after) {
    std::string text;
    for (const std::string& line : after) {
        if (!before.contains(line)) {
            text += "+ " + line + "\n";
        }
    }
    for (const std::string& line : before) {
        if (!after.contains(line) && !(line.starts_with("loop /") && line.ends_with(kDeleted))) {
            text += "- " + line + "\n";
        }
    }
    return text;
}

std::string settle_to(const Inventory& before, const std::vector<std::string>& directories) {
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(10)));
    while (true) {
        std::string left = difference(before, take_inventory(directories));
        if (left.empty() || deadline.expired()) {
            return left;
        }
        (void)::poll(nullptr, 0, 20); // the kernel's work queues send no events
    }
}

} // namespace lodge::test
