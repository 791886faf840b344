#include "tests/recovery/bystander.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include <unistd.h>

namespace lodge::test {

Bystander::Bystander(const LodgeHost& host, const std::vector<std::string>& options) : host_(host) {
    std::vector<std::string> words{"create", "beside", "--template", "tiny"};
    words.insert(words.end(), options.begin(), options.end());
    EXPECT_EQ(host.lodge(words).code, 0) << host.daemon_log();
    look();
}

void Bystander::look() {
    if ((session_ && session_->running()) || !runs()) {
        return;
    }
    Pipe output = make_pipe();
    session_ = std::make_unique<CliProcess>(
        host_,
        std::vector<std::string>{"exec", "beside", "--", "/bin/guest", "await-signal"},
        CliStreams{.out = output.write.get()});
    output.write.reset();
    std::array<char, 6> word{}; // "ready\n": its process runs
    EXPECT_EQ(::read(output.read.get(), word.data(), word.size()), ssize_t{6});
    family_ = family();
    EXPECT_GE(family_.size(), 3U) << "monitor, init, and what was executed";
}

// Its monitor, and the children of that.
std::vector<ProcessIdentity> Bystander::family() const {
    const ProcessIdentity init = init_of(host_, "beside");
    if (init.pid == 0) {
        return {};
    }
    const pid_t monitor = parent_of(init.pid);
    std::vector<ProcessIdentity> members{identify(monitor)};
    const std::string number = std::to_string(monitor);
    std::ifstream children("/proc/" + number + "/task/" + number + "/children");
    for (pid_t child = 0; children >> child;) {
        members.push_back(identify(child));
    }
    return members;
}

} // namespace lodge::test
