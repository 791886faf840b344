#include "cli/output.hpp"
#include "cli/words.hpp"
#include "lib/base/printable.hpp"
#include "lib/model/address.hpp"
#include "lib/model/verb.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <iostream>
#include <memory>
#include <sstream>

#include <unistd.h>

namespace lodge::cli {

namespace {

using nlohmann::json;

struct SshOptions {
    std::string name;
    std::string user = "root";
    std::vector<std::string> arguments;
};

// The alias in known_hosts. It has the UUID, so that a later container with the same address is
// another host for ssh.
std::string alias_of(const json& info) {
    return "lodge-" + info.value("uuid", "");
}

Result<json> ask(const Globals& globals, const std::string& path) {
    ASSIGN_OR_RETURN(const std::string text, globals.client().call("GET", path));
    return parse_answer(text);
}

Result<std::string> own_program() {
    std::array<char, 4096> path{};
    const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
    if (size <= 0) {
        return fail_errno("readlink", "/proc/self/exe");
    }
    return std::string(path.data(), static_cast<std::size_t>(size));
}

// The container's keys, as the daemon reads them inside, as known_hosts lines.
Result<int> print_known_hosts(const Globals& globals, const std::string& name) {
    const std::string path = container_path(name);
    ASSIGN_OR_RETURN(const json info, ask(globals, path));
    ASSIGN_OR_RETURN(const json keys, ask(globals, path + "/ssh-host-keys"));
    if (globals.json) {
        print_json({{"host", alias_of(info)}, {"keys", keys.value("keys", "")}});
        return 0;
    }
    std::istringstream lines(keys.value("keys", ""));
    for (std::string line; std::getline(lines, line);) {
        std::cout << alias_of(info) << ' ' << printable(line) << '\n';
    }
    return 0;
}

// One word of KnownHostsCommand (ssh_config(5)), which ssh splits and expands.
std::string ssh_word(const std::string& word) {
    std::string quoted = "\"";
    for (const char c : word) {
        if (c == '"' || c == '\\') {
            quoted += '\\';
        } else if (c == '%') {
            quoted += '%';
        }
        quoted += c;
    }
    return quoted + "\"";
}

// A frozen or stopped container does not answer, and ssh would wait for it.
Status require_answer(const json& info) {
    ASSIGN_OR_RETURN(const model::State state, model::parse_state(info.value("state", "")));
    return model::allowed(model::Verb::exec, state, info.value("name", ""));
}

Result<int> ssh(const Globals& globals, const SshOptions& options) {
    ASSIGN_OR_RETURN(const json info, ask(globals, container_path(options.name)));
    RETURN_IF_ERROR(require_answer(info));
    if (info["addresses"].empty()) {
        return fail(ErrorCode::invalid_state, "'" + options.name + "' has no address");
    }
    ASSIGN_OR_RETURN(const auto address,
                     model::CidrAddress::parse(info["addresses"][0].get<std::string>()));
    ASSIGN_OR_RETURN(const std::string self, own_program());
    // ssh runs this command to get the keys (KnownHostsCommand, ssh_config(5)), so that no file is
    // needed.
    std::vector<std::string> words{"ssh"};
    for (const std::string& option :
         {"KnownHostsCommand=" + self + " --socket " + ssh_word(globals.socket) + " known-hosts " +
              ssh_word(options.name),
          std::string("UserKnownHostsFile=/dev/null"),
          std::string("GlobalKnownHostsFile=/dev/null"),
          "HostKeyAlias=" + alias_of(info),
          std::string("StrictHostKeyChecking=yes"),
          std::string("UpdateHostKeys=no"),
          // The tenant's root could use the agent. -A on the command line overrides this.
          std::string("ForwardAgent=no")}) {
        words.insert(words.end(), {"-o", option});
    }
    words.insert(words.end(), {"-l", options.user, address.address.to_string()});
    words.insert(words.end(), options.arguments.begin(), options.arguments.end());
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    ::execvp("ssh", argv.data());
    return fail_errno("run ssh");
}

} // namespace

void add_ssh_command(const Registry& registry) {
    const auto options = std::make_shared<SshOptions>();
    const Globals& globals = registry.globals;
    CLI::App* command = registry.add(registry.app,
                                     "ssh",
                                     "Enter a container by the user's own ssh",
                                     [&globals, options] { return ssh(globals, *options); });
    command->add_option("NAME", options->name, "The container")->required();
    command->add_option("--user,-l", options->user, "Who to be (root)");
    of_bytes(add_rest(*command, "ARGUMENT", options->arguments, "For ssh, all words"), "WORD");
    const auto name = std::make_shared<std::string>();
    CLI::App* hosts = registry.add(registry.app,
                                   "known-hosts",
                                   "Print a container's SSH host keys as known_hosts lines",
                                   [&globals, name] { return print_known_hosts(globals, *name); });
    hosts->add_option("NAME", *name, "The container")->required();
}

} // namespace lodge::cli
