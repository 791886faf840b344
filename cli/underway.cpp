#include "cli/underway.hpp"

#include "lib/base/printable.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <csignal>
#include <iostream>
#include <mutex>
#include <set>
#include <thread>

#include <sys/eventfd.h>
#include <unistd.h>

namespace lodge::cli {

namespace {

// One for the process, because signals are sent to a process.
struct Interruption {
    std::mutex lock;
    std::set<const std::string*> sentences;
    std::once_flag watched;
    int signals = -1; ///< an eventfd with the number of the first signal
};

Interruption& interruption() {
    static auto* const only = new Interruption; // never destroyed: a thread uses it to the end
    return *only;
}

std::atomic<int> signals_to = -1;

// The first call resets the handler (SA_RESETHAND).
extern "C" void note_signal(int number) {
    const auto value = static_cast<std::uint64_t>(number);
    (void)!::write(
        signals_to, &value, sizeof value); // the reading thread exists before the handler
}

void tell_and_end() {
    Interruption& all = interruption();
    eventfd_t number = 0;
    while (::eventfd_read(all.signals, &number) != 0) {
    }
    // Held until the process ends, so that no operation ends while this reports that it goes on.
    const std::lock_guard guard(all.lock);
    std::string text = ::isatty(STDERR_FILENO) == 1 ? "\r\033[K" : ""; // erases a shown step
    for (const std::string* const sentence : all.sentences) {
        text += "lodge: " + printable(*sentence) + "\n";
    }
    if (!all.sentences.empty()) {
        std::cerr << text << std::flush;
    }
    (void)std::signal(static_cast<int>(number), SIG_DFL);
    (void)::kill(::getpid(), static_cast<int>(number));
    while (true) {
        (void)::pause(); // until the signal ends the process
    }
}

void watch_signals_of_process() {
    Interruption& all = interruption();
    all.signals = ::eventfd(0, EFD_CLOEXEC);
    if (all.signals < 0) {
        return; // a signal then ends the process silently
    }
    signals_to = all.signals;
    std::thread(tell_and_end).detach();
    for (const int number : {SIGINT, SIGTERM}) {
        struct sigaction before{};
        struct sigaction action{};
        action.sa_handler = note_signal;
        action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
        if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) {
            (void)::sigaction(number, &action, nullptr); // fails only for a bad number
        }
    }
}

} // namespace

Underway::Underway(std::string unknown) : sentence_(std::move(unknown)) {
    Interruption& all = interruption();
    std::call_once(all.watched, watch_signals_of_process);
    const std::lock_guard guard(all.lock);
    all.sentences.insert(&sentence_);
}

Underway::~Underway() {
    const std::lock_guard guard(interruption().lock);
    interruption().sentences.erase(&sentence_);
}

void Underway::know(const nlohmann::json& operation) {
    std::string sentence = goes_on(operation);
    const std::lock_guard guard(interruption().lock);
    sentence_ = std::move(sentence);
}

std::string goes_on(const nlohmann::json& operation) {
    const std::string id = operation.value("id", "");
    return operation.value("verb", "") + " '" + operation.value("resource", "") +
           "' goes on as operation " + id +
           (operation.value("cancellable", false)
                ? "; `lodge operation cancel " + id + "` cancels it"
                : ", which can no longer be undone; `lodge operation list` shows it");
}

} // namespace lodge::cli
