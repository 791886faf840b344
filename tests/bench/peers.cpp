#include "tests/bench/groups.hpp"

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::bench {

namespace {

namespace fs = std::filesystem;

void put(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream file(path);
    file << text;
    need(file.good(), "cannot write " + path);
}

std::string lxc_config(const Place& place, const std::string& name) {
    const std::string ids = " 0 " + std::to_string(kPeerBase) + " 65536\n";
    std::string config =
        "lxc.rootfs.path = dir:" + place.shifted_tree + "\nlxc.uts.name = " + name +
        "\nlxc.init.cmd = /sbin/init\n"
        "lxc.idmap = u" +
        ids + "lxc.idmap = g" + ids +
        "lxc.net.0.type = veth\nlxc.net.0.link = br0\nlxc.net.0.flags = up\n"
        "lxc.mount.auto = proc:mixed sys:mixed\nlxc.tty.max = 4\nlxc.pty.max = 1024\n"
        "lxc.apparmor.profile = unconfined\n";
    // What Debian's own lxc templates include.
    const std::string seccomp = "/usr/share/lxc/config/common.seccomp";
    return fs::exists(seccomp) ? config + "lxc.seccomp.profile = " + seccomp + "\n" : config;
}

// As `runc spec` writes it, with a user namespace and without a terminal.
std::string oci_config(const Place& place) {
    const std::string map =
        R"([{"containerID":0,"hostID":)" + std::to_string(kPeerBase) + R"(,"size":65536}])";
    return R"({"ociVersion":"1.0.0","process":{"terminal":false,"user":{"uid":0,"gid":0},
"args":["/sbin/init"],"env":["PATH=/sbin:/bin"],"cwd":"/","noNewPrivileges":false,
"capabilities":{"bounding":["CAP_SYS_ADMIN","CAP_CHOWN","CAP_SETUID","CAP_SETGID","CAP_KILL"],
"effective":["CAP_SYS_ADMIN","CAP_CHOWN","CAP_SETUID","CAP_SETGID","CAP_KILL"],
"permitted":["CAP_SYS_ADMIN","CAP_CHOWN","CAP_SETUID","CAP_SETGID","CAP_KILL"]}},
"root":{"path":")" +
           place.shifted_tree + R"("},"hostname":"bench",
"mounts":[{"destination":"/proc","type":"proc","source":"proc"},
{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755","size=65536k"]},
{"destination":"/dev/pts","type":"devpts","source":"devpts",
"options":["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620"]},
{"destination":"/dev/shm","type":"tmpfs","source":"shm","options":["nosuid","noexec","nodev"]},
{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]}],
"linux":{"uidMappings":)" +
           map + R"(,"gidMappings":)" + map + R"(,
"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"uts"},{"type":"ipc"},{"type":"user"},
{"type":"network"},{"type":"cgroup"}],
"maskedPaths":["/proc/kcore","/proc/keys","/proc/sysrq-trigger"],
"readonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys"]}})";
}

void measure_oci(const std::string& runtime, const Place& place, const Plan& plan, Report& report) {
    const std::string bundle = place.directory + "/" + runtime;
    const std::string state = bundle + "/state";
    put(bundle + "/config.json", oci_config(place));
    fs::create_directories(state);
    measure({.group = runtime,
             .start = {runtime, "--root", state, "run", "-d", "-b", bundle, "bench"},
             .stamp = place.shifted_tree + "/stamp",
             .read_stamp = {},
             .stop = {runtime, "--root", state, "delete", "-f", "bench"},
             .clean = {},
             .execute = {runtime, "--root", state, "exec", "bench", "/bin/true"},
             .note = "no network card, no supervisor"},
            plan,
            report);
}

// What nspawn leaves in the control groups that it was started in would break its next start.
void remove_groups(const std::string& path) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(path, error)) {
        if (entry.is_directory(error)) {
            remove_groups(entry.path());
        }
    }
    (void)::rmdir(path.c_str());
}

std::vector<std::string> own_groups(const Place& place) {
    std::vector<std::string> groups{place.cgroup2 + "/lodge-bench-nspawn"};
    if (fs::exists("/sys/fs/cgroup/systemd/cgroup.procs")) {
        groups.emplace_back("/sys/fs/cgroup/systemd/lodge-bench-nspawn");
    }
    return groups;
}

Words nspawn(const Place& place, const std::string& name) {
    return {"systemd-nspawn",
            "-q",
            "--register=no",
            "--keep-unit",
            "-D",
            place.shifted_tree,
            "-M",
            name,
            "--private-users=" + std::to_string(kPeerBase) + ":65536",
            "--private-users-ownership=off",
            "--network-bridge=br0",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            "--console=pipe",
            "/sbin/init"};
}

// Starts a crowd of containers, takes the memory of their supervisors, ends them.
void measure_crowd(const Place& place,
                   const std::string& group,
                   const std::string& prefix,
                   const std::function<Words(const std::string&)>& start,
                   const std::function<Words(const std::string&)>& stop,
                   Report& report) {
    std::vector<pid_t> started;
    const double begin = now_ms();
    for (int i = 0; i < place.crowd; ++i) {
        started.push_back(spawn(start("crowd" + std::to_string(i))));
        if (!stop("").empty()) {
            need(await(started.back()) == 0, group + ": a start in a crowd failed");
        }
    }
    if (!stop("").empty()) {
        report.add(group,
                   "start of " + std::to_string(place.crowd) + ", one after the other",
                   now_ms() - begin);
    } else {
        (void)::sleep(3); // foreground managers do not say when they are done
    }
    const Memory memory = memory_of(prefix);
    need(memory.processes >= place.crowd,
         group + ": only " + std::to_string(memory.processes) + " supervisors of " +
             std::to_string(place.crowd));
    report.add(group,
               "supervisor's memory (PSS), among " + std::to_string(place.crowd),
               memory.kib / place.crowd,
               "KiB");
    for (int i = 0; i < place.crowd; ++i) {
        const Words command = stop("crowd" + std::to_string(i));
        if (command.empty()) {
            (void)::kill(started[static_cast<std::size_t>(i)], SIGTERM);
            (void)await(started[static_cast<std::size_t>(i)]);
        } else {
            (void)run(command);
        }
    }
}

} // namespace

void measure_lxc(const Place& place, const Plan& plan, Report& report) {
    const std::string path = place.directory + "/lxc";
    put(path + "/bench/config", lxc_config(place, "bench"));
    const auto start = [&](const std::string& name) -> Words {
        return {"lxc-start", "-P", path, "-n", name};
    };
    const auto stop = [&](const std::string& name) -> Words {
        return {"lxc-stop", "-P", path, "-n", name, "-k"};
    };
    measure({.group = "lxc",
             .start = start("bench"),
             .stamp = place.shifted_tree + "/stamp",
             .read_stamp = {},
             .stop = stop("bench"),
             .clean = {},
             .execute = {"lxc-attach", "-P", path, "-n", "bench", "--", "/bin/true"},
             .note = {}},
            plan,
            report);
    // The crowd shares one tree, so nobody reads its stamps: a file takes them.
    (void)::unlink((place.shifted_tree + "/stamp").c_str());
    for (int i = 0; i < place.crowd; ++i) {
        const std::string name = "crowd" + std::to_string(i);
        put(path + "/" + name + "/config", lxc_config(place, name));
    }
    measure_crowd(place, "lxc", "[lxc monitor]", start, stop, report);
    const double begin = now_ms();
    need(run({"lxc-ls", "-P", path, "-f"}) == 0, "lxc-ls failed");
    report.add("lxc", "list", now_ms() - begin);
}

void measure_nspawn(const Place& place, const Plan& plan, Report& report) {
    for (const std::string& group : own_groups(place)) {
        fs::create_directories(group);
        put(group + "/cgroup.procs", std::to_string(::getpid()));
    }
    Words clean{"rmdir"};
    for (const std::string& group : own_groups(place)) {
        clean.push_back(group + "/payload");
        clean.push_back(group + "/supervisor");
    }
    measure({.group = "nspawn",
             .start = nspawn(place, "bench"),
             .foreground = true,
             .stamp = place.shifted_tree + "/stamp",
             .read_stamp = {},
             .stop = {},
             .clean = clean,
             .execute = {},
             .note = {}},
            plan,
            report);
    for (const std::string& group : own_groups(place)) {
        put(fs::path(group).parent_path().string() + "/cgroup.procs", std::to_string(::getpid()));
        remove_groups(group);
    }
}

void measure_crun(const Place& place, const Plan& plan, Report& report) {
    // crun 1.8 runs nowhere with a controller on v2 beside v1: hidden from it, in its own
    // namespace.
    if (place.hybrid) {
        need(::unshare(CLONE_NEWNS) == 0 &&
                 ::mount("none", place.cgroup2.c_str(), "tmpfs", 0, nullptr) == 0,
             "cannot hide cgroup2 from crun");
    }
    measure_oci("crun", place, plan, report);
}

void measure_runc(const Place& place, const Plan& plan, Report& report) {
    measure_oci("runc", place, plan, report);
}

void measure_floor(const Place& place, const Plan& plan, Report& report) {
    const std::string group = place.cgroup2 + "/lodge-bench-floor";
    fs::create_directories(group);
    const std::string floor = LODGE_BIN_DIR "/bench/lodge_bench_floor";
    measure({.group = "floor",
             .start = {floor, "simple", place.plain_tree, group, "fa"},
             .foreground = true,
             .stamp = place.plain_tree + "/stamp",
             .read_stamp = {},
             .stop = {},
             .clean = {floor, "settle", group},
             .execute = {},
             .note = {}},
            plan,
            report);
    const std::string image = place.directory + "/volume.img";
    const std::string seed = place.directory + "/seed";
    fs::create_directories(seed + "/upper");
    fs::create_directories(seed + "/work");
    need(run({"mke2fs",
              "-q",
              "-t",
              "ext4",
              "-E",
              "nodiscard,lazy_itable_init=1",
              "-d",
              seed,
              image,
              "256M"}) == 0,
         "mke2fs failed");
    measure({.group = "floor with loop, ext4 and overlay",
             .start = {floor,
                       "full",
                       place.directory + "/lower",
                       group,
                       "fb",
                       image,
                       place.directory + "/lower-stamp"},
             .foreground = true,
             .stamp = place.directory + "/lower-stamp",
             .read_stamp = {},
             .stop = {},
             .clean = {floor, "settle", group},
             .execute = {},
             .note = {}},
            plan,
            report);
    // Its last init may not be gone yet.
    for (int i = 0; i < 100 && ::rmdir(group.c_str()) != 0 && errno == EBUSY; ++i) {
        (void)::usleep(10'000);
    }
}

} // namespace lodge::bench
