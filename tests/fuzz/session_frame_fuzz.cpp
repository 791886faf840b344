#include "lib/session/session.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <array>

#include <sys/socket.h>

// A client's bytes as the monitor gets them, frame after frame until the connection ends.
FUZZ_TARGET(session_frame)(const std::uint8_t* data, std::size_t size) {
    std::array<int, 2> ends{};
    if (size > 65536 || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return 0;
    }
    const lodge::UniqueFd reader(ends[0]);
    lodge::UniqueFd writer(ends[1]);
    (void)!::send(writer.get(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    writer.reset();
    while (const auto frame = lodge::session::receive_frame(reader.get())) {
        lodge::test::must(frame->payload.size() <= lodge::session::kLargestPayload);
    }
    return 0;
}
