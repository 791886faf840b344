#include "daemon/containers/hosts_file.hpp"

#include <algorithm>
#include <cstddef>

namespace lodge::daemon {

namespace {

constexpr const char* kBlanks = " \t\r";
constexpr std::string_view kLocal = "localhost"; // of every host, whatever else it is called

std::string label_of(const std::string& hostname) {
    return hostname.substr(0, hostname.find('.'));
}

// "shop.example.org", "shop".
std::vector<std::string> names_of(const std::string& hostname) {
    const std::string label = label_of(hostname);
    return hostname == label ? std::vector<std::string>{label}
                             : std::vector<std::string>{hostname, label};
}

std::string own_lines(const std::string& hostname, const std::vector<std::string>& addresses) {
    std::string text;
    for (const std::string& address : addresses) {
        text += address;
        for (const std::string& name : names_of(hostname)) {
            text += " " + name;
        }
        text += "\n";
    }
    return text;
}

// A parsed line: `text` up to a comment, in words; the comment with the blanks before it.
struct Line {
    std::vector<std::string> words;
    std::string blanks; ///< between the address and the first name
    std::string comment;
};

Line take_apart(std::string_view text) {
    Line line;
    const std::size_t end = std::min(text.find('#'), text.size());
    std::size_t last = 0;
    for (std::size_t at = text.find_first_not_of(kBlanks); at < end;
         at = text.find_first_not_of(kBlanks, last)) {
        if (line.words.size() == 1) {
            line.blanks = text.substr(last, at - last);
        }
        last = std::min(text.find_first_of(kBlanks, at), end);
        line.words.emplace_back(text.substr(at, last - at));
    }
    line.comment = text.substr(last);
    return line;
}

bool is_own(const std::string& word, const std::vector<std::string>& addresses) {
    const auto address = model::IpAddress::parse(word);
    if (!address) {
        return false;
    }
    const bool loopback =
        address->is_v4() ? address->bytes()[0] == 127 : address->to_string() == "::1";
    return loopback || std::any_of(addresses.begin(), addresses.end(), [&](const std::string& own) {
               const auto parsed = model::IpAddress::parse(own);
               return parsed && *parsed == *address;
           });
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// The names of a line, with the first of `before` replaced by those of `now`.
std::vector<std::string> renamed(const std::vector<std::string>& words,
                                 const std::vector<std::string>& before,
                                 const std::vector<std::string>& now) {
    std::vector<std::string> names;
    bool put = false;
    for (std::size_t at = 1; at < words.size(); ++at) {
        const bool old = words[at] != kLocal && holds(before, words[at]);
        if (old && !put) {
            names.insert(names.end(), now.begin(), now.end());
            put = true;
        } else if (!old && !(put && holds(now, words[at]))) {
            names.push_back(words[at]);
        }
    }
    return names;
}

std::string put_together(const Line& line, const std::vector<std::string>& names) {
    std::string text = line.words.front() + line.blanks;
    for (std::size_t at = 0; at < names.size(); ++at) {
        text += (at == 0 ? "" : " ") + names[at];
    }
    return text + line.comment;
}

} // namespace

std::vector<std::string> address_texts(const model::Container& container) {
    std::vector<std::string> texts;
    for (const model::CidrAddress& address : container.addresses()) {
        texts.push_back(address.address.to_string());
    }
    return texts;
}

std::string hosts_text(const std::string& hostname, const std::vector<std::string>& addresses) {
    return "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" +
           own_lines(hostname, addresses);
}

std::string renamed_hosts(std::string_view text,
                          const std::string& before,
                          const std::string& now,
                          const std::vector<std::string>& addresses) {
    const std::vector<std::string> old = names_of(before);
    const std::vector<std::string> names = names_of(now);
    std::string result;
    bool known = false;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view raw = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const Line line = take_apart(raw);
        const bool own = line.words.size() > 1 && is_own(line.words.front(), addresses);
        const bool named =
            own &&
            std::any_of(line.words.begin() + 1, line.words.end(), [&](const std::string& word) {
                return word != kLocal && holds(old, word);
            });
        if (named) {
            result += put_together(line, renamed(line.words, old, names)) + "\n";
        } else {
            result.append(raw).append("\n");
        }
        known =
            known || named ||
            (own && std::find(line.words.begin() + 1, line.words.end(), now) != line.words.end());
    }
    return known ? result : result + own_lines(now, addresses);
}

} // namespace lodge::daemon
