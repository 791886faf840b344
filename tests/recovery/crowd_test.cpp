// A restart of the daemon with many running containers. LODGE_CROWD is their number.
#include "lib/kernel/fs.hpp"
#include "lib/kernel/process.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

namespace lodge::test {

namespace {

using Clock = std::chrono::steady_clock;

/// The values that a restart must not change.
struct Life {
    std::string init;           ///< pid and start time
    std::string monitor;        ///< of its parent
    std::string card;           ///< name and index of its end on the bridge
    std::uint64_t received = 0; ///< bytes on the card
};

std::string identity(const std::string& pid) {
    const auto stat = kernel::read_file("/proc/" + pid + "/stat", 4096);
    const auto time = stat ? kernel::parse_start_time(*stat) : 0;
    EXPECT_TRUE(stat && time) << pid;
    return pid + " since " + std::to_string(time ? *time : 0);
}

std::string parent_as_text(const std::string& pid) {
    const auto status = kernel::read_file("/proc/" + pid + "/status", 65536);
    const std::string text = status ? *status : "";
    const std::size_t at = text.find("PPid:\t") + 6;
    return text.substr(at, text.find('\n', at) - at);
}

// "7: ve-0123456789ab" and the bytes it has received, by name, as ip(8) tells.
std::map<std::string, std::pair<std::string, std::uint64_t>> cards() {
    std::map<std::string, std::pair<std::string, std::uint64_t>> found;
    const auto said =
        kernel::run_program({.path = "ip",
                             .arguments = {"-o", "-s", "link"},
                             .deadline = Deadline::after(patience(std::chrono::seconds(20)))});
    std::istringstream lines(said ? said->standard_output : "");
    for (std::string line; std::getline(lines, line);) {
        const std::string head = line.substr(0, line.find('@'));
        const std::size_t name = head.find("ve-");
        const std::size_t counters = line.find("RX:");
        if (name == std::string::npos || counters == std::string::npos) {
            continue;
        }
        const std::size_t digits = line.find_first_of("0123456789", line.find('\\', counters));
        found[head.substr(name)] = {head, std::stoull(line.substr(digits))};
    }
    return found;
}

class CrowdTest : public LodgeTest {
  protected:
    static unsigned crowd() {
        const char* value = std::getenv("LODGE_CROWD"); // NOLINT(concurrency-mt-unsafe)
        return value != nullptr ? static_cast<unsigned>(std::stoul(value)) : 200;
    }
    static std::string name_of(unsigned number) { return "c" + std::to_string(number); }

    // Runs a command for each container, four at a time.
    void each(unsigned count, const std::function<std::vector<std::string>(unsigned)>& words) {
        std::atomic<unsigned> next = 0;
        std::atomic<unsigned> failed = 0;
        std::vector<std::jthread> clients(4);
        for (std::jthread& client : clients) {
            client = std::jthread([&] {
                for (unsigned i = next++; i < count; i = next++) {
                    failed += host->lodge(words(i)).code == 0 ? 0 : 1;
                }
            });
        }
        clients.clear();
        ASSERT_EQ(failed, 0U) << host->daemon_log();
    }
    void start_all(unsigned count) {
        each(count, [](unsigned i) {
            return std::vector<std::string>{"create", name_of(i), "--template", "tiny", "--start"};
        });
    }
    void destroy_all(unsigned count) {
        each(count,
             [](unsigned i) { return std::vector<std::string>{"destroy", name_of(i), "--force"}; });
    }
    std::map<std::string, Life> look() {
        const auto all_cards = cards();
        std::map<std::string, Life> lives;
        for (const auto& seen : nlohmann::json::parse(host->lodge({"list", "--json"}).out)) {
            const std::string name = seen.at("name");
            const std::string pid = std::to_string(seen.at("pid").get<int>());
            EXPECT_EQ(seen.at("state"), "running") << name;
            const auto card = all_cards.find(seen.at("card"));
            EXPECT_TRUE(card != all_cards.end()) << seen;
            if (card != all_cards.end()) {
                lives[name] = {.init = identity(pid),
                               .monitor = identity(parent_as_text(pid)),
                               .card = card->second.first,
                               .received = card->second.second};
            }
        }
        return lives;
    }
};

TEST_F(CrowdTest, ARestartTakesAllUpAndChangesNothing) {
    const unsigned count = crowd();
    ASSERT_NO_FATAL_FAILURE(start_all(count));
    const auto before = look();
    ASSERT_EQ(before.size(), count);

    host->kill_daemon();
    const auto begin = Clock::now();
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
    std::cout << count << " running containers were taken up in " << took << " ms" << std::endl;

    const auto after = look();
    ASSERT_EQ(after.size(), count);
    for (const auto& [name, life] : before) {
        EXPECT_EQ(after.at(name).init, life.init) << name;
        EXPECT_EQ(after.at(name).monitor, life.monitor) << name;
        EXPECT_EQ(after.at(name).card, life.card) << name;
        EXPECT_GE(after.at(name).received, life.received) << name;
    }
    EXPECT_EQ(host->lodge({"exec", name_of(0), "--", "/bin/guest", "exit", "5"}).code, 5);
    ASSERT_NO_FATAL_FAILURE(destroy_all(count));
}

} // namespace

} // namespace lodge::test
