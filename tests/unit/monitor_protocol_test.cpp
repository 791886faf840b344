#include "daemon/monitor/protocol.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/memory_file.hpp"
#include "lib/kernel/message_socket.hpp"

#include <gtest/gtest.h>

#include <string>

#include <fcntl.h>
#include <sys/mman.h>

namespace lodge::monitor {
namespace {

StartOrder sound_order() {
    StartOrder order;
    order.uuid = "2f1c8d2e-6f0b-4f7a-9a51-0d6f2f1c8d2e";
    order.hostname = "web1";
    order.uid_base = 0x10000;
    order.shared_root = false;
    order.console_log_bytes = 4096;
    order.init = {"/sbin/init", "--option"};
    order.seccomp_program = std::string("\0\1\2\3\4\5\6\7", 8);
    return order;
}

Message message_of(const StartOrder& order, std::size_t fds) {
    Message message{.type = MessageType::start, .payload = encode(order), .fds = {}};
    for (std::size_t i = 0; i < fds; ++i) {
        message.fds.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    }
    return message;
}

TEST(MonitorProtocol, CarriesAStartOrder) {
    Message message = message_of(sound_order(), 2);
    const auto order = decode_start_order(message);
    ASSERT_TRUE(order) << order.error().to_string();
    EXPECT_EQ(order->hostname, "web1");
    EXPECT_EQ(order->init, (std::vector<std::string>{"/sbin/init", "--option"}));
    EXPECT_EQ(order->seccomp_program, sound_order().seccomp_program);
    EXPECT_TRUE(order->directory.valid());
    EXPECT_TRUE(order->cgroup.valid());
}

TEST(MonitorProtocol, RefusesAnOrderCutAnywhere) {
    const std::string whole = encode(sound_order());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        Message message = message_of(sound_order(), 2);
        message.payload.resize(size);
        EXPECT_FALSE(decode_start_order(message)) << size;
    }
}

TEST(MonitorProtocol, RefusesAnOrderWithoutAllItsDescriptors) {
    Message message = message_of(sound_order(), 1);
    EXPECT_FALSE(decode_start_order(message));
}

TEST(MonitorProtocol, RefusesIdsOfTheHostAndMissingFilters) {
    for (const std::uint32_t base : {0U, 1000U, 65535U, UINT32_MAX - 65535U, UINT32_MAX}) {
        StartOrder order = sound_order();
        order.uid_base = base;
        Message message = message_of(order, 2);
        EXPECT_FALSE(decode_start_order(message)) << base;
    }
    StartOrder order = sound_order();
    order.seccomp_program.clear();
    Message message = message_of(order, 2);
    EXPECT_FALSE(decode_start_order(message));
}

TEST(MonitorProtocol, IgnoresFieldsThatAreNewerThanItself) {
    Message message = message_of(sound_order(), 2);
    message.payload += "appended by a newer release";
    EXPECT_TRUE(decode_start_order(message));
}

TEST(MonitorProtocol, RefusesAListWithoutEnd) {
    const std::string payload = Writer().u32(0xffffffff).payload();
    Reader reader(payload);
    EXPECT_TRUE(reader.texts().empty());
    EXPECT_FALSE(reader.ok());
}

TEST(MonitorProtocol, CarriesAnExecOrder) {
    const ExecOrder order{.argv = {"sh", "-c", "exit 7"},
                          .environment = {"A=b"},
                          .user = "user",
                          .directory = "/tmp",
                          .login_shell = false,
                          .terminal = true,
                          .rows = 24,
                          .columns = 80};
    const auto decoded = decode_exec_order(encode(order));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->argv, order.argv);
    EXPECT_EQ(decoded->environment, order.environment);
    EXPECT_EQ(decoded->columns, 80);
    EXPECT_TRUE(decoded->terminal);
}

TEST(MonitorProtocol, CarriesALongExecOrderInASealedFile) {
    ExecOrder order;
    order.argv.assign(100'000, "a word of some length");
    const std::string payload = encode(order);
    const auto message = [](Result<UniqueFd> file) {
        Message made{.type = MessageType::exec_order, .payload = {}, .fds = {}};
        made.fds.push_back(std::move(file).value());
        return made;
    };
    const auto decoded = decode_exec_order(message(kernel::make_memory_file("order", payload)));
    ASSERT_TRUE(decoded) << decoded.error().to_string();
    EXPECT_EQ(decoded->argv, order.argv);
    // One that could change while it is read, or is longer than any.
    UniqueFd open(::memfd_create("order", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_TRUE(kernel::write_all(open.get(), payload));
    EXPECT_FALSE(decode_exec_order(message(std::move(open))));
    const std::string long_payload(kLargestOrder + 1, '\0');
    EXPECT_EQ(
        decode_exec_order(message(kernel::make_memory_file("order", long_payload))).error().code(),
        ErrorCode::resource_exhausted);
    EXPECT_FALSE(decode_exec_order(message(kernel::open_file("/dev/zero", O_RDONLY))));
}

TEST(MonitorProtocol, RefusesAnExecOrderOfNothing) {
    EXPECT_FALSE(decode_exec_order(encode(ExecOrder{})));
    ExecOrder both;
    both.argv = {"sh"};
    both.login_shell = true;
    EXPECT_FALSE(decode_exec_order(encode(both)));
}

TEST(MonitorProtocol, CarriesAFailureWithItsStage) {
    auto pair = kernel::make_message_pair();
    ASSERT_TRUE(pair);
    const Error error =
        Error(ErrorCode::no_space, "mkdir: full").with_errno(28).context("make the root");
    ASSERT_TRUE(send_failure(pair->first.get(), StartStage::root_mounted, error));
    const auto got =
        expect(pair->second.get(), MessageType::started, Deadline::after(std::chrono::seconds(1)));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), ErrorCode::no_space);
    EXPECT_EQ(got.error().sys_errno(), 28);
    EXPECT_EQ(got.error().message(), "mkdir: full");
    EXPECT_EQ(got.error().to_string(), "after stage 'root_mounted': make the root: mkdir: full");
}

// A failure as a monitor of an earlier release sends it has no trail of its own.
TEST(MonitorProtocol, TakesAFailureWithoutATrail) {
    const std::string earlier = Writer()
                                    .u8(static_cast<std::uint8_t>(StartStage::none))
                                    .u16(static_cast<std::uint16_t>(ErrorCode::no_space))
                                    .i32(28)
                                    .text("make the root: mkdir: full")
                                    .payload();
    const Error error = decode_failure(earlier);
    EXPECT_EQ(error.code(), ErrorCode::no_space);
    EXPECT_EQ(error.to_string(), "make the root: mkdir: full");
}

TEST(MonitorProtocol, TellsThatThePeerHasGone) {
    auto pair = kernel::make_message_pair();
    ASSERT_TRUE(pair);
    pair->first.reset();
    const auto got = receive(pair->second.get(), Deadline::after(std::chrono::seconds(1)));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), ErrorCode::cancelled);
}

TEST(MonitorProtocol, RefusesMessagesOfAnotherProtocol) {
    auto pair = kernel::make_message_pair();
    ASSERT_TRUE(pair);
    const std::string noise = "GET / HTTP/1.1";
    ASSERT_TRUE(kernel::send_message(pair->first.get(), std::as_bytes(std::span(noise))));
    const auto got = receive(pair->second.get(), Deadline::after(std::chrono::seconds(1)));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), ErrorCode::corrupt);
}

} // namespace
} // namespace lodge::monitor
