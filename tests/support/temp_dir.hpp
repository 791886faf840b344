#pragma once

#include <string>

namespace lodge::test {

/// A directory of the test, removed with its content at the end. By default below /var/tmp, a real
/// filesystem, because images need direct I/O.
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
