#pragma once

#include <string>

namespace lodge::test {

/// A directory of the test's own, removed with all in it at the end. Below /var/tmp, a real
/// filesystem, as images want direct I/O, unless told otherwise.
class TempDir {
  public:
    explicit TempDir(const std::string& parent = "/var/tmp");
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

  private:
    std::string path_;
};

} // namespace lodge::test
