// What `lodge events` shows of what has happened already.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/patience.hpp"

#include <array>
#include <chrono>
#include <filesystem>

#include <poll.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

class EventsTest : public LodgeTest {
  protected:
    // The stream up to the line with `text`.
    std::string read_up_to(const std::string& text) {
        const Pipe out = make_pipe();
        const CliProcess reader(
            *host, {"events", "--last", "256"}, {.in = -1, .out = out.write.get(), .err = -1});
        const Deadline deadline = Deadline::after(patience(10s));
        std::string seen;
        while (seen.find(text) == std::string::npos) {
            pollfd wait{.fd = out.read.get(), .events = POLLIN, .revents = 0};
            std::array<char, 4096> part{};
            if (::poll(&wait, 1, deadline.poll_timeout()) <= 0) {
                ADD_FAILURE() << "not in the stream: " << text << "\n" << seen;
                break;
            }
            const ssize_t size = ::read(out.read.get(), part.data(), part.size());
            seen.append(part.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
        }
        return seen;
    }
};

TEST_F(EventsTest, BeginWithWhatAStartMended) {
    const std::string nobody = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
    host->kill_daemon();
    std::filesystem::create_directories(host->directory() + "/state/containers/" + nobody);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    const std::string seen = read_up_to("daemon lodged recovered: ");
    EXPECT_NE(seen.find("daemon " + nobody + " mended: remove_directory: "), std::string::npos)
        << seen;
}

TEST_F(EventsTest, GoOnWithWhatHappens) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0);
    const std::string seen = read_up_to("container web1 created");
    EXPECT_LT(seen.find("daemon lodged recovered"), seen.find("container web1 created")) << seen;
}

TEST_F(EventsTest, RefusesWhatIsNoNumberOfEvents) {
    for (const char* last : {"-1", "ten", "257", "99999999999999999999"}) {
        const CliResult refused = host->lodge({"events", "--last", last});
        EXPECT_EQ(refused.code, 2) << last << ": " << refused.err;
    }
}

} // namespace

} // namespace lodge::test
