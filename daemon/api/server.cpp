#include "daemon/api/server.hpp"

#include "daemon/api/routes.hpp"
#include "lib/api/json.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/kernel/message_socket.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServerConnection.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/HTTPServerSession.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/Net/StreamSocketImpl.h>
#include <Poco/Net/TCPServer.h>
#include <Poco/Net/TCPServerConnectionFactory.h>
#include <Poco/ThreadPool.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

namespace net = Poco::Net;

// One serves one connection at a time. A thread costs some 40 KiB.
constexpr int kMostThreads = 512;
constexpr int kMostWaiting = 448;
constexpr int kMostQueued = 1024; // connections beyond are closed unheard

Result<Caller> caller_of(net::HTTPServerRequest& request) {
    auto& own = dynamic_cast<net::HTTPServerRequestImpl&>(request);
    ASSIGN_OR_RETURN(const auto peer, kernel::peer_credentials(own.socket().impl()->sockfd()));
    return Caller{.uid = peer.uid, .pid = peer.pid};
}

class Handler final : public net::HTTPRequestHandler {
  public:
    Handler(const std::vector<Route>& routes, WaitingRoom& waiting_room)
        : routes_(routes), waiting_room_(waiting_room) {}

    void handleRequest(net::HTTPServerRequest& request,
                       net::HTTPServerResponse& response) override {
        const auto caller = caller_of(request);
        Exchange exchange(request, response, caller ? *caller : Caller{.uid = ~0U}, waiting_room_);
        try {
            dispatch(routes_, exchange);
        } catch (const Poco::Exception&) {
            throw; // the connection's: the client is gone or speaks no HTTP
        } catch (const std::exception& error) {
            if (!exchange.answered()) {
                exchange.reply_error(
                    Error(ErrorCode::internal, std::string("unexpected: ") + error.what()));
            }
        }
    }

  private:
    const std::vector<Route>& routes_;
    WaitingRoom& waiting_room_;
};

class HandlerFactory final : public net::HTTPRequestHandlerFactory {
  public:
    HandlerFactory(const std::vector<Route>& routes, WaitingRoom& waiting_room)
        : routes_(routes), waiting_room_(waiting_room) {}
    net::HTTPRequestHandler* createRequestHandler(const net::HTTPServerRequest&) override {
        return new Handler(routes_, waiting_room_);
    } // Poco deletes it
    /// Ends the connections, those with a request on its way among them.
    void end_connections() {
        const bool at_once = true;
        serverStopped(this, at_once);
    }

  private:
    const std::vector<Route>& routes_;
    WaitingRoom& waiting_room_;
};
using Handlers = Poco::SharedPtr<HandlerFactory>;

class Connection final : public net::HTTPServerConnection {
  public:
    Connection(const net::StreamSocket& socket,
               const net::HTTPServerParams::Ptr& parameters,
               const Handlers& handlers)
        : HTTPServerConnection(socket, parameters, handlers), parameters_(parameters) {}

    // Poco answers a malformed head, but closes its socket without a word on a Content-Length that
    // is no number.
    void run() override {
        UniqueFd line(::fcntl(socket().impl()->sockfd(), F_DUPFD_CLOEXEC, 0));
        try {
            HTTPServerConnection::run();
        } catch (const Poco::SyntaxException&) {
            if (line) { // else this process is out of descriptors
                net::HTTPServerSession session(
                    net::StreamSocket(new net::StreamSocketImpl(line.release())), parameters_);
                sendErrorResponse(session, net::HTTPResponse::HTTP_BAD_REQUEST);
            }
        }
    }

  private:
    net::HTTPServerParams::Ptr parameters_;
};

class ConnectionFactory final : public net::TCPServerConnectionFactory {
  public:
    ConnectionFactory(net::HTTPServerParams::Ptr parameters, Handlers handlers)
        : parameters_(std::move(parameters)), handlers_(std::move(handlers)) {}
    net::TCPServerConnection* createConnection(const net::StreamSocket& socket) override {
        return new Connection(socket, parameters_, handlers_);
    } // Poco deletes it

  private:
    net::HTTPServerParams::Ptr parameters_;
    Handlers handlers_;
};

Status allow(const std::string& path, const std::string& group) {
    if (group.empty()) {
        return {}; // made under umask 0177: root only
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

class HttpServer final : public Server {
  public:
    HttpServer(Daemon& daemon, const net::ServerSocket& socket)
        : listener_(socket), pool_(4, kMostThreads) {
        for (auto make : {container_routes, template_routes, operation_routes, host_routes}) {
            for (Route& route : make(daemon)) {
                routes_.push_back(std::move(route));
            }
        }
        net::HTTPServerParams::Ptr parameters = new net::HTTPServerParams;
        parameters->setMaxThreads(kMostThreads);
        parameters->setMaxQueued(kMostQueued);
        parameters->setTimeout(Poco::Timespan(30, 0));
        parameters->setKeepAliveTimeout(Poco::Timespan(15, 0));
        server_ = std::make_unique<net::TCPServer>(
            new ConnectionFactory(parameters, handlers_), pool_, socket, parameters);
        server_->start();
    }
    ~HttpServer() override { stop(); }
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    void stop() override {
        if (server_) {
            // Poco looks four times a second whether it is to end; a listener that was shut down
            // makes it look at once.
            (void)::shutdown(listener_.impl()->sockfd(), SHUT_RDWR);
            server_->stop();
            handlers_->end_connections();
            pool_.joinAll();
            server_.reset();
        }
    }

  private:
    std::vector<Route> routes_;
    WaitingRoom waiting_room_{kMostWaiting};
    Handlers handlers_{new HandlerFactory(routes_, waiting_room_)};
    net::ServerSocket listener_; ///< the one that server_ accepts from
    Poco::ThreadPool pool_;
    std::unique_ptr<net::TCPServer> server_;
};

} // namespace

Result<std::unique_ptr<Server>>
start_server(Daemon& daemon, const std::string& path, const std::string& group) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return fail_errno("remove the stale socket", path);
    }
    try {
        const mode_t before = ::umask(0177);
        net::ServerSocket socket(net::SocketAddress(net::SocketAddress::UNIX_LOCAL, path), 128);
        (void)::umask(before);
        RETURN_IF_ERROR(allow(path, group));
        return std::make_unique<HttpServer>(daemon, socket);
    } catch (const Poco::Exception& error) {
        return fail(ErrorCode::kernel, "listen at '" + path + "': " + error.displayText());
    }
}

} // namespace lodge::daemon
