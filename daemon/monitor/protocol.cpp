#include "daemon/monitor/protocol.hpp"

#include "lib/kernel/memory_file.hpp"
#include "lib/kernel/message_socket.hpp"

#include <cstring>

namespace lodge::monitor {

namespace {

struct Header {
    std::uint32_t magic;
    std::uint16_t version;
    MessageType type;
};
static_assert(sizeof(Header) == 8);

// A longer list is no argument vector or environment: execve(2) accepts two MiB, of which each word
// takes nine bytes at least.
constexpr std::uint32_t kMostTexts = 1U << 18;

std::unexpected<Error> malformed(const char* what) {
    return fail(ErrorCode::corrupt, std::string("malformed ") + what);
}

} // namespace

std::string_view to_string(StartStage stage) noexcept {
    switch (stage) {
    case StartStage::none:
        return "none";
    case StartStage::received:
        return "received";
    case StartStage::private_mounts:
        return "private_mounts";
    case StartStage::cloned:
        return "cloned";
    case StartStage::ids_mapped:
        return "ids_mapped";
    case StartStage::layers_mapped:
        return "layers_mapped";
    case StartStage::root_mounted:
        return "root_mounted";
    case StartStage::devices_made:
        return "devices_made";
    case StartStage::clone_identity:
        return "clone_identity";
    case StartStage::clone_mounts:
        return "clone_mounts";
    case StartStage::clone_pivoted:
        return "clone_pivoted";
    case StartStage::clone_attached:
        return "clone_attached";
    case StartStage::clone_console:
        return "clone_console";
    case StartStage::clone_waiting:
        return "clone_waiting";
    case StartStage::clone_privileges:
        return "clone_privileges";
    case StartStage::clone_exec:
        return "clone_exec";
    case StartStage::waiting:
        return "waiting";
    case StartStage::running:
        return "running";
    }
    return "unknown";
}

Writer& Writer::raw(const void* data, std::size_t size) {
    payload_.append(static_cast<const char*>(data), size);
    return *this;
}

Writer& Writer::text(std::string_view value) {
    u32(static_cast<std::uint32_t>(value.size()));
    payload_.append(value);
    return *this;
}

Writer& Writer::texts(const std::vector<std::string>& values) {
    u32(static_cast<std::uint32_t>(values.size()));
    for (const std::string& value : values) {
        text(value);
    }
    return *this;
}

std::string_view Reader::take(std::size_t size) {
    if (!ok_ || size > rest_.size()) {
        ok_ = false;
        return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
}

template <typename T>
T Reader::number() {
    T value{};
    const std::string_view bytes = take(sizeof value);
    if (!bytes.empty()) {
        std::memcpy(&value, bytes.data(), sizeof value);
    }
    return value;
}

template std::uint8_t Reader::number<std::uint8_t>();
template std::uint16_t Reader::number<std::uint16_t>();
template std::uint32_t Reader::number<std::uint32_t>();
template std::int32_t Reader::number<std::int32_t>();
template std::uint64_t Reader::number<std::uint64_t>();

std::string Reader::text() {
    const std::uint32_t size = u32();
    return std::string(take(size));
}

std::vector<std::string> Reader::texts() {
    const std::uint32_t count = u32();
    std::vector<std::string> values;
    if (count > kMostTexts) {
        ok_ = false;
        return values;
    }
    for (std::uint32_t i = 0; i < count && ok_; ++i) {
        values.push_back(text());
    }
    return values;
}

Status send(int socket, MessageType type, const std::string& payload, std::span<const int> fds) {
    if (payload.size() > kLargestPayload) {
        return fail(ErrorCode::internal, "a message is longer than agreed");
    }
    const Header header{.magic = kMagic, .version = kFormat, .type = type};
    std::string bytes(sizeof header + payload.size(), '\0');
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, payload.data(), payload.size());
    return kernel::send_message(socket, std::as_bytes(std::span(bytes)), fds);
}

Result<Message> receive(int socket, const Deadline& deadline) {
    // Beyond malloc's threshold for mmap(2): the memory goes back at once.
    std::string buffer;
    buffer.resize_and_overwrite(sizeof(Header) + kLargestPayload,
                                [](char*, std::size_t size) { return size; });
    ASSIGN_OR_RETURN(
        kernel::ReceivedMessage received,
        kernel::receive_message(socket, std::as_writable_bytes(std::span(buffer)), deadline));
    if (received.closed) {
        return fail(ErrorCode::cancelled, "the other side has gone");
    }
    Header header{};
    if (received.size < sizeof header) {
        return malformed("message");
    }
    std::memcpy(&header, buffer.data(), sizeof header);
    if (header.magic != kMagic) {
        return malformed("message");
    }
    return Message{.type = header.type,
                   .payload = buffer.substr(sizeof header, received.size - sizeof header),
                   .fds = std::move(received.fds)};
}

Result<Message> expect(int socket, MessageType type, const Deadline& deadline) {
    ASSIGN_OR_RETURN(Message message, receive(socket, deadline));
    if (message.type == MessageType::failed) {
        return std::unexpected<Error>(decode_failure(message.payload));
    }
    if (message.type != type) {
        return fail(ErrorCode::corrupt,
                    "message " + std::to_string(static_cast<unsigned>(message.type)) +
                        " came where " + std::to_string(static_cast<unsigned>(type)) +
                        " was expected");
    }
    return message;
}

Status send_failure(int socket, StartStage stage, const Error& error) {
    constexpr std::size_t kLongestText = 4096;
    return send(socket,
                MessageType::failed,
                Writer()
                    .u8(static_cast<std::uint8_t>(stage))
                    .u16(static_cast<std::uint16_t>(error.code()))
                    .i32(error.sys_errno())
                    .text(error.message().substr(0, kLongestText))
                    .texts(error.trail())
                    .payload());
}

Error decode_failure(std::string_view payload) {
    Reader reader(payload);
    const auto stage = static_cast<StartStage>(reader.u8());
    const std::uint16_t code = reader.u16();
    const std::int32_t error_number = reader.i32();
    std::string text = reader.text();
    if (!reader.ok()) {
        return Error(ErrorCode::corrupt, "malformed failure message");
    }
    // A monitor of an earlier release sends the trail in the text.
    std::vector<std::string> trail = reader.texts();
    if (!reader.ok()) {
        trail.clear();
    }
    // A newer monitor may know more codes than we do.
    const bool known = code >= static_cast<std::uint16_t>(ErrorCode::invalid_argument) &&
                       code <= static_cast<std::uint16_t>(ErrorCode::internal);
    Error error = Error(known ? static_cast<ErrorCode>(code) : ErrorCode::internal, std::move(text))
                      .with_errno(error_number);
    for (std::string& step : trail) {
        error = std::move(error).context(std::move(step));
    }
    if (stage != StartStage::none) {
        return std::move(error).context("after stage '" + std::string(to_string(stage)) + "'");
    }
    return error;
}

std::string encode(const StartOrder& order) {
    return Writer()
        .text(order.uuid)
        .text(order.hostname)
        .u32(order.uid_base)
        .u8(order.shared_root ? 1 : 0)
        .u32(order.console_log_bytes)
        .texts(order.init)
        .text(order.seccomp_program)
        .payload();
}

Result<StartOrder> decode_start_order(Message& message) {
    Reader reader(message.payload);
    StartOrder order;
    order.uuid = reader.text();
    order.hostname = reader.text();
    order.uid_base = reader.u32();
    order.shared_root = reader.u8() != 0;
    order.console_log_bytes = reader.u32();
    order.init = reader.texts();
    order.seccomp_program = reader.text();
    constexpr std::size_t kWantedFds = 2;
    if (!reader.ok() || order.init.empty() || message.fds.size() != kWantedFds) {
        return malformed("start order");
    }
    // Refuses the ids of the host's own users, and ranges that end behind the last id.
    if (order.uid_base < kIdsPerContainer ||
        order.uid_base > UINT32_MAX - std::uint32_t{2} * kIdsPerContainer) {
        return fail(ErrorCode::invalid_argument,
                    "uid_base " + std::to_string(order.uid_base) + " is out of range");
    }
    if (order.seccomp_program.empty()) {
        return fail(ErrorCode::invalid_argument, "no system call filter was given");
    }
    order.directory = std::move(message.fds[0]);
    order.cgroup = std::move(message.fds[1]);
    return order;
}

std::string encode(const ExecOrder& order) {
    return Writer()
        .texts(order.argv)
        .texts(order.environment)
        .text(order.user)
        .text(order.directory)
        .u8(order.login_shell ? 1 : 0)
        .u8(order.terminal ? 1 : 0)
        .u16(order.rows)
        .u16(order.columns)
        .payload();
}

std::size_t size_of(const ExecOrder& order) {
    std::size_t size = 0;
    for (const auto* words : {&order.argv, &order.environment}) {
        for (const std::string& word : *words) {
            size += sizeof word + word.size();
        }
    }
    return size;
}

Result<ExecOrder> decode_exec_order(std::string_view payload) {
    Reader reader(payload);
    ExecOrder order;
    order.argv = reader.texts();
    order.environment = reader.texts();
    order.user = reader.text();
    order.directory = reader.text();
    order.login_shell = reader.u8() != 0;
    order.terminal = reader.u8() != 0;
    order.rows = reader.u16();
    order.columns = reader.u16();
    if (!reader.ok() || order.argv.empty() != order.login_shell) {
        return malformed("exec order");
    }
    return order;
}

Result<ExecOrder> decode_exec_order(const Message& message) {
    if (!message.payload.empty() || message.fds.size() != 1) {
        return decode_exec_order(message.payload);
    }
    ASSIGN_OR_RETURN(const std::string payload,
                     kernel::read_memory_file(message.fds[0].get(), kLargestOrder));
    return decode_exec_order(payload);
}

std::string encode(const MonitorState& state) {
    return Writer()
        .i32(state.init_pid)
        .u64(state.init_start_time)
        .u8(state.exit_kind)
        .i32(state.exit_status)
        .u32(state.sessions)
        .payload();
}

Result<MonitorState> decode_monitor_state(std::string_view payload) {
    Reader reader(payload);
    MonitorState state;
    state.init_pid = reader.i32();
    state.init_start_time = reader.u64();
    state.exit_kind = reader.u8();
    state.exit_status = reader.i32();
    state.sessions = reader.u32();
    if (!reader.ok()) {
        return malformed("monitor status");
    }
    return state;
}

} // namespace lodge::monitor
