#include "daemon/api/requests.hpp"
#include "lib/api/json.hpp"
#include "lib/base/printable.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>

namespace {

using lodge::test::must;
using nlohmann::json;

void read_bodies(const json& body) {
    (void)lodge::daemon::read_create(body);
    if (const auto stop = lodge::daemon::read_stop(body)) {
        must(!stop->timeout ||
             (stop->timeout->count() >= 0 && stop->timeout->count() <= 86'400'000));
    }
    if (const auto signal = lodge::daemon::read_kill(body)) {
        must(*signal >= 1 && *signal <= 64);
    }
    if (const auto exec = lodge::daemon::read_exec(body)) {
        must(exec->argv.empty() == exec->login_shell);
        must(std::all_of(exec->argv.begin(), exec->argv.end(), [](const std::string& word) {
            return word.find('\0') == std::string::npos;
        }));
        must(std::all_of(exec->argv.begin(), exec->argv.end(), [](const std::string& word) {
            return lodge::api::bytes_from_json(lodge::api::to_json_bytes(word)) == word;
        }));
    }
    if (const auto change = lodge::api::change_from_json(body)) {
        const auto again = lodge::api::change_from_json(lodge::api::to_json(*change));
        must(again.has_value() && *again == *change);
    }
}

} // namespace

// What a client sends with a request for a container, and what a terminal is shown of its words.
FUZZ_TARGET(requests)(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = lodge::test::as_text(data, size);
    if (const json body = json::parse(text, nullptr, false); body.is_object()) {
        read_bodies(body);
    }
    const std::string shown = lodge::printable(text);
    must(lodge::printable(shown) == shown && shown.size() <= text.size());
    must(std::none_of(shown.begin(), shown.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    }));
    must(!json(shown).dump().empty()); // throws at what is no UTF-8
    return 0;
}
