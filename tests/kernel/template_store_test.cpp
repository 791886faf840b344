#include "lib/kernel/fs.hpp"
#include "templates/template_store.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/replaced_file.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::templates {
namespace {

namespace fs = std::filesystem;

void executable(archive_entry* entry) {
    archive_entry_set_perm(entry, 0755);
}

// Writes tar archives, also such as no honest tool would write.
class Tar {
  public:
    explicit Tar(std::string path, bool compressed = false)
        : path_(std::move(path)), archive_(archive_write_new()) {
        (void)archive_write_set_format_pax(archive_);
        if (compressed) {
            (void)archive_write_add_filter_zstd(archive_);
        }
        (void)archive_write_open_filename(archive_, path_.c_str());
    }
    ~Tar() { (void)archive_write_free(archive_); }
    Tar(const Tar&) = delete;
    Tar& operator=(const Tar&) = delete;

    using Change = std::function<void(archive_entry*)>;
    Tar& add(const std::string& name,
             mode_t type,
             const std::string& content = {},
             const Change& change = {}) {
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, name.c_str());
        archive_entry_set_filetype(entry, type);
        archive_entry_set_perm(entry, type == AE_IFDIR ? 0755 : 0644);
        archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
        if (change) {
            change(entry);
        }
        (void)archive_write_header(archive_, entry);
        (void)archive_write_data(archive_, content.data(), content.size());
        archive_entry_free(entry);
        return *this;
    }
    Tar& add_root() {
        return add("./", AE_IFDIR)
            .add("./etc/", AE_IFDIR)
            .add("./sbin/", AE_IFDIR)
            .add("./etc/inittab", AE_IFREG, "id:2:initdefault:\n")
            .add("./sbin/init", AE_IFREG, "#!init", executable);
    }
    std::string close() {
        (void)archive_write_close(archive_);
        return path_;
    }

  private:
    std::string path_;
    archive* archive_;
};

class TemplateStoreTest : public test::LeakChecked {
  protected:
    void SetUp() override {
        LeakChecked::SetUp();
        directory_.emplace();
        store_ = make_template_store({.directory = directory_->path() + "/store",
                                      .run_directory = directory_->path() + "/run",
                                      .unpack_program = LODGE_BIN_DIR "/lodge-unpack",
                                      .most_unpacked_bytes = std::uint64_t{64} << 20});
    }
    void TearDown() override {
        store_.reset();
        directory_.reset();
        LeakChecked::TearDown();
    }
    Result<Template> import(const std::string& archive) {
        const auto file = kernel::open_file(archive, O_RDONLY).value();
        return store_->import("mine",
                              file.get(),
                              {.id = "01",
                               .progress = [](const std::string&) {},
                               .warn = [this](const std::string& what) { said_ += what + "\n"; }});
    }
    // What of the tree is in the image, by lstat.
    bool has(const Template& made, const std::string& path) {
        const auto mount = store_->mount(made.digest);
        EXPECT_TRUE(mount) << mount.error().to_string();
        struct stat info{};
        const bool found =
            mount && ::fstatat(mount->get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
        EXPECT_TRUE(store_->unmount(made.digest));
        return found;
    }
    std::string tar_path() const { return directory_->path() + "/a.tar"; }
    void expect_refused(Tar& tar, ErrorCode code = ErrorCode::invalid_argument) {
        const auto made = import(tar.close());
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code(), code) << made.error().to_string();
        EXPECT_TRUE(fs::is_empty(directory_->path() + "/store")) << "something half-made stayed";
    }

    std::string text_of(const Template& made, const std::string& path) {
        const auto mount = store_->mount(made.digest);
        const auto file = kernel::open_at(mount->get(), path, O_RDONLY);
        EXPECT_TRUE(store_->unmount(made.digest));
        return file ? kernel::read_all(file->get(), 65536).value_or("") : "";
    }

    std::optional<test::TempDir> directory_;
    std::unique_ptr<TemplateStore> store_;
    std::string said_; ///< what imports warned of
};

Tar::Change to(const std::string& target) {
    return [target](archive_entry* e) { archive_entry_set_hardlink(e, target.c_str()); };
}

TEST_F(TemplateStoreTest, ImportsATreeAndMountsItOnceForAll) {
    REQUIRES("erofs");
    Tar tar(tar_path(), true);
    tar.add_root().add("./etc/machine-id", AE_IFREG, "abc\n").add("./etc/motd", AE_IFREG, "hello");
    const auto made = import(tar.close());
    ASSERT_TRUE(made) << made.error().to_string();
    EXPECT_EQ(made->init, "/sbin/init");
    EXPECT_EQ(made->halt_signal, "SIGPWR");
    EXPECT_EQ(made->ready, "running");
    const auto first = store_->mount(made->digest);
    ASSERT_TRUE(first) << first.error().to_string();
    const auto second = store_->mount(made->digest);
    ASSERT_TRUE(second);
    struct stat one{};
    struct stat two{};
    ASSERT_EQ(::fstatat(first->get(), "etc/motd", &one, 0), 0);
    ASSERT_EQ(::fstatat(second->get(), "etc/motd", &two, 0), 0);
    EXPECT_EQ(one.st_dev, two.st_dev) << "two superblocks would not share their page cache";
    const auto machine_id = kernel::open_at(first->get(), "etc/machine-id", O_RDONLY).value();
    EXPECT_EQ(kernel::read_all(machine_id.get(), 100).value(), "");
    ASSERT_TRUE(store_->unmount(made->digest));
    ASSERT_TRUE(store_->unmount(made->digest)) << "again";
    EXPECT_EQ(store_->list().value(), std::vector<std::string>{made->digest});
    ASSERT_TRUE(store_->remove(made->digest));
    EXPECT_TRUE(store_->list().value().empty());
}

TEST_F(TemplateStoreTest, RefusesPathsThatLeaveTheTree) {
    for (const char* name : {"/etc/passwd", "../evil", "etc/../../evil", ".."}) {
        Tar tar(tar_path());
        tar.add_root().add(name, AE_IFREG, "x");
        expect_refused(tar);
    }
}

TEST_F(TemplateStoreTest, RefusesLinksUsedAsADoor) {
    const std::string outside = directory_->path() + "/outside";
    ASSERT_EQ(::mkdir(outside.c_str(), 0700), 0);
    {
        Tar tar(tar_path());
        tar.add_root().add("door", AE_IFLNK, {}, [&](archive_entry* e) {
            archive_entry_set_symlink(e, outside.c_str());
        });
        tar.add("door/evil", AE_IFREG, "x");
        (void)import(tar.close()); // refused or made harmless
        EXPECT_TRUE(fs::is_empty(outside));
    }
    for (const char* target : {"/etc/shadow", "../../etc/shadow"}) {
        Tar tar(tar_path());
        tar.add_root().add(
            "hard", AE_IFREG, {}, [&](archive_entry* e) { archive_entry_set_hardlink(e, target); });
        const auto made = import(tar.close());
        ASSERT_FALSE(made) << target;
        EXPECT_EQ(made.error().code(), ErrorCode::invalid_argument);
    }
}

TEST_F(TemplateStoreTest, TellsNoTerminalWhatANameSays) {
    const std::string evil = "\x1b]52;c;eA==\x07";
    Tar tar(tar_path());
    tar.add_root().add(
        evil, AE_IFLNK, {}, [](archive_entry* e) { archive_entry_set_symlink(e, "/"); });
    tar.add(evil + "/below", AE_IFREG, "x");
    const auto made = import(tar.close());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().to_string().find('\x1b'), std::string::npos);
    EXPECT_NE(made.error().to_string().find("?]52"), std::string::npos) << made.error().to_string();
}

TEST_F(TemplateStoreTest, LeavesOutDevicesAndForeignAttributes) {
    REQUIRES("erofs");
    Tar tar(tar_path());
    tar.add_root().add(
        "dev-sda", AE_IFBLK, {}, [](archive_entry* e) { archive_entry_set_rdev(e, 0x800); });
    tar.add("pipe", AE_IFIFO);
    tar.add("marked", AE_IFREG, "x", [](archive_entry* e) {
        archive_entry_xattr_add_entry(e, "trusted.overlay.opaque", "y", 1);
        archive_entry_xattr_add_entry(e, "user.mine", "z", 1);
    });
    const auto made = import(tar.close());
    ASSERT_TRUE(made) << made.error().to_string();
    {
        const auto mount = store_->mount(made->digest).value();
        struct stat info{};
        EXPECT_NE(::fstatat(mount.get(), "dev-sda", &info, AT_SYMLINK_NOFOLLOW), 0);
        EXPECT_NE(::fstatat(mount.get(), "pipe", &info, AT_SYMLINK_NOFOLLOW), 0);
        EXPECT_EQ(::fstatat(mount.get(), "marked", &info, AT_SYMLINK_NOFOLLOW), 0);
    }
    ASSERT_TRUE(store_->unmount(made->digest));
}

TEST_F(TemplateStoreTest, LeavesOutHardLinksToWhatIsLeftOutAndCountsAll) {
    REQUIRES("erofs");
    Tar tar(tar_path());
    tar.add_root().add("./dev/", AE_IFDIR).add("./dev/null", AE_IFCHR).add("./pipe", AE_IFIFO);
    tar.add("./zero", AE_IFREG, {}, to("dev/null")).add("./one", AE_IFREG, {}, to("./zero"));
    tar.add("fifo-too", AE_IFREG, {}, to(".//pipe"));
    // What comes later under the name of one that was left out is no such.
    tar.add("again", AE_IFIFO).add("again", AE_IFREG, "x").add("linked", AE_IFREG, {}, to("again"));
    tar.add("marked", AE_IFREG, "x", [](archive_entry* e) {
        archive_entry_xattr_add_entry(e, "trusted.overlay.opaque", "y", 1);
    });
    const auto made = import(tar.close());
    ASSERT_TRUE(made) << made.error().to_string();
    EXPECT_EQ(said_,
              "left out of the archive: 1 device node, 2 fifos, 3 hard links to such, "
              "1 entry's extended attributes\n");
    EXPECT_TRUE(has(*made, "linked"));
    for (const char* path : {"dev/null", "pipe", "zero", "one", "fifo-too"}) {
        EXPECT_FALSE(has(*made, path)) << path;
    }
}

TEST_F(TemplateStoreTest, LeavesOutNamesThatNoImageHoldsAndCountsThem) {
    REQUIRES("erofs");
    const std::string longest(255, 'x');
    const std::string long_enough(254, 'y');
    Tar tar(tar_path());
    tar.add_root().add(longest, AE_IFREG, "x").add("short", AE_IFREG, {}, to(longest));
    tar.add("etc/" + longest + "/", AE_IFDIR).add("etc/" + longest + "/a/b", AE_IFREG, "x");
    tar.add(long_enough, AE_IFREG, "x");
    tar.add("lost+found/", AE_IFDIR).add("etc/lost+found-x", AE_IFREG, "x");
    const auto made = import(tar.close());
    ASSERT_TRUE(made) << made.error().to_string();
    EXPECT_EQ(said_,
              "left out of the archive: 5 entries with a name of 255 bytes or one that begins "
              "with 'lost+found'\n");
    EXPECT_TRUE(has(*made, "short"));
    EXPECT_TRUE(has(*made, long_enough));
    EXPECT_FALSE(has(*made, longest));
    EXPECT_FALSE(has(*made, "etc/lost+found-x"));
}

TEST_F(TemplateStoreTest, SaysNothingOfAnArchiveThatIsTakenWhole) {
    REQUIRES("erofs");
    Tar tar(tar_path());
    tar.add_root().add("etc/motd", AE_IFREG, "hello").add("x", AE_IFREG, {}, to("etc/motd"));
    ASSERT_TRUE(import(tar.close()));
    EXPECT_EQ(said_, "");
}

TEST_F(TemplateStoreTest, MakesOneImageOfTheSameTreeTwice) {
    REQUIRES("erofs");
    Tar tar(tar_path());
    tar.add_root().add("implicit/directory/motd", AE_IFREG, "hello", [](archive_entry* e) {
        archive_entry_set_mtime(e, 1'700'000'000, 5);
    });
    const std::string path = tar.close();
    const auto first = import(path);
    ASSERT_TRUE(first) << first.error().to_string();
    const auto second = import(path);
    ASSERT_TRUE(second) << second.error().to_string();
    EXPECT_EQ(first->digest, second->digest);
    const auto mount = store_->mount(first->digest).value();
    struct stat info{};
    ASSERT_EQ(::fstatat(mount.get(), "implicit/directory/motd", &info, 0), 0);
    EXPECT_EQ(info.st_mtim.tv_sec, 1'700'000'000);
    EXPECT_EQ(info.st_mtim.tv_nsec, 5);
    ASSERT_TRUE(store_->unmount(first->digest));
}

// A build that is cancelled is killed, and cannot tidy up.
TEST_F(TemplateStoreTest, HasTheBuildersOwnFilesWhereTheBuildIs) {
    const std::string told = directory_->path() + "/told";
    const test::ReplacedFile builder("/usr/bin/mmdebstrap",
                                     "#!/bin/sh\nmktemp -d -t mmdebstrap.gpghome.XXXXXX >" + told +
                                         "\nkill -9 $$\n",
                                     0755);
    const auto definition =
        load_definition({LODGE_SOURCE_DIR "/templates/definitions"}, "debian-12").value();
    EXPECT_FALSE(store_->build(definition, {.id = "01", .progress = [](const std::string&) {}}));
    const std::string made = kernel::read_file(told, 4096).value_or("");
    EXPECT_TRUE(made.starts_with(directory_->path() + "/store/.work-01/")) << made;
    EXPECT_TRUE(fs::is_empty(directory_->path() + "/store"));
}

// A mirror that does not answer is no fault of Lodge's.
TEST_F(TemplateStoreTest, SaysWhatTheBuilderSaidWhenItFails) {
    const test::ReplacedFile builder(
        "/usr/bin/mmdebstrap",
        "#!/bin/sh\necho 'I: running' >&2\necho 'E: Unable to locate package sssh' >&2\n"
        "echo 'W: hooks' >&2\nexit 25\n",
        0755);
    const auto definition =
        load_definition({LODGE_SOURCE_DIR "/templates/definitions"}, "debian-12").value();
    const auto built =
        store_->build(definition, {.id = "01", .progress = [](const std::string&) {}});
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().code(), ErrorCode::kernel);
    EXPECT_EQ(built.error().message(),
              "mmdebstrap could not build 'debian-12' and ended with 25: Unable to locate package "
              "sssh");
    EXPECT_NE(built.error().to_string().find("W: hooks"), std::string::npos);
}

TEST_F(TemplateStoreTest, BoundsWhatAnArchiveMayBecome) {
    Tar huge(tar_path());
    huge.add_root().add("sparse", AE_IFREG, {}, [](archive_entry* e) {
        archive_entry_set_size(e, la_int64_t{1} << 40);
        archive_entry_sparse_add_entry(e, 0, 0);
    });
    expect_refused(huge, ErrorCode::resource_exhausted);
}

TEST_F(TemplateStoreTest, RefusesForeignIds) {
    Tar tar(tar_path());
    tar.add_root().add(
        "x", AE_IFREG, "x", [](archive_entry* e) { archive_entry_set_uid(e, 70000); });
    expect_refused(tar);
}

TEST_F(TemplateStoreTest, RefusesWhatIsNoArchiveOrNoRoot) {
    for (const std::string& content :
         {std::string("hello, this is not an archive"), std::string(), std::string(100000, '\0')}) {
        const auto file = kernel::open_file(tar_path(), O_WRONLY | O_CREAT | O_TRUNC, 0600).value();
        ASSERT_TRUE(kernel::write_all(file.get(), content));
        const auto made = import(tar_path());
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code(), ErrorCode::invalid_argument) << made.error().to_string();
    }
    Tar no_init(tar_path());
    no_init.add("./etc/", AE_IFDIR);
    expect_refused(no_init);
    Tar linked_etc(tar_path());
    linked_etc.add("./sbin/", AE_IFDIR).add("./sbin/init", AE_IFREG, "x", executable);
    linked_etc.add(
        "./etc", AE_IFLNK, {}, [](archive_entry* e) { archive_entry_set_symlink(e, "/"); });
    expect_refused(linked_etc);
}

TEST_F(TemplateStoreTest, RefusesATreeOfWhichNoContainerCouldStart) {
    for (const char* name : {"proc", "sys", "dev", "run"}) {
        Tar linked(tar_path());
        linked.add_root().add(
            name, AE_IFLNK, {}, [](archive_entry* e) { archive_entry_set_symlink(e, "etc"); });
        const auto made = import(linked.close());
        ASSERT_FALSE(made) << name;
        EXPECT_EQ(made.error().code(), ErrorCode::invalid_argument);
        EXPECT_NE(made.error().message().find(std::string("/") + name + " is a symbolic link"),
                  std::string::npos)
            << made.error().message();
        Tar file(tar_path());
        file.add_root().add(name, AE_IFREG, "x");
        expect_refused(file);
    }
    Tar not_executable(tar_path());
    not_executable.add("etc/", AE_IFDIR).add("sbin/init", AE_IFREG, "x");
    expect_refused(not_executable);
    Tar directory(tar_path());
    directory.add("etc/", AE_IFDIR).add("sbin/init/", AE_IFDIR);
    expect_refused(directory);
}

TEST_F(TemplateStoreTest, MakesSystemVTreesHaltAndHaveHostKeys) {
    REQUIRES("erofs");
    Tar tar(tar_path());
    tar.add_root().add("usr/sbin/sshd", AE_IFREG, "x", executable);
    tar.add("etc/ssh/sshd_config", AE_IFREG, "HostKey /etc/ssh/keys/ssh_host_rsa_key\n");
    tar.add("etc/ssh/keys/ssh_host_rsa_key", AE_IFREG, "shared");
    tar.add("etc/inittab", AE_IFREG, "id:2:initdefault:\npf::powerwait:/etc/init.d/powerfail\n");
    tar.add("etc/init.d/ssh", AE_IFREG, "#!/bin/sh\n").add("etc/rc2.d/", AE_IFDIR);
    tar.add("etc/init.d/.depend.start", AE_IFREG, "x");
    tar.add("etc/fstab", AE_IFREG, "LABEL=root / ext4 defaults 0 1\n");
    const auto made = import(tar.close());
    ASSERT_TRUE(made) << made.error().to_string();
    EXPECT_EQ(said_, "");
    EXPECT_EQ(made->halt_signal, "SIGPWR");
    EXPECT_EQ(text_of(*made, "etc/inittab"),
              "id:2:initdefault:\n# not in a container: pf::powerwait:/etc/init.d/powerfail\n"
              "pf::powerfail:/sbin/init 0\npn::powerfailnow:/sbin/init 0\n");
    EXPECT_FALSE(has(*made, "etc/ssh/keys/ssh_host_rsa_key")) << "all containers would share it";
    EXPECT_FALSE(has(*made, "etc/init.d/.depend.start"));
    EXPECT_TRUE(has(*made, "etc/rc2.d/S00lodge-ssh-hostkeys"));
    EXPECT_NE(text_of(*made, "etc/init.d/lodge-ssh-hostkeys")
                  .find("ssh-keygen -q -t rsa -N \"\" -f /etc/ssh/keys/ssh_host_rsa_key\n"),
              std::string::npos);
    EXPECT_EQ(text_of(*made, "etc/fstab"),
              "# not in a container: LABEL=root / ext4 defaults 0 1\n");
}

TEST_F(TemplateStoreTest, MakesTheHostKeysThatSshdReads) {
    REQUIRES("erofs");
    struct Case {
        const char* config;
        std::vector<std::string> made;
    };
    for (const Case& one :
         {Case{"", {"-t ed25519", "-t ecdsa"}},
          {"HostKey /etc/ssh/ssh_host_rsa_key\n", {"-t rsa"}},
          {"HostKey /etc/ssh/ssh_host_rsa_key\nHostKey /etc/ssh/ssh_host_ecdsa_key\n",
           {"-t ecdsa"}},
          {"HostKey /a'b\nHostKey /srv/key\n", {"-t ed25519"}}}) {
        Tar tar(tar_path());
        tar.add("etc/ssh/sshd_config", AE_IFREG, one.config);
        tar.add("usr/lib/systemd/systemd", AE_IFREG, "x", executable);
        tar.add("usr/sbin/sshd", AE_IFREG, "x", executable);
        const auto made = import(tar.close());
        ASSERT_TRUE(made) << made.error().to_string();
        EXPECT_EQ(made->halt_signal, "SIGRTMIN+3");
        std::string unit = text_of(*made, "etc/systemd/system/lodge-ssh-hostkeys.service");
        std::vector<std::string> types;
        for (std::size_t at = unit.find("-t "); at != std::string::npos;
             at = unit.find("-t ", at + 1)) {
            types.push_back(unit.substr(at, unit.find(' ', at + 3) - at));
        }
        EXPECT_EQ(types, one.made) << one.config << unit;
    }
    EXPECT_EQ(said_, "");
}

TEST_F(TemplateStoreTest, SaysWhatItCannotDoForAnInitThatItDoesNotKnow) {
    REQUIRES("erofs");
    Tar tar(tar_path());
    tar.add("etc/", AE_IFDIR).add("sbin/init", AE_IFREG, "x", executable);
    tar.add("usr/sbin/sshd", AE_IFREG, "x", executable);
    ASSERT_TRUE(import(tar.close()));
    EXPECT_NE(said_.find("how its init, /sbin/init, is asked to halt is not known"),
              std::string::npos)
        << said_;
    EXPECT_NE(said_.find("SSH host keys were taken out"), std::string::npos) << said_;
}

TEST_F(TemplateStoreTest, RefusesATruncatedArchive) {
    Tar tar(tar_path());
    tar.add_root().add("big", AE_IFREG, std::string(1 << 20, 'x'));
    const std::string path = tar.close();
    ASSERT_EQ(::truncate(path.c_str(), 1 << 19), 0);
    const auto made = import(path);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code(), ErrorCode::invalid_argument) << made.error().to_string();
}

TEST_F(TemplateStoreTest, DiscardsWhatAKilledBuildLeft) {
    const std::string left = directory_->path() + "/store/.work-0a/tree/etc";
    ASSERT_TRUE(fs::create_directories(left));
    ASSERT_TRUE(store_->discard("0a"));
    EXPECT_FALSE(fs::exists(directory_->path() + "/store/.work-0a"));
    ASSERT_TRUE(store_->discard("0a")) << "again";
    EXPECT_FALSE(store_->discard("../x"));
}

TEST_F(TemplateStoreTest, CopiesATreeWithItsLinksModesAndHoles) {
    const std::string source = directory_->path() + "/s";
    const std::string target = directory_->path() + "/t";
    ASSERT_TRUE(fs::create_directories(source + "/sub"));
    ASSERT_EQ(::mkdir(target.c_str(), 0700), 0);
    {
        const auto file = kernel::open_file(source + "/sub/file", O_WRONLY | O_CREAT, 0600).value();
        ASSERT_TRUE(kernel::write_all(file.get(), "content"));
        ASSERT_EQ(::ftruncate(file.get(), 64 << 20), 0);
        ASSERT_EQ(::fchmod(file.get(), 04711), 0);
        ASSERT_EQ(::fchown(file.get(), 1000, 33), 0);
        ASSERT_EQ(::fchmod(file.get(), 04711), 0);
    }
    fs::create_hard_link(source + "/sub/file", source + "/second");
    fs::create_symlink("sub/file", source + "/link");
    {
        const auto from = kernel::open_directory(source).value();
        const auto to = kernel::open_directory(target).value();
        const Status copied = copy_tree(from.get(), to.get());
        ASSERT_TRUE(copied) << copied.error().to_string();
    }
    struct stat file{};
    struct stat second{};
    ASSERT_EQ(::stat((target + "/sub/file").c_str(), &file), 0);
    ASSERT_EQ(::stat((target + "/second").c_str(), &second), 0);
    EXPECT_EQ(file.st_ino, second.st_ino);
    EXPECT_EQ(file.st_mode & 07777, 04711U);
    EXPECT_EQ(file.st_uid, 1000U);
    EXPECT_EQ(file.st_gid, 33U);
    EXPECT_EQ(file.st_size, 64 << 20);
    EXPECT_LT(file.st_blocks * 512, 1 << 20);
    EXPECT_EQ(fs::read_symlink(target + "/link"), "sub/file");
}

} // namespace
} // namespace lodge::templates
