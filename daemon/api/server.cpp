#include "daemon/api/server.hpp"

#include "daemon/api/answer.hpp"
#include "daemon/api/reception.hpp"
#include "daemon/api/routes.hpp"
#include "daemon/api/workers.hpp"
#include "lib/base/contained.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/kernel/message_socket.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

// A thread costs some 40 KiB.
constexpr Workers::Bounds kWorkers{.at_first = 4, .most = 512, .most_waiting = 1024};
constexpr std::size_t kMostWaiting = 448;
constexpr std::size_t kMostArchives = 16;
constexpr std::size_t kMostCommands = 16; // up to 48 MiB each when parsed

Status allow(const std::string& path, const std::string& group) {
    if (group.empty()) {
        return {}; // the umask has made it root's only
    }
    std::array<char, 16384> buffer{};
    struct group entry{};
    struct group* found = nullptr;
    if (::getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr) {
        return fail(ErrorCode::invalid_argument, "socket_group: there is no group '" + group + "'");
    }
    if (::chown(path.c_str(), 0, entry.gr_gid) != 0 || ::chmod(path.c_str(), 0660) != 0) {
        return fail_errno("let the group use", path);
    }
    return {};
}

// Pre: no other thread makes files, because this changes the umask of the process.
Result<UniqueFd> listen_at(const std::string& path, const std::string& group) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return fail_errno("remove the stale socket", path);
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return fail(ErrorCode::invalid_argument, "the socket path is too long: '" + path + "'");
    }
    path.copy(&address.sun_path[0], path.size());
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener) {
        return fail_errno("socket");
    }
    const mode_t before = ::umask(0177);
    const int bound =
        ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int error = errno;
    (void)::umask(before);
    if (bound != 0) {
        return fail_errno("listen at", path, error);
    }
    RETURN_IF_ERROR(allow(path, group));
    if (::listen(listener.get(), SOMAXCONN) != 0) {
        return fail_errno("listen at", path);
    }
    return listener;
}

class HttpServer final : public Server {
  public:
    HttpServer(Daemon& daemon, std::string path) : path_(std::move(path)) {
        for (auto make : {container_routes, template_routes, operation_routes, host_routes}) {
            for (Route& route : make(daemon)) {
                routes_.push_back(std::move(route));
            }
        }
    }
    ~HttpServer() override {
        refuse();
        (void)stop(Deadline::never());
        reception_.reset(); // no worker uses it now; its thread uses the workers
    }
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    Status open(UniqueFd listener) {
        ASSIGN_OR_RETURN(reception_, open_reception(std::move(listener), [this](Incoming incoming) {
                             workers_.give(std::move(incoming));
                         }));
        return {};
    }

    void refuse() override {
        if (!refuses_ && reception_) {
            reception_->refuse();
            (void)::unlink(path_.c_str()); // no socket listens on it
        }
        refuses_ = true;
        workers_.close();
    }

    bool stop(const Deadline& deadline) override {
        hall_.lines.break_off();
        return workers_.await_end(deadline);
    }

  private:
    void serve(Incoming incoming) noexcept {
        (void)contained([&]() -> Status { // the client is gone or has the error
            const auto peer = kernel::peer_credentials(incoming.fd());
            RETURN_IF_ERROR(peer);
            Exchange exchange(std::move(incoming), {.uid = peer->uid, .pid = peer->pid}, hall_);
            const Status served = contained([&]() -> Status {
                dispatch(routes_, exchange);
                return {};
            });
            if (!served && !exchange.answered()) {
                exchange.reply_error(served.error());
            }
            auto [socket, answer] = exchange.finish();
            if (socket && !send_some(socket.get(), answer)) {
                reception_->send(std::move(socket), std::move(answer));
            }
            return {};
        });
    }

    const std::string path_;
    std::vector<Route> routes_;
    Hall hall_{.seats = WaitingRoom(kMostWaiting),
               .archives = WaitingRoom(kMostArchives),
               .commands = WaitingRoom(kMostCommands),
               .lines = {}};
    bool refuses_ = false;
    std::unique_ptr<Reception> reception_; ///< outlives the workers, which answer through it
    Workers workers_{kWorkers, [this](Incoming incoming) { serve(std::move(incoming)); }};
};

} // namespace

Result<std::unique_ptr<Server>>
start_server(Daemon& daemon, const std::string& path, const std::string& group) {
    ASSIGN_OR_RETURN(UniqueFd listener, listen_at(path, group));
    auto server = std::make_unique<HttpServer>(daemon, path);
    RETURN_IF_ERROR(server->open(std::move(listener)));
    return server;
}

} // namespace lodge::daemon
