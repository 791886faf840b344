#include "lib/api/client.hpp"

#include "lib/api/json.hpp"
#include "lib/session/session.hpp"
#include <boost/asio/buffer.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <span>
#include <sstream>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// The client uses the messages of Beast alone, because Beast is headers only. A program that loads
// Poco spends 2 ms on relocations before main(), which is most of the time of an exec.
namespace lodge::api {

namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::string_body>;

std::unexpected<Error> unreachable(const std::string& path, int error_number) {
    if (error_number == ENOENT || error_number == ECONNREFUSED) {
        return fail(ErrorCode::unreachable,
                    "lodged is not running: nothing listens at '" + path +
                        "'; start it (systemctl start lodged) or give --socket");
    }
    Error error = Error::from_errno("connect to lodged at", path, error_number);
    const bool refused = error_number == EACCES || error_number == EPERM;
    const ErrorCode code = refused ? ErrorCode::permission_denied : error.code();
    return std::unexpected<Error>(std::move(error).with_code(code));
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

std::unexpected<Error> closed() {
    return std::unexpected<Error>(broke_off());
}

// `cancelled` when the peer has closed: its answer has the reason (unless_refused()).
Status send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return fail(ErrorCode::cancelled, "lodged does not take the rest");
        } else if (errno != EINTR) {
            return fail_errno("send to lodged");
        }
    }
    return {};
}

// Receives up to the size of `buffer`; 0 at the end. ECONNRESET is the end too: the daemon ended
// before it accepted the connection or read all bytes that were sent.
Result<std::size_t> receive_some(int socket, std::span<char> buffer) {
    while (true) {
        const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), 0);
        if (size >= 0) {
            return static_cast<std::size_t>(size);
        }
        if (errno == ECONNRESET) {
            return 0;
        }
        if (errno != EINTR) {
            return fail_errno("receive from lodged");
        }
    }
}

using Progress = std::function<bool(Parser& parser)>;

// Passes the received bytes to the parser. The parser leaves an incomplete header in `pending`.
Status feed(Parser& parser, std::string& pending) {
    boost::system::error_code error;
    const std::size_t used = parser.put(boost::asio::buffer(pending), error);
    pending.erase(0, used);
    if (error && error != http::error::need_more) {
        return fail(ErrorCode::internal,
                    "lodged answered with something that is no HTTP: " + error.message());
    }
    return {};
}

// Reads the rest of an answer. Calls `progress` when more of the body has come, and ends when it
// returns false.
Status read_answer(int socket, Parser& parser, const Progress& progress = {}) {
    std::string pending;
    std::array<char, 65536> buffer{};
    while (!parser.is_done()) {
        ASSIGN_OR_RETURN(const std::size_t size, receive_some(socket, buffer));
        if (size == 0) {
            return closed();
        }
        pending.append(buffer.data(), size);
        RETURN_IF_ERROR(feed(parser, pending));
        if (progress && parser.is_header_done() && !progress(parser)) {
            break;
        }
    }
    return {};
}

// The body has no limit: the client reads a whole answer, and a stream has no end. Not boost::none,
// because Boost 1.74 takes that for a limit of 0.
void set_up(Parser& parser) {
    parser.eager(true);
    parser.body_limit(std::numeric_limits<std::uint64_t>::max());
}

bool is_good(const Parser& parser) {
    return http::to_status_class(parser.get().result()) == http::status_class::successful;
}

Result<std::string> body_of(Parser& parser) {
    if (!is_good(parser)) {
        return std::unexpected<Error>(error_from_json(parser.get().body()));
    }
    return std::move(parser.get().body());
}

using Request = http::request<http::string_body>;

Request
make_request(const std::string& method, const std::string& path, const std::string& body = {}) {
    constexpr unsigned kHttp11 = 11;
    Request request(http::string_to_verb(method), path, kHttp11, body);
    request.set(http::field::host, "lodge");
    if (!body.empty()) {
        request.set(http::field::content_type, "application/json");
    }
    return request;
}

template <typename Message>
std::string to_text(const Message& message) {
    std::ostringstream text;
    text << message;
    return text.str();
}

Status send_chunk(int socket, std::string_view content) {
    constexpr const char* kBreak = "\r\n";
    std::ostringstream size;
    size << std::hex << content.size() << kBreak;
    RETURN_IF_ERROR(send_all(socket, size.str()));
    RETURN_IF_ERROR(send_all(socket, content));
    return send_all(socket, kBreak);
}

// Sends `content` as chunks. An empty chunk marks the end.
Status send_chunks(int socket, std::istream& content) {
    std::string part(std::size_t{1} << 20, '\0');
    std::size_t size = 0;
    do {
        content.read(part.data(), static_cast<std::streamsize>(part.size()));
        size = static_cast<std::size_t>(content.gcount());
        RETURN_IF_ERROR(send_chunk(socket, std::string_view(part).substr(0, size)));
    } while (size > 0);
    return {};
}

// Calls `line` for each complete line and removes the line from `text`.
bool take_lines(std::string& text, const std::function<bool(const std::string&)>& line) {
    std::size_t begin = 0;
    bool wanted = true;
    for (std::size_t end = text.find('\n'); wanted && end != std::string::npos;
         end = text.find('\n', begin)) {
        if (end > begin) {
            wanted = line(text.substr(begin, end - begin));
        }
        begin = end + 1;
    }
    text.erase(0, begin);
    return wanted;
}

// Reads one byte at a time up to the empty line, because the bytes behind a 101 belong to the
// session.
Result<std::string> read_head(int socket) {
    constexpr std::size_t kLongest = 16384;
    std::string head;
    while (head.size() < kLongest && !head.ends_with("\r\n\r\n")) {
        char byte = 0;
        ASSIGN_OR_RETURN(const std::size_t size, receive_some(socket, std::span(&byte, 1)));
        if (size == 0) {
            return closed();
        }
        head.push_back(byte);
    }
    return head;
}

// A daemon that does not read a whole request sends the reason before it closes. So `cancelled` is
// no error here: the caller reads the answer.
Status unless_refused(Status sent) {
    return sent || sent.error().code() != ErrorCode::cancelled ? std::move(sent) : Status();
}

Status send_request(int socket, Request request) {
    request.prepare_payload();
    return unless_refused(send_all(socket, to_text(request)));
}

Result<std::string> receive_answer(int socket) {
    Parser parser;
    set_up(parser);
    RETURN_IF_ERROR(read_answer(socket, parser));
    return body_of(parser);
}

} // namespace

Error broke_off() {
    return {ErrorCode::internal,
            "lodged broke off before it answered; what it was asked for may be done, on its way "
            "or undone: `lodge list` and `lodge operation list` show it"};
}

Result<std::string>
Client::call(const std::string& method, const std::string& path, const std::string& body) const {
    ASSIGN_OR_RETURN(const UniqueFd socket, connect_socket(socket_path_));
    RETURN_IF_ERROR(send_request(socket.get(), make_request(method, path, body)));
    return receive_answer(socket.get());
}

Result<std::string> Client::upload(const std::string& path, std::istream& content) const {
    ASSIGN_OR_RETURN(const UniqueFd socket, connect_socket(socket_path_));
    Request request = make_request("POST", path);
    request.set(http::field::content_type, "application/x-tar");
    request.chunked(true);
    Status sent = send_all(socket.get(), to_text(request.base()));
    if (sent) {
        sent = send_chunks(socket.get(), content);
    }
    RETURN_IF_ERROR(unless_refused(std::move(sent)));
    return receive_answer(socket.get());
}

Status Client::stream(const std::string& path,
                      const std::function<bool(const std::string& text)>& line) const {
    ASSIGN_OR_RETURN(const UniqueFd socket, connect_socket(socket_path_));
    RETURN_IF_ERROR(send_request(socket.get(), make_request("GET", path)));
    Parser parser;
    set_up(parser);
    const Status read = read_answer(socket.get(), parser, [&](Parser& part) {
        return !is_good(part) || take_lines(part.get().body(), line);
    });
    if (!read && parser.is_header_done() && is_good(parser)) {
        return fail(ErrorCode::unreachable, "lodged has ended, and the stream with it");
    }
    RETURN_IF_ERROR(read);
    return is_good(parser) ? Status() : std::unexpected<Error>(body_of(parser).error());
}

Result<UniqueFd> Client::upgrade(const std::string& path, const std::string& body) const {
    ASSIGN_OR_RETURN(UniqueFd socket, connect_socket(socket_path_));
    Request request = make_request("POST", path, body);
    request.set(http::field::connection, "Upgrade");
    request.set(http::field::upgrade, session::kUpgradeToken);
    RETURN_IF_ERROR(send_request(socket.get(), std::move(request)));
    ASSIGN_OR_RETURN(std::string head, read_head(socket.get()));
    Parser parser;
    set_up(parser);
    RETURN_IF_ERROR(feed(parser, head));
    if (parser.is_header_done() && parser.get().result() == http::status::switching_protocols) {
        return socket;
    }
    RETURN_IF_ERROR(read_answer(socket.get(), parser));
    return std::unexpected<Error>(error_from_json(parser.get().body()));
}

} // namespace lodge::api
