// What people type wrong: each gets its exit code, its error code and a message that names what is
// meant, and leaves nothing behind.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

struct Refusal {
    int exit = 0;
    std::string code;
    std::string says; ///< in the message
};

class BadInputTest : public LodgeTest {
  protected:
    std::string write_file(const std::string& name, const std::string& content) {
        const std::string path = host->directory() + "/" + name;
        std::ofstream(path) << content;
        return path;
    }
    // For people and for scripts; nothing changes by it.
    void expect_refused(const std::vector<std::string>& arguments, const Refusal& refusal) {
        SCOPED_TRACE(::testing::PrintToString(arguments));
        const std::string before = inventory();
        const CliResult plain = host->lodge(arguments);
        EXPECT_EQ(plain.code, refusal.exit) << plain.err;
        EXPECT_EQ(plain.err.rfind("lodge: ", 0), 0U) << plain.err;
        EXPECT_NE(plain.err.find(refusal.says), std::string::npos) << plain.err;
        EXPECT_EQ(plain.out, "");
        std::vector<std::string> words{"--json"};
        words.insert(words.end(), arguments.begin(), arguments.end());
        const CliResult json = host->lodge(words);
        EXPECT_EQ(json.code, refusal.exit) << json.out << json.err;
        EXPECT_NE(json.out.find("\"code\": \"" + refusal.code + "\""), std::string::npos)
            << json.out << json.err;
        EXPECT_NE(json.out.find("\"message\": "), std::string::npos) << json.out;
        EXPECT_EQ(inventory(), before) << "something half-made stays";
    }
    // What Lodge says that there is, and what there is on disk.
    std::string inventory() {
        namespace fs = std::filesystem;
        std::string text = host->lodge({"list"}).out + host->lodge({"template", "list"}).out;
        for (const char* part : {"/state/containers", "/state/templates"}) {
            for (const auto& entry : fs::recursive_directory_iterator(host->directory() + part)) {
                text += entry.path().string() + "\n";
            }
        }
        return text;
    }
    // A gzip'ed tar of a tree that is a fair template but for its size.
    std::string make_archive(const std::string& name, const std::string& options) {
        const std::string path = host->directory() + "/" + name;
        const auto made = kernel::run_program(
            {.path = "tar",
             .arguments = {options, path, "-C", host->directory() + "/tiny", "."},
             .deadline = Deadline::after(patience(20s))});
        EXPECT_TRUE(made) << made.error().to_string();
        return path;
    }
    std::vector<std::string> create(const std::vector<std::string>& options) {
        std::vector<std::string> words{"create", "web1", "--template", "tiny"};
        words.insert(words.end(), options.begin(), options.end());
        return words;
    }
};

TEST_F(BadInputTest, RefusesNamesThatDoNotFit) {
    ASSERT_EQ(host->lodge({"create", "taken", "--template", "tiny"}).code, 0);
    expect_refused({"create", "taken", "--template", "tiny"}, {4, "already_exists", "'taken'"});
    expect_refused({"create", "web1", "--template", "none"}, {3, "not_found", "'none'"});
    for (const std::string name : {"Not_A_Label", "web-", "web.1", "../web", "wéb"}) {
        expect_refused({"create", name, "--template", "tiny"},
                       {2, "invalid_argument", "'" + name + "'"});
    }
    expect_refused({"create", "-web", "--template", "tiny"}, {2, "invalid_argument", "-web"});
    const std::string longest(63, 'a');
    expect_refused({"create", longest + "a", "--template", "tiny"}, {2, "invalid_argument", "63"});
    EXPECT_EQ(host->lodge({"create", longest, "--template", "tiny"}).code, 0) << "63 is allowed";
    for (const std::string verb : {"start", "stop", "restart", "destroy", "info", "wait"}) {
        expect_refused({verb, "nobody"}, {3, "not_found", "'nobody'"});
    }
    expect_refused({"exec", "nobody", "--", "true"}, {3, "not_found", "'nobody'"});
    expect_refused({"console", "nobody", "--log"}, {3, "not_found", "'nobody'"});
}

TEST_F(BadInputTest, RefusesValuesThatMakeNoSense) {
    for (const std::string value : {"-1", "12Q", "0", "1e9", "99999999999999999999", "512 M"}) {
        expect_refused(create({"--memory=" + value}), {2, "invalid_argument", value});
        expect_refused(create({"--disk=" + value}), {2, "invalid_argument", value});
    }
    expect_refused(create({"--disk", "1M"}), {2, "invalid_argument", "disk"});
    for (const std::string value : {"0", "-1", "many"}) {
        expect_refused(create({"--cpus=" + value}), {2, "invalid_argument", value});
    }
    expect_refused(create({"--encryption", "rot13"}), {2, "invalid_argument", "rot13"});
    expect_refused(create({"--rootfs", "borrowed"}), {2, "invalid_argument", "borrowed"});
    expect_refused(create({"--hostname", "no name"}), {2, "invalid_argument", "no name"});
    expect_refused(create({"--ip", "10.1.2.300"}), {2, "invalid_argument", "10.1.2.300"});
    expect_refused(create({"--ip", "198.51.100.7"}), {2, "invalid_argument", "198.51.100.7"});
    for (const auto& [address, why] : std::vector<std::pair<std::string, std::string>>{
             {"10.77.0.0", "the network's own"},
             {"10.77.255.255", "the broadcast address"},
             {"10.77.0.1", "the gateway"},
             {"fd4c:6f64:6765::", "the routers' anycast address"},
             {"fd4c:6f64:6765::1", "the gateway"}}) {
        expect_refused(create({"--ip", address}), {2, "invalid_argument", address});
        expect_refused(create({"--ip", address}), {2, "invalid_argument", why});
    }
}

TEST_F(BadInputTest, RefusesWhatIsNoCommand) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {}, {"crate", "web1"}, {"create"}, {"create", "web1", "--colour", "red"}}) {
        const CliResult result = host->lodge(words);
        EXPECT_EQ(result.code, 2) << ::testing::PrintToString(words) << result.err;
        EXPECT_NE(result.err, "");
    }
}

TEST_F(BadInputTest, RefusesKeysThatCannotBeUsed) {
    const std::string secret = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ";
    const std::string private_key = write_file("id_ed25519",
                                               "-----BEGIN OPENSSH PRIVATE KEY-----\n" + secret +
                                                   "\n-----END OPENSSH PRIVATE KEY-----\n");
    expect_refused(create({"--ssh-key", private_key}), {2, "invalid_argument", private_key});
    EXPECT_EQ(host->lodge(create({"--ssh-key", private_key})).err.find(secret), std::string::npos)
        << "a private key is not quoted";
    expect_refused(create({"--ssh-key", "/no/such/key"}), {2, "invalid_argument", "/no/such/key"});
    expect_refused(create({"--ssh-key", host->directory()}),
                   {2, "invalid_argument", host->directory()});
    const std::string nothing = write_file("empty.pub", "# nobody\n");
    expect_refused(create({"--ssh-key", nothing}), {2, "invalid_argument", nothing});
    const std::string noise = write_file("noise.pub", "ssh-ed25519 not-base64!\n");
    expect_refused(create({"--ssh-key", noise}), {2, "invalid_argument", "noise.pub"});
}

TEST_F(BadInputTest, TellsTheLineOfASpecFilesMistake) {
    const auto spec = [this](const std::string& text) {
        return std::vector<std::string>{"create", "--spec", write_file("spec.yaml", text)};
    };
    expect_refused(spec("name: web1\ntemplate: tiny\ncolour: red\n"),
                   {2, "invalid_argument", "spec.yaml:3"});
    expect_refused(spec("name: web1\ntemplate: tiny\ndisk: 1G\nname: web2\n"),
                   {2, "invalid_argument", "spec.yaml:4"});
    expect_refused(spec("name: web1\ntemplate: [tiny\n"), {2, "invalid_argument", "spec.yaml"});
    expect_refused(spec("name: web1\ntemplate: tiny\nmemory: 12Q\n"),
                   {2, "invalid_argument", "12Q"});
    expect_refused(spec("- web1\n"), {2, "invalid_argument", "spec.yaml"});
    expect_refused({"create", "--spec", "/no/such/spec"}, {2, "invalid_argument", "/no/such/spec"});
}

TEST_F(BadInputTest, RefusesTemplateFilesThatAreNoSoundArchive) {
    const auto import = [](const std::string& file) {
        return std::vector<std::string>{"template", "import", "broken", file};
    };
    expect_refused(import("/etc/passwd"), {2, "invalid_argument", "archive"});
    expect_refused(import("/dev/null"), {2, "invalid_argument", ""});
    expect_refused(import("/no/such.tar"), {2, "invalid_argument", "/no/such.tar"});
    for (const auto& [name, options] :
         {std::pair{"cut.tar", "-cf"}, {"cut.tar.gz", "-czf"}, {"cut.tar.xz", "-cJf"}}) {
        const std::string path = make_archive(name, options);
        std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
        expect_refused(import(path), {2, "invalid_argument", "archive"});
    }
    const std::string rootless = host->directory() + "/rootless.tar";
    ASSERT_TRUE(kernel::run_program({.path = "tar",
                                     .arguments = {"-cf", rootless, "-C", "/etc", "passwd"},
                                     .deadline = Deadline::after(patience(20s))}));
    expect_refused(import(rootless), {2, "invalid_argument", ""});
    expect_refused({"template", "import", "No_Name", make_archive("good.tar", "-cf")},
                   {2, "invalid_argument", "'No_Name'"});
    expect_refused({"template", "import", "tiny", host->directory() + "/good.tar"},
                   {4, "already_exists", "'tiny'"});
}

TEST_F(BadInputTest, RefusesATarThatEndsBetweenTwoFiles) {
    // Without the two empty blocks that end an archive it was cut, though no entry is damaged.
    const std::string path = make_archive("whole.tar", "-cf");
    auto text = kernel::read_file(path, std::size_t{64} << 20);
    ASSERT_TRUE(text);
    std::size_t end = text->find_last_not_of('\0') + 1;
    end = (end + 511) / 512 * 512;
    std::filesystem::resize_file(path, end);
    expect_refused({"template", "import", "broken", path}, {2, "invalid_argument", "archive"});
}

TEST_F(BadInputTest, RefusesWhatTheStateDoesNotAllow) {
    ASSERT_EQ(host->lodge({"create", "down", "--template", "tiny"}).code, 0);
    ASSERT_EQ(host->lodge({"create", "up", "--template", "tiny", "--start"}).code, 0);
    expect_refused({"template", "remove", "tiny"}, {6, "busy", "'tiny'"});
    expect_refused({"template", "remove", "none"}, {3, "not_found", "'none'"});
    expect_refused({"start", "up"}, {5, "invalid_state", "'up'"});
    expect_refused({"destroy", "up"}, {5, "invalid_state", "'up'"});
    expect_refused({"exec", "down", "--", "/bin/guest", "true"}, {5, "invalid_state", "'down'"});
    expect_refused({"exec", "-t", "down", "--", "/bin/guest"}, {5, "invalid_state", "'down'"});
    expect_refused({"enter", "down"}, {5, "invalid_state", "'down'"});
    expect_refused({"console", "--quiet", "down"}, {5, "invalid_state", "'down'"});
    expect_refused({"stop", "down"}, {5, "invalid_state", "'down'"});
    expect_refused({"kill", "down"}, {5, "invalid_state", "'down'"});
    expect_refused({"kill", "up", "--signal", "NONSENSE"}, {2, "invalid_argument", "NONSENSE"});
    EXPECT_EQ(host->field("up", "state"), "running");
}

} // namespace

} // namespace lodge::test
