#include "tests/guest/settings.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace guest {

namespace {

void for_each_file(const std::string& directory,
                   const std::function<void(const std::string&)>& visit) {
    DIR* entries = ::opendir(directory.c_str());
    if (entries == nullptr) {
        return;
    }
    while (const dirent* entry = ::readdir(entries)) {
        const std::string name = entry->d_name;
        const std::string path = directory + "/" + name;
        struct stat info{};
        if (name == "." || name == ".." || ::lstat(path.c_str(), &info) != 0) {
            continue;
        }
        if (S_ISDIR(info.st_mode)) {
            for_each_file(path, visit);
        } else {
            visit(path);
        }
    }
    (void)::closedir(entries);
}

bool is_file(const std::string& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool opens_for_writing(const std::string& path) {
    if (!is_file(path)) {
        return false;
    }
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 && ::close(fd) == 0;
}

std::string content(const std::string& path) {
    std::array<char, 65536> text{};
    if (!is_file(path)) {
        const ssize_t size = ::readlink(path.c_str(), text.data(), text.size());
        return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
    }
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const ssize_t size = fd < 0 ? -1 : ::read(fd, text.data(), text.size());
    if (fd >= 0) {
        (void)::close(fd);
    }
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

void put(const std::string& path, const std::string& value) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        (void)!::write(fd, value.data(), value.size());
        (void)::close(fd);
    }
}

// Another first number, and the rest as it was; or a word.
std::vector<std::string> other_values(const std::string& now) {
    char* end = nullptr;
    const long long number = std::strtoll(now.c_str(), &end, 10);
    if (end == now.c_str()) {
        return {"1", "lodge-test"};
    }
    std::vector<std::string> values;
    for (const long long other : {number + 1, number - 1, 0LL, 1LL, 2LL}) {
        values.push_back(std::to_string(other) + end);
    }
    return values;
}

} // namespace

int run_list_settings(const std::vector<std::string>& arguments) {
    for_each_file(arguments.at(0), [](const std::string& path) {
        if (opens_for_writing(path)) {
            std::printf("%s\n", path.c_str());
        }
    });
    return 0;
}

int run_change_settings(const std::vector<std::string>& arguments) {
    for_each_file(arguments.at(0), [](const std::string& path) {
        if (!opens_for_writing(path)) {
            return;
        }
        const std::string before = content(path);
        for (const std::string& value : other_values(before)) {
            put(path, value);
            if (content(path) != before) {
                std::printf("%s\n", path.c_str());
                return;
            }
        }
    });
    return 0;
}

int run_search(const std::vector<std::string>& arguments) {
    for_each_file(arguments.at(0), [&](const std::string& path) {
        const std::string text = path + "\n" + content(path);
        for (std::size_t word = 1; word < arguments.size(); ++word) {
            if (text.find(arguments[word]) != std::string::npos) {
                std::printf("%s: %s\n", path.c_str(), arguments[word].c_str());
            }
        }
    });
    return 0;
}

} // namespace guest
