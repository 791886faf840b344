#pragma once

#include "tests/support/temp_dir.hpp"

#include <string>

#include <sys/types.h>

namespace lodge::test {

/// Replaces the content of a host's file during the life of the object, only in the mount namespace
/// of this test.
class ReplacedFile {
  public:
    ReplacedFile(std::string path, const std::string& content, mode_t mode = 0644);
    ~ReplacedFile();
    ReplacedFile(const ReplacedFile&) = delete;
    ReplacedFile& operator=(const ReplacedFile&) = delete;

  private:
    TempDir directory_;
    std::string path_;
};

} // namespace lodge::test
