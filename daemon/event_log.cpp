#include "daemon/event_log.hpp"

namespace lodge::daemon {

namespace {

// Whether the event needs attention.
bool is_warning(const Event& event) {
    if (event.operation) {
        return event.operation->status == OperationStatus::failed;
    }
    if (event.kind == "daemon") {
        return event.what != "recovered" && event.what != kHostStartsUp;
    }
    return event.what == "crashed";
}

std::string describe_operation(const OperationView& operation) {
    const std::string took = std::to_string(operation.ended_at - operation.started_at) + " ms";
    if (operation.error) { // its outermost context names the verb and the resource
        return operation.error->to_string() + ", after " + took;
    }
    return operation.verb + " '" + operation.resource + "' done in " + took;
}

} // namespace

std::string describe(const Event& event) {
    if (event.operation) {
        return event.what == "ended" ? describe_operation(*event.operation) : std::string();
    }
    if (event.kind == "daemon" && event.what == "recovered") {
        return "recovery: " + event.detail;
    }
    if (event.what == kHostStartsUp) {
        return event.what;
    }
    return (event.kind == "daemon" ? "recovery:" : event.kind) + " '" + event.resource + "' " +
           event.what + (event.detail.empty() ? "" : ": " + event.detail);
}

void log_event(const Log& log, const Event& event) {
    if (const std::string line = describe(event); !line.empty()) {
        log.write(is_warning(event) ? LogLevel::warning : LogLevel::info, line);
    }
}

} // namespace lodge::daemon
