#include "tests/guest/compat.hpp"

#include <cstdio>
#include <cstring>

#include <sys/mman.h>

namespace guest {

#ifdef __x86_64__

namespace {

// stat(2) of i386, by its number there; its pointers have 32 bits.
long stat_32(const char* path, void* into) {
    constexpr long kStat = 106;
    long result = 0;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(kStat), "b"(path), "c"(into)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

} // namespace

int run_stat_32(const std::vector<std::string>& arguments) {
    constexpr std::size_t kPage = 4096;
    void* low = ::mmap(
        nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED || arguments.at(0).size() >= kPage / 2) {
        return 1;
    }
    char* path = static_cast<char*>(low) + kPage / 2;
    std::strcpy(path, arguments[0].c_str()); // it fits, as was just seen
    const long result = stat_32(path, low);
    if (result < 0) {
        std::fprintf(stderr, "guest: %s: %s\n", path, std::strerror(static_cast<int>(-result)));
        return 1;
    }
    const auto* words = static_cast<const unsigned*>(low); // st_dev, st_ino, ...
    std::printf("%u\n", words[1]);
    return std::fflush(stdout) == 0 ? 0 : 1;
}

#else

int run_stat_32(const std::vector<std::string>&) {
    return 64;
}

#endif

} // namespace guest
