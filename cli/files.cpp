#include "cli/files.hpp"

#include "lib/kernel/fs.hpp"

#include <cerrno>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::cli {

namespace {

std::unexpected<Error>
unreadable(const std::string& option, const std::string& path, const Error& error) {
    const char* const why = strerrordesc_np(error.sys_errno());
    return fail(ErrorCode::invalid_argument,
                option + ": the file '" + path + "' cannot be read: " +
                    (error.sys_errno() != 0 && why != nullptr ? why : error.message()));
}

} // namespace

Result<std::string>
read_named_file(const std::string& option, const std::string& path, std::size_t longest) {
    auto text = kernel::read_file(path, longest);
    return text ? std::move(text) : unreadable(option, path, text.error());
}

Status check_named_file(const std::string& option, const std::string& path) {
    // Does not open the file: the other end of a FIFO would see that.
    struct stat info{};
    int error = ::stat(path.c_str(), &info) == 0 && ::access(path.c_str(), R_OK) == 0 ? 0 : errno;
    if (error == 0 && S_ISDIR(info.st_mode)) {
        error = EISDIR;
    }
    return error == 0 ? Status{}
                      : Status(unreadable(option, path, Error::from_errno("read", path, error)));
}

} // namespace lodge::cli
