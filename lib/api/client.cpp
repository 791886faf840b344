#include "lib/api/client.hpp"

#include "lib/api/json.hpp"
#include "lib/session/session.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/StreamCopier.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace lodge::api {

namespace {

using Poco::Net::HTTPClientSession;
using Poco::Net::HTTPRequest;
using Poco::Net::HTTPResponse;

// Long enough for whatever the daemon itself waits for; a dead daemon closes the connection at
// once.
const Poco::Timespan kPatience(24 * 3600, 0);

std::unexpected<Error> unreachable(const std::string& path, int error_number) {
    if (error_number == ENOENT || error_number == ECONNREFUSED) {
        return fail(ErrorCode::not_found,
                    "lodged is not running: nothing listens at '" + path +
                        "'; start it (systemctl start lodged) or give --socket");
    }
    return fail_errno("connect to lodged at", path, error_number);
}

std::unexpected<Error> too_long(const std::string& path) {
    return fail(ErrorCode::invalid_argument,
                "the socket path is too long (107 bytes at most): '" + path + "'");
}

Result<UniqueFd> connect_socket(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return too_long(path);
    }
    std::memcpy(&address.sun_path[0], path.c_str(), path.size() + 1);
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        return fail_errno("socket");
    }
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return unreachable(path, errno);
    }
    return socket;
}

// Poco's own exceptions end here.
template <typename T, typename Body>
Result<T> with_session(const std::string& path, const Body& body) {
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        return too_long(path);
    }
    Poco::Net::StreamSocket socket;
    try {
        socket.connect(Poco::Net::SocketAddress(Poco::Net::SocketAddress::UNIX_LOCAL, path));
    } catch (const Poco::Exception& error) {
        return unreachable(path, error.code());
    }
    try {
        HTTPClientSession session(socket);
        session.setTimeout(kPatience);
        return body(session);
    } catch (const Poco::Exception& error) {
        return fail(ErrorCode::internal,
                    "lodged closed the connection before it answered: " + error.displayText());
    }
}

Result<std::string> read_answer(HTTPClientSession& session) {
    HTTPResponse response;
    std::istream& stream = session.receiveResponse(response);
    std::string text;
    Poco::StreamCopier::copyToString(stream, text);
    if (response.getStatus() >= 300) {
        return std::unexpected<Error>(error_from_json(text));
    }
    return text;
}

HTTPRequest make_request(const std::string& method, const std::string& path) {
    HTTPRequest request(method, path, HTTPRequest::HTTP_1_1);
    request.setHost("lodge");
    return request;
}

// One byte at a time to the empty line, so that what follows stays in the socket with its
// descriptors.
Result<std::string> read_head(int socket) {
    constexpr std::size_t kLongest = 16384;
    std::string head;
    while (head.size() < kLongest && !head.ends_with("\r\n\r\n")) {
        char byte = 0;
        const ssize_t size = ::recv(socket, &byte, 1, 0);
        if (size <= 0) {
            if (size < 0 && errno == EINTR) {
                continue;
            }
            return fail(ErrorCode::internal, "lodged closed the connection before it answered");
        }
        head.push_back(byte);
    }
    return head;
}

Result<std::string> read_body(int socket, std::size_t size) {
    constexpr std::size_t kLongest = std::size_t{1} << 20;
    std::string body(std::min(size, kLongest), '\0');
    const ssize_t got = ::recv(socket, body.data(), body.size(), MSG_WAITALL);
    body.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return body;
}

// What came while we were still sending, read past Poco's session, which is in the midst of its
// request.
Result<std::string> read_early_answer(int socket) {
    ASSIGN_OR_RETURN(const std::string head, read_head(socket));
    std::istringstream stream(head);
    HTTPResponse response;
    response.read(stream);
    const auto length = response.getContentLength();
    ASSIGN_OR_RETURN(std::string text,
                     read_body(socket, length > 0 ? static_cast<std::size_t>(length) : 0));
    if (response.getStatus() >= HTTPResponse::HTTP_MULTIPLE_CHOICES) {
        return std::unexpected<Error>(error_from_json(text));
    }
    return text;
}

} // namespace

Result<std::string>
Client::call(const std::string& method, const std::string& path, const std::string& body) const {
    return with_session<std::string>(socket_path_, [&](HTTPClientSession& session) {
        HTTPRequest request = make_request(method, path);
        if (!body.empty()) {
            request.setContentType("application/json");
        }
        request.setContentLength(static_cast<std::streamsize>(body.size()));
        session.sendRequest(request) << body;
        return read_answer(session);
    });
}

Result<std::string> Client::upload(const std::string& path, std::istream& content) const {
    return with_session<std::string>(socket_path_, [&](HTTPClientSession& session) {
        HTTPRequest request = make_request(HTTPRequest::HTTP_POST, path);
        request.setChunkedTransferEncoding(true);
        request.setContentType("application/x-tar");
        std::ostream& out = session.sendRequest(request);
        Poco::StreamCopier::copyStream(content, out, std::size_t{1} << 20);
        out.flush();
        if (!out) { // lodged did not want the rest: it has said why, and closed
            return read_early_answer(session.socket().impl()->sockfd());
        }
        return read_answer(session);
    });
}

Status Client::stream(const std::string& path,
                      const std::function<bool(const std::string& text)>& line) const {
    return with_session<void>(socket_path_, [&](HTTPClientSession& session) -> Status {
        HTTPRequest request = make_request(HTTPRequest::HTTP_GET, path);
        session.sendRequest(request);
        HTTPResponse response;
        std::istream& stream = session.receiveResponse(response);
        if (response.getStatus() >= 300) {
            std::string text;
            Poco::StreamCopier::copyToString(stream, text);
            return std::unexpected<Error>(error_from_json(text));
        }
        for (std::string text; std::getline(stream, text);) {
            if (!text.empty() && !line(text)) {
                break;
            }
        }
        return {};
    });
}

Result<UniqueFd> Client::upgrade(const std::string& path, const std::string& body) const {
    ASSIGN_OR_RETURN(UniqueFd socket, connect_socket(socket_path_));
    HTTPRequest request = make_request(HTTPRequest::HTTP_POST, path);
    request.set("Connection", "Upgrade");
    request.set("Upgrade", session::kUpgradeToken);
    request.setContentType("application/json");
    request.setContentLength(static_cast<std::streamsize>(body.size()));
    std::ostringstream text;
    request.write(text);
    text << body;
    const std::string bytes = text.str();
    if (::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size())) {
        return fail_errno("send to lodged");
    }
    ASSIGN_OR_RETURN(const std::string head, read_head(socket.get()));
    try {
        std::istringstream stream(head);
        HTTPResponse response;
        response.read(stream);
        if (response.getStatus() == HTTPResponse::HTTP_SWITCHING_PROTOCOLS) {
            return socket;
        }
        const auto length = response.getContentLength();
        ASSIGN_OR_RETURN(
            const std::string answer,
            read_body(socket.get(), length > 0 ? static_cast<std::size_t>(length) : 0));
        return std::unexpected<Error>(error_from_json(answer));
    } catch (const Poco::Exception& error) {
        return fail(ErrorCode::internal,
                    "lodged answered with something that is no HTTP: " + error.displayText());
    }
}

} // namespace lodge::api
