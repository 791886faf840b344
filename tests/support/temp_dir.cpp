#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include <unistd.h>

namespace lodge::test {

TempDir::TempDir(const std::string& parent)
    : path_(parent + "/lodge-test-" + std::to_string(::getpid()) + "-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) {
        throw std::runtime_error("mkdtemp failed");
    }
}

TempDir::~TempDir() {
    std::error_code ignored; // the leak check reports remaining files
    std::filesystem::remove_all(path_, ignored);
}

} // namespace lodge::test
