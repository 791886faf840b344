#include "cli/output.hpp"

#include "cli/underway.hpp"
#include "cli/values.hpp"
#include "lib/api/json.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/printable.hpp"
#include "lib/kernel/fs.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <streambuf>

#include <poll.h>
#include <unistd.h>

namespace lodge::cli {

namespace {

constexpr int kIndent = 2;

using nlohmann::json;

constexpr auto kLook = std::chrono::milliseconds(250);

// Shows the current step of an operation, on one line that is erased at the end.
class ProgressLine {
  public:
    explicit ProgressLine(const Globals& globals)
        : shown_(!globals.quiet && !globals.json && ::isatty(STDERR_FILENO) == 1) {}
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    ~ProgressLine() { wipe(); }
    void wipe() {
        if (shown_ && !last_.empty()) {
            std::cerr << "\r\033[K" << std::flush;
            last_.clear();
        }
    }
    [[nodiscard]] bool shown() const { return shown_; }
    void show(const std::string& text) {
        if (shown_ && text != last_) {
            std::cerr << "\r\033[K" << printable(text) << " ..." << std::flush;
            last_ = text;
        }
    }

  private:
    bool shown_;
    std::string last_;
};

} // namespace

void report(const Globals& globals, const Error& error) {
    if (globals.json) {
        print_json(api::to_json(error));
        return;
    }
    tell_error(globals, error);
}

void tell_error(const Globals& globals, const Error& error, const std::string& prefix) {
    const std::string sentence = globals.verbose ? error.to_string() : error.message();
    std::cerr << "lodge: " + printable(prefix + sentence, "\n\t") + "\n";
}

namespace {

std::unexpected<Error> not_json() {
    return fail(ErrorCode::internal, "the daemon answered with something that is not JSON");
}

} // namespace

Result<json> parse_answer(const std::string& text) {
    json parsed = json::parse(text, nullptr, false);
    if (parsed.is_discarded()) {
        return not_json();
    }
    return parsed;
}

namespace {

// A lodged that was restarted does not know the operation (not_found).
Result<json> parse_answer_of_same(Result<std::string> answer) {
    if (!answer && answer.error().code() == ErrorCode::not_found) {
        return std::unexpected<Error>(api::broke_off());
    }
    ASSIGN_OR_RETURN(const std::string text, of_same_daemon(std::move(answer)));
    return parse_answer(text);
}

// "start: init 01:23"
std::string told_step(const json& operation, Deadline::Clock::duration since) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since).count();
    const auto two = [](std::int64_t number) {
        return (number < 10 ? "0" : "") + std::to_string(number);
    };
    return operation.value("verb", "") + ": " + operation.value("step", "") + " " +
           two(seconds / 60) + ":" + two(seconds % 60);
}

// Each write to it makes its stream fail.
std::streambuf* closed_output() {
    class Closed final : public std::streambuf {};
    // Never destroyed: std::cout is flushed after the destruction of all other static objects.
    static Closed* const closed = new Closed;
    return closed;
}

} // namespace

Status flush_output() {
    errno = 0;
    const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    int error = errno != 0 ? errno : EIO; // an earlier write failed
    if (written && std::cout) {
        return {};
    }
    if (written && std::cout.rdbuf() == closed_output()) {
        error = EBADF;
    }
    return error == EPIPE ? Status() // the reader closed its end: no error
                          : fail_errno("write to standard output", {}, error);
}

void close_output() {
    std::cout.rdbuf(closed_output());
}

void print_json(const json& value) {
    std::cout << api::to_text(value, kIndent) << '\n';
}

Status print_list(const std::string& text) {
    if (!json::accept(text)) {
        return not_json();
    }
    std::string_view line = text;
    line = line.substr(0, line.find_last_not_of('\n') + 1);
    std::cout << api::indented(line, kIndent) << '\n';
    return {};
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        std::cout << printable(line) << '\n';
    }
}

void print_object(const json& object) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& [key, value] : object.items()) {
        const std::string cell = cell_of(key, value);
        rows.push_back({key, cell.empty() ? "-" : cell});
    }
    print_table(rows);
}

void confirm(const Globals& globals, const std::string& what) {
    if (!globals.quiet && !globals.json) {
        std::cerr << printable(what) << '\n';
    }
}

void show_warnings(const json& operation) {
    for (const json& warning : operation.value("warnings", json::array())) {
        // In one piece, because several threads may write warnings at once.
        std::cerr << "lodge: warning: " + printable(warning.get<std::string>()) + "\n";
    }
}

Status print_text(const std::string& text) {
    if (::isatty(STDOUT_FILENO) != 1) {
        return kernel::write_all(STDOUT_FILENO, text);
    }
    std::string lines;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text.compare(at, 2, "\r\n") != 0) { // a terminal's line end
            lines += text[at];
        }
    }
    return kernel::write_all(STDOUT_FILENO, printable(lines, "\n\t"));
}

Result<json> run_operation(const Globals& globals,
                           const std::string& method,
                           const std::string& path,
                           const std::string& body) {
    const api::Client client = globals.client();
    ProgressLine progress(globals);
    Underway underway("lodged has not answered yet; `lodge operation list` shows whether that goes "
                      "on which it was asked for");
    // Most operations end within this time. For the others the answer has the id.
    const auto begun = Deadline::Clock::now();
    const std::string mark = path.find('?') == std::string::npos ? "?" : "&";
    ASSIGN_OR_RETURN(std::string text, client.call(method, path + mark + "wait=250ms", body));
    ASSIGN_OR_RETURN(json operation, parse_answer(text));
    while (operation.value("status", "") == "running") {
        underway.know(operation);
        progress.show(told_step(operation, Deadline::Clock::now() - begun));
        const Deadline look = Deadline::after(kLook);
        auto looked = client.call("GET",
                                  "/v1/operations/" + operation.value("id", "") +
                                      "/wait?wait=" + (progress.shown() ? "250ms" : "1h"));
        ASSIGN_OR_RETURN(operation, parse_answer_of_same(std::move(looked)));
        if (operation.value("status", "") == "running") {
            // The daemon answers at once when it has too many waiting clients.
            (void)::poll(nullptr, 0, look.poll_timeout()); // only time passes
        }
    }
    progress.wipe();
    show_warnings(operation);
    return operation;
}

std::string escaped(const std::string& name) {
    constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string text;
    for (const char c : name) {
        if (kPlain.find(c) != std::string_view::npos) {
            text += c;
        } else {
            text += '%';
            text += kHex[static_cast<unsigned char>(c) >> 4];
            text += kHex[static_cast<unsigned char>(c) & 15];
        }
    }
    return text;
}

std::string container_path(const std::string& name) {
    return "/v1/containers/" + escaped(name);
}

} // namespace lodge::cli
