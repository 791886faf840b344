#include "templates/definition.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/model/container.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include <dirent.h>

namespace lodge::templates {

namespace {

constexpr std::size_t kLongestDefinition = std::size_t{256} << 10;

// Where in the file a thing went wrong, for a person.
std::unexpected<Error>
refuse(const std::string& file, const YAML::Mark& mark, const std::string& why) {
    return fail(ErrorCode::invalid_argument,
                file + ":" + std::to_string(mark.line + 1) + ": " + why);
}

using Setter = std::function<Status(const YAML::Node&)>;

// Walks a mapping: every key must be known and stand once.
Status read_mapping(const std::string& file,
                    const YAML::Node& node,
                    const std::map<std::string, Setter>& keys) {
    if (!node.IsMap()) {
        return refuse(file, node.Mark(), "a mapping of keys to values is expected here");
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
        if (!entry.first.IsScalar()) {
            return refuse(file, entry.first.Mark(), "a key must be a word");
        }
        const std::string& key = entry.first.Scalar();
        const auto known = keys.find(key);
        if (known == keys.end()) {
            return refuse(file, entry.first.Mark(), "unknown key '" + key + "'");
        }
        if (!seen.insert(key).second) {
            return refuse(
                file, entry.first.Mark(), "the key '" + key + "' stands here a second time");
        }
        RETURN_IF_ERROR(known->second(entry.second));
    }
    return {};
}

Setter text(const std::string& file, std::string& into) {
    return [&file, &into](const YAML::Node& node) -> Status {
        if (!node.IsScalar()) {
            return refuse(file, node.Mark(), "one value is expected here");
        }
        into = node.Scalar();
        return {};
    };
}

Setter text_list(const std::string& file, std::vector<std::string>& into) {
    return [&file, &into](const YAML::Node& node) -> Status {
        if (!node.IsSequence()) {
            return refuse(file, node.Mark(), "a list is expected here");
        }
        for (const YAML::Node& item : node) {
            if (!item.IsScalar()) {
                return refuse(file, item.Mark(), "a list of words is expected here");
            }
            into.push_back(item.Scalar());
        }
        return {};
    };
}

bool is_tree_path(const std::string& path) {
    return path.size() > 1 && path.front() == '/' && (path + "/").find("/../") == std::string::npos;
}

Result<DefinedFile> read_file_entry(const std::string& file, const YAML::Node& node) {
    DefinedFile entry;
    std::string mode = "0644";
    std::string target;
    RETURN_IF_ERROR(read_mapping(file,
                                 node,
                                 {{"path", text(file, entry.path)},
                                  {"mode", text(file, mode)},
                                  {"content", text(file, entry.content)},
                                  {"link", text(file, target)}}));
    if (!is_tree_path(entry.path)) {
        return refuse(file, node.Mark(), "a file's path must be absolute and without '..'");
    }
    if (mode.size() != 4 || mode[0] != '0' ||
        mode.find_first_not_of("01234567") != std::string::npos) {
        return refuse(file, node.Mark(), "a file's mode is four octal digits, such as 0644");
    }
    entry.mode = static_cast<unsigned>(std::stoul(mode, nullptr, 8));
    if (!target.empty()) {
        entry.symlink = true;
        entry.content = target;
    }
    return entry;
}

Setter file_list(const std::string& file, std::vector<DefinedFile>& into) {
    return [&file, &into](const YAML::Node& node) -> Status {
        if (!node.IsSequence()) {
            return refuse(file, node.Mark(), "a list of files is expected here");
        }
        for (const YAML::Node& item : node) {
            ASSIGN_OR_RETURN(DefinedFile entry, read_file_entry(file, item));
            into.push_back(std::move(entry));
        }
        return {};
    };
}

bool is_word(const std::string& word) {
    return !word.empty() && word.front() != '-' &&
           word.find_first_not_of(
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-_:") ==
               std::string::npos;
}

// What a program's arguments are made of must not be able to become options.
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

Result<Definition> parse_definition(std::string_view yaml, const std::string& file_name) {
    try {
        const YAML::Node root = YAML::Load(std::string(yaml));
        Definition definition;
        RETURN_IF_ERROR(read_mapping(file_name,
                                     root,
                                     {{"name", text(file_name, definition.name)},
                                      {"description", text(file_name, definition.description)},
                                      {"builder", text(file_name, definition.builder)},
                                      {"suite", text(file_name, definition.suite)},
                                      {"variant", text(file_name, definition.variant)},
                                      {"packages", text_list(file_name, definition.packages)},
                                      {"init", text(file_name, definition.init)},
                                      {"halt_signal", text(file_name, definition.halt_signal)},
                                      {"ready", text(file_name, definition.ready)},
                                      {"mask_units", text_list(file_name, definition.mask_units)},
                                      {"remove", text_list(file_name, definition.remove)},
                                      {"files", file_list(file_name, definition.files)}}));
        RETURN_IF_ERROR(validate(definition, file_name));
        return definition;
    } catch (const YAML::Exception& error) {
        return refuse(file_name, error.mark, error.msg);
    }
}

Result<Definition> load_definition(const std::string& directory, const std::string& name) {
    RETURN_IF_ERROR(model::validate_name(name));
    const std::string file = name + ".yaml";
    const auto yaml = kernel::read_file(directory + "/" + file, kLongestDefinition);
    if (yaml) {
        return parse_definition(*yaml, file);
    }
    if (yaml.error().sys_errno() != ENOENT) {
        return std::unexpected<Error>(yaml.error());
    }
    ASSIGN_OR_RETURN(const auto known, load_definitions(directory));
    std::string names;
    for (const Definition& definition : known) {
        names += (names.empty() ? "" : ", ") + definition.name;
    }
    return fail(ErrorCode::not_found,
                "no template definition is called '" + name + "'; there are " + names);
}

Result<std::vector<Definition>> load_definitions(const std::string& directory) {
    std::vector<Definition> definitions;
    ASSIGN_OR_RETURN(const auto folder, kernel::open_directory(directory));
    RETURN_IF_ERROR(
        kernel::for_each_entry(folder.get(), [&](const std::string& name, unsigned char) -> Status {
            if (!name.ends_with(".yaml")) {
                return {};
            }
            ASSIGN_OR_RETURN(const auto yaml,
                             kernel::read_file(directory + "/" + name, kLongestDefinition));
            ASSIGN_OR_RETURN(Definition definition, parse_definition(yaml, name));
            definitions.push_back(std::move(definition));
            return {};
        }));
    std::sort(definitions.begin(), definitions.end(), [](const Definition& a, const Definition& b) {
        return a.name < b.name;
    });
    return definitions;
}

} // namespace lodge::templates
