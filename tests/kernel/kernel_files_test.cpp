#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::kernel {
namespace {

class Files : public test::LeakChecked {
  protected:
    void SetUp() override {
        LeakChecked::SetUp();
        directory_ = std::make_unique<test::TempDir>();
        root_ = open_directory(path()).value();
    }
    void TearDown() override {
        root_.reset();
        directory_.reset();
        LeakChecked::TearDown();
    }
    [[nodiscard]] std::string path(const std::string& below = {}) const {
        return directory_->path() + (below.empty() ? "" : "/" + below);
    }
    [[nodiscard]] bool exists(const std::string& below) const {
        struct stat info{};
        return ::lstat(path(below).c_str(), &info) == 0;
    }
    void put(const std::string& below, const std::string& content) const {
        ASSERT_TRUE(replace_file(root_.get(), below, content, 0600).has_value());
    }

    std::unique_ptr<test::TempDir> directory_;
    DirFd root_;
};

TEST_F(Files, ReplaceGivesTheNewContentAndModeAndNoTemporary) {
    put("key", "first, and longer");
    ASSERT_TRUE(replace_file(root_.get(), "key", "second", 0640).has_value());
    EXPECT_EQ(read_file(path("key"), 100).value(), "second");
    struct stat info{};
    ASSERT_EQ(::stat(path("key").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0640U);
    EXPECT_FALSE(exists(".key.new"));
}

TEST_F(Files, ReplaceDoesNotWriteThroughWhatACrashLeft) {
    put("victim", "keep");
    ASSERT_EQ(::link(path("victim").c_str(), path(".key.new").c_str()), 0);
    put("key", "secret");
    EXPECT_EQ(read_file(path("victim"), 100).value(), "keep");
    ASSERT_EQ(::symlink("victim", path(".key.new").c_str()), 0);
    put("key", "secret");
    EXPECT_EQ(read_file(path("victim"), 100).value(), "keep");
}

TEST_F(Files, ReplaceLeavesTheOldFileWhenItFails) {
    ASSERT_TRUE(make_directory(path("key"), 0700).has_value()); // rename over a directory fails
    EXPECT_FALSE(replace_file(root_.get(), "key", "x", 0600).has_value());
    EXPECT_TRUE(exists("key"));
    EXPECT_FALSE(exists(".key.new"));
}

TEST_F(Files, ReadStopsAtTheLimit) {
    put("file", std::string(100, 'x'));
    EXPECT_EQ(read_file(path("file"), 100).value().size(), 100U);
    EXPECT_EQ(read_file(path("file"), 99).error().code(), ErrorCode::resource_exhausted);
    EXPECT_EQ(read_file(path("none"), 99).error().sys_errno(), ENOENT);
}

TEST_F(Files, DirectoriesAreMadeOnceAndOnlyOverDirectories) {
    EXPECT_TRUE(make_directories(path("a/b/c"), 0700).has_value());
    EXPECT_TRUE(make_directories(path("a/b/c"), 0700).has_value());
    put("file", "x");
    EXPECT_EQ(make_directory(path("file"), 0700).error().sys_errno(), EEXIST);
}

TEST_F(Files, MakesADirectoryOfTheModeThatWasAskedFor) {
    const mode_t former = ::umask(077);
    ASSERT_TRUE(make_directory(path("open"), 0755).has_value());
    (void)::umask(former);
    struct stat info{};
    ASSERT_EQ(::stat(path("open").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0755U);
}

TEST_F(Files, RemoveTreeDoesNotFollowLinks) {
    ASSERT_TRUE(make_directories(path("outside"), 0700).has_value());
    put("kept", "x");
    ASSERT_TRUE(make_directories(path("tree/sub"), 0700).has_value());
    ASSERT_EQ(::symlink("../outside", path("tree/link").c_str()), 0);
    ASSERT_EQ(::symlink("../../kept", path("tree/sub/file").c_str()), 0);
    ASSERT_EQ(::mkfifo(path("tree/fifo").c_str(), 0600), 0);
    ASSERT_TRUE(remove_tree_at(root_.get(), "tree").has_value());
    EXPECT_FALSE(exists("tree"));
    EXPECT_TRUE(exists("outside"));
    EXPECT_TRUE(exists("kept"));
    EXPECT_TRUE(remove_tree_at(root_.get(), "tree").has_value()); // nothing left: nothing to do
}

TEST_F(Files, RemoveTreeTakesALinkToATreeAndNotTheTree) {
    ASSERT_TRUE(make_directories(path("tree/sub"), 0700).has_value());
    ASSERT_EQ(::symlink("tree", path("link").c_str()), 0);
    ASSERT_TRUE(remove_tree_at(root_.get(), "link").has_value());
    EXPECT_TRUE(exists("tree/sub"));
}

TEST_F(Files, RemoveTreeIsStoppedByNoDepth) {
    ASSERT_TRUE(make_directory(path("tree"), 0700).has_value());
    DirFd here = open_directory(path("tree")).value();
    for (int level = 0; level < 700; ++level) { // two descriptors each would be too many
        ASSERT_TRUE(make_directory_at(here.get(), "d", 0700).has_value());
        here = open_directory_at(here.get(), "d").value();
    }
    here.reset();
    const Status status = remove_tree_at(root_.get(), "tree");
    EXPECT_TRUE(status.has_value()) << status.error().to_string();
    EXPECT_FALSE(exists("tree"));
}

TEST_F(Files, RemoveTreeLeavesAMountAlone) {
    REQUIRES("root");
    ASSERT_TRUE(make_directories(path("tree/mnt"), 0700).has_value());
    ASSERT_TRUE(make_directories(path("other"), 0700).has_value());
    put("kept", "x");
    // A bind mount of the same filesystem: its device number says nothing.
    const MountFd bind = clone_mount(AT_FDCWD, path()).value();
    ASSERT_TRUE(attach_mount(bind.get(), AT_FDCWD, path("tree/mnt")).has_value());
    EXPECT_EQ(remove_tree_at(root_.get(), "tree").error().code(), ErrorCode::busy);
    EXPECT_TRUE(exists("kept"));
    EXPECT_TRUE(detach_mount(path("tree/mnt")).has_value());
    EXPECT_TRUE(remove_tree_at(root_.get(), "tree").has_value());
}

TEST_F(Files, HostileOpenNeverLeavesTheTree) {
    ASSERT_TRUE(make_directories(path("tree/etc"), 0700).has_value());
    put("secret", "of the host");
    const DirFd tree = open_directory(path("tree")).value();
    ASSERT_TRUE(replace_file(tree.get(), "inside", "of the tenant", 0600).has_value());
    ASSERT_EQ(::symlink("../secret", path("tree/up").c_str()), 0);
    ASSERT_EQ(::symlink("/inside", path("tree/absolute").c_str()), 0);
    for (const char* name : {"../secret", "up", "absolute", "etc/../../secret", "/etc/passwd"}) {
        const auto fd = open_hostile(tree.get(), name, O_RDONLY, 0, Resolve::beneath_no_symlinks);
        EXPECT_FALSE(fd.has_value()) << name;
    }
    // In a root of its own an absolute link means the tree, and .. stops at the top.
    const auto inside = open_hostile(tree.get(), "absolute", O_RDONLY, 0, Resolve::in_root);
    ASSERT_TRUE(inside.has_value()) << inside.error().to_string();
    EXPECT_EQ(read_all(inside->get(), 100).value(), "of the tenant");
    EXPECT_EQ(open_hostile(tree.get(), "up", O_RDONLY, 0, Resolve::in_root).error().sys_errno(),
              ENOENT);
}

TEST_F(Files, EveryDescriptorClosesOnExec) {
    put("file", "x");
    for (const int fd :
         {open_file(path("file"), O_RDONLY).value().release(),
          open_directory(path()).value().release(),
          open_hostile(root_.get(), "file", O_RDONLY, 0, Resolve::in_root).value().release()}) {
        EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
        EXPECT_EQ(::close(fd), 0);
    }
}

TEST_F(Files, VisitStopsAtTheFirstError) {
    put("a", "");
    put("b", "");
    int seen = 0;
    const Status status = for_each_entry(root_.get(), [&](const std::string&, unsigned char type) {
        ++seen;
        EXPECT_EQ(type, DT_REG);
        return Status(fail(ErrorCode::cancelled, "enough"));
    });
    EXPECT_EQ(status.error().code(), ErrorCode::cancelled);
    EXPECT_EQ(seen, 1);
}

TEST_F(Files, DetachedMountsAreAttachedReadOnlyWhenAsked) {
    REQUIRES("root");
    ASSERT_TRUE(make_directory(path("mnt"), 0700).has_value());
    auto mount = new_mount({.type = "tmpfs",
                            .options = {{"size", "64k"}, {"mode", "0755"}},
                            .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV});
    ASSERT_TRUE(mount.has_value()) << mount.error().to_string();
    ASSERT_TRUE(attach_mount(mount->get(), AT_FDCWD, path("mnt")).has_value());
    ASSERT_TRUE(set_mount_attributes(mount->get(), {.set = MOUNT_ATTR_RDONLY}).has_value());
    const auto made = open_file(path("mnt/file"), O_WRONLY | O_CREAT, 0600);
    EXPECT_EQ(made.error().sys_errno(), EROFS);
    bool found = false;
    const std::vector<MountInfo> mounts = read_mountinfo().value();
    for (const MountInfo& info : mounts) {
        if (info.mount_point == path("mnt")) {
            found = info.type == "tmpfs" && info.options.find("ro,nosuid,nodev") == 0;
        }
    }
    EXPECT_TRUE(found);
    mount->reset();
    EXPECT_TRUE(detach_mount(path("mnt")).has_value());
    EXPECT_TRUE(detach_mount(path("mnt")).has_value()); // nothing mounted: success
}

TEST_F(Files, FailedMountsRepeatWhatTheKernelSaid) {
    REQUIRES("root");
    const auto mount = new_mount({.type = "tmpfs", .options = {{"no-such-option", "1"}}});
    ASSERT_FALSE(mount.has_value());
    EXPECT_NE(mount.error().message().find("Unknown parameter"), std::string::npos)
        << mount.error().message();
    EXPECT_FALSE(new_mount({.type = "no-such-filesystem"}).has_value());
}

} // namespace
} // namespace lodge::kernel
