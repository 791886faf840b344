#include "lib/kernel/message_socket.hpp"
#include "lib/session/session.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::session {
namespace {

std::pair<UniqueFd, UniqueFd> stream_pair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

TEST(SessionFrame, CarriesPayloadAndDescriptors) {
    const auto [client, monitor] = stream_pair();
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const ExitPayload exit{.code = 7};
    ASSERT_TRUE(send_frame(
        client.get(), FrameType::stdio, {}, std::array{null.get(), null.get(), null.get()}));
    ASSERT_TRUE(send_frame(client.get(), FrameType::exited, std::as_bytes(std::span(&exit, 1))));
    const Frame stdio = receive_frame(monitor.get()).value();
    EXPECT_EQ(stdio.type, FrameType::stdio);
    ASSERT_EQ(stdio.fds.size(), 3U);
    EXPECT_EQ(::fcntl(stdio.fds[0].get(), F_GETFD), FD_CLOEXEC);
    const Frame exited = receive_frame(monitor.get()).value();
    EXPECT_EQ(exited.type, FrameType::exited);
    EXPECT_EQ(exited.payload.size(), sizeof(ExitPayload));
    EXPECT_TRUE(exited.fds.empty());
}

TEST(SessionFrame, ArrivesWholeThroughAFullBuffer) {
    const auto [client, monitor] = stream_pair();
    std::vector<std::byte> data(kLargestPayload, std::byte{0x5a});
    std::jthread sender([&, fd = client.get()] {
        for (int i = 0; i < 64; ++i) {
            ASSERT_TRUE(send_frame(fd, FrameType::terminal_data, data));
        }
    });
    for (int i = 0; i < 64; ++i) {
        EXPECT_EQ(receive_frame(monitor.get()).value().payload, data);
    }
}

TEST(SessionFrame, TellsACloseBetweenFramesFromOneInside) {
    auto [client, monitor] = stream_pair();
    const FrameHeader header{.type = FrameType::terminal_data, .size = 10};
    ASSERT_EQ(::write(client.get(), &header, sizeof header), static_cast<ssize_t>(sizeof header));
    client.reset();
    EXPECT_EQ(receive_frame(monitor.get()).error().code(), ErrorCode::corrupt);
    auto [other, end] = stream_pair();
    other.reset();
    EXPECT_EQ(receive_frame(end.get()).error().code(), ErrorCode::cancelled);
}

TEST(SessionFrame, RefusesForeignHeaders) {
    for (const FrameHeader header : {FrameHeader{static_cast<FrameType>(0), 0},
                                     FrameHeader{static_cast<FrameType>(99), 0},
                                     FrameHeader{FrameType::terminal_data, kLargestPayload + 1}}) {
        const auto [client, monitor] = stream_pair();
        ASSERT_EQ(::write(client.get(), &header, sizeof header),
                  static_cast<ssize_t>(sizeof header));
        EXPECT_EQ(receive_frame(monitor.get()).error().code(), ErrorCode::corrupt);
    }
}

TEST(SessionFrame, BoundsTheDescriptorsOfOneFrame) {
    const auto [client, monitor] = stream_pair();
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const FrameHeader header{.type = FrameType::stdio, .size = 0};
    const auto bytes = std::as_bytes(std::span(&header, 1));
    for (const std::byte& byte : bytes) { // two with each byte: none of them is too many by itself
        ASSERT_TRUE(kernel::send_message(
            client.get(), std::span(&byte, 1), std::array{null.get(), null.get()}));
    }
    EXPECT_EQ(receive_frame(monitor.get()).error().code(), ErrorCode::corrupt);
}

TEST(SessionFrame, RefusesToSendMoreThanAgreed) {
    const auto [client, monitor] = stream_pair();
    const std::vector<std::byte> large(kLargestPayload + 1);
    EXPECT_FALSE(send_frame(client.get(), FrameType::terminal_data, large).has_value());
    EXPECT_FALSE(
        send_frame(client.get(), FrameType::stdio, {}, std::array{0, 0, 0, 0}).has_value());
}

TEST(SessionFrame, DoesNotRaiseSigpipe) {
    auto [client, monitor] = stream_pair();
    monitor.reset();
    EXPECT_FALSE(send_frame(client.get(), FrameType::started, {}).has_value());
}

} // namespace
} // namespace lodge::session
