#include "templates/builder.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "templates/apt_sources.hpp"

#include <chrono>
#include <sstream>

namespace lodge::templates {

namespace {

// Proxies and freshness checks of the host's apt hold for its mirrors, which are ours.
Result<std::vector<std::string>> host_apt_options() {
    ASSIGN_OR_RETURN(const auto dump,
                     kernel::run_program({.path = "apt-config",
                                          .arguments = {"dump", "Acquire"},
                                          .deadline = Deadline::after(std::chrono::seconds(30))}));
    std::vector<std::string> options;
    std::istringstream lines(dump.standard_output);
    for (std::string line; std::getline(lines, line);) {
        for (const char* name : {"Acquire::http", "Acquire::https", "Acquire::Check-"}) {
            if (line.rfind(name, 0) == 0 && line.find("\"\"") == std::string::npos) {
                options.push_back("--aptopt=" + line);
                break;
            }
        }
    }
    return options;
}

std::string parted_by_commas(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : ",") + word;
    }
    return text;
}

} // namespace

Status run_mmdebstrap(const Definition& definition, const std::string& tree, int cancel_fd) {
    ASSIGN_OR_RETURN(const std::string sources, host_sources_for_suite(definition.suite));
    ASSIGN_OR_RETURN(const auto options,
                     with_context(host_apt_options(), "read the host's apt configuration"));
    const std::string scratch = tree + ".tmp";
    RETURN_IF_ERROR(kernel::make_directory(scratch, 0700));
    kernel::Program program{
        .path = "unshare",
        .arguments = {"--mount",
                      "--pid",
                      "--fork",
                      "--kill-child",
                      "--propagation",
                      "private",
                      "mmdebstrap",
                      "--mode=root",
                      "--variant=" + definition.variant,
                      "--include=" + parted_by_commas(definition.packages)},
        .environment = {"DEBIAN_FRONTEND=noninteractive", "HOME=/root", "TMPDIR=" + scratch},
        .input = sources,
        .deadline = Deadline::after(std::chrono::minutes(30)),
        .cancel_fd = cancel_fd};
    program.arguments.insert(program.arguments.end(), options.begin(), options.end());
    // "-": the sources come on stdin.
    program.arguments.insert(program.arguments.end(), {definition.suite, tree, "-"});
    ASSIGN_OR_RETURN(const auto output,
                     with_context(kernel::run_program(program), "build " + definition.name));
    (void)output; // its progress
    return {};
}

} // namespace lodge::templates
