#include "templates/builder.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "templates/apt_sources.hpp"

#include <algorithm>
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

// Lines that begin with "E:" say why it failed (mmdebstrap(1)); without one, its last line does.
std::string why_it_failed(const std::string& said) {
    std::istringstream lines(said);
    std::string errors;
    std::string last;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("E:")) {
            errors += (errors.empty() ? "" : "; ") +
                      line.substr(std::min(line.find_first_not_of(' ', 2), line.size()));
        }
        last = line.empty() ? last : line;
    }
    return !errors.empty() ? errors : !last.empty() ? last : "it does not say why";
}

// Mirrors, packages and the host make it fail, and Lodge does not.
Status run_builder(const kernel::Program& program, const std::string& name) {
    auto output = kernel::run_program(program);
    if (!output) {
        const bool ended = output.error().code() == ErrorCode::internal; // by a signal
        return std::unexpected<Error>(ended ? std::move(output).error().with_code(ErrorCode::kernel)
                                            : std::move(output).error());
    }
    if (output->exit_code == 0) {
        return {};
    }
    return std::unexpected<Error>(
        Error(ErrorCode::kernel,
              "mmdebstrap could not build '" + name + "' and ended with " +
                  std::to_string(output->exit_code) + ": " + why_it_failed(output->standard_error))
            .context("mmdebstrap: " + output->standard_error));
}

} // namespace

Status run_mmdebstrap(const Definition& definition, const std::string& tree, int cancel_fd) {
    ASSIGN_OR_RETURN(const std::string sources, host_sources_for_suite(definition.suite));
    ASSIGN_OR_RETURN(const auto options,
                     with_context(host_apt_options(), "read the host's apt configuration"));
    const std::string scratch = tree + ".tmp";
    RETURN_IF_ERROR(kernel::make_directory(scratch, 0700));
    kernel::Program program{
        .path = "setpriv",
        .arguments = {"--pdeathsig",
                      "KILL",
                      "unshare",
                      "--mount",
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
        .cancel_fd = cancel_fd,
        .judged = true};
    program.arguments.insert(program.arguments.end(), options.begin(), options.end());
    // "-": the sources come on stdin.
    program.arguments.insert(program.arguments.end(), {definition.suite, tree, "-"});
    return with_context(run_builder(program, definition.name), "build " + definition.name);
}

} // namespace lodge::templates
