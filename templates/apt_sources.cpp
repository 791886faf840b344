#include "templates/apt_sources.hpp"

#include "lib/kernel/fs.hpp"

#include <array>
#include <cerrno>
#include <map>
#include <sstream>

namespace lodge::templates {

namespace {

constexpr std::size_t kLongestFile = std::size_t{1} << 20;

std::vector<std::string> words_of(const std::string& line) {
    std::istringstream stream(line);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
        words.push_back(word);
    }
    return words;
}

std::string join(const std::vector<std::string>& words, std::size_t from) {
    std::string text;
    for (std::size_t i = from; i < words.size(); ++i) {
        text += (text.empty() ? "" : " ") + words[i];
    }
    return text;
}

using Stanza = std::map<std::string, std::string>;

void add_stanza(const Stanza& stanza, std::vector<AptSource>& into) {
    const auto field = [&](const char* name) {
        const auto at = stanza.find(name);
        return at == stanza.end() ? std::string() : at->second;
    };
    if ((" " + field("Types") + " ").find(" deb ") == std::string::npos ||
        field("Enabled") == "no") {
        return;
    }
    // A keyring may also stand inline, in several lines; only a path can be handed on.
    const std::string key = field("Signed-By").rfind('/', 0) == 0 ? field("Signed-By") : "";
    for (const std::string& uri : words_of(field("URIs"))) {
        for (const std::string& suite : words_of(field("Suites"))) {
            into.push_back({uri, suite, field("Components"), key});
        }
    }
}

Result<std::string> host_codename() {
    ASSIGN_OR_RETURN(const std::string text, kernel::read_file("/etc/os-release", 65536));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("VERSION_CODENAME=", 0) == 0) {
            return line.substr(17);
        }
    }
    return fail(ErrorCode::unsupported,
                "/etc/os-release names no VERSION_CODENAME: is this host Debian?");
}

Status read_folder(const std::string& path, std::vector<AptSource>& into) {
    const auto folder = kernel::open_directory(path);
    if (!folder) { // there need not be one
        return folder.error().sys_errno() == ENOENT ? Status{}
                                                    : std::unexpected<Error>(folder.error());
    }
    return kernel::for_each_entry(
        folder->get(), [&](const std::string& name, unsigned char) -> Status {
            const bool one_line = name.ends_with(".list");
            if (!one_line && !name.ends_with(".sources")) {
                return {};
            }
            ASSIGN_OR_RETURN(const std::string text,
                             kernel::read_file(path + "/" + name, kLongestFile));
            for (AptSource& source :
                 one_line ? parse_sources_list(text) : parse_deb822_sources(text)) {
                into.push_back(std::move(source));
            }
            return {};
        });
}

} // namespace

std::vector<AptSource> parse_sources_list(std::string_view text) {
    std::vector<AptSource> sources;
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        line = line.substr(0, line.find('#'));
        std::string signed_by;
        if (const std::size_t open = line.find('['); open != std::string::npos) {
            const std::size_t close = line.find(']', open);
            if (close == std::string::npos) {
                continue;
            }
            for (const std::string& option : words_of(line.substr(open + 1, close - open - 1))) {
                if (option.rfind("signed-by=/", 0) == 0) {
                    signed_by = option.substr(10);
                }
            }
            line.erase(open, close - open + 1);
        }
        const auto words = words_of(line);
        if (words.size() >= 3 && words[0] == "deb") {
            sources.push_back({words[1], words[2], join(words, 3), signed_by});
        }
    }
    return sources;
}

std::vector<AptSource> parse_deb822_sources(std::string_view text) {
    std::vector<AptSource> sources;
    Stanza stanza;
    std::string field;
    std::istringstream lines{std::string(text) + "\n\n"};
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind('#', 0) == 0) {
            continue;
        }
        if (words_of(line).empty()) {
            add_stanza(stanza, sources);
            stanza.clear();
            field.clear();
        } else if (line[0] == ' ' || line[0] == '\t') {
            stanza[field] += " " + join(words_of(line), 0);
        } else if (const std::size_t colon = line.find(':'); colon != std::string::npos) {
            field = line.substr(0, colon);
            stanza[field] = join(words_of(line.substr(colon + 1)), 0);
        }
    }
    return sources;
}

Result<std::string> sources_for_suite(const std::vector<AptSource>& host,
                                      const std::string& codename,
                                      const std::string& suite) {
    std::string lines;
    bool has_main = false;
    for (const AptSource& source : host) {
        for (const char* pocket : {"", "-updates", "-security"}) {
            if (source.suite != codename + pocket) {
                continue;
            }
            const std::string option =
                source.signed_by.empty() ? "" : " [signed-by=" + source.signed_by + "]";
            lines += "deb" + option + " " + source.uri + " " + suite + pocket + " " +
                     source.components + "\n";
            has_main = has_main || *pocket == '\0';
        }
    }
    if (!has_main) {
        return fail(ErrorCode::unsupported,
                    "the host's apt configuration has no source for its own release '" + codename +
                        "', from which the one for '" + suite + "' would follow");
    }
    return lines;
}

Result<std::string> host_sources_for_suite(const std::string& suite) {
    ASSIGN_OR_RETURN(const std::string codename, host_codename());
    std::vector<AptSource> sources;
    const auto text = kernel::read_file("/etc/apt/sources.list", kLongestFile);
    if (text) {
        sources = parse_sources_list(*text);
    } else if (text.error().sys_errno() != ENOENT) {
        return std::unexpected<Error>(text.error());
    }
    RETURN_IF_ERROR(read_folder("/etc/apt/sources.list.d", sources));
    return sources_for_suite(sources, codename, suite);
}

} // namespace lodge::templates
