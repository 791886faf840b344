#include "tests/bench/groups.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include <unistd.h>

namespace lodge::bench {

namespace {

namespace fs = std::filesystem;

const std::string kLodge = LODGE_BIN_DIR "/lodge";

Words lodge_command(std::initializer_list<std::string> words) {
    Words command{kLodge};
    command.insert(command.end(), words);
    return command;
}

double timed(const Words& words) {
    const double begin = now_ms();
    need(run(words) == 0, "failed: " + words.at(1) + " " + words.at(2));
    return now_ms() - begin;
}

// A daemon of the bench's own, ended with it.
class Daemon {
  public:
    explicit Daemon(const Place& place) {
        const std::string run_directory = "/run/lodge";
        (void)::setenv("LODGE_SOCKET", (run_directory + "/lodged.sock").c_str(), 1);
        // Its own groups: another daemon may be at work on this host.
        const std::string config = place.directory + "/lodge.yaml";
        std::ofstream(config) << "cgroup: " << group_ << "\n";
        pid_ = spawn({LODGE_BIN_DIR "/lodged",
                      "--foreground",
                      "--config",
                      config,
                      "--state-dir",
                      place.directory + "/lodge",
                      "--run-dir",
                      run_directory});
        const double begin = now_ms();
        while (run(lodge_command({"host", "info"})) != 0) {
            need(now_ms() < begin + 10'000, "lodged does not answer");
            (void)::usleep(20'000);
        }
    }
    ~Daemon() {
        (void)::kill(pid_, SIGTERM);
        (void)await(pid_);
        for (const std::string mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
            (void)::rmdir((mount + group_ + "/daemon").c_str()); // where it is mounted
            (void)::rmdir((mount + group_).c_str());
        }
    }
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

  private:
    std::string group_ = "/lodge-bench-" + std::to_string(::getpid());
    pid_t pid_;
};

void measure_creation(const Place& place, const Plan& plan, Report& report) {
    if (place.template_tar.empty()) {
        return;
    }
    const auto megabytes = std::to_string(fs::file_size(place.template_tar) >> 20);
    const std::string from = ", from a template of " + megabytes + " MB";
    need(run(lodge_command({"template", "import", "distribution", place.template_tar})) == 0,
         "cannot import " + place.template_tar);
    const auto create = lodge_command({"create", "made", "--template", "distribution"});
    const auto destroy = lodge_command({"destroy", "made", "--force"});
    for (int i = 0; i < plan.repeats; ++i) {
        report.add("lodge", "create, encrypted" + from, timed(create));
        report.add("lodge", "destroy" + from, timed(destroy));
    }
    for (int i = 0; i < plan.repeats; ++i) {
        const double begin = now_ms();
        (void)timed(create);
        (void)timed(lodge_command({"start", "made"}));
        (void)timed(lodge_command({"exec", "made", "--", "/bin/true"}));
        report.add("lodge", "create, start and first exec" + from, now_ms() - begin);
        need(run(destroy) == 0, "destroy failed");
    }
    // What the peers do to have a tree of their own; none of it is encrypted.
    const std::string tree = place.directory + "/copy";
    fs::create_directories(tree);
    for (int i = 0; i < 3; ++i) {
        const std::string target = tree + "/" + std::to_string(i);
        fs::create_directories(target);
        report.add("tar -x (as lxc-create)",
                   "create, encrypted" + from,
                   timed({"tar", "-xf", place.template_tar, "-C", target}));
    }
    fs::remove_all(tree);
}

// Writes, then reads what no cache of the file's own holds any more.
void measure_file(const Words& prefix,
                  const std::string& file,
                  const std::string& group,
                  int repeats,
                  Report& report) {
    const auto dd = [&](std::initializer_list<std::string> operands) {
        Words words = prefix;
        words.emplace_back("dd");
        words.insert(words.end(), operands);
        return words;
    };
    for (int i = 0; i < repeats; ++i) {
        report.add(group,
                   "write 256 MiB and sync",
                   timed(dd({"if=/dev/zero", "of=" + file, "bs=1M", "count=256", "conv=fsync"})));
        need(run(dd({"if=" + file, "iflag=nocache", "count=0"})) == 0, "cannot drop a cache");
        report.add(group, "read 256 MiB", timed(dd({"if=" + file, "of=/dev/null", "bs=1M"})));
    }
}

// What encryption and the stack below cost a tenant. The peers' containers lie in a directory of
// the host's.
void measure_disk(const Place& place, const Plan& plan, Report& report) {
    if (place.template_tar.empty()) {
        return;
    }
    const int repeats = std::min(plan.repeats, 5);
    for (const bool encrypted : {true, false}) {
        Words create =
            lodge_command({"create", "disk", "--template", "distribution", "--disk", "1G"});
        if (!encrypted) {
            create.insert(create.end(), {"--encryption", "none"});
        }
        need(run(create) == 0 && run(lodge_command({"start", "disk"})) == 0, "cannot run 'disk'");
        measure_file(lodge_command({"exec", "disk", "--"}),
                     "/root/file",
                     encrypted ? "lodge" : "lodge, not encrypted",
                     repeats,
                     report);
        need(run(lodge_command({"destroy", "disk", "--force"})) == 0, "destroy failed");
    }
    measure_file(
        {}, place.directory + "/file", "a directory of the host (as lxc, nspawn)", repeats, report);
    fs::remove(place.directory + "/file");
}

void measure_crowd_of_lodge(const Place& place, Report& report) {
    const std::string among = std::to_string(place.crowd);
    for (int i = 0; i < place.crowd; ++i) {
        need(run(lodge_command({"create", "crowd" + std::to_string(i), "--template", "tiny"})) == 0,
             "create failed");
    }
    const double begin = now_ms();
    for (int i = 0; i < place.crowd; ++i) {
        (void)timed(lodge_command({"start", "crowd" + std::to_string(i)}));
    }
    report.add("lodge", "start of " + among + ", one after the other", now_ms() - begin);
    const Memory monitors = memory_of("lodge-monitor");
    need(monitors.processes >= place.crowd,
         "only " + std::to_string(monitors.processes) + " monitors");
    report.add("lodge",
               "supervisor's memory (PSS), among " + among,
               monitors.kib / monitors.processes,
               "KiB");
    report.add("lodge",
               "daemon's memory (PSS), " + among + " running",
               memory_of(LODGE_BIN_DIR "/lodged").kib,
               "KiB");
    for (int i = 0; i < 10; ++i) {
        report.add("lodge", "list", timed(lodge_command({"list", "--json"})));
    }
    for (int i = 0; i < place.crowd; ++i) {
        need(run(lodge_command({"destroy", "crowd" + std::to_string(i), "--force"})) == 0,
             "destroy failed");
    }
}

} // namespace

void measure_lodge(const Place& place, const Plan& plan, Report& report) {
    const Daemon daemon(place);
    // The template is made of the same programs as the peers' trees, without their fifo.
    const std::string tar = place.directory + "/tiny.tar";
    need(run({"tar", "-cf", tar, "--exclude=./stamp", "-C", place.plain_tree, "."}) == 0 &&
             run(lodge_command({"template", "import", "tiny", tar})) == 0,
         "cannot import the template");
    need(run(lodge_command({"create", "bench", "--template", "tiny"})) == 0, "create failed");
    measure({.group = "lodge",
             .start = lodge_command({"start", "bench"}),
             .stamp = {},
             .read_stamp = lodge_command({"exec", "bench", "--", "/bin/guest", "cat", "/stamp"}),
             .stop = lodge_command({"stop", "bench", "--force"}),
             .clean = {},
             .execute = lodge_command({"exec", "bench", "--", "/bin/true"}),
             .note = {}},
            plan,
            report);
    need(run(lodge_command({"destroy", "bench", "--force"})) == 0, "destroy failed");
    measure_crowd_of_lodge(place, report);
    measure_creation(place, plan, report);
    measure_disk(place, plan, report);
}

} // namespace lodge::bench
