// Measures Lodge beside the managers that Debian ships and beside the physical limit, in one run.
//
//   lodge_bench [--repeats N] [--crowd N] [--template TAR] [--json FILE] [GROUP...]
//
// Run by tests/bench/run as root. Everything happens in mount and network namespaces of the bench's
// own and in a directory that is removed at the end.
#include "tests/bench/groups.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using namespace lodge::bench;

using Measure = void (*)(const Place&, const Plan&, Report&);

constexpr std::array<std::pair<const char*, Measure>, 6> kGroups{{
    {"lodge", measure_lodge},
    {"floor", measure_floor},
    {"lxc", measure_lxc},
    {"nspawn", measure_nspawn},
    {"crun", measure_crun},
    {"runc", measure_runc},
}};

struct Options {
    Plan plan;
    int crowd = 20;
    std::string template_tar;
    std::string json;
    std::vector<std::string> groups;
};

Options read_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        const auto value = [&]() -> std::string {
            need(i + 1 < argc, word + " needs a value");
            return argv[++i];
        };
        if (word == "--repeats") {
            options.plan.repeats = std::stoi(value());
        } else if (word == "--crowd") {
            options.crowd = std::stoi(value());
        } else if (word == "--template") {
            options.template_tar = value();
        } else if (word == "--json") {
            options.json = value();
        } else {
            options.groups.push_back(word);
        }
    }
    return options;
}

// lxc looks for the bridge in /sys, which shows the network namespace that mounted it.
void renew_sys() {
    fs::create_directories("/run/groups");
    need(::mount("/sys/fs/cgroup", "/run/groups", nullptr, MS_BIND | MS_REC, nullptr) == 0 &&
             ::mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0 &&
             ::mount("/run/groups", "/sys/fs/cgroup", nullptr, MS_BIND | MS_REC, nullptr) == 0 &&
             ::umount2("/run/groups", MNT_DETACH) == 0,
         std::string("cannot mount /sys anew: ") + std::strerror(errno));
}

void isolate() {
    need(::unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 &&
             ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
             ::mount("bench", "/run", "tmpfs", 0, "mode=0755") == 0,
         std::string("cannot isolate: ") + std::strerror(errno));
    need(run({"ip", "link", "set", "lo", "up"}) == 0 &&
             run({"ip", "link", "add", "br0", "type", "bridge"}) == 0 &&
             run({"ip", "link", "set", "br0", "up"}) == 0,
         "cannot make the bridge");
    renew_sys();
}

void find_cgroups(Place& place) {
    std::ifstream mounts("/proc/self/mounts");
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream fields(line);
        std::string source;
        std::string point;
        std::string type;
        fields >> source >> point >> type;
        if (type == "cgroup2" && place.cgroup2.empty()) {
            place.cgroup2 = point;
        }
        place.hybrid = place.hybrid || type == "cgroup";
    }
    need(!place.cgroup2.empty(), "no cgroup2 is mounted");
}

void make_tree(const std::string& tree, unsigned owner, bool fifo) {
    for (const char* directory : {"",
                                  "/sbin",
                                  "/bin",
                                  "/etc",
                                  "/proc",
                                  "/sys",
                                  "/dev",
                                  "/run",
                                  "/tmp",
                                  "/usr",
                                  "/mnt",
                                  "/root",
                                  "/var"}) {
        fs::create_directories(tree + directory);
    }
    fs::copy_file(LODGE_BIN_DIR "/bench/lodge_bench_init", tree + "/sbin/init");
    fs::copy_file(LODGE_BIN_DIR "/bench/lodge_bench_true", tree + "/bin/true");
    fs::copy_file(LODGE_BIN_DIR "/tests/lodge_guest", tree + "/bin/guest");
    std::ofstream(tree + "/etc/passwd") << "root:x:0:0:root:/root:/bin/guest\n";
    std::ofstream(tree + "/etc/group") << "root:x:0:\n";
    std::ofstream(tree + "/etc/os-release") << "ID=bench\n";
    if (fifo) {
        need(::mkfifo((tree + "/stamp").c_str(), 0666) == 0 &&
                 ::chmod((tree + "/stamp").c_str(), 0666) == 0,
             "cannot make a fifo");
    }
    for (const auto& entry : fs::recursive_directory_iterator(tree)) {
        need(::lchown(entry.path().c_str(), owner, owner) == 0, "cannot chown");
    }
    need(::lchown(tree.c_str(), owner, owner) == 0, "cannot chown");
}

// The template of the floor that mounts as Lodge does: one EROFS image, mounted once.
void mount_lower(const Place& place) {
    const std::string lower = place.directory + "/lower";
    make_tree(lower + "-tree", 0, false);
    fs::create_directories(lower);
    need(run({"mkfs.erofs", lower + ".erofs", lower + "-tree"}) == 0 &&
             run({"mount", "-t", "erofs", "-o", "ro,loop", lower + ".erofs", lower}) == 0 &&
             ::mkfifo((lower + "-stamp").c_str(), 0600) == 0,
         "cannot mount the floor's template");
}

// lxc keeps a group in every hierarchy for its own sake.
std::vector<std::string> groups_of_lxc() {
    std::vector<std::string> found;
    for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup")) {
        const std::string group = hierarchy.path().string() + "/lxc.pivot";
        if (fs::is_directory(group)) {
            found.push_back(group);
        }
    }
    if (fs::is_directory("/sys/fs/cgroup/lxc.pivot")) {
        found.emplace_back("/sys/fs/cgroup/lxc.pivot");
    }
    return found;
}

void remove_new_groups(const std::vector<std::string>& before) {
    for (const std::string& group : groups_of_lxc()) {
        if (std::find(before.begin(), before.end(), group) == before.end()) {
            (void)::rmdir(group.c_str());
        }
    }
}

// Each group in a process of its own: what it does to its namespaces and groups ends with it.
bool measure_group(
    const char* name, Measure measure_it, const Place& place, const Plan& plan, Report& report) {
    std::array<int, 2> ends{};
    need(::pipe(ends.data()) == 0, "pipe");
    std::fprintf(stderr, "bench: %s\n", name);
    const pid_t child = ::fork();
    if (child == 0) {
        (void)::close(ends[0]);
        (void)::fcntl(ends[1], F_SETFD, FD_CLOEXEC);
        Report part;
        measure_it(place, plan, part);
        const std::string lines = part.lines();
        need(::write(ends[1], lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()),
             "write");
        std::_Exit(0);
    }
    (void)::close(ends[1]);
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t size = 0; (size = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    (void)::close(ends[0]);
    report.take_lines(text);
    return await(child) == 0;
}

} // namespace

int main(int argc, char** argv) {
    const Options options = read_options(argc, argv);
    std::string directory = "/var/tmp/lodge-bench.XXXXXX";
    need(::mkdtemp(directory.data()) != nullptr && ::chmod(directory.c_str(), 0755) == 0,
         "cannot make a directory");
    isolate();
    log_to(directory + "/log");
    Place place{.directory = directory,
                .plain_tree = directory + "/plain",
                .shifted_tree = directory + "/shifted",
                .cgroup2 = {},
                .template_tar = options.template_tar,
                .crowd = options.crowd};
    find_cgroups(place);
    make_tree(place.plain_tree, 0, true);
    mount_lower(place);
    Report report;
    bool good = true;
    const std::vector<std::string> before = groups_of_lxc();
    for (const auto& [name, measure_it] : kGroups) {
        const auto& wanted = options.groups;
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) {
            continue;
        }
        fs::remove_all(place.shifted_tree);
        make_tree(place.shifted_tree, kPeerBase, true);
        if (!measure_group(name, measure_it, place, options.plan, report)) {
            std::fprintf(stderr, "bench: %s could not be measured to its end:\n", name);
            (void)run({"tail", "-n", "15", directory + "/log"}, true);
            good = false;
        }
    }
    remove_new_groups(before);
    (void)::umount2((directory + "/lower").c_str(), MNT_DETACH);
    fs::remove_all(directory);
    std::printf("%s", report.table().c_str());
    if (!options.json.empty()) {
        std::ofstream(options.json) << report.json();
    }
    return good ? 0 : 1;
}
