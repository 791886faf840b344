#include "lib/kernel/fs.hpp"

#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

// debian/ held against the one list of packages, etc/dependencies, and against the tree's version.
namespace lodge {
namespace {

using Names = std::set<std::string>;

std::string read_packaging(const std::string& path) {
    const auto text =
        kernel::read_file(std::string(LODGE_SOURCE_DIR) + "/" + path, std::size_t{1} << 20);
    EXPECT_TRUE(text) << path;
    return text ? *text : "";
}

Names listed_packages(const std::string& kind) {
    Names names;
    std::istringstream lines(read_packaging("etc/dependencies"));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(kind + " ")) {
            names.insert(line.substr(kind.size() + 1));
        }
    }
    return names;
}

// The names in the fields called `field` of all paragraphs of debian/control: without versions, and
// without what debhelper fills in.
Names packages_of_field(const std::string& field) {
    Names names;
    bool within = false;
    std::istringstream lines(read_packaging("debian/control"));
    for (std::string line; std::getline(lines, line);) {
        within = line.starts_with(field + ":") || (within && line.starts_with(" "));
        if (!within) {
            continue;
        }
        std::istringstream words(line.substr(line.starts_with(" ") ? 0 : field.size() + 1));
        for (std::string word; std::getline(words, word, ',');) {
            const std::size_t begin = word.find_first_not_of(' ');
            const std::string name =
                begin == std::string::npos
                    ? ""
                    : word.substr(begin, word.find_first_of(" (", begin) - begin);
            if (!name.empty() && name.front() != '$') {
                names.insert(name);
            }
        }
    }
    return names;
}

Names joined(Names names, const Names& more) {
    names.insert(more.begin(), more.end());
    return names;
}

TEST(Packaging, IsBuiltWithThePackagesOfTheOneList) {
    Names wanted = listed_packages("build");
    ASSERT_GT(wanted.size(), 20U);
    wanted.erase("g++");    // build-essential, which a package must not name (Debian policy 4.2)
    wanted.erase("ccache"); // saves time where something is built again and again
    EXPECT_EQ(packages_of_field("Build-Depends"), joined(wanted, {"debhelper-compat"}));
    EXPECT_TRUE(listed_packages("test").contains("debhelper"));
}

TEST(Packaging, RunsWithThePackagesOfTheOneList) {
    Names wanted = listed_packages("run");
    ASSERT_GT(wanted.size(), 5U);
    wanted.erase("util-linux"); // essential: on every host (policy 3.5)
    EXPECT_EQ(joined(packages_of_field("Depends"), packages_of_field("Recommends")),
              joined(wanted, {"lodge", "lodged"}));
}

TEST(Packaging, HasTheVersionOfTheTree) {
    const std::string log = read_packaging("debian/changelog");
    EXPECT_TRUE(log.starts_with("lodge (" LODGE_VERSION ") ")) << log.substr(0, log.find('\n'));
}

} // namespace
} // namespace lodge
