#include "daemon/monitor/client.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <array>

#include <sys/socket.h>
#include <unistd.h>

// What a session's client sends to the monitor. The first byte says how the stream is cut.
FUZZ_TARGET(session_client)(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kMostBytes = 16384; // fits the socket's buffer
    std::array<int, 2> ends{};
    if (size < 1 || size > kMostBytes ||
        ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return 0;
    }
    const lodge::UniqueFd peer(ends[0]);
    lodge::monitor::Client client{lodge::UniqueFd(ends[1])};
    const std::size_t step = data[0] + std::size_t{1};
    std::string_view rest = lodge::test::as_text(data + 1, size - 1);
    std::size_t passed = 0;
    bool good = true;
    while (good && !rest.empty()) {
        const std::string_view part = rest.substr(0, step);
        rest.remove_prefix(part.size());
        lodge::test::must(::write(peer.get(), part.data(), part.size()) ==
                          static_cast<ssize_t>(part.size()));
        good = client.receive(
            [&passed](const lodge::monitor::Client::Part& got) { passed += got.bytes.size(); });
    }
    lodge::test::must(passed < size);
    return 0;
}
