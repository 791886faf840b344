#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/replaced_file.hpp"
#include "tests/support/requires.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <elf.h>
#include <sys/mount.h>
#include <sys/stat.h>

/// A container as the programs of a distribution expect it, and what becomes of one whose tenant
/// breaks it.
namespace lodge::test {
namespace {

class DistributionTest : public LodgeTest {
  protected:
    CliResult guest(const std::string& name, std::vector<std::string> words) {
        words.insert(words.begin(), {"exec", name, "--", "/bin/guest"});
        return host->lodge(words);
    }
    std::string file(const std::string& name, const std::string& path) {
        return guest(name, {"cat", path}).out;
    }
    void create(const std::string& name, const std::string& template_name = "tiny") {
        const CliResult made = host->lodge({"create",
                                            name,
                                            "--template",
                                            template_name,
                                            "--disk",
                                            "64M",
                                            "--ip",
                                            "10.77.1.2",
                                            "--start"});
        ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
    }
};

// What a script takes for "there is no such container" must not come of a file inside.
TEST_F(DistributionTest, AStartWithoutAnInitIsNoMissingContainer) {
    const std::vector<std::vector<std::vector<std::string>>> spoilings{
        {},
        {{"mkdir", "/sbin/init"}},
        {{"link", "/nowhere", "/sbin/init"}},
        {{"write", "/sbin/init", "not executable"}},
        {{"fifo", "/sbin/init"}}};
    for (const auto& spoiling : spoilings) {
        ASSERT_NO_FATAL_FAILURE(create("web1"));
        ASSERT_EQ(guest("web1", {"remove", "/sbin/init"}).code, 0);
        for (const auto& command : spoiling) {
            ASSERT_EQ(guest("web1", command).code, 0) << command.front();
        }
        ASSERT_EQ(host->lodge({"stop", "web1", "--force"}).code, 0);
        const CliResult refused = host->lodge({"--json", "start", "web1"});
        EXPECT_EQ(refused.code, 5) << refused.out;
        EXPECT_NE(refused.out.find("\"invalid_state\""), std::string::npos) << refused.out;
        EXPECT_NE(refused.out.find("/sbin/init"), std::string::npos) << refused.out;
        EXPECT_NE(refused.out.find("\"message\": \"its init cannot be executed"), std::string::npos)
            << "without the stages of the implementation: " << refused.out;
        EXPECT_TRUE(host->field("web1", "last_error").starts_with("its init cannot be executed"))
            << host->field("web1", "last_error");
        EXPECT_EQ(host->field("web1", "state"), "stopped");
        EXPECT_EQ(host->lodge({"destroy", "web1"}).code, 0);
    }
}

TEST_F(DistributionTest, AMissingVolumeIsNoMissingContainer) {
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny", "--disk", "64M"}).code, 0);
    const std::string image = host->field("web1", "image");
    std::filesystem::rename(image, image + ".away");
    const CliResult refused = host->lodge({"start", "web1"});
    EXPECT_EQ(refused.code, 15) << refused.err;
    EXPECT_NE(refused.err.find("volume.img"), std::string::npos) << refused.err;
    std::filesystem::rename(image + ".away", image);
    EXPECT_EQ(host->lodge({"start", "web1"}).code, 0);
}

TEST_F(DistributionTest, ItsHostsFileFollowsItsName) {
    ASSERT_NO_FATAL_FAILURE(create("web1"));
    EXPECT_NE(file("web1", "/etc/hosts").find("\n10.77.1.2 web1\n"), std::string::npos);
    for (const char* name : {"shop.example.org", "store"}) {
        ASSERT_EQ(host->lodge({"set", "web1", "--hostname", name}).code, 0);
        ASSERT_EQ(host->lodge({"restart", "web1", "--force"}).code, 0);
    }
    const std::string hosts = file("web1", "/etc/hosts");
    EXPECT_NE(hosts.find("\n10.77.1.2 store\n"), std::string::npos) << hosts;
    EXPECT_EQ(hosts.find("web1"), std::string::npos) << hosts;
    EXPECT_EQ(hosts.find("shop"), std::string::npos) << hosts;
    for (const char* path : {"/etc/hosts", "/etc/hostname"}) {
        EXPECT_EQ(guest("web1", {"stat", path}).out, "0 0 100644\n") << path;
    }
    // A link of the tenant's is not followed, nor replaced.
    const std::string outside = host->directory() + "/outside";
    ASSERT_EQ(guest("web1", {"remove", "/etc/hosts"}).code, 0);
    ASSERT_EQ(guest("web1", {"link", outside, "/etc/hosts"}).code, 0);
    ASSERT_EQ(host->lodge({"set", "web1", "--hostname", "last"}).code, 0);
    ASSERT_EQ(host->lodge({"restart", "web1", "--force"}).code, 0);
    EXPECT_EQ(file("web1", "/proc/sys/kernel/hostname"), "last\n");
    EXPECT_FALSE(std::filesystem::exists(outside));
}

TEST_F(DistributionTest, ItsNameServersAreThoseThatItCanAsk) {
    {
        const ReplacedFile resolvers("/etc/resolv.conf",
                                     "# nameserver 203.0.113.7\n; nameserver 203.0.113.8\n"
                                     "nameserver fe80::1%eth0\nnameserver 127.0.0.53\n"
                                     "nameserver 192.0.2.1\nnameserver 2001:db8::1\n"
                                     "nameserver 192.0.2.2\nnameserver 192.0.2.3\n");
        ASSERT_NO_FATAL_FAILURE(create("web1"));
    }
    EXPECT_EQ(file("web1", "/etc/resolv.conf"),
              "nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver 192.0.2.2\n")
        << "the first three that it can ask";
    ASSERT_EQ(host->lodge({"destroy", "web1", "--force"}).code, 0);
}

// What /run holds is another thing as long as this lives, for this test's mount namespace alone.
class EmptyRun {
  public:
    EmptyRun() { EXPECT_EQ(::mount("run", "/run", "tmpfs", 0, nullptr), 0) << errno; }
    ~EmptyRun() { EXPECT_EQ(::umount2("/run", MNT_DETACH), 0) << errno; }
    EmptyRun(const EmptyRun&) = delete;
    EmptyRun& operator=(const EmptyRun&) = delete;
};

TEST_F(DistributionTest, AskTheServersOfTheHostsOwnResolverOrAreToldThatThereAreNone) {
    const ReplacedFile resolvers("/etc/resolv.conf", "nameserver 127.0.0.53\noptions edns0\n");
    const EmptyRun run;
    host->stop_daemon();
    host->start_daemon(); // in whose mount namespace /run is empty
    const std::vector<std::string> create{"create", "web1", "--template", "tiny", "--disk", "64M"};
    const CliResult without = host->lodge(create);
    ASSERT_EQ(without.code, 0) << without.err;
    EXPECT_NE(without.err.find("lodge: warning: it gets no name server: "), std::string::npos)
        << without.err;
    ASSERT_EQ(host->lodge({"destroy", "web1", "--force"}).code, 0);

    std::filesystem::create_directories("/run/systemd/resolve");
    std::ofstream("/run/systemd/resolve/resolv.conf") << "nameserver 192.0.2.7\n";
    const CliResult with = host->lodge(create);
    EXPECT_EQ(with.err.find("warning"), std::string::npos) << with.err;
    ASSERT_EQ(host->lodge({"start", "web1"}).code, 0);
    EXPECT_EQ(file("web1", "/etc/resolv.conf"), "nameserver 192.0.2.7\n");
    ASSERT_EQ(host->lodge({"destroy", "web1", "--force"}).code, 0);
}

// A program of 32 bits that waits: no more than a tree needs to be one of 32 bits.
std::string waiting_program() {
    const std::string code("\xb8\x1d\0\0\0\xcd\x80\xeb\xf7", 9); // pause(), again and again
    constexpr Elf32_Addr kPlace = 0x08048000;
    constexpr Elf32_Word kHeaders = sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr);
    Elf32_Ehdr head{};
    std::memcpy(&head.e_ident[0], ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS32;
    head.e_ident[EI_DATA] = ELFDATA2LSB;
    head.e_ident[EI_VERSION] = EV_CURRENT;
    head.e_type = ET_EXEC;
    head.e_machine = EM_386;
    head.e_version = EV_CURRENT;
    head.e_entry = kPlace + kHeaders;
    head.e_phoff = sizeof head;
    head.e_ehsize = sizeof head;
    head.e_phentsize = sizeof(Elf32_Phdr);
    head.e_phnum = 1;
    const auto size = static_cast<Elf32_Word>(kHeaders + code.size());
    const Elf32_Phdr load{.p_type = PT_LOAD,
                          .p_offset = 0,
                          .p_vaddr = kPlace,
                          .p_paddr = kPlace,
                          .p_filesz = size,
                          .p_memsz = size,
                          .p_flags = PF_R | PF_X,
                          .p_align = 0x1000};
    return std::string(reinterpret_cast<const char*>(&head), sizeof head) +
           std::string(reinterpret_cast<const char*>(&load), sizeof load) + code;
}

TEST_F(DistributionTest, A32BitTreeHasInodeNumbersThatItsProgramsCanRead) {
    REQUIRES("ia32");
    namespace fs = std::filesystem;
    const std::string tree = host->directory() + "/tiny";
    fs::remove(tree + "/sbin/init"); // a second name of the guest's
    const auto place = kernel::open_directory(tree + "/sbin");
    ASSERT_TRUE(place);
    ASSERT_TRUE(kernel::replace_file(place->get(), "init", waiting_program(), 0755));
    const std::string tar = host->directory() + "/narrow.tar";
    ASSERT_TRUE(
        kernel::run_program({.path = "tar",
                             .arguments = {"-cf", tar, "-C", tree, "."},
                             .deadline = Deadline::after(patience(std::chrono::seconds(20)))}));
    const CliResult imported = host->lodge({"template", "import", "narrow", tar});
    ASSERT_EQ(imported.code, 0) << imported.err;
    EXPECT_NE(imported.err.find("lodge: warning: the tree is of 32-bit programs"),
              std::string::npos)
        << imported.err;
    ASSERT_NO_FATAL_FAILURE(create("web1", "narrow"));
    for (const char* path : {"/bin/guest", "/etc/passwd", "/etc/hosts", "/etc", "/"}) {
        const CliResult seen = guest("web1", {"stat-32", path});
        EXPECT_EQ(seen.code, 0) << path << ": " << seen.err;
    }
    ASSERT_EQ(host->lodge({"destroy", "web1", "--force"}).code, 0);
    ASSERT_EQ(host->lodge({"template", "remove", "narrow"}).code, 0);
}

} // namespace
} // namespace lodge::test
