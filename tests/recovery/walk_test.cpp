// A random walk: independent clients run random verbs on the same containers, and the daemon is
// killed about every second. LODGE_WALK_OPERATIONS and LODGE_WALK_SEED set its length and its seed;
// the seed of a run is in its output. The seed determines the acts of each client and their order,
// but not how the acts of different clients interleave.
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include <poll.h>

namespace lodge::test {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr unsigned kClients = 8;
constexpr unsigned kContainers = 30;
constexpr int kUnreachable = 20; // see docs/exit-codes.md

unsigned long setting(const char* name, unsigned long otherwise) {
    const char* value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): nobody writes it
    return value != nullptr ? std::stoul(value) : otherwise;
}

/// One call of the command line and how it ended.
struct Act {
    std::string verb;
    std::string name;
    std::string leads_to; ///< the state, when it is done; empty: it does not tell
    int code = 0;
    std::string said;
    Clock::time_point begin;
    Clock::time_point end;
};

struct Choice {
    unsigned weight;
    const char* verb;
    std::vector<std::string> options;
    const char* leads_to = ""; ///< not of freeze and thaw: init may be dying of a kill before
};

// Weighted so that most containers exist and about half of them run.
const std::array kChoices{
    Choice{14, "create", {"--template", "tiny"}, "stopped"},
    Choice{14, "create", {"--template", "tiny", "--start"}, "running"},
    Choice{4, "create", {"--template", "tiny", "--start", "--restart", "always"}, "running"},
    Choice{14, "start", {}, "running"},
    Choice{8, "stop", {"--force"}, "stopped"},
    Choice{4, "stop", {"--timeout", "1s"}, "stopped"},
    Choice{6, "restart", {"--force"}, "running"},
    Choice{6, "freeze", {}},
    Choice{8, "thaw", {}},
    Choice{5, "kill", {}},
    Choice{10, "destroy", {"--force"}},
    Choice{4, "destroy", {}},
    Choice{8, "exec", {"--", "/bin/guest", "true"}},
    Choice{6, "info", {}},
};

const Choice& choose(std::mt19937_64& dice) {
    static const unsigned sum = [] {
        unsigned all = 0;
        for (const Choice& choice : kChoices) {
            all += choice.weight;
        }
        return all;
    }();
    auto left = static_cast<unsigned>(dice() % sum);
    for (const Choice& choice : kChoices) {
        if (left < choice.weight) {
            return choice;
        }
        left -= choice.weight;
    }
    return kChoices.front();
}

class WalkTest : public LodgeTest {
  protected:
    using Span = std::pair<Clock::time_point, Clock::time_point>;

    std::vector<Act> walk(unsigned long seed, unsigned client, unsigned long length) const {
        std::mt19937_64 dice(seed * kClients + client);
        std::vector<Act> acts;
        while (acts.size() < length) {
            const Choice& choice = choose(dice);
            Act act{.verb = choice.verb,
                    .name = "w" + std::to_string(dice() % kContainers),
                    .leads_to = choice.leads_to};
            std::vector<std::string> words{act.verb, act.name};
            words.insert(words.end(), choice.options.begin(), choice.options.end());
            act.begin = Clock::now();
            CliResult done = host->lodge(words);
            while (done.code == kUnreachable && Clock::now() - act.begin < patience(60s)) {
                (void)::poll(nullptr, 0, 20); // as a script does without a daemon
                done = host->lodge(words);
            }
            act.end = Clock::now();
            act.code = done.code;
            act.said = done.err;
            acts.push_back(std::move(act));
        }
        return acts;
    }

    // Returns the outages: from a moment before each kill until the next daemon answers.
    std::vector<Span> harass(const std::atomic<unsigned>& walking, std::mt19937_64 dice) {
        std::vector<Span> outages;
        while (walking > 0) {
            (void)::poll(nullptr, 0, static_cast<int>(300 + dice() % 1200));
            const auto begin = Clock::now();
            host->kill_daemon();
            host->start_daemon();
            outages.emplace_back(begin, Clock::now());
        }
        return outages;
    }

    static bool overlaps(const Act& act, const std::vector<Span>& outages) {
        return std::any_of(outages.begin(), outages.end(), [&](const Span& outage) {
            return act.begin <= outage.second && outage.first <= act.end;
        });
    }

    // Checks that the walk was useful: each verb succeeded at least once, and kills hit running
    // operations.
    static void judge_walk(const std::vector<Act>& acts, const std::vector<Span>& outages) {
        for (const Choice& choice : kChoices) {
            EXPECT_TRUE(std::any_of(
                acts.begin(),
                acts.end(),
                [&](const Act& act) { return act.verb == choice.verb && act.code == 0; }))
                << "no " << choice.verb << " was done";
        }
        const auto hit = std::count_if(
            acts.begin(), acts.end(), [&](const Act& act) { return overlaps(act, outages); });
        EXPECT_GE(outages.size(), 3U) << "it was killed too rarely";
        EXPECT_GE(hit, static_cast<std::ptrdiff_t>(outages.size())) << "the kills hit nothing";
    }

    // Each refusal must have a reason in the state of the containers.
    void judge_answers(const std::vector<Act>& acts, const std::vector<Span>& outages) {
        for (const Act& act : acts) {
            const bool expected = act.code == 0 || (act.code >= 3 && act.code <= 6);
            const bool ended_with_it = act.verb == "exec" && act.code > 6;
            EXPECT_TRUE(expected || ended_with_it || overlaps(act, outages))
                << act.verb << " " << act.name << " ended with " << act.code << ": " << act.said;
        }
    }

    // A container must exist after a successful create, unless a destroy was requested later or at
    // the same time; and the reverse.
    void judge_existence(const std::vector<Act>& acts) {
        std::map<std::string, std::vector<const Act*>> by_name;
        for (const Act& act : acts) {
            if (act.verb == "create" || act.verb == "destroy") {
                by_name[act.name].push_back(&act);
            }
        }
        for (const auto& [name, all] : by_name) {
            const bool exists = !host->field(name, "state").empty();
            for (const Act* act : all) {
                const bool last = std::none_of(all.begin(), all.end(), [&](const Act* other) {
                    return other->verb != act->verb && other->end >= act->begin;
                });
                if (act->code == 0 && last) {
                    EXPECT_EQ(exists, act->verb == "create") << name;
                    break;
                }
            }
        }
    }

    // An act that was refused because of the container's state has changed nothing.
    static bool may_have_changed_it(const Act& act) {
        return act.verb != "exec" && act.verb != "info" && (act.code < 3 || act.code > 6);
    }

    // If the last act on a container was alone at its time, the state must be that of its answer.
    // Returns the number of containers that could be checked.
    std::size_t judge_states(const std::vector<Act>& acts) {
        std::map<std::string, std::vector<const Act*>> by_name;
        for (const Act& act : acts) {
            if (may_have_changed_it(act)) {
                by_name[act.name].push_back(&act);
            }
        }
        std::size_t told = 0;
        for (const auto& [name, all] : by_name) {
            const Act* last = *std::max_element(
                all.begin(), all.end(), [](const Act* a, const Act* b) { return a->end < b->end; });
            const bool alone = std::none_of(all.begin(), all.end(), [&](const Act* other) {
                return other != last && other->end >= last->begin;
            });
            if (alone && last->code == 0 && !last->leads_to.empty()) {
                EXPECT_EQ(host->field(name, "state"), last->leads_to)
                    << name << " after " << last->verb;
                ++told;
            }
        }
        return told;
    }

    // No operation holds a container for ever, and each remaining container still works.
    void expect_all_usable() {
        for (unsigned i = 0; i < kContainers; ++i) {
            const std::string name = "w" + std::to_string(i);
            if (host->field(name, "state").empty()) {
                continue;
            }
            expect_field(name, "busy_with", "");
            const std::string state = host->field(name, "state");
            if (state != "running") {
                const CliResult up = host->lodge({state == "frozen" ? "thaw" : "start", name});
                EXPECT_EQ(up.code, 0) << name << " is " << state << ": " << up.err;
            }
            const CliResult done = host->lodge({"exec", name, "--", "/bin/guest", "exit", "5"});
            EXPECT_EQ(done.code, 5) << name << ": " << done.err;
        }
    }
};

TEST_F(WalkTest, LosesNothingWhateverIsDoneToIt) {
    const unsigned long seed = setting("LODGE_WALK_SEED", std::random_device()());
    const unsigned long length = setting("LODGE_WALK_OPERATIONS", 2'000) / kClients;
    std::cout << "LODGE_WALK_SEED=" << seed << std::endl;
    std::array<std::vector<Act>, kClients> walks;
    std::vector<std::jthread> clients;
    std::atomic<unsigned> walking = kClients;
    for (unsigned client = 0; client < kClients; ++client) {
        clients.emplace_back([&, client] {
            walks[client] = walk(seed, client, length);
            --walking;
        });
    }
    const std::vector<Span> outages = harass(walking, std::mt19937_64(seed));
    clients.clear();

    std::vector<Act> acts;
    for (std::vector<Act>& one : walks) {
        std::move(one.begin(), one.end(), std::back_inserter(acts));
    }
    Clock::duration longest{};
    for (const Span& outage : outages) {
        longest = std::max(longest, outage.second - outage.first);
    }
    const auto good =
        std::count_if(acts.begin(), acts.end(), [](const Act& a) { return a.code == 0; });
    std::cout << acts.size() << " operations, " << good << " of them done, " << outages.size()
              << " kills, the longest without a daemon for "
              << std::chrono::duration_cast<std::chrono::milliseconds>(longest).count() << " ms"
              << std::endl;
    judge_walk(acts, outages);
    judge_answers(acts, outages);
    judge_existence(acts);
    const std::size_t judged = judge_states(acts);
    std::cout << judged << " states judged" << std::endl;
    EXPECT_GT(judged, 0U);
    expect_all_usable();
}

} // namespace

} // namespace lodge::test
