#pragma once

#include <string>

namespace lodge::test {

/// A directory of the test's own below /var/tmp (a real filesystem: images want direct I/O),
/// removed with all in it at the end.
class TempDir {
  public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

  private:
    std::string path_;
};

} // namespace lodge::test
