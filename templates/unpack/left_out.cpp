#include "templates/unpack/left_out.hpp"

#include <algorithm>
#include <utility>

namespace lodge::templates {

namespace {

constexpr std::size_t kMostRemembered = std::size_t{64} << 20;

struct Word {
    const char* one;
    const char* many;
};
// In the order of LeftOut::Kind.
constexpr std::array<Word, 7> kWords{
    {{"device node", "device nodes"},
     {"fifo", "fifos"},
     {"socket", "sockets"},
     {"hard link to such", "hard links to such"},
     {"entry with a name of 255 bytes or one that begins with 'lost+found'",
      "entries with a name of 255 bytes or one that begins with 'lost+found'"},
     {"entry's extended attributes", "entries' extended attributes"},
     {"access control list", "access control lists"}}};

template <typename Visit>
void for_each_part(std::string_view path, const Visit& visit) {
    for (std::size_t start = 0; start < path.size();) {
        const std::size_t end = std::min(path.find('/', start), path.size());
        const std::string_view part = path.substr(start, end - start);
        if (!part.empty() && part != ".") {
            visit(part);
        }
        start = end + 1;
    }
}

} // namespace

bool is_holdable(std::string_view name) {
    constexpr std::size_t kLongest = 254;
    return name.size() <= kLongest && !name.starts_with("lost+found");
}

std::string normalised(std::string_view path) {
    std::string text;
    for_each_part(path, [&](std::string_view part) {
        text += text.empty() ? "" : "/";
        text += part;
    });
    return text;
}

void LeftOut::entry(Kind kind, std::string_view path) {
    of_an_entry(kind);
    const auto [at, added] = paths_.insert(normalised(path));
    remembered_ += added ? at->size() : 0;
}

void LeftOut::unholdable(std::string_view path) {
    std::string first;
    bool found = false;
    for_each_part(path, [&](std::string_view part) {
        if (!found) {
            first += first.empty() ? "" : "/";
            first += part;
            found = !is_holdable(part);
        }
    });
    if (found) {
        of_an_entry(Kind::name);
        const auto [at, added] = to_go_.insert(std::move(first));
        remembered_ += added ? at->size() : 0;
    }
}

void LeftOut::taken(std::string_view path) {
    if (!paths_.empty()) {
        paths_.erase(normalised(path));
    }
}

bool LeftOut::contains(std::string_view path) const {
    return !paths_.empty() && paths_.contains(normalised(path));
}

bool LeftOut::too_much() const {
    constexpr std::size_t kEach = 128; // of a node of either set
    return remembered_ + (paths_.size() + to_go_.size()) * kEach > kMostRemembered;
}

std::string LeftOut::sentence() const {
    std::string text;
    for (std::size_t kind = 0; kind < counts_.size(); ++kind) {
        if (counts_.at(kind) != 0) {
            text += (text.empty() ? "left out of the archive: " : ", ") +
                    std::to_string(counts_.at(kind)) + " " +
                    (counts_.at(kind) == 1 ? kWords.at(kind).one : kWords.at(kind).many);
        }
    }
    return text;
}

} // namespace lodge::templates
