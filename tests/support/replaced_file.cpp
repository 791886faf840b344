#include "tests/support/replaced_file.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include <sys/mount.h>
#include <sys/stat.h>

namespace lodge::test {

ReplacedFile::ReplacedFile(std::string path, const std::string& content, mode_t mode)
    : path_(std::move(path)) {
    const std::string own = directory_.path() + "/content";
    std::ofstream(own) << content;
    EXPECT_EQ(::chmod(own.c_str(), mode), 0) << errno;
    EXPECT_EQ(::mount(own.c_str(), path_.c_str(), nullptr, MS_BIND, nullptr), 0)
        << path_ << ": " << errno;
}

ReplacedFile::~ReplacedFile() {
    EXPECT_EQ(::umount2(path_.c_str(), MNT_DETACH), 0) << path_ << ": " << errno;
}

} // namespace lodge::test
