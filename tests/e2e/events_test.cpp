// What `lodge events` shows of what has happened already.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/cli_process.hpp"
#include "tests/support/patience.hpp"

#include <gmock/gmock.h>

#include <array>
#include <chrono>
#include <filesystem>

#include <poll.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

/// `lodge events` with these options, and what it has printed.
class Reader {
  public:
    Reader(const LodgeHost& host, std::vector<std::string> options)
        : process_(
              host, words(std::move(options)), {.in = -1, .out = out_.write.get(), .err = -1}) {
        out_.write.reset();
    }
    // All that came, up to `text`.
    std::string read_up_to(const std::string& text) {
        const Deadline deadline = Deadline::after(patience(10s));
        while (seen_.find(text) == std::string::npos) {
            pollfd wait{.fd = out_.read.get(), .events = POLLIN, .revents = 0};
            std::array<char, 4096> part{};
            if (::poll(&wait, 1, deadline.poll_timeout()) <= 0) {
                ADD_FAILURE() << "not in the stream: " << text << "\n" << seen_;
                break;
            }
            const ssize_t size = ::read(out_.read.get(), part.data(), part.size());
            if (size <= 0) {
                ADD_FAILURE() << "it ended before: " << text << "\n" << seen_;
                break;
            }
            seen_.append(part.data(), static_cast<std::size_t>(size));
        }
        return seen_;
    }
    int wait() { return process_.wait(); }

  private:
    static std::vector<std::string> words(std::vector<std::string> options) {
        options.insert(options.begin(), "events");
        return options;
    }
    Pipe out_ = make_pipe();
    std::string seen_;
    CliProcess process_;
};

class EventsTest : public LodgeTest {
  protected:
    std::string read_up_to(const std::string& text) {
        return Reader(*host, {"--last", "256"}).read_up_to(text);
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

TEST_F(EventsTest, SayWhenAndWhy) {
    EXPECT_NE(host->lodge({"template", "import", "bad", "/etc/hostname"}).code, 0);
    const std::string seen = read_up_to("template import failed: ");
    const std::size_t at = seen.find("template import failed: ");
    const std::size_t line = seen.rfind('\n', at) + 1;
    EXPECT_THAT(seen.substr(line, at - line),
                ::testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z operation .* "));
}

TEST_F(EventsTest, EndWithAnErrorWhenLodgedGoes) {
    Reader reader(*host, {"--last", "256"});
    (void)reader.read_up_to("daemon lodged recovered: ");
    host->kill_daemon();
    EXPECT_EQ(reader.wait(), 20);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
}

TEST_F(EventsTest, FollowTheNextLodged) {
    Reader reader(*host, {"--last", "256", "--follow"});
    (void)reader.read_up_to("daemon lodged recovered: ");
    host->kill_daemon();
    EXPECT_EQ(host->lodge({"events", "--follow"}).code, 20) << "there is none to begin with";
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny"}).code, 0);
    const std::string seen = reader.read_up_to("container web1 created");
    const std::string start = "daemon lodged recovered: ";
    const std::size_t second = seen.find(start, seen.find(start) + 1);
    EXPECT_NE(second, std::string::npos) << "what its start did is not left out: " << seen;
    EXPECT_EQ(seen.find(start, second + 1), std::string::npos) << "nothing is told twice: " << seen;
}

TEST_F(EventsTest, RefusesWhatIsNoNumberOfEvents) {
    for (const char* last : {"-1", "ten", "257", "99999999999999999999"}) {
        const CliResult refused = host->lodge({"events", "--last", last});
        EXPECT_EQ(refused.code, 2) << last << ": " << refused.err;
    }
}

} // namespace

} // namespace lodge::test
