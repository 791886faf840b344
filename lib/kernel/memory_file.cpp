#include "lib/kernel/memory_file.hpp"

#include "lib/kernel/fs.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace lodge::kernel {

namespace {

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

} // namespace

Result<UniqueFd> make_memory_file(const char* name, std::string_view content) {
    UniqueFd memory(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memory) {
        return fail_errno("memfd_create");
    }
    RETURN_IF_ERROR(write_all(memory.get(), content));
    if (::fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) {
        return fail_errno("fcntl(F_ADD_SEALS)");
    }
    if (::lseek(memory.get(), 0, SEEK_SET) != 0) {
        return fail_errno("lseek");
    }
    return memory;
}

Result<std::string> read_memory_file(int fd, std::size_t limit) {
    const int seals = ::fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & kSeals) != kSeals) {
        return fail(ErrorCode::invalid_argument, "a sealed file in memory was expected");
    }
    if (::lseek(fd, 0, SEEK_SET) != 0) {
        return fail_errno("lseek");
    }
    return read_all(fd, limit);
}

} // namespace lodge::kernel
