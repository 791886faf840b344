#include "daemon/monitor/protocol.hpp"
#include "tests/fuzz/fuzz.hpp"

// Payloads between daemon and monitor: either may be of another release than the other.
FUZZ_TARGET(monitor_message)(const std::uint8_t* data, std::size_t size) {
    const std::string_view payload = lodge::test::as_text(data, size);
    lodge::monitor::Message message;
    message.type = lodge::monitor::MessageType::start;
    message.payload = payload;
    for (int i = 0; i < 2; ++i) {
        message.fds.emplace_back();
    }
    (void)lodge::monitor::decode_start_order(message);
    if (const auto order = lodge::monitor::decode_exec_order(payload)) {
        lodge::test::must(
            lodge::monitor::decode_exec_order(lodge::monitor::encode(*order)).has_value());
    }
    (void)lodge::monitor::decode_monitor_state(payload);
    (void)lodge::monitor::decode_failure(payload);
    return 0;
}
