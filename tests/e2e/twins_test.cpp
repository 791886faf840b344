// Two containers of one template: what they share, and what they must not.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/secrets.hpp"

#include <sstream>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBigFile = 50'000'000;

// How much of a file the page cache holds (mincore(2)), without reading any of it.
double resident_share(const std::string& path) {
    const auto file = kernel::open_file(path, O_RDONLY);
    struct stat info{};
    if (!file || ::fstat(file->get(), &info) != 0 || info.st_size == 0) {
        ADD_FAILURE() << path;
        return -1;
    }
    const auto size = static_cast<std::size_t>(info.st_size);
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file->get(), 0);
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> pages((size + page - 1) / page);
    EXPECT_NE(mapped, MAP_FAILED);
    EXPECT_EQ(::mincore(mapped, size, pages.data()), 0);
    (void)::munmap(mapped, size);
    std::size_t resident = 0;
    for (const unsigned char state : pages) {
        resident += state & 1U;
    }
    return static_cast<double>(resident) / static_cast<double>(pages.size());
}

// Host ids, from the only line of /proc/PID/uid_map: inside, outside, count.
struct IdRange {
    std::uint64_t begin = 0;
    std::uint64_t count = 0;
};

// The largest owner of anything below a directory, and how many entries there are.
Status survey(int directory, uid_t& largest, std::size_t& entries) {
    return kernel::for_each_entry(
        directory, [&](const std::string& name, unsigned char type) -> Status {
            struct stat info{};
            if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
                return fail_errno("stat", name);
            }
            largest = std::max({largest, info.st_uid, static_cast<uid_t>(info.st_gid)});
            ++entries;
            if (type != DT_DIR) {
                return {};
            }
            ASSIGN_OR_RETURN(const auto below, kernel::open_directory_at(directory, name));
            return survey(below.get(), largest, entries);
        });
}

class TwinsTest : public LodgeTest {
  protected:
    std::string run(const std::string& program, const std::vector<std::string>& arguments) {
        const auto output = kernel::run_program(
            {.path = program, .arguments = arguments, .deadline = Deadline::after(patience(60s))});
        EXPECT_TRUE(output) << output.error().to_string();
        return output ? output->standard_output : "";
    }
    void make_twins(const std::string& made_of, const std::vector<std::string>& options) {
        for (const char* name : {"web1", "web2"}) {
            std::vector<std::string> words{"create", name, "--template", made_of};
            words.insert(words.end(), options.begin(), options.end());
            const CliResult made = host->lodge(words);
            ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
        }
    }
    void remove_all(const std::string& made_of) {
        host->destroy_all();
        EXPECT_EQ(host->lodge({"template", "remove", made_of}).code, 0);
    }
    std::string inside(const std::string& name, const std::vector<std::string>& words) {
        std::vector<std::string> arguments{"exec", name, "--"};
        arguments.insert(arguments.end(), words.begin(), words.end());
        const CliResult result = host->lodge(arguments);
        EXPECT_EQ(result.code, 0) << result.err;
        return result.out;
    }
    IdRange range_of(const std::string& name, const std::string& map) {
        const auto text = kernel::read_file("/proc/" + host->field(name, "pid") + map, 4096);
        EXPECT_TRUE(text);
        std::istringstream numbers(text.value_or(""));
        std::uint64_t first = 1;
        IdRange range;
        numbers >> first >> range.begin >> range.count;
        EXPECT_EQ(first, 0U) << *text;
        std::string more;
        EXPECT_FALSE(numbers >> more) << "one line only: " << *text;
        return range;
    }
};

TEST_F(TwinsTest, HaveDisjointIdsOnTheHost) {
    ASSERT_NO_FATAL_FAILURE(make_twins("tiny", {"--start"}));
    for (const char* map : {"/uid_map", "/gid_map"}) {
        const IdRange first = range_of("web1", map);
        const IdRange second = range_of("web2", map);
        EXPECT_EQ(first.count, 65536U);
        EXPECT_EQ(second.count, 65536U);
        EXPECT_TRUE(first.begin + first.count <= second.begin ||
                    second.begin + second.count <= first.begin)
            << first.begin << " " << second.begin;
        EXPECT_GE(std::min(first.begin, second.begin), 65536U) << "none of the host's own";
    }
}

TEST_F(TwinsTest, KeepIdsWithinTheirOwnRangeOnDisk) {
    ASSERT_NO_FATAL_FAILURE(make_twins("tiny", {"--start"}));
    for (const char* name : {"web1", "web2"}) {
        inside(name, {"/bin/guest", "write", "/root/of-the-last-id", "text"});
        inside(name, {"/bin/guest", "chown", "/root/of-the-last-id", "65534"});
        const std::string path = "/proc/" + host->field(name, "pid") + "/root/root/of-the-last-id";
        struct stat info{};
        ASSERT_EQ(::stat(path.c_str(), &info), 0) << path;
        EXPECT_EQ(info.st_uid, range_of(name, "/uid_map").begin + 65534) << "on the host";
        ASSERT_EQ(host->lodge({"stop", name, "--force"}).code, 0);
        const auto opened = open_volume_of(*host, name);
        ASSERT_TRUE(opened) << opened.error().to_string();
        const auto data = kernel::open_directory_at(opened->filesystem.get(), "data");
        ASSERT_TRUE(data);
        uid_t largest = 0;
        std::size_t entries = 0;
        const Status surveyed = survey(data->get(), largest, entries);
        ASSERT_TRUE(surveyed) << surveyed.error().to_string();
        EXPECT_EQ(largest, 65534U) << "in the volume";
        EXPECT_GT(entries, 3U);
    }
}

TEST_F(TwinsTest, ShareThePageCacheOfTheirTemplate) {
    const std::string tree = host->directory() + "/tiny";
    run("dd", {"if=/dev/urandom", "of=" + tree + "/root/big", "bs=1000000", "count=50"});
    run("tar", {"-cf", host->directory() + "/big.tar", "-C", tree, "."});
    ASSERT_EQ(host->lodge({"template", "import", "big", host->directory() + "/big.tar"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(make_twins("big", {"--start"}));
    const auto big_in = [this](const char* name) {
        return "/proc/" + host->field(name, "pid") + "/root/root/big";
    };
    EXPECT_LT(resident_share(big_in("web2")), 0.1) << "nobody has read it yet";
    const auto sum = [this](const char* name) {
        return run("sh",
                   {"-c",
                    "LODGE_SOCKET=$1 $0 exec $2 -- /bin/guest cat /root/big | wc -c",
                    LODGE_BIN_DIR "/lodge",
                    host->socket(),
                    name});
    };
    EXPECT_EQ(sum("web1"), std::to_string(kBigFile) + "\n");
    EXPECT_EQ(resident_share(big_in("web2")), 1.0) << "web1's reading serves web2";
    remove_all("big");
}

TEST_F(TwinsTest, ShareNoPageCacheWithPrivateRoots) {
    const std::string tree = host->directory() + "/tiny";
    run("dd", {"if=/dev/urandom", "of=" + tree + "/root/big", "bs=1000000", "count=5"});
    run("tar", {"-cf", host->directory() + "/big.tar", "-C", tree, "."});
    ASSERT_EQ(host->lodge({"template", "import", "big", host->directory() + "/big.tar"}).code, 0);
    ASSERT_NO_FATAL_FAILURE(make_twins("big", {"--start", "--rootfs", "private"}));
    inside("web1", {"/bin/guest", "cat", "/root/big"});
    EXPECT_LT(resident_share("/proc/" + host->field("web2", "pid") + "/root/root/big"), 0.1);
    remove_all("big");
}

TEST_F(TwinsTest, OfADistributionHaveIdentitiesOfTheirOwn) {
    if (distribution_tar().empty()) {
        ASSERT_FALSE(everything_is_required()) << "LODGE_TEST_TEMPLATE names no tar";
        GTEST_SKIP() << "LODGE_TEST_TEMPLATE names no tar of a root tree";
    }
    ASSERT_EQ(host->lodge({"template", "import", "debian", distribution_tar()}).code, 0);
    ASSERT_NO_FATAL_FAILURE(make_twins("debian", {"--wait", "ready"}));
    const std::string machine = inside("web1", {"cat", "/etc/machine-id"});
    EXPECT_EQ(machine.size(), 33U) << machine;
    EXPECT_NE(machine, inside("web2", {"cat", "/etc/machine-id"}));
    const std::string keys = host->lodge({"known-hosts", "web1"}).out;
    std::istringstream lines(keys);
    std::string alias;
    std::string type;
    std::string key;
    ASSERT_TRUE(lines >> alias >> type >> key) << keys;
    EXPECT_EQ(host->lodge({"known-hosts", "web2"}).out.find(key), std::string::npos);
    EXPECT_NE(inside("web1", {"cat", "/etc/ssh/ssh_host_" + type.substr(4) + "_key.pub"}).find(key),
              std::string::npos);
    remove_all("debian");
}

} // namespace

} // namespace lodge::test
