#include "cli/files.hpp"
#include "cli/output.hpp"
#include "cli/words.hpp"
#include "lib/api/json.hpp"
#include "lib/base/printable.hpp"
#include "lib/kernel/program.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>

#include <unistd.h>

namespace lodge::cli {

namespace {

using nlohmann::json;

constexpr int kInPart = 21; // docs/exit-codes.md

struct Where {
    std::string config;
    std::string state_directory;
    std::string run_directory;
};

// lodged in our own directory (a build tree), or at its installed path.
Result<std::string> find_lodged() {
    std::error_code error;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", error);
    const std::filesystem::path folder = own.parent_path();
    for (const auto& path : {folder / "lodged", folder.parent_path() / "sbin/lodged"}) {
        if (::access(path.c_str(), X_OK) == 0) {
            return path.string();
        }
    }
    return fail(ErrorCode::not_found, "lodged is not installed beside '" + own.string() + "'");
}

std::string count(std::size_t number, const std::string& what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

void tell_rescued(const Globals& globals, const json& rescued) {
    std::vector<std::vector<std::string>> rows{{"NAME", "UUID", "STATE"}};
    for (const json& container : rescued["containers"]) {
        rows.push_back({container.value("name", ""),
                        container.value("uuid", ""),
                        container.value("state", "")});
    }
    if (rows.size() > 1) {
        print_table(rows);
    }
    for (const json& left : rescued["left"]) {
        const std::string name = left.value("name", "");
        const std::string text = "left in place: " + left.value("path", "") +
                                 (name.empty() ? "" : " ('" + name + "')") + ": " +
                                 left.value("why", "");
        std::cerr << printable(text) << '\n';
    }
    confirm(globals,
            "recovered " + count(rescued["containers"].size(), "container") + " and " +
                count(rescued["templates"].size(), "template") + "; " +
                std::to_string(rescued["left"].size()) + " left in place");
}

Result<int> recover(const Globals& globals, const Where& where) {
    if (!where.config.empty()) {
        RETURN_IF_ERROR(check_named_file("recover --config", where.config));
    }
    ASSIGN_OR_RETURN(const std::string lodged, find_lodged());
    std::vector<std::string> arguments{"--recover"};
    const auto add = [&](const std::string& option, const std::string& value) {
        if (!value.empty()) {
            arguments.insert(arguments.end(), {option, value});
        }
    };
    add("--config", where.config);
    add("--state-dir", where.state_directory);
    add("--run-dir", where.run_directory);
    ASSIGN_OR_RETURN(const auto output,
                     kernel::run_program({.path = lodged,
                                          .arguments = std::move(arguments),
                                          .deadline = Deadline::after(std::chrono::minutes(60)),
                                          .judged = true}));
    ASSIGN_OR_RETURN(const json answer, parse_answer(output.standard_output));
    if (answer.contains("error")) {
        return std::unexpected<Error>(api::error_from_json(output.standard_output));
    }
    if (globals.json) {
        print_json(answer);
    } else {
        tell_rescued(globals, answer);
    }
    return answer["left"].empty() ? 0 : kInPart;
}

} // namespace

void add_recover_command(const Registry& registry) {
    const Globals& globals = registry.globals;
    const auto where = std::make_shared<Where>();
    CLI::App* command = registry.add(
        registry.app,
        "recover",
        "Build a lost database anew from what lies beside the volumes, while no lodged runs",
        [&globals, where] { return recover(globals, *where); });
    of_bytes(command->add_option("--config", where->config, "lodged's configuration file"), "PATH");
    of_bytes(command->add_option("--state-dir", where->state_directory, "lodged's state directory"),
             "PATH");
    of_bytes(command->add_option("--run-dir", where->run_directory, "lodged's run directory"),
             "PATH");
}

} // namespace lodge::cli
