#include "cli/hints.hpp"
#include "cli/output.hpp"
#include "cli/values.hpp"
#include "lib/base/printable.hpp"
#include "lib/base/units.hpp"
#include "lib/kernel/fs.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <deque>
#include <memory>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace lodge::cli {

namespace {

using nlohmann::json;

constexpr std::size_t kMostPast = 256; // the number that lodged keeps

struct EventsOptions {
    std::string last = "0";
    bool follow = false;
};

std::string text_of(const json& event) {
    std::string text = cell_of("happened_at", event.value("at_ms", std::int64_t{0}) / 1000) + " " +
                       event.value("kind", "") + " " + event.value("resource", "") + " " +
                       event.value("what", "");
    std::string detail = event.value("detail", "");
    if (const auto operation = event.find("operation"); operation != event.end()) {
        text += " " + operation->value("verb", "") + " " + operation->value("status", "");
        if (const auto error = operation->find("error");
            detail.empty() && error != operation->end()) {
            detail = error->value("message", "");
        }
    }
    return printable(text + (detail.empty() ? "" : ": " + detail));
}

/// Prints each event once, also when a stream begins with events of the stream before.
class Printer {
  public:
    explicit Printer(bool as_json) : as_json_(as_json) {}

    /// False: stdout has failed.
    bool print(const std::string& line) {
        const json event = json::parse(line, nullptr, false);
        if (!event.is_object() || !is_new(event)) {
            return true;
        }
        const std::string shown = as_json_ ? line : text_of(event); // escaped by the daemon
        written_ = kernel::write_all(STDOUT_FILENO, shown + "\n");
        return written_.has_value();
    }
    [[nodiscard]] bool failed() const { return !written_; }
    /// A reader that closed its end is no error.
    [[nodiscard]] Status end() const {
        return failed() && written_.error().sys_errno() == EPIPE ? Status() : written_;
    }

  private:
    using Mark = std::pair<std::uint64_t, std::int64_t>;

    bool is_new(const json& event) {
        const Mark mark{event.value("sequence", std::uint64_t{0}),
                        event.value("at_ms", std::int64_t{0})};
        for (const Mark& one : shown_) {
            if (one == mark) {
                return false;
            }
        }
        shown_.push_back(mark);
        if (shown_.size() > kMostPast) {
            shown_.pop_front();
        }
        return true;
    }

    bool as_json_;
    Status written_;
    std::deque<Mark> shown_; ///< the last ones
};

// Reconnects to lodged after each of its restarts.
Result<int> events(const Globals& globals, const EventsOptions& options) {
    constexpr int kPauseMs = 200;
    ASSIGN_OR_RETURN(std::uint32_t past,
                     of_option(parse_count(options.last, "a number of events"), "events --last"));
    if (past > kMostPast) {
        return fail(ErrorCode::invalid_argument,
                    "events --last: '" + options.last + "' is more than the " +
                        std::to_string(kMostPast) + " that are kept");
    }
    RETURN_IF_ERROR(globals.client().call("GET", "/v1/version")); // fails unless lodged runs
    Printer printer(globals.json);
    while (true) {
        const Status ended =
            globals.client().stream("/v1/events?last=" + std::to_string(past),
                                    [&](const std::string& line) { return printer.print(line); });
        if (printer.failed()) {
            RETURN_IF_ERROR(printer.end());
            return 0;
        }
        if (!ended && (!options.follow || ended.error().code() != ErrorCode::unreachable)) {
            return std::unexpected<Error>(ended.error());
        }
        past = kMostPast;                   // all events since the next lodged started
        (void)::poll(nullptr, 0, kPauseMs); // only time passes
    }
}

} // namespace

void add_events_command(const Registry& registry) {
    const Globals& globals = registry.globals;
    const auto options = std::make_shared<EventsOptions>();
    CLI::App* command = registry.add(registry.app,
                                     "events",
                                     "Show what happens, as it happens",
                                     [&globals, options] { return events(globals, *options); });
    command->add_option(
        "--last", options->last, "Begin with so many that have happened, up to 256 (0)");
    command->add_flag("--follow", options->follow, "Go on when lodged is restarted");
}

} // namespace lodge::cli
