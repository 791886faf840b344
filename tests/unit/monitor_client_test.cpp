#include "daemon/runtime/monitor_client.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/message_socket.hpp"
#include "lib/session/session.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/session_client.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <thread>

#include <poll.h>
#include <sys/socket.h>

namespace lodge::daemon {
namespace {

using monitor::MessageType;
using namespace std::chrono_literals;

Deadline soon() {
    return Deadline::after(test::patience(10s));
}

// Serves one connection as a monitor of `version` does.
class FakeMonitor {
  public:
    explicit FakeMonitor(std::uint16_t version)
        : version_(version), place_(kernel::open_directory(directory_.path()).value()),
          listener_(kernel::listen_messages(place_.get(), monitor::kSocketName).value()),
          client_(make_monitor(kernel::open_directory(directory_.path()).value(), UniqueFd())) {}

    Monitor& client() { return *client_; }
    // Greets whoever comes, then does as `behave`.
    std::jthread serve(std::function<void(int socket)> behave) {
        return std::jthread([this, behave = std::move(behave)] {
            pollfd wait{.fd = listener_.get(), .events = POLLIN, .revents = 0};
            ASSERT_EQ(::poll(&wait, 1, soon().poll_timeout()), 1) << "nobody came";
            const UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            ASSERT_TRUE(monitor::expect(socket.get(), MessageType::hello, soon()));
            ASSERT_TRUE(monitor::send(socket.get(),
                                      MessageType::welcome,
                                      monitor::Writer().u16(version_).i32(1).payload()));
            behave(socket.get());
        });
    }

  private:
    std::uint16_t version_;
    test::TempDir directory_;
    UniqueFd place_;
    UniqueFd listener_;
    std::unique_ptr<Monitor> client_;
};

ExecRequest command(std::size_t words, const std::string& word) {
    ExecRequest request;
    request.argv.assign(words, word);
    return request;
}

const Error kFull(ErrorCode::resource_exhausted, "it has its most sessions");

TEST(MonitorClient, TakesAClientOnlyWhenTheMonitorHasAgreed) {
    FakeMonitor fake(monitor::kVersion);
    bool taken = false;
    const TakeClient take = [&]() -> Result<UniqueFd> {
        taken = true;
        return fail(ErrorCode::cancelled, "nobody");
    };
    {
        const auto server = fake.serve([](int socket) {
            ASSERT_TRUE(monitor::expect(socket, MessageType::exec_order, soon()));
            ASSERT_TRUE(monitor::send_failure(socket, monitor::StartStage::none, kFull));
        });
        const Status refused = fake.client().exec(command(1, "true"), take);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), kFull.code());
        EXPECT_NE(refused.error().message().find(kFull.message()), std::string::npos);
    }
    const auto server = fake.serve([](int socket) {
        ASSERT_TRUE(monitor::expect(socket, MessageType::console_order, soon()));
        ASSERT_TRUE(monitor::send_failure(socket, monitor::StartStage::none, kFull));
    });
    EXPECT_EQ(fake.client().console(take).error().code(), kFull.code());
    EXPECT_FALSE(taken);
}

TEST(MonitorClient, CarriesWordsOfAnyLengthAndThenTheClient) {
    FakeMonitor fake(monitor::kVersion);
    auto sockets = test::make_stream_pair();
    ASSERT_TRUE(sockets);
    for (const ExecRequest& request :
         {command(3, "word"), command(100'000, std::string("\xff\n", 2))}) {
        const auto server = fake.serve([&request](int socket) {
            const auto order = monitor::expect(socket, MessageType::exec_order, soon());
            ASSERT_TRUE(order) << order.error().to_string();
            const auto decoded = monitor::decode_exec_order(*order);
            ASSERT_TRUE(decoded) << decoded.error().to_string();
            EXPECT_EQ(decoded->argv, request.argv);
            ASSERT_TRUE(monitor::send(socket, MessageType::done));
            const auto client = monitor::expect(socket, MessageType::client, soon());
            ASSERT_TRUE(client) << client.error().to_string();
            EXPECT_EQ(client->fds.size(), 1U);
            ASSERT_TRUE(monitor::send(socket, MessageType::done));
        });
        UniqueFd theirs = sockets->second.duplicate().value();
        const Status served = fake.client().exec(request, test::give(theirs));
        EXPECT_TRUE(served) << served.error().to_string();
    }
}

// What fails once the client was taken is told on its connection.
void expect_told(UniqueFd& connection, const Error& why) {
    auto session = test::OpenSession::adopt(std::move(connection));
    const auto error = session.expect(session::FrameType::error);
    ASSERT_TRUE(error) << error.error().to_string();
    const std::string text(reinterpret_cast<const char*>(error->payload.data()),
                           error->payload.size());
    EXPECT_NE(text.find(why.message()), std::string::npos) << text;
    const auto exited = session.expect(session::FrameType::exited);
    ASSERT_TRUE(exited);
    EXPECT_EQ(static_cast<int>(exited->payload.at(0)), session::kCannotExecute);
}

TEST(MonitorClient, TellsAClientWhatFailedWhenItWasTaken) {
    FakeMonitor fake(monitor::kVersion);
    auto sockets = test::make_stream_pair();
    ASSERT_TRUE(sockets);
    {
        const auto server = fake.serve([](int socket) {
            ASSERT_TRUE(monitor::expect(socket, MessageType::exec_order, soon()));
            ASSERT_TRUE(monitor::send(socket, MessageType::done));
            ASSERT_TRUE(monitor::expect(socket, MessageType::client, soon()));
            ASSERT_TRUE(monitor::send_failure(socket, monitor::StartStage::none, kFull));
        });
        EXPECT_FALSE(fake.client().exec(command(1, "true"), test::give(sockets->second)));
    }
    expect_told(sockets->first, kFull);
}

// One of an earlier release hears of the order and of the client in one message.
TEST(MonitorClient, AsksAMonitorOfVersionOneAsItWasAsked) {
    FakeMonitor old(1);
    auto sockets = test::make_stream_pair();
    ASSERT_TRUE(sockets);
    {
        const auto server = old.serve([](int socket) {
            const auto order = monitor::expect(socket, MessageType::exec, soon());
            ASSERT_TRUE(order) << order.error().to_string();
            EXPECT_EQ(order->fds.size(), 1U);
            EXPECT_EQ(monitor::decode_exec_order(order->payload)->argv.size(), 4096U);
            ASSERT_TRUE(monitor::send_failure(socket, monitor::StartStage::none, kFull));
        });
        EXPECT_FALSE(old.client().exec(command(4096, "x"), test::give(sockets->second)));
    }
    expect_told(sockets->first, kFull);
    UniqueFd kept;
    for (const ExecRequest& request : {command(4097, "x"), command(2, std::string(70'000, 'x'))}) {
        const auto server = old.serve([](int) {});
        const Status refused = old.client().exec(request, test::give(kept));
        ASSERT_FALSE(refused);
        EXPECT_NE(refused.error().message().find("restart it"), std::string::npos);
    }
}

} // namespace
} // namespace lodge::daemon
