#include "daemon/notify.hpp"
#include "lib/base/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>

namespace lodge::test {
namespace {

// A service manager's end.
UniqueFd listen_at(const std::string& path) {
    UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(&address.sun_path[0], path.data(), path.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    return socket;
}

std::string received_by(const UniqueFd& socket) {
    std::array<char, 64> text{};
    const ssize_t size = ::recv(socket.get(), text.data(), text.size(), MSG_DONTWAIT);
    return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

class NotifyTest : public ::testing::Test {
  protected:
    void TearDown() override { ::unsetenv("NOTIFY_SOCKET"); }
};

TEST_F(NotifyTest, IsSilentWithoutAServiceManager) {
    ::unsetenv("NOTIFY_SOCKET");
    EXPECT_TRUE(daemon::notify_service_manager("READY=1"));
}

TEST_F(NotifyTest, SendsTheStateToASocketOfTheFilesystem) {
    const TempDir directory;
    const std::string path = directory.path() + "/notify";
    const UniqueFd manager = listen_at(path);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ASSERT_TRUE(daemon::notify_service_manager("READY=1"));
    EXPECT_EQ(received_by(manager), "READY=1");
}

TEST_F(NotifyTest, SendsTheStateToAnAbstractSocket) {
    const TempDir directory;
    const std::string path = "@" + directory.path();
    const UniqueFd manager = listen_at(path);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ASSERT_TRUE(daemon::notify_service_manager("STOPPING=1"));
    EXPECT_EQ(received_by(manager), "STOPPING=1");
}

TEST_F(NotifyTest, SaysWhenNobodyCanBeTold) {
    for (const std::string& bad : {std::string("relative"), "/" + std::string(200, 'x')}) {
        ::setenv("NOTIFY_SOCKET", bad.c_str(), 1);
        EXPECT_EQ(daemon::notify_service_manager("READY=1").error().code(),
                  ErrorCode::invalid_argument);
    }
    ::setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
    EXPECT_FALSE(daemon::notify_service_manager("READY=1"));
}

} // namespace
} // namespace lodge::test
