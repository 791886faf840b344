#include "templates/definition.hpp"

#include "lib/base/likeness.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/model/container.hpp"
#include "lib/yaml/yaml.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include <dirent.h>

namespace lodge::templates {

namespace {

constexpr std::size_t kLongestDefinition = std::size_t{256} << 10;

bool is_tree_path(const std::string& path) {
    return path.size() > 1 && path.front() == '/' && (path + "/").find("/../") == std::string::npos;
}

Result<unsigned> parse_mode(const std::string& words) {
    if (words.size() != 4 || words[0] != '0' ||
        words.find_first_not_of("01234567") != std::string::npos) {
        return fail(ErrorCode::invalid_argument,
                    "a file's mode is four octal digits, such as 0644");
    }
    return static_cast<unsigned>(std::stoul(words, nullptr, 8));
}

Result<DefinedFile> read_file_entry(const yaml::Node& node) {
    DefinedFile entry;
    std::string target;
    RETURN_IF_ERROR(yaml::read_mapping(node,
                                       {{"path", yaml::text(entry.path)},
                                        {"mode", yaml::parsed(entry.mode, parse_mode)},
                                        {"content", yaml::text(entry.content)},
                                        {"link", yaml::text(target)}}));
    if (!is_tree_path(entry.path)) {
        return yaml::refuse(node, "a file's path must be absolute and without '..'");
    }
    if (!target.empty()) {
        entry.symlink = true;
        entry.content = target;
    }
    return entry;
}

yaml::Setter file_list(std::vector<DefinedFile>& into) {
    return [&into](const yaml::Node& node) -> Status {
        for (const yaml::Node& item : node.items) {
            ASSIGN_OR_RETURN(DefinedFile entry, read_file_entry(item));
            into.push_back(std::move(entry));
        }
        return node.kind == yaml::Node::Kind::list
                   ? Status{}
                   : yaml::refuse(node, "a list of files is expected here");
    };
}

bool is_word(const std::string& word) {
    return !word.empty() && word.front() != '-' &&
           word.find_first_not_of(
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-_:") ==
               std::string::npos;
}

// No value that becomes a program's argument may look like an option.
Status validate(const Definition& definition, const std::string& file) {
    const auto refuse_value = [&](const std::string& why) {
        return fail(ErrorCode::invalid_argument, file + ": " + why);
    };
    RETURN_IF_ERROR(with_context(model::validate_name(definition.name), file));
    if (definition.builder != "mmdebstrap") {
        return refuse_value("'" + definition.builder + "' is not a builder; known is mmdebstrap");
    }
    if (!is_word(definition.suite) || !is_word(definition.variant)) {
        return refuse_value("suite and variant must be words");
    }
    if (definition.packages.empty() ||
        !std::all_of(definition.packages.begin(), definition.packages.end(), is_word)) {
        return refuse_value("packages must be a list of package names");
    }
    if (!is_tree_path(definition.init) || definition.halt_signal.rfind("SIG", 0) != 0) {
        return refuse_value("init must be an absolute path and halt_signal a signal's name");
    }
    if (definition.ready != "ssh" && definition.ready != "running") {
        return refuse_value("ready is ssh or running");
    }
    if (!std::all_of(definition.remove.begin(), definition.remove.end(), is_tree_path)) {
        return refuse_value("remove must be a list of absolute paths without '..'");
    }
    if (!std::all_of(definition.mask_units.begin(), definition.mask_units.end(), is_word)) {
        return refuse_value("mask_units must be a list of unit names");
    }
    return {};
}

} // namespace

Result<Definition> parse_definition(std::string_view text, const std::string& file_name) {
    ASSIGN_OR_RETURN(const yaml::Node root, yaml::parse(text, file_name));
    Definition definition;
    RETURN_IF_ERROR(yaml::read_mapping(root,
                                       {{"name", yaml::text(definition.name)},
                                        {"description", yaml::text(definition.description)},
                                        {"builder", yaml::text(definition.builder)},
                                        {"suite", yaml::text(definition.suite)},
                                        {"variant", yaml::text(definition.variant)},
                                        {"packages", yaml::text_list(definition.packages)},
                                        {"init", yaml::text(definition.init)},
                                        {"halt_signal", yaml::text(definition.halt_signal)},
                                        {"ready", yaml::text(definition.ready)},
                                        {"mask_units", yaml::text_list(definition.mask_units)},
                                        {"remove", yaml::text_list(definition.remove)},
                                        {"files", file_list(definition.files)}}));
    RETURN_IF_ERROR(validate(definition, file_name));
    return definition;
}

Result<Definition> load_definition(const std::vector<std::string>& directories,
                                   const std::string& name) {
    RETURN_IF_ERROR(model::validate_name(name));
    const std::string file = name + ".yaml";
    for (const std::string& directory : directories) {
        const auto yaml = kernel::read_file(directory + "/" + file, kLongestDefinition);
        if (yaml) {
            return parse_definition(*yaml, file);
        }
        if (yaml.error().sys_errno() != ENOENT) {
            return std::unexpected<Error>(yaml.error());
        }
    }
    ASSIGN_OR_RETURN(const auto known, load_definitions(directories));
    std::string listed;
    std::vector<std::string> names;
    for (const Definition& definition : known) {
        listed += (listed.empty() ? "" : ", ") + definition.name;
        names.push_back(definition.name);
    }
    const std::string meant = did_you_mean(name, names);
    return fail(ErrorCode::not_found,
                "no template definition is called '" + name + "'" +
                    (meant.empty() ? "; there are: " + listed : meant));
}

Result<std::vector<Definition>> load_definitions(const std::vector<std::string>& directories) {
    std::map<std::string, Definition> by_file;
    for (const std::string& directory : directories) {
        ASSIGN_OR_RETURN(
            const auto folder,
            with_context(kernel::open_directory(directory), "look for template definitions"));
        RETURN_IF_ERROR(kernel::for_each_entry(
            folder.get(), [&](const std::string& name, unsigned char) -> Status {
                if (!name.ends_with(".yaml") || by_file.contains(name)) {
                    return {};
                }
                ASSIGN_OR_RETURN(const auto yaml,
                                 kernel::read_file(directory + "/" + name, kLongestDefinition));
                ASSIGN_OR_RETURN(by_file[name], parse_definition(yaml, name));
                return {};
            }));
    }
    std::vector<Definition> definitions;
    for (auto& [file, definition] : by_file) {
        definitions.push_back(std::move(definition));
    }
    std::sort(definitions.begin(), definitions.end(), [](const Definition& a, const Definition& b) {
        return a.name < b.name;
    });
    return definitions;
}

} // namespace lodge::templates
