#pragma once

#include "tests/support/temp_dir.hpp"

#include <string>

#include <sys/types.h>

namespace lodge::test {

/// A file of the host that has another content for as long as this lives, for this test's mount
/// namespace alone.
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
