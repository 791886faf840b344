#include "daemon/log.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/unique_fd.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::daemon {
namespace {

using namespace std::chrono_literals;

struct Line {
    UniqueFd reader;
    UniqueFd writer;
};

Line make_pipe_line() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    return {.reader = UniqueFd(ends[0]), .writer = UniqueFd(ends[1])};
}

// As the journal's.
Line make_socket_line() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    return {.reader = UniqueFd(ends[0]), .writer = UniqueFd(ends[1])};
}

// What lies there.
std::string read_out(const UniqueFd& reader) {
    std::string all;
    pollfd wait{.fd = reader.get(), .events = POLLIN, .revents = 0};
    std::array<char, 4096> chunk{};
    while (::poll(&wait, 1, 0) == 1) {
        const ssize_t size = ::read(reader.get(), chunk.data(), chunk.size());
        all.append(chunk.data(), static_cast<std::size_t>(size));
    }
    return all;
}

class LogTest : public ::testing::TestWithParam<Line (*)()> {};

TEST_P(LogTest, HoldsNobodyUpWhenNobodyReads) {
    const Line line = GetParam()();
    const Log log(line.writer.get());
    const Deadline deadline = Deadline::after(30s);
    for (int i = 0; i < 20'000; ++i) { // more than either takes
        log.write(LogLevel::info, "line " + std::to_string(i) + " of many");
        ASSERT_FALSE(deadline.expired()) << i;
    }
    const std::string kept = read_out(line.reader);
    EXPECT_NE(kept.find("line 0 of many"), std::string::npos);
    EXPECT_EQ(kept.find("line 19999 of many"), std::string::npos) << "it was lost";
    log.write(LogLevel::info, "there is room again");
    const std::string later = read_out(line.reader);
    EXPECT_NE(later.find("lines are not here"), std::string::npos) << later;
    EXPECT_NE(later.find("there is room again"), std::string::npos) << later;
    EXPECT_EQ(::fcntl(line.writer.get(), F_GETFL) & O_NONBLOCK, 0) << "it is shared with others";
}

INSTANTIATE_TEST_SUITE_P(Over, LogTest, ::testing::Values(make_pipe_line, make_socket_line));

} // namespace
} // namespace lodge::daemon
