#pragma once

#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The messages between the daemon and a monitor, and between a monitor and its clone: one
/// SEQPACKET message each, a header and a payload in host byte order.
///
/// A monitor outlives the daemon that started it, so a newer daemon meets older monitors. Therefore
/// message types and fields are only appended, a reader ignores bytes after the fields that it
/// knows, and `welcome` tells the daemon the version of a monitor and so its abilities.
namespace lodge::monitor {

inline constexpr std::uint32_t kMagic = 0x4d47444c; // "LDGM"
/// Version of the header and of `hello`, which every monitor understands: never raised.
inline constexpr std::uint16_t kFormat = 1;
/// Version of a monitor in its `welcome`. 2: it takes an order before the client.
inline constexpr std::uint16_t kVersion = 2;
inline constexpr std::uint16_t kTakesOrders = 2;
/// Largest payload: the console's log.
inline constexpr std::size_t kLargestPayload = std::size_t{128} << 10;
/// Largest order: more words than the kernel lets a program have (man 2 execve, "Limits").
inline constexpr std::size_t kLargestOrder = std::size_t{8} << 20;
/// The most words of an order to a monitor of version 1, in one payload.
inline constexpr std::size_t kMostWordsOfOld = 4096;
/// Name of the socket in the monitor's directory, and descriptor of the start channel at exec.
inline constexpr const char* kSocketName = "monitor.sock";
inline constexpr int kStartChannel = 3;
inline constexpr std::uint32_t kIdsPerContainer = 65536;

enum class MessageType : std::uint16_t {
    // Start channel. After `started` it stays open as a control connection that has subscribed.
    start = 1,   ///< daemon -> monitor: StartOrder; directory, cgroup
    cloned = 2,  ///< monitor -> daemon: i32 pid, u64 start time; network namespace
    go = 3,      ///< daemon -> monitor -> clone: let init run
    started = 4, ///< monitor -> daemon: init was exec'ed
    layers = 5,  ///< daemon -> monitor: volume[, lower]
    // Between the monitor and its clone.
    ids_mapped = 10, ///< monitor -> clone
    root_ready = 11, ///< monitor -> clone: the root is in place; /dev mount
    set_up = 12,     ///< clone -> monitor: the console's master
    // Control connections: one request, one answer.
    hello = 20,       ///< u16 version, u8 subscribe: `exited` is wanted on this connection
    welcome = 21,     ///< u16 version, i32 pid of the monitor
    status = 22,      ///< answered by `status`: see MonitorState
    signal = 23,      ///< i32 number; answered by `done`
    exec = 24,        ///< of version 1: ExecOrder; the client's connection. Answered by `done`
    console = 25,     ///< of version 1: the client's connection. Answered by `done`
    console_log = 26, ///< answered by `console_log`: bytes
    release = 27,     ///< answered by `done`, then the monitor goes
    done = 28,
    exited = 29, ///< to subscribers: init has exited; nothing else is ever sent to them
    // From version 2 on. The monitor keeps an order that it agreed to as long as the connection.
    exec_order = 30,    ///< ExecOrder, or empty with a sealed file. Answered by `done`: agreed
    console_order = 31, ///< answered by `done`: agreed
    client = 32,        ///< the client's connection for the order. Answered by `done`
    // Any direction: an error. u8 stage, u16 ErrorCode, i32 errno, string text.
    failed = 40,
    // Between the monitor and an exec session's child, before its exec.
    terminal = 50, ///< child -> monitor: the PTY's master
};

/// The stage of a start. Part of `failed`, so that an error says where. Never renumber.
enum class StartStage : std::uint8_t {
    none = 0,
    received = 1,          ///< the order was understood
    private_mounts = 2,    ///< in a mount namespace of its own without anything of the host
    cloned = 3,            ///< the clone exists, in its group and namespaces
    ids_mapped = 4,        ///< uid_map and gid_map are written
    layers_mapped = 5,     ///< volume and template carry the container's id map
    root_mounted = 6,      ///< the root filesystem stands, attached nowhere
    devices_made = 7,      ///< /dev stands, attached nowhere
    clone_identity = 20,   ///< clone: cgroup namespace, root's ids, host name
    clone_mounts = 21,     ///< clone: its own proc, sysfs, cgroup2, ... stand, attached nowhere
    clone_pivoted = 22,    ///< clone: the container's root is its root
    clone_attached = 23,   ///< clone: everything is mounted in its place
    clone_console = 24,    ///< clone: the console's PTY is its stdin, stdout, stderr
    clone_waiting = 25,    ///< clone: ready, waits for the daemon's word
    clone_privileges = 26, ///< clone: capabilities and system calls are limited
    clone_exec = 27,       ///< clone: executes init
    waiting = 40,          ///< the monitor waits for the daemon's word
    running = 41,
};
[[nodiscard]] std::string_view to_string(StartStage stage) noexcept;

/// Builds a payload. Little more than a string, so that the monitor stays small.
class Writer {
  public:
    Writer& u8(std::uint8_t value) { return raw(&value, sizeof value); }
    Writer& u16(std::uint16_t value) { return raw(&value, sizeof value); }
    Writer& u32(std::uint32_t value) { return raw(&value, sizeof value); }
    Writer& i32(std::int32_t value) { return raw(&value, sizeof value); }
    Writer& u64(std::uint64_t value) { return raw(&value, sizeof value); }
    Writer& text(std::string_view value);
    Writer& texts(const std::vector<std::string>& values);
    [[nodiscard]] const std::string& payload() const { return payload_; }

  private:
    Writer& raw(const void* data, std::size_t size);
    std::string payload_;
};

/// Decodes a payload. Past the end every value is 0 or empty and ok() is false, so a decoder checks
/// once, at its end. Never reads outside the payload, whatever its content.
class Reader {
  public:
    explicit Reader(std::string_view payload) : rest_(payload) {}
    std::uint8_t u8() { return number<std::uint8_t>(); }
    std::uint16_t u16() { return number<std::uint16_t>(); }
    std::uint32_t u32() { return number<std::uint32_t>(); }
    std::int32_t i32() { return number<std::int32_t>(); }
    std::uint64_t u64() { return number<std::uint64_t>(); }
    std::string text();
    std::vector<std::string> texts();
    [[nodiscard]] bool ok() const { return ok_; }

  private:
    template <typename T>
    T number();
    std::string_view take(std::size_t size);
    std::string_view rest_;
    bool ok_ = true;
};

struct Message {
    MessageType type{};
    std::string payload;
    std::vector<UniqueFd> fds;
};

[[nodiscard]] Status
send(int socket, MessageType type, const std::string& payload = {}, std::span<const int> fds = {});
/// Receives the next message. `cancelled`: the peer is gone. `corrupt`: a message of another form.
[[nodiscard]] Result<Message> receive(int socket, const Deadline& deadline);
/// receive() of one of `type`; a `failed` message becomes the error that it carries.
[[nodiscard]] Result<Message> expect(int socket, MessageType type, const Deadline& deadline);

[[nodiscard]] Status send_failure(int socket, StartStage stage, const Error& error);
[[nodiscard]] Error decode_failure(std::string_view payload);

/// All data of a start beside its descriptors.
struct StartOrder {
    std::string uuid;
    std::string hostname;
    std::uint32_t uid_base = 0;
    bool shared_root = true;
    std::uint32_t console_log_bytes = 0;
    std::vector<std::string> init;
    std::string seccomp_program; ///< bytes of sock_filter
    UniqueFd directory;
    UniqueFd cgroup;
};
[[nodiscard]] std::string encode(const StartOrder& order);
/// Takes the descriptors out of the message.
[[nodiscard]] Result<StartOrder> decode_start_order(Message& message);

/// The command of a session. The same fields as the daemon's ExecRequest.
struct ExecOrder {
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::string user;
    std::string directory;
    bool login_shell = false;
    bool terminal = false;
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;
};
[[nodiscard]] std::string encode(const ExecOrder& order);
/// The bytes of memory that the words of the order take.
[[nodiscard]] std::size_t size_of(const ExecOrder& order);
[[nodiscard]] Result<ExecOrder> decode_exec_order(std::string_view payload);
/// Decodes the payload of a message, or of the sealed file that comes with it instead of a payload.
[[nodiscard]] Result<ExecOrder> decode_exec_order(const Message& message);

/// Answer to `status`. `exit_kind`: 0 init runs, else 1 + the daemon's InitExit::Kind.
struct MonitorState {
    std::int32_t init_pid = 0;
    std::uint64_t init_start_time = 0;
    std::uint8_t exit_kind = 0;
    std::int32_t exit_status = 0;
    std::uint32_t sessions = 0;
};
[[nodiscard]] std::string encode(const MonitorState& state);
[[nodiscard]] Result<MonitorState> decode_monitor_state(std::string_view payload);

} // namespace lodge::monitor
